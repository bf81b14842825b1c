/** People at the API: coming in, what a role may do, what another site cannot make a browser do, what is noted. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { eventStreamRoute } from '../../src/api/native/event-stream.ts';
import type { Store } from '../../src/store/contract/store.ts';
import type { Role } from '../../src/store/contract/users.ts';
import { openSqliteStore } from '../../src/store/sqlite/open.ts';
import { codeOf } from '../support/authenticator.ts';
import { ManualClock } from '../support/manual-clock.ts';
import { type ApiUnderTest, startApi, startMs } from './api-under-test.ts';

const console = { 'aftersend-console': '1' };
const password = 'a password of some length';

async function join(api: ApiUnderTest, email: string, role: Role): Promise<string> {
  const secret = await api.people.invite({
    email,
    purpose: { kind: 'join', accountId: api.accountId, role },
  });
  const answer = await api.call('POST', '/api/invitations/accept', {
    token: undefined,
    headers: console,
    body: { secret, email: email || 'first@example.org', password },
  });
  assert.equal(answer.status, 200, answer.text);
  return cookieOf(answer.headers['set-cookie']);
}

const cookieOf = (header: string | string[] | undefined): string => String(header).split(';', 1)[0] ?? '';

const as = (cookie: string, body?: object) => ({
  token: undefined,
  headers: { ...console, cookie },
  ...(body !== undefined && { body }),
});

const signIn = (api: ApiUnderTest, email: string, given: string, code?: string) =>
  api.call('POST', '/api/session', {
    token: undefined,
    headers: console,
    body: { email, password: given, ...(code !== undefined && { code }) },
  });

describe('coming in', () => {
  test('by a link once, then by password; the cookie is strict, for this host and unreadable for scripts', async () => {
    await using api = await startApi();
    const secret = await api.people.invite({
      email: '',
      purpose: { kind: 'join', accountId: api.accountId, role: 'owner' },
    });
    const body = { secret, email: 'Ann@example.org', password };
    const call = (path: string, given: object) =>
      api.call('POST', path, { token: undefined, headers: console, body: given });
    const look = await call('/api/invitations/look', { secret });
    assert.deepEqual(look.json, { kind: 'join', email: '', account: 'acme', role: 'owner' });
    const short = await call('/api/invitations/accept', { ...body, password: 'short' });
    assert.deepEqual([short.status, short.json.error.field], [422, 'password']);
    const accepted = await call('/api/invitations/accept', body);
    assert.match(
      String(accepted.headers['set-cookie']),
      /^__Host-aftersend=[0-9a-f]{40}; Path=\/; Max-Age=\d+; HttpOnly; SameSite=Strict; Secure$/,
    );
    assert.equal((await call('/api/invitations/accept', body)).status, 410);

    const signedIn = await signIn(api, ' ANN@example.org ', password);
    assert.equal(signedIn.status, 200);
    const session = await api.call('GET', '/api/session', as(cookieOf(signedIn.headers['set-cookie'])));
    assert.equal(session.json.user.email, 'ann@example.org');
    assert.equal(session.json.account.role, 'owner');
  });

  test('a stranger is told the same of a wrong password and an unknown user, and is slowed', async () => {
    await using api = await startApi();
    await join(api, 'ann@example.org', 'owner');
    const wrong = await signIn(api, 'ann@example.org', 'wrong');
    const unknown = await signIn(api, 'nobody@example.org', 'wrong');
    assert.equal(wrong.status, 401);
    assert.equal(wrong.text, unknown.text);
    for (let tries = 1; tries < 10; tries += 1) await signIn(api, 'ann@example.org', 'wrong');
    const slowed = await signIn(api, 'ann@example.org', password);
    assert.equal(slowed.status, 429);
    await api.clock.advance(Number(slowed.headers['retry-after']) * 1000);
    assert.equal((await signIn(api, 'ann@example.org', password)).status, 200);
  });

  test('with a second factor the password alone lets nobody in, and a code works once', async () => {
    await using api = await startApi();
    const cookie = await join(api, 'ann@example.org', 'owner');
    const { secret, uri } = (await api.call('POST', '/api/session/totp/new', as(cookie))).json;
    assert.ok(uri.includes(`secret=${secret}`));
    const code = codeOf(secret, api.clock.now());
    const set = await api.call('PUT', '/api/session/totp', as(cookie, { secret, code, password }));
    assert.equal(set.status, 204, set.text);
    assert.equal((await signIn(api, 'ann@example.org', password)).json.error.code, 'code-needed');
    assert.equal((await signIn(api, 'ann@example.org', password, code)).status, 401, 'used already');
    await api.clock.advance(30_000);
    const next = codeOf(secret, api.clock.now());
    assert.equal((await signIn(api, 'ann@example.org', password, next)).status, 200);
  });

  test('a session ends when it is not used, when it is signed out, and when its user is removed', async () => {
    await using api = await startApi();
    const owner = await join(api, 'ann@example.org', 'owner');
    const other = await join(api, 'bob@example.org', 'developer');
    const status = async (cookie: string) => (await api.call('GET', '/api/session', as(cookie))).status;
    const { users } = (await api.call('GET', '/api/users', as(owner))).json;
    assert.equal((await api.call('DELETE', `/api/users/${users[0].id}`, as(owner))).status, 204);
    assert.equal(await status(other), 401);
    await api.clock.advance(6 * 24 * 3600_000);
    assert.equal(await status(owner), 200);
    await api.clock.advance(6 * 24 * 3600_000);
    assert.equal(await status(owner), 200, 'its use has kept it alive');
    assert.equal((await api.call('DELETE', '/api/session', as(owner))).status, 204);
    assert.equal(await status(owner), 401);
  });
});

describe('what a session may do', () => {
  test('another site’s page cannot use the cookie, and no page can without the console’s header', async () => {
    await using api = await startApi();
    const cookie = await join(api, 'ann@example.org', 'owner');
    const change = (headers: Record<string, string>) =>
      api.call('POST', '/api/tokens', {
        token: undefined,
        headers: { cookie, ...headers },
        body: { name: 'x' },
      });
    const foreign: Record<string, string>[] = [
      {},
      { ...console, 'sec-fetch-site': 'cross-site' },
      { ...console, 'sec-fetch-site': 'same-site' },
      { ...console, origin: 'https://evil.example' },
      { ...console, origin: 'null' },
    ];
    for (const headers of foreign) {
      const answer = await change(headers);
      assert.deepEqual(
        [answer.status, answer.json.error.code],
        [403, 'foreign-origin'],
        JSON.stringify(headers),
      );
    }
    const ours = await change({ ...console, 'sec-fetch-site': 'same-origin', origin: api.url });
    assert.equal(ours.status, 201);
  });

  test('support looks and sends nothing; a developer decides about no users; a token is no person', async () => {
    await using api = await startApi();
    const [support, developer] = [
      await join(api, 'sue@example.org', 'support'),
      await join(api, 'dan@example.org', 'developer'),
    ];
    const mail = { from: 'a@example.com', to: ['b@example.com'], subject: 'x', text: 'x' };
    const code = async (method: string, path: string, options: object) =>
      (await api.call(method, path, options)).status;
    assert.equal(await code('GET', '/api/messages', as(support)), 200);
    assert.equal(await code('POST', '/api/messages', as(support, mail)), 403);
    assert.equal(await code('POST', '/api/messages', as(developer, mail)), 201);
    assert.equal(await code('GET', '/api/messages/1/source', as(support)), 403);
    assert.equal(await code('GET', '/api/messages/1/source', as(developer)), 200);
    assert.equal(await code('GET', '/api/users', as(developer)), 403);
    assert.equal(await code('GET', '/api/users', {}), 403);
    assert.equal(await code('GET', '/api/session', {}), 403);
  });

  test('what a person changed is in the audit log by the time they are answered', async () => {
    await using api = await startApi();
    const owner = await join(api, 'ann@example.org', 'owner');
    await api.call('POST', '/api/tokens', as(owner, { name: 'shop' }));
    await api.call('POST', '/api/tokens', as(owner, { name: '' }));
    await api.call('DELETE', '/api/tokens/2', as(owner));
    const { entries } = (await api.call('GET', '/api/audit', as(owner))).json;
    assert.deepEqual(
      entries.map(({ actor, action, subject }: Record<string, string>) => [actor, action, subject]),
      [
        ['ann@example.org', 'revokeToken', 'id 2'],
        ['ann@example.org', 'createToken', ''],
        ['ann@example.org', 'signIn', ''],
      ],
    );
  });
});

describe('following the log', () => {
  const beatMs = 15_000;

  test('ends soon after the session or the token that it began with', async () => {
    const clock = new ManualClock(startMs);
    const stores: Store[] = [];
    const follow = eventStreamRoute;
    const native = [
      (app: Parameters<typeof follow>[0]) => stores.forEach(({ log }) => follow(app, { log, clock })),
    ];
    await using api = await startApi({ routes: { open: [], native, msndr: [] } }, async (folder) => {
      const store = await openSqliteStore(folder, 'serve');
      stores.push(store);
      return store;
    });
    const cookie = await join(api, 'ann@example.org', 'owner');
    const sessions = await api.call('GET', '/api/sessions', as(cookie));
    const tokens = await api.get('/api/tokens');
    const ways: readonly (readonly [path: string, headers: Record<string, string>])[] = [
      [`/api/tokens/${tokens.json.tokens[0].id}`, { authorization: `Bearer ${api.token}` }],
      [`/api/sessions/${sessions.json.sessions[0].id}`, { cookie }],
    ];
    for (const [path, headers] of ways) {
      const { body } = await fetch(`${api.url}/api/events/stream`, { headers });
      const reader = body?.getReader();
      assert.ok(reader);
      const next = async () => Buffer.from((await reader.read()).value ?? []).toString();
      assert.match(await next(), /: here/);
      await clock.someoneSleeps();
      await clock.advance(beatMs);
      assert.match(await next(), /still here/, 'it goes on while it may');
      await clock.someoneSleeps();
      assert.equal((await api.call('DELETE', path, as(cookie))).status, 204);
      await clock.advance(beatMs);
      await assert.rejects(next(), /terminated/);
    }
  });
});
