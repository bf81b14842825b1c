/**
 * Signing in by the operator's OpenID provider: a person's browser goes there and comes back here. These are pages, not
 * calls: whatever goes wrong, the person ends at the sign-in page, which says what it was in their language. A session
 * is opened for nobody but the browser that began.
 */
import type { FastifyReply, FastifyRequest } from 'fastify';
import { Type } from '@fastify/type-provider-typebox';
import { clientNetwork } from '../platform/client-address.ts';
import { FailureMeter } from '../platform/failure-meter.ts';
import type { Admissions } from '../users/admissions.ts';
import { type Provider, ProviderError, signInMs } from '../users/provider.ts';
import type { App } from './app.ts';
import { cookieName, cookieOf, type SessionDependencies, setCookie, visitorOf } from './sessions.ts';

export interface ProviderRouteDependencies extends SessionDependencies {
  readonly provider: Provider;
  readonly admissions: Admissions;
}

export const providerCallbackPath = '/sign-in/provider/callback';

/** Comings that failed, of one address: each may cost a request to the provider. */
const allowance = { failures: 20, forgetOneMs: 15_000 };

/** What the sign-in page is told, and has words for. */
type Problem = ProviderError['fault'] | 'email-unverified' | 'not-invited' | 'another-person' | 'slow-down';

export function providerRoutes(app: App, deps: ProviderRouteDependencies): void {
  const { provider, publicUrl, clock } = deps;
  const failures = new FailureMeter(allowance, clock);
  const name = `${cookieName(publicUrl)}-sign-in`;

  /** `Lax`: it has to come along when the provider sends the browser back. */
  const remember = (reply: FastifyReply, sealed: string) => {
    const secure = publicUrl.startsWith('https:') ? '; Secure' : '';
    const age = sealed === '' ? 0 : signInMs / 1000;
    reply.header('set-cookie', `${name}=${sealed}; Path=/; Max-Age=${age}; HttpOnly; SameSite=Lax${secure}`);
  };
  const tell = (problem: Problem, reply: FastifyReply) => reply.redirect(`/sign-in?problem=${problem}`, 303);
  const excuse = (error: unknown, request: FastifyRequest, reply: FastifyReply) => {
    if (!(error instanceof ProviderError)) throw error;
    const { fault, message } = error;
    request.log[fault === 'failed' || fault === 'unreachable' ? 'warn' : 'info'](
      { provider: provider.name, fault, reason: message },
      'a sign-in by the provider did not succeed',
    );
    return tell(fault, reply);
  };

  app.get(
    '/sign-in/provider',
    {
      schema: {
        hide: true,
        querystring: Type.Object({ to: Type.Optional(Type.String({ maxLength: 2000 })) }),
      },
    },
    async (request, reply) => {
      try {
        const { url, sealed } = await provider.begin(pageOf(request.query.to ?? '/', publicUrl));
        remember(reply, sealed);
        return await reply.redirect(url, 303);
      } catch (error) {
        return excuse(error, request, reply);
      }
    },
  );

  app.get(providerCallbackPath, { schema: { hide: true } }, async (request, reply) => {
    const network = clientNetwork(request.ip);
    if (failures.waitMs(network) > 0) return tell('slow-down', reply);
    const sealed = cookieOf(request, name) ?? '';
    // What was begun is over, whatever came of it.
    remember(reply, '');
    try {
      const { person, to } = await provider.finish(sealed, new URL(request.url, publicUrl));
      const problem = await letIn(deps, person, request, reply);
      if (problem === undefined) return await reply.redirect(to, 303);
      request.log.info({ provider: provider.name, problem }, 'a sign-in by the provider let nobody in');
      return tell(problem, reply);
    } catch (error) {
      failures.add(network);
      return excuse(error, request, reply);
    }
  });
}

/** @returns why not */
async function letIn(
  { people, users, admissions, provider, publicUrl, clock }: ProviderRouteDependencies,
  person: Awaited<ReturnType<Provider['finish']>>['person'],
  request: FastifyRequest,
  reply: FastifyReply,
): Promise<Problem | undefined> {
  const outcome = await people.signInByProvider(person, await admissions(person.email), visitorOf(request));
  switch (outcome.kind) {
    case 'signed-in': {
      setCookie(reply, publicUrl, outcome.cookie);
      await users.note({
        accountId: outcome.session.accountId,
        actor: outcome.user.email,
        action: 'signInByProvider',
        subject: provider.name,
        address: request.ip,
        atMs: clock.now(),
      });
      return undefined;
    }
    case 'another-person':
      return 'another-person';
    case 'slow-down':
    case 'code-needed':
    case 'refused':
    case 'stranger':
      return person.email === undefined ? 'email-unverified' : 'not-invited';
  }
}

/** It goes along in the cookie, which browsers throw away beyond 4096 bytes. */
const longestPage = 1000;

/** A page of the console, and never another site's. */
function pageOf(to: string, publicUrl: string): string {
  const url = URL.parse(to, publicUrl);
  if (url === null || url.origin !== publicUrl || !to.startsWith('/')) return '/';
  const page = `${url.pathname}${url.search}`;
  return page.length > longestPage ? '/' : page;
}
