/** The calling account and its API tokens. A token is shown once, when it is made; afterwards nobody can read it. */
import { type Static, Type } from '@fastify/type-provider-typebox';
import { createToken, type ProvisionDependencies } from '../../accounts/provision.ts';
import type { Token } from '../../store/contract/accounts.ts';
import type { App } from '../app.ts';
import { notFound } from '../errors.ts';
import {
  closed,
  Id,
  IdParams,
  isoTime,
  isoTimeOrNull,
  nullable,
  Time,
  NextCursor,
  page,
  PageQuery,
} from './shapes.ts';

const AccountShape = Type.Object({
  id: Id,
  name: Type.String(),
  email: Type.String(),
  time_zone: Type.String(),
  track: Type.Object({ opens: Type.Boolean(), clicks: Type.Boolean(), text: Type.Boolean() }),
  list_unsubscribe: Type.Boolean(),
  created_at: Time,
});

const TokenShape = Type.Object({
  id: Id,
  name: Type.String(),
  created_at: Time,
  revoked_at: nullable(Time),
});

const NewTokenShape = Type.Object({
  id: Id,
  name: Type.String(),
  token: Type.String({ description: 'Shown this once' }),
});

export function accountRoutes(app: App, dependencies: ProvisionDependencies): void {
  const { accounts, clock } = dependencies;

  app.get(
    '/api/account',
    {
      schema: {
        operationId: 'getAccount',
        tags: ['account'],
        summary: 'Tell whose token this is',
        response: { 200: AccountShape },
      },
    },
    async ({ account }): Promise<Static<typeof AccountShape>> => ({
      id: account.id,
      name: account.name,
      email: account.email,
      time_zone: account.timeZone,
      track: {
        opens: account.settings.trackOpens,
        clicks: account.settings.trackClicks,
        text: account.settings.trackText,
      },
      list_unsubscribe: account.settings.listUnsubscribe,
      created_at: isoTime(account.createdAtMs),
    }),
  );

  app.get(
    '/api/tokens',
    {
      schema: {
        operationId: 'listTokens',
        tags: ['account'],
        summary: 'List API tokens, the revoked ones too, newest first',
        querystring: closed(PageQuery),
        response: { 200: Type.Object({ tokens: Type.Array(TokenShape), next_cursor: NextCursor }) },
      },
    },
    async ({ query, account }) => {
      const { entries, next_cursor } = await page(query, (range) =>
        accounts.listTokens({ accountId: account.id, ...range }),
      );
      return { tokens: entries.map(tokenShape), next_cursor };
    },
  );

  app.post(
    '/api/tokens',
    {
      schema: {
        operationId: 'createToken',
        tags: ['account'],
        summary: 'Make an API token',
        body: closed(
          { name: Type.String({ minLength: 1, maxLength: 100 }) },
          { examples: [{ name: 'shop backend' }] },
        ),
        response: { 201: NewTokenShape },
      },
    },
    async ({ body: { name }, account }, reply) => {
      const { id, token } = await createToken(dependencies, account.id, name);
      reply.code(201);
      return { id, name, token };
    },
  );

  app.delete(
    '/api/tokens/:id',
    {
      schema: {
        operationId: 'revokeToken',
        tags: ['account'],
        summary: 'Revoke an API token, at once and for good',
        params: IdParams,
        response: { 204: Type.Null({ description: 'Revoked' }) },
      },
    },
    async ({ params: { id }, account }, reply) => {
      const input = { accountId: account.id, tokenId: id, atMs: clock.now() };
      if (!(await accounts.revokeToken(input))) throw notFound('token that is still good');
      return reply.code(204).send(null);
    },
  );
}

function tokenShape({ id, name, createdAtMs, revokedAtMs }: Token): Static<typeof TokenShape> {
  return { id, name, created_at: isoTime(createdAtMs), revoked_at: isoTimeOrNull(revokedAtMs) };
}
