/** Credentials against a real store: what opens, what does not, and how guessing is slowed. */
import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { credentials, hashSecret, newSecret } from '../../src/accept/credentials.ts';
import { type Clock, systemRandom } from '../../src/platform/clock.ts';
import type { Account } from '../../src/store/contract/accounts.ts';
import type { Store } from '../../src/store/contract/store.ts';
import { openSqliteStore } from '../../src/store/sqlite/open.ts';

const password = newSecret(systemRandom);
const token = newSecret(systemRandom);
let folder: string;
let store: Store;
let account: Account;
let tokenId: number;
let nowMs = 1_000_000;
const clock: Clock = { now: () => nowMs, sleep: () => Promise.reject(new Error('nothing here waits')) };

before(async () => {
  folder = await mkdtemp(join(tmpdir(), 'credentials-'));
  store = await openSqliteStore(folder, 'serve');
  const settings = { trackOpens: true, trackClicks: true, trackText: false, listUnsubscribe: true };
  const created = await store.accounts.create({
    name: 'a',
    email: '',
    timeZone: 'UTC',
    settings,
    token: { name: 'first', hash: hashSecret('first token') },
    smtpLogin: { username: 'a', hash: hashSecret('first password') },
    atMs: nowMs,
  });
  assert.equal(created.kind, 'created');
  if (created.kind === 'created') account = created.value;
  const accountId = account.id;
  const login = { accountId, username: 'shop', hash: hashSecret(password), atMs: nowMs };
  await store.accounts.createSmtpLogin(login);
  const made = await store.accounts.createToken({
    accountId,
    name: 't',
    hash: hashSecret(token),
    atMs: nowMs,
  });
  tokenId = made.id;
});

after(async () => {
  await store[Symbol.asyncDispose]();
  await rm(folder, { recursive: true });
});

test('a secret is long, random and opens what its hash was stored for', async () => {
  assert.match(newSecret(systemRandom), /^[0-9a-f]{40}$/);
  assert.notEqual(newSecret(systemRandom), newSecret(systemRandom));
  const check = credentials(store.accounts, clock);
  assert.deepEqual(await check.byToken(token, '192.0.2.1'), { kind: 'ok', account });
  assert.deepEqual(await check.bySmtpLogin('shop', password, '192.0.2.1'), { kind: 'ok', account });
  for (const [name, secret] of [
    ['shop', token],
    ['shop', ''],
    ['', password],
    ['other', password],
    ['x'.repeat(10_000), password],
  ] as const) {
    assert.deepEqual(await check.bySmtpLogin(name, secret, '192.0.2.2'), { kind: 'unknown' });
  }
  assert.deepEqual(await check.byToken(password, '192.0.2.1'), { kind: 'unknown' });
});

test('guessing at one login is slowed from every address, and its owner is not', async () => {
  const check = credentials(store.accounts, clock);
  assert.equal((await check.bySmtpLogin('shop', password, '192.0.2.1')).kind, 'ok');
  for (let guess = 0; guess < 10; guess++) {
    assert.equal((await check.bySmtpLogin('shop', `guess ${guess}`, `198.51.100.${guess}`)).kind, 'unknown');
  }
  assert.deepEqual(await check.bySmtpLogin('shop', password, '198.51.100.77'), {
    kind: 'slow-down',
    retryAfterS: 30,
  });
  assert.equal((await check.bySmtpLogin('shop', password, '192.0.2.1')).kind, 'ok');
  assert.equal((await check.bySmtpLogin('other', 'x', '198.51.100.77')).kind, 'unknown');
  nowMs += 30_000;
  assert.equal((await check.bySmtpLogin('shop', password, '198.51.100.77')).kind, 'ok');
});

test('guessing from one address is slowed at every login and token; an IPv6 network is one address', async () => {
  const check = credentials(store.accounts, clock);
  for (let guess = 0; guess < 20; guess++) {
    const address = `2001:db8:0:1::${guess}`;
    const verdict =
      guess % 2 ? check.byToken(`guess ${guess}`, address) : check.bySmtpLogin(`${guess}`, 'x', address);
    assert.equal((await verdict).kind, 'unknown');
  }
  assert.deepEqual(await check.byToken(token, '2001:db8:0:1:ffff::'), { kind: 'slow-down', retryAfterS: 15 });
  assert.equal((await check.byToken(token, '2001:db8:0:2::')).kind, 'ok');
});

test('a revoked token is unknown at once, although it was good before', async () => {
  const check = credentials(store.accounts, clock);
  assert.equal((await check.byToken(token, '192.0.2.1')).kind, 'ok');
  await store.accounts.revokeToken({ accountId: account.id, tokenId, atMs: nowMs });
  assert.equal((await check.byToken(token, '192.0.2.1')).kind, 'unknown');
});
