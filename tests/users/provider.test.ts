/** Signing in by an OpenID provider that nobody here wrote: who comes in, who does not and is told why, and what is believed. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { pino } from 'pino';
import { systemRandom } from '../../src/platform/clock.ts';
import type { Role } from '../../src/store/contract/users.ts';
import { deriveKeys } from '../../src/tokens/keys.ts';
import { createSeal } from '../../src/tokens/sealed-secret.ts';
import { type AdmittedDomain, admissionsBy } from '../../src/users/admissions.ts';
import { createProvider, signInMs } from '../../src/users/provider.ts';
import { type ApiUnderTest, startApi, startMs } from '../api/api-under-test.ts';
import { CookieBrowser, type Shown } from '../support/cookie-browser.ts';
import { ManualClock } from '../support/manual-clock.ts';
import { clientId, clientSecret, TestProvider } from '../support/openid-provider.ts';

const publicUrl = 'https://mail.example.net';
const redirectUri = `${publicUrl}/sign-in/provider/callback`;

interface World extends AsyncDisposable {
  readonly api: ApiUnderTest;
  readonly provider: TestProvider;
  /** By which a sign-in that was begun grows old. */
  readonly clock: ManualClock;
  readonly browser: () => CookieBrowser;
}

async function world(
  settings: {
    readonly admit?: readonly AdmittedDomain[];
    readonly secret?: string;
    readonly issuer?: string;
  } = {},
): Promise<World> {
  await using stack = new AsyncDisposableStack();
  const provider = stack.use(await TestProvider.start());
  provider.serve(redirectUri);
  const clock = new ManualClock(startMs);
  const { secret = clientSecret, issuer = provider.issuer, admit = [] } = settings;
  const accounts = { byName: (name: string) => api.store.accounts.byName(name) };
  const api: ApiUnderTest = stack.use(
    await startApi({
      provider: createProvider(
        { issuer, clientId, clientSecret: secret },
        {
          redirectUri,
          seal: createSeal(deriveKeys(['the secret of this test, long enough']), systemRandom),
          clock,
          random: systemRandom,
        },
      ),
      admissions: admissionsBy(admit, { accounts, logger: pino({ level: 'silent' }) }),
    }),
  );
  const all = stack.move();
  return {
    api,
    provider,
    clock,
    browser: () => new CookieBrowser(new Map([[publicUrl, api.url]])),
    [Symbol.asyncDispose]: () => all.disposeAsync(),
  };
}

/** As far as the provider's answer, which is the address it sends the browser back to. */
async function atProvider(browser: CookieBrowser, name: string, to = '/'): Promise<string> {
  let at = await browser.open(`${publicUrl}/sign-in/provider?to=${encodeURIComponent(to)}`);
  while (!at.location.startsWith(redirectUri)) {
    if (at.location !== '') {
      at = await browser.open(at.location);
      continue;
    }
    const action = /action="([^"]+)"/.exec(at.text)?.[1] ?? '';
    const prompt = /name="prompt" value="([^"]+)"/.exec(at.text)?.[1] ?? '';
    at = await browser.open(action, { prompt, login: name, password: 'any' });
  }
  return at.location;
}

const signIn = async (browser: CookieBrowser, name: string, to?: string): Promise<Shown> =>
  browser.open(await atProvider(browser, name, to));

const sessionOf = (browser: CookieBrowser): string =>
  browser.cookies.get(publicUrl)?.get('__Host-aftersend') ?? '';

async function whoIs({ api }: World, browser: CookieBrowser) {
  const cookie = `__Host-aftersend=${sessionOf(browser)}`;
  return (await api.call('GET', '/api/session', { token: undefined, headers: { cookie } })).json;
}

const invite = ({ api: { people, accountId } }: World, email: string, role: Role) =>
  people.invite({ email, purpose: { kind: 'join', accountId, role } });

const problem = (name: string): string => `${publicUrl}/sign-in?problem=${name}`;

test('who was invited comes in by the verified address, is known by the subject from then on, and it is noted', async () => {
  await using w = await world();
  const { api, provider, browser } = w;
  await invite(w, 'Ann@example.org', 'owner');
  provider.people.set('ann', { email: 'ann@EXAMPLE.org', email_verified: true });
  const first = browser();
  const came = await signIn(first, 'ann', '/messages?state=bounced');
  assert.deepEqual([came.status, came.location], [303, `${publicUrl}/messages?state=bounced`]);
  assert.match(
    came.setCookies.find((cookie) => cookie.startsWith('__Host-aftersend=')) ?? '',
    /^__Host-aftersend=[0-9a-f]{40}; Path=\/; Max-Age=\d+; HttpOnly; SameSite=Strict; Secure$/,
  );
  assert.equal(
    first.cookies.get(publicUrl)?.has('__Host-aftersend-sign-in'),
    false,
    'what was begun is over',
  );
  const { user, account } = await whoIs(w, first);
  assert.deepEqual(
    [user.email, user.password, user.second_factor, account.role],
    ['ann@example.org', false, false, 'owner'],
  );

  provider.people.set('ann', { email: 'ann.new@example.org', email_verified: false });
  const second = browser();
  await signIn(second, 'ann');
  assert.deepEqual((await whoIs(w, second)).user, user);
  const cookie = `__Host-aftersend=${sessionOf(second)}`;
  const { entries } = (await api.call('GET', '/api/audit', { token: undefined, headers: { cookie } })).json;
  assert.deepEqual(
    entries.map(({ actor, action, subject }: Record<string, string>) => [actor, action, subject]),
    Array.from({ length: 2 }, () => ['ann@example.org', 'signInByProvider', new URL(provider.issuer).host]),
  );
});

test('nobody else comes in, and each is told why', async () => {
  await using w = await world();
  const { api, provider, browser } = w;
  await invite(w, 'ann@example.org', 'support');
  provider.people.set('stranger', { email: 'eve@example.org', email_verified: true });
  provider.people.set('ann', { email: 'ann@example.org', email_verified: false });
  for (const [name, told] of [
    ['stranger', 'not-invited'],
    ['ann', 'email-unverified'],
  ] as const) {
    const visitor = browser();
    assert.equal((await signIn(visitor, name)).location, problem(told));
    assert.equal(sessionOf(visitor), '');
  }
  assert.equal(await api.store.users.any(), false);

  provider.people.set('ann', { email: 'ann@example.org', email_verified: true });
  assert.equal((await signIn(browser(), 'ann')).location, `${publicUrl}/`);
  provider.people.set('heir', { email: 'ann@example.org', email_verified: true });
  assert.equal((await signIn(browser(), 'heir')).location, problem('another-person'));

  const shy = browser();
  const { location } = await shy.open(`${publicUrl}/sign-in/provider`);
  const login = await shy.open((await shy.open(location)).location);
  const abort = /href="([^"]+abort)"/.exec(login.text)?.[1] ?? '';
  const back = await shy.open((await shy.open(abort)).location);
  assert.equal((await shy.open(back.location)).location, problem('cancelled'));
});

test('a password and a second factor of ours are not asked of whom the provider vouches for, and stay', async () => {
  await using w = await world();
  const { api, provider, browser } = w;
  const secret = await invite(w, 'ann@example.org', 'owner');
  const visitor = { address: '192.0.2.1', userAgent: '' };
  const password = 'a password of some length';
  const accepted = await api.people.accept({ secret, email: '', password, code: '' }, visitor);
  assert.equal(accepted.kind, 'signed-in');
  await api.store.users.setTotp({ userId: accepted.user.id, sealedTotp: 'sealed' });
  provider.people.set('ann', { email: 'ann@example.org', email_verified: true });
  const ann = browser();
  await signIn(ann, 'ann');
  const { user } = await whoIs(w, ann);
  assert.deepEqual([user.id, user.password, user.second_factor], [accepted.user.id, true, true]);
  const byPassword = await api.people.signIn({ email: 'ann@example.org', password, code: '' }, visitor);
  assert.equal(byPassword.kind, 'code-needed');
});

test('a domain is let in with the role and into the account that the operator said', async () => {
  const admit = [
    { domain: 'example.org', account: 'acme', role: 'developer' },
    { domain: 'example.org', account: 'missing', role: 'owner' },
  ] as const;
  await using w = await world({ admit });
  const { provider, browser } = w;
  provider.people.set('ann', { email: 'ann@example.org', email_verified: true });
  provider.people.set('bob', { email: 'bob@sub.example.org', email_verified: true });
  provider.people.set('eve', { email: 'eve@example.org', email_verified: false });
  const ann = browser();
  await signIn(ann, 'ann');
  const { accounts } = await whoIs(w, ann);
  assert.deepEqual(
    accounts.map(({ name, role }: Record<string, string>) => [name, role]),
    [['acme', 'developer']],
  );
  assert.equal((await signIn(browser(), 'bob')).location, problem('not-invited'));
  assert.equal((await signIn(browser(), 'eve')).location, problem('email-unverified'));
});

test('what comes back counts for the browser that began, in time, and once', async () => {
  await using w = await world();
  const { clock, provider, browser } = w;
  await invite(w, 'ann@example.org', 'owner');
  provider.people.set('ann', { email: 'ann@example.org', email_verified: true });
  const ann = browser();
  const answer = await atProvider(ann, 'ann');
  const began = ann.cookies.get(publicUrl)?.get('__Host-aftersend-sign-in') ?? '';
  const stolen = browser();
  assert.equal((await stolen.open(answer)).location, problem('expired'), 'a browser that began nothing');
  await stolen.open(`${publicUrl}/sign-in/provider`);
  assert.equal((await stolen.open(answer)).location, problem('expired'), 'one that began another');
  const forger = browser();
  for (const cookie of ['', 'x', '0.AAAA', `${began.slice(0, -4)}AAAA`]) {
    forger.cookies.set(publicUrl, new Map([['__Host-aftersend-sign-in', cookie]]));
    assert.equal((await forger.open(answer)).location, problem('expired'), cookie);
  }
  assert.equal((await ann.open(answer)).location, `${publicUrl}/`);
  ann.cookies.set(publicUrl, new Map([['__Host-aftersend-sign-in', began]]));
  assert.equal((await ann.open(answer)).location, problem('failed'), 'a code that was used');

  const slow = browser();
  const late = await atProvider(slow, 'ann');
  await clock.advance(signInMs + 1);
  assert.equal((await slow.open(late)).location, problem('expired'));
  assert.equal(sessionOf(slow), '');
});

test('where it leads afterwards is a page of ours, whatever the link said', async () => {
  await using w = await world();
  const { provider, browser } = w;
  await invite(w, 'ann@example.org', 'owner');
  provider.people.set('ann', { email: 'ann@example.org', email_verified: true });
  for (const to of [
    '//evil.example/',
    'https://evil.example/',
    '/\\evil.example',
    'javascript:alert(1)',
    '\t//evil.example',
    `/messages?subject=${'ы'.repeat(300)}`,
  ]) {
    assert.equal((await signIn(browser(), 'ann', to)).location, `${publicUrl}/`, to);
  }
});

test('a provider that is away, or does not believe us, is told to the person in words and to the operator with the cause', async () => {
  await using w = await world({ secret: 'not the secret that was agreed on' });
  const { api, provider, browser } = w;
  await invite(w, 'ann@example.org', 'owner');
  provider.people.set('ann', { email: 'ann@example.org', email_verified: true });
  assert.equal((await signIn(browser(), 'ann')).location, problem('failed'));
  const [line = ''] = api.log;
  assert.match(line, /invalid_client/);
  assert.doesNotMatch(line, /not the secret|code=/);

  await using away = await world({ issuer: 'http://127.0.0.1:9' });
  const { location } = await away.browser().open(`${publicUrl}/sign-in/provider`);
  assert.equal(location, problem('unreachable'));
  assert.match(away.api.log[0] ?? '', /ECONNREFUSED|bad port|unreachable/);
});
