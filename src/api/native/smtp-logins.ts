/** How the account's programs submit by SMTP: where, and with which logins. A password is shown once, when it is made. */
import { Type } from '@fastify/type-provider-typebox';
import { createSmtpLogin, ProvisionError, type ProvisionDependencies } from '../../accounts/provision.ts';
import type { App } from '../app.ts';
import { ApiError, notFound } from '../errors.ts';
import { closed, isoTime, isoTimeOrNull, nullable, Time, NextCursor, page, PageQuery } from './shapes.ts';

export interface SmtpLoginDependencies extends ProvisionDependencies {
  /** Where programs reach the SMTP door. */
  readonly submission: () => { readonly host: string; readonly port: number };
}

const Username = Type.String({ maxLength: 63, description: 'Unique in the service' });
const tags = ['account'];

export function smtpLoginRoutes(app: App, dependencies: SmtpLoginDependencies): void {
  const { accounts, clock, submission } = dependencies;

  app.get(
    '/api/smtp-logins',
    {
      schema: {
        operationId: 'listSmtpLogins',
        tags,
        summary: 'Tell where to submit by SMTP, and list the logins, the revoked ones too, newest first',
        querystring: closed(PageQuery),
        response: {
          200: Type.Object({
            host: Type.String(),
            port: Type.Integer(),
            security: Type.Enum(['starttls']),
            logins: Type.Array(
              Type.Object({ username: Type.String(), created_at: Time, revoked_at: nullable(Time) }),
            ),
            next_cursor: NextCursor,
          }),
        },
      },
    },
    async ({ query, account }) => {
      const { entries, next_cursor } = await page(query, (range) =>
        accounts.listSmtpLogins({ accountId: account.id, ...range }),
      );
      const logins = entries.map(({ username, createdAtMs, revokedAtMs }) => ({
        username,
        created_at: isoTime(createdAtMs),
        revoked_at: isoTimeOrNull(revokedAtMs),
      }));
      return { ...submission(), security: 'starttls' as const, logins, next_cursor };
    },
  );

  app.post(
    '/api/smtp-logins',
    {
      schema: {
        operationId: 'createSmtpLogin',
        tags,
        summary: 'Make an SMTP login',
        body: closed({ username: Username }, { examples: [{ username: 'shop-printer' }] }),
        response: {
          201: Type.Object({
            username: Type.String(),
            password: Type.String({ description: 'Shown this once' }),
          }),
        },
      },
    },
    async ({ body: { username }, account }, reply) => {
      try {
        const login = await createSmtpLogin(dependencies, account.id, username);
        reply.code(201);
        return login;
      } catch (error) {
        if (!(error instanceof ProvisionError)) throw error;
        throw new ApiError(422, 'invalid', error.message, 'username');
      }
    },
  );

  app.delete(
    '/api/smtp-logins/:username',
    {
      schema: {
        operationId: 'revokeSmtpLogin',
        tags,
        summary: 'Revoke an SMTP login, at once and for good',
        params: closed({ username: Username }),
        response: { 204: Type.Null({ description: 'Revoked' }) },
      },
    },
    async ({ params: { username }, account }, reply) => {
      const input = { accountId: account.id, username, atMs: clock.now() };
      if (!(await accounts.revokeSmtpLogin(input))) throw notFound('SMTP login that is still good');
      return reply.code(204).send(null);
    },
  );
}
