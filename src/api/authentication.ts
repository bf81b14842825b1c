/** Who is calling: the bearer token of a request, checked before any of its body is read. */
import type { FastifyReply, FastifyRequest } from 'fastify';
import type { Credentials } from '../accept/credentials.ts';
import { ApiError } from './errors.ts';

declare module 'fastify' {
  interface FastifyRequest {
    /**
     * For an answer that goes on for long: whether its reader would still be let in. Sets `account` and `person` anew.
     * @throws ApiError
     */
    authenticateAgain: (() => Promise<void>) | undefined;
  }
}

/** @returns a hook that sets `request.account` or refuses */
export function authentication(credentials: Pick<Credentials, 'byToken'>) {
  return async function authenticate(request: FastifyRequest, reply: FastifyReply): Promise<void> {
    const token = /^Bearer +(\S+) *$/i.exec(request.headers.authorization ?? '')?.[1];
    if (token === undefined) {
      reply.header('www-authenticate', 'Bearer realm="aftersend"');
      throw new ApiError(401, 'token-missing', 'The request needs an API token: Authorization: Bearer TOKEN');
    }
    const verdict = await credentials.byToken(token, request.ip);
    switch (verdict.kind) {
      case 'ok':
        request.account = verdict.account;
        return;
      case 'unknown':
        reply.header('www-authenticate', 'Bearer realm="aftersend", error="invalid_token"');
        throw new ApiError(401, 'token-unknown', 'The API token is unknown or was revoked');
      case 'slow-down':
        throw new ApiError(
          429,
          'slow-down',
          'Too many wrong tokens came from this address',
          '',
          verdict.retryAfterS,
        );
    }
  };
}
