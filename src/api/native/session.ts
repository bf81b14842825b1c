/**
 * `/api/session`: signing in and out, and what concerns the signed-in person alone: password, second factor, sessions.
 * Reached without a token; a stranger learns nothing here but whether what they gave is right.
 */
import { type Static, Type } from '@fastify/type-provider-typebox';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { roles } from '../../store/contract/users.ts';
import { newTotpSecret, totpUri } from '../../users/one-time-codes.ts';
import { maxPasswordChars, minPasswordChars } from '../../users/passwords.ts';
import type { Acceptance } from '../../users/people.ts';
import type { Random } from '../../platform/clock.ts';
import type { App } from '../app.ts';
import { ApiError, notFound } from '../errors.ts';
import { checkOrigin, personOf, type SessionDependencies, setCookie, visitorOf } from '../sessions.ts';
import { closed, Id, IdParams, isoTime, nullable, Time } from './shapes.ts';

const Role = Type.Enum(roles);
const Email = Type.String({ maxLength: 254, pattern: '^\\s*[^\\s@]+@[^\\s@]+\\s*$' });
const Password = Type.String({ maxLength: maxPasswordChars });
const NewPassword = Type.String({ minLength: minPasswordChars, maxLength: maxPasswordChars });
const Code = Type.String({ maxLength: 6, description: 'Of the second factor, six digits' });
const Secret = Type.String({ maxLength: 100, description: 'The end of the invitation’s link' });

const AccountRef = Type.Object({ id: Id, name: Type.String(), role: Role });
const SessionAnswer = Type.Object({
  user: Type.Object({
    id: Id,
    email: Type.String(),
    password: Type.Boolean({ description: 'Whether they have one; who came by the OpenID provider may not' }),
    second_factor: Type.Boolean(),
  }),
  account: AccountRef,
  accounts: Type.Array(AccountRef, { description: 'All that the user may look at' }),
});
const SessionShape = Type.Object({
  id: Id,
  user_agent: Type.String(),
  address: Type.String(),
  created_at: Time,
  seen_at: Time,
  current: Type.Boolean(),
});
const SignedIn = Type.Object({ email: Type.String() });
const Ways = Type.Object({
  provider: nullable(
    Type.Object(
      {
        name: Type.String({ description: 'Its host' }),
        sign_out_url: nullable(Type.String({ description: 'Where one signs out there' })),
      },
      { description: 'The OpenID provider; `/sign-in/provider` leads there' },
    ),
  ),
});

const tags = ['console'];
const noContent = Type.Null({ description: 'Done' });

/** Signing in and accepting an invitation: before there is anybody. */
export function signInRoutes(app: App, deps: SessionDependencies): void {
  const { people, accounts, users, clock, publicUrl, provider } = deps;
  app.addHook('onRequest', async (request) => checkOrigin(request, publicUrl));

  const letIn = async (outcome: Acceptance, request: FastifyRequest, reply: FastifyReply) => {
    switch (outcome.kind) {
      case 'signed-in': {
        setCookie(reply, publicUrl, outcome.cookie);
        const { accountId } = outcome.session;
        const note = { accountId, actor: outcome.user.email, address: request.ip, atMs: clock.now() };
        await users.note({ ...note, action: 'signIn', subject: '' });
        return { email: outcome.user.email };
      }
      case 'refused':
        throw new ApiError(401, 'sign-in-refused', 'Address, password or code are wrong');
      case 'code-needed':
        throw new ApiError(401, 'code-needed', 'The code of the second factor is needed', 'code');
      case 'slow-down':
        throw new ApiError(429, 'slow-down', 'Too many wrong tries; wait a little', '', outcome.retryAfterS);
      case 'gone':
        throw new ApiError(410, 'invitation-gone', 'This link was used, withdrawn, or has expired');
    }
  };

  app.post(
    '/api/session',
    {
      schema: {
        operationId: 'signIn',
        tags,
        summary: 'Sign in',
        body: closed({ email: Email, password: Password, code: Type.Optional(Code) }),
        response: { 200: SignedIn },
      },
    },
    async (request, reply) => {
      const { code = '', ...input } = request.body;
      return letIn(await people.signIn({ ...input, code }, visitorOf(request)), request, reply);
    },
  );

  app.get(
    '/api/session/ways',
    {
      schema: {
        operationId: 'listWaysIn',
        tags,
        summary: 'Tell how people may sign in',
        response: { 200: Ways },
      },
    },
    async () => ({
      provider:
        provider === undefined ? null : { name: provider.name, sign_out_url: provider.signOutUrl ?? null },
    }),
  );

  app.post(
    '/api/invitations/look',
    {
      schema: {
        operationId: 'lookAtInvitation',
        tags,
        summary: 'Tell what an invitation is for',
        body: closed({ secret: Secret }),
        response: {
          200: Type.Object({
            kind: Type.Enum(['join', 'reset']),
            email: Type.String({ description: 'Whom it is for, empty if that is open' }),
            account: nullable(Type.String()),
            role: nullable(Role),
          }),
        },
      },
    },
    async ({ body }) => {
      const invitation = await people.invitation(body.secret);
      if (invitation === undefined) {
        throw new ApiError(410, 'invitation-gone', 'This link was used, withdrawn, or has expired');
      }
      const { email, purpose } = invitation;
      if (purpose.kind === 'reset') return { kind: purpose.kind, email, account: null, role: null };
      const account = (await accounts.byId(purpose.accountId))?.name ?? null;
      return { kind: purpose.kind, email, account, role: purpose.role };
    },
  );

  app.post(
    '/api/invitations/accept',
    {
      schema: {
        operationId: 'acceptInvitation',
        tags,
        summary: 'Come in by an invitation',
        description: 'Sets the password of a new user. Who is a user already gives their own.',
        body: closed({ secret: Secret, email: Email, password: NewPassword, code: Type.Optional(Code) }),
        response: { 200: SignedIn },
      },
    },
    async (request, reply) => {
      const { code = '', ...input } = request.body;
      return letIn(await people.accept({ ...input, code }, visitorOf(request)), request, reply);
    },
  );
}

const self = { peopleOnly: true, role: 'support' } as const;

/** What a person may do about themselves. */
export function ownSessionRoutes(app: App, deps: SessionDependencies & { readonly random: Random }): void {
  const { users, clock, publicUrl } = deps;

  app.get(
    '/api/session',
    {
      config: self,
      schema: {
        operationId: 'getSession',
        tags,
        summary: 'Tell who is signed in',
        response: { 200: SessionAnswer },
      },
    },
    async (request): Promise<Static<typeof SessionAnswer>> => {
      const { user, role } = personOf(request);
      const memberships = await users.memberships(user.id);
      return {
        user: {
          id: user.id,
          email: user.email,
          password: user.passwordHash !== undefined,
          second_factor: user.sealedTotp !== undefined,
        },
        account: { id: request.account.id, name: request.account.name, role },
        accounts: memberships.map(({ accountId, accountName, role }) => ({
          id: accountId,
          name: accountName,
          role,
        })),
      };
    },
  );

  app.patch(
    '/api/session',
    {
      config: { ...self, unaudited: true },
      schema: {
        operationId: 'switchAccount',
        tags,
        summary: 'Look at another account',
        body: closed({ account_id: Id }),
        response: { 204: noContent },
      },
    },
    async (request, reply) => {
      const { user, session } = personOf(request);
      const input = { sessionId: session.id, userId: user.id, accountId: request.body.account_id };
      if (!(await users.lookAt(input))) throw notFound('account of yours');
      return reply.code(204).send(null);
    },
  );

  app.delete(
    '/api/session',
    {
      config: self,
      schema: { operationId: 'signOut', tags, summary: 'Sign out', response: { 204: noContent } },
    },
    async (request, reply) => {
      const { user, session } = personOf(request);
      await users.endSession({ userId: user.id, sessionId: session.id });
      setCookie(reply, publicUrl, '');
      return reply.code(204).send(null);
    },
  );

  app.get(
    '/api/sessions',
    {
      config: self,
      schema: {
        operationId: 'listSessions',
        tags,
        summary: 'List where you are signed in',
        response: { 200: Type.Object({ sessions: Type.Array(SessionShape) }) },
      },
    },
    async (request) => {
      const { user, session } = personOf(request);
      const sessions = await users.sessions(user.id, clock.now());
      return {
        sessions: sessions.map(({ id, userAgent, address, createdAtMs, seenAtMs }) => ({
          id,
          user_agent: userAgent,
          address,
          created_at: isoTime(createdAtMs),
          seen_at: isoTime(seenAtMs),
          current: id === session.id,
        })),
      };
    },
  );

  app.delete(
    '/api/sessions/:id',
    {
      config: self,
      schema: {
        operationId: 'endSession',
        tags,
        summary: 'End one of your sessions',
        params: IdParams,
        response: { 204: noContent },
      },
    },
    async (request, reply) => {
      const input = { userId: personOf(request).user.id, sessionId: request.params.id };
      if (!(await users.endSession(input))) throw notFound('session of yours');
      return reply.code(204).send(null);
    },
  );
  secretRoutes(app, deps);
}

/** Password and second factor. */
function secretRoutes(
  app: App,
  { people, users, random }: SessionDependencies & { readonly random: Random },
): void {
  const knows = async (request: FastifyRequest, password: string) => {
    const { user } = personOf(request);
    if (await people.knowsPassword(user, password, visitorOf(request))) return;
    throw new ApiError(422, 'password-wrong', 'This is not your password', 'password');
  };

  app.post(
    '/api/session/password',
    {
      config: self,
      schema: {
        operationId: 'changePassword',
        tags,
        summary: 'Change your password; every other session of yours ends',
        body: closed({ password: Password, new_password: NewPassword }),
        response: { 204: noContent },
      },
    },
    async (request, reply) => {
      await knows(request, request.body.password);
      await people.changePassword(personOf(request), request.body.new_password);
      return reply.code(204).send(null);
    },
  );

  app.post(
    '/api/session/totp/new',
    {
      config: { ...self, unaudited: true },
      schema: {
        operationId: 'proposeSecondFactor',
        tags,
        summary: 'Make a secret for an authenticator; it counts once it is confirmed',
        response: { 200: Type.Object({ secret: Type.String(), uri: Type.String() }) },
      },
    },
    async (request) => {
      const secret = newTotpSecret(random);
      return { secret, uri: totpUri(secret, personOf(request).user.email) };
    },
  );

  app.put(
    '/api/session/totp',
    {
      config: self,
      schema: {
        operationId: 'setSecondFactor',
        tags,
        summary: 'Switch the second factor on',
        body: closed({ secret: Type.String({ pattern: '^[A-Z2-7]{32}$' }), code: Code, password: Password }),
        response: { 204: noContent },
      },
    },
    async (request, reply) => {
      const { secret, code, password } = request.body;
      await knows(request, password);
      if (!(await people.setTotp(personOf(request).user, secret, code))) {
        throw new ApiError(422, 'code-wrong', 'The code does not fit, or its time is over', 'code');
      }
      return reply.code(204).send(null);
    },
  );

  app.post(
    '/api/session/totp/off',
    {
      config: self,
      schema: {
        operationId: 'removeSecondFactor',
        tags,
        summary: 'Switch the second factor off',
        body: closed({ password: Password }),
        response: { 204: noContent },
      },
    },
    async (request, reply) => {
      await knows(request, request.body.password);
      await users.setTotp({ userId: personOf(request).user.id, sealedTotp: undefined });
      return reply.code(204).send(null);
    },
  );
}
