/** Who may look at the account through the console: members, invitations, and the log of what they did. For its owners. */
import { Type } from '@fastify/type-provider-typebox';
import { type MemberChange, roles } from '../../store/contract/users.ts';
import { invitationLink } from '../../users/people.ts';
import type { App } from '../app.ts';
import { ApiError, notFound } from '../errors.ts';
import type { SessionDependencies } from '../sessions.ts';
import { closed, Id, IdParams, isoTime, NextCursor, page, PageQuery, Time } from './shapes.ts';

const Role = Type.Enum(roles, {
  description:
    '`support` looks and sees no secrets, `developer` sends and sets, `owner` also decides who may',
});
const MemberShape = Type.Object({
  id: Id,
  email: Type.String(),
  role: Role,
  second_factor: Type.Boolean(),
  created_at: Time,
});
const InvitationShape = Type.Object({
  id: Id,
  email: Type.String(),
  role: Role,
  created_at: Time,
  expires_at: Time,
});

/** Invitations of an account that may be open at once. */
const maxInvitations = 100;
const owners = { peopleOnly: true, role: 'owner' } as const;
const tags = ['console'];

export function userRoutes(app: App, deps: SessionDependencies): void {
  memberRoutes(app, deps);
  invitationRoutes(app, deps);
  auditRoute(app, deps);
}

function memberRoutes(app: App, { users, clock }: SessionDependencies): void {
  app.get(
    '/api/users',
    {
      config: owners,
      schema: {
        operationId: 'listUsers',
        tags,
        summary: 'List who may look at the account, newest first, and who was invited',
        querystring: closed(PageQuery),
        response: {
          200: Type.Object({
            users: Type.Array(MemberShape),
            invitations: Type.Array(InvitationShape, { description: 'All that are open' }),
            next_cursor: NextCursor,
          }),
        },
      },
    },
    async ({ query, account }) => {
      const [{ entries, next_cursor }, invitations] = await Promise.all([
        page(query, async (range) =>
          (await users.members({ accountId: account.id, ...range })).map(({ user, role }) => ({
            id: user.id,
            email: user.email,
            role,
            second_factor: user.sealedTotp !== undefined,
            created_at: isoTime(user.createdAtMs),
          })),
        ),
        users.invitations(account.id, clock.now()),
      ]);
      return {
        users: [...entries],
        next_cursor,
        invitations: invitations.flatMap(({ id, email, purpose, createdAtMs, expiresAtMs }) =>
          purpose.kind === 'join'
            ? [
                {
                  id,
                  email,
                  role: purpose.role,
                  created_at: isoTime(createdAtMs),
                  expires_at: isoTime(expiresAtMs),
                },
              ]
            : [],
        ),
      };
    },
  );

  app.patch(
    '/api/users/:id',
    {
      config: owners,
      schema: {
        operationId: 'changeRole',
        tags,
        summary: 'Change what a user may do',
        params: IdParams,
        body: closed({ role: Role }),
        response: { 204: Type.Null() },
      },
    },
    async ({ account, params, body }, reply) => {
      checked(await users.changeRole({ accountId: account.id, userId: params.id, role: body.role }));
      return reply.code(204).send(null);
    },
  );

  app.delete(
    '/api/users/:id',
    {
      config: owners,
      schema: {
        operationId: 'removeUser',
        tags,
        summary: 'Take a user out of the account',
        params: IdParams,
        response: { 204: Type.Null() },
      },
    },
    async ({ account, params }, reply) => {
      checked(await users.removeMember({ accountId: account.id, userId: params.id }));
      return reply.code(204).send(null);
    },
  );
}

function checked(change: MemberChange): void {
  switch (change) {
    case 'changed':
      return;
    case 'unknown':
      throw notFound('user of this account');
    case 'last-owner':
      throw new ApiError(409, 'last-owner', 'The account would be left without an owner');
  }
}

function invitationRoutes(app: App, { people, users, clock, publicUrl }: SessionDependencies): void {
  app.post(
    '/api/invitations',
    {
      config: owners,
      schema: {
        operationId: 'invite',
        tags,
        summary: 'Invite somebody',
        description: 'Whoever has the link comes in by it, once, within seven days: hand it over yourself.',
        body: closed({
          email: Type.String({ maxLength: 254, pattern: '^\\s*[^\\s@]+@[^\\s@]+\\s*$' }),
          role: Role,
        }),
        response: { 201: Type.Object({ link: Type.String({ description: 'Shown this once' }) }) },
      },
    },
    async ({ account, body: { email, role } }, reply) => {
      if ((await users.invitations(account.id, clock.now())).length >= maxInvitations) {
        throw new ApiError(409, 'invitations-full', `${maxInvitations} invitations are open: withdraw some`);
      }
      const secret = await people.invite({ email, purpose: { kind: 'join', accountId: account.id, role } });
      reply.code(201);
      return { link: invitationLink(publicUrl, secret) };
    },
  );

  app.delete(
    '/api/invitations/:id',
    {
      config: owners,
      schema: {
        operationId: 'withdrawInvitation',
        tags,
        summary: 'Withdraw an invitation',
        params: IdParams,
        response: { 204: Type.Null() },
      },
    },
    async ({ account, params }, reply) => {
      const input = { accountId: account.id, invitationId: params.id };
      if (!(await users.withdraw(input))) throw notFound('open invitation');
      return reply.code(204).send(null);
    },
  );
}

function auditRoute(app: App, { users }: SessionDependencies): void {
  app.get(
    '/api/audit',
    {
      config: owners,
      schema: {
        operationId: 'listAudit',
        tags,
        summary: 'Tell what people did, newest first',
        querystring: closed(PageQuery),
        response: {
          200: Type.Object({
            entries: Type.Array(
              Type.Object({
                id: Id,
                time: Time,
                actor: Type.String(),
                action: Type.String({ description: 'The operation of this API' }),
                subject: Type.String(),
                address: Type.String(),
              }),
            ),
            next_cursor: NextCursor,
          }),
        },
      },
    },
    async ({ account, query }) => {
      const { entries, next_cursor } = await page(query, (range) =>
        users.audit({ accountId: account.id, ...range }),
      );
      return {
        entries: entries.map(({ id, atMs, actor, action, subject, address }) => ({
          id,
          time: isoTime(atMs),
          actor,
          action,
          subject,
          address,
        })),
        next_cursor,
      };
    },
  );
}
