/** What recipients' programs get for a token, and what the store knows after it: real HTTP on a real store. */
import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { after, before, test } from 'node:test';
import fastify from 'fastify';
import { pino } from 'pino';
import { request } from 'undici';
import type { App } from '../../src/api/app.ts';
import { accepted, anAccount, aSubmission, deliverAll } from '../../src/store/conformance/fixtures.ts';
import { systemRandom } from '../../src/platform/clock.ts';
import type { Store } from '../../src/store/contract/store.ts';
import { openSqliteStore } from '../../src/store/sqlite/open.ts';
import { deriveKeys } from '../../src/tokens/keys.ts';
import { trackingLinks } from '../../src/tokens/links.ts';
import { signedTokens } from '../../src/tokens/signed.ts';
import { Journal } from '../../src/track/journal.ts';
import { Recorder } from '../../src/track/recorder.ts';
import { trackRoutes } from '../../src/track/routes.ts';
import { ManualClock } from '../support/manual-clock.ts';

const tokens = signedTokens(deriveKeys(['a secret that is long enough for tests']));
const clock = new ManualClock();
const recipient = 'ann@example.org';

let folder: string;
let store: Store;
let journal: Journal;
let recorder: Recorder;
let app: App;
let base: string;
let accountId: number;
let messageId: number;

before(async () => {
  folder = await mkdtemp(join(tmpdir(), 'aftersend-track-'));
  store = await openSqliteStore(folder, 'serve');
  accountId = (await anAccount(store)).id;
  messageId = (await accepted(store, aSubmission(accountId, { stream: 'news' })))[0] ?? 0;
  await deliverAll(store);
  journal = await Journal.open(join(folder, 'visits'), systemRandom);
  const logger = pino({ level: 'silent' });
  const { log } = store;
  recorder = await Recorder.open({ log, journal, clock, logger, load: () => 0, onSynced: () => undefined });
  app = fastify();
  trackRoutes(app, { tokens, recorder, clock, log: store.log, suppressions: store.suppressions });
  base = await app.listen({ host: '127.0.0.1', port: 0 });
});

after(async () => {
  await app.close();
  await recorder[Symbol.asyncDispose]();
  await journal[Symbol.asyncDispose]();
  await store[Symbol.asyncDispose]();
  await rm(folder, { recursive: true });
});

const links = () => trackingLinks(tokens, base, 'mail.example.org');
const subscription = () => ({ accountId, messageId, stream: 'news', recipient });
const leaveUrl = () => links().unsubscribeUrl(subscription());

async function events(type: string) {
  await recorder.drained();
  const all = await store.log.ofMessage(accountId, messageId);
  return all.filter((event) => event.type === type);
}

async function suppressed(who = recipient) {
  return (await store.suppressions.find(accountId, who)).map(({ stream, reason }) => `${stream} ${reason}`);
}

async function post(url: string, body: string, headers: Record<string, string> = {}) {
  const answer = await request(url, { method: 'POST', body, headers });
  return { status: answer.statusCode, headers: answer.headers, text: await answer.body.text() };
}

test('the pixel answers with a picture that nobody keeps, and an open is told', async () => {
  const url = links().pixelUrl(messageId);
  const answer = await request(url, { headers: { 'user-agent': 'x'.repeat(2000) } });
  const picture = Buffer.from(await answer.body.arrayBuffer());
  assert.equal(answer.statusCode, 200);
  assert.equal(answer.headers['content-type'], 'image/gif');
  assert.match(String(answer.headers['cache-control']), /no-store/);
  assert.deepEqual([picture.length, picture.toString('latin1', 0, 6)], [43, 'GIF89a']);
  const head = await request(url, { method: 'HEAD' });
  assert.deepEqual([head.statusCode, await head.body.text()], [200, '']);
  const [open, ...more] = await events('opened');
  assert.deepEqual(JSON.parse(open?.detailJson ?? ''), {
    userAgent: 'x'.repeat(512),
    address: '127.0.0.1',
    first: true,
    visitor: 'human',
    confidence: 0.5,
    reason: 'nothing speaks for a machine, nor much for a person',
  });
  assert.deepEqual(
    more.map(({ visitor, detailJson }) => [visitor, (JSON.parse(detailJson) as { first: boolean }).first]),
    [['machine', false]],
    'asking for the headers alone is what machines do',
  );
  await (await request(url, { headers: { 'sec-purpose': 'prefetch;anonymous-client-ip' } })).body.dump();
  assert.equal((await events('opened')).at(-1)?.visitor, 'machine');
});

test('a link leads to its target, unchanged, and a click is told with it', async () => {
  for (const [target, location] of [
    ['https://example.org/a?b=c%20d&e=[f]#g', 'https://example.org/a?b=c%20d&e=[f]#g'],
    ['HTTP://Example.org', 'HTTP://Example.org'],
    ['https://пример.рф/путь?ключ=é#я', new URL('https://пример.рф/путь?ключ=é#я').href],
    [`https://example.org/${'a'.repeat(1200)}`, `https://example.org/${'a'.repeat(1200)}`],
  ] as const) {
    const before = (await events('clicked')).length;
    const answer = await request(links().clickUrl(messageId, target) ?? '');
    assert.deepEqual([answer.statusCode, await answer.body.text()], [302, '']);
    assert.equal(answer.headers['location'], location);
    const clicks = await events('clicked');
    assert.equal(clicks.length, before + 1);
    assert.equal(clicks.at(-1)?.url, target);
  }
  const head = await request(links().clickUrl(messageId, 'https://example.org/') ?? '', { method: 'HEAD' });
  assert.deepEqual([head.statusCode, head.headers['location']], [302, 'https://example.org/']);
  const clicks = await events('clicked');
  assert.deepEqual([clicks.length, clicks.at(-1)?.visitor], [5, 'machine']);
});

test('the pixel and the links answer while the store cannot be written, and lose nothing', async () => {
  const [opens, clicks] = [(await events('opened')).length, (await events('clicked')).length];
  const other = new DatabaseSync(join(folder, 'aftersend.db'));
  other.exec('BEGIN IMMEDIATE');
  const urls = [links().pixelUrl(messageId), links().clickUrl(messageId, 'https://example.org/') ?? ''];
  const answers = await Promise.all(
    urls.map(async (url) => {
      const answer = await request(url);
      await answer.body.dump();
      return answer.statusCode;
    }),
  );
  assert.deepEqual(answers, [200, 302]);
  assert.equal((await store.log.ofMessage(accountId, messageId)).length, 2 + opens + clicks);
  other.exec('ROLLBACK');
  other.close();
  assert.equal((await events('opened')).length, opens + 1);
  assert.equal((await events('clicked')).length, clicks + 1);
});

test('a token that does not verify is a plain 404, whatever it asks for', async () => {
  const click = links().clickUrl(messageId, 'https://example.org/') ?? '';
  const open = links().pixelUrl(messageId);
  for (const url of [
    `${click}x`,
    click.slice(0, -1),
    click.replace('/c/', '/o/'),
    click.replace('/c/', '/u/'),
    open.replace('/o/', '/c/'),
    leaveUrl().replace('/u/', '/c/'),
    `${base}/c/`,
    `${base}/c/https://evil.example/`,
    `${base}/c/%00%0d%0a`,
    `${base}/c/${'A'.repeat(5000)}`,
    `${base}/o/../c/`,
  ]) {
    for (const method of ['GET', 'HEAD'] as const) {
      const answer = await request(url, { method });
      assert.equal(answer.statusCode, 404, url);
      assert.equal(answer.headers['location'], undefined);
      await answer.body.dump();
    }
  }
  assert.equal((await post(`${leaveUrl()}x`, 'List-Unsubscribe=One-Click')).status, 404);
  assert.deepEqual(await suppressed(), []);
});

test('one-click works with every content type, once or many times, and never redirects', async () => {
  const multipart =
    '--b\r\nContent-Disposition: form-data; name="List-Unsubscribe"\r\n\r\nOne-Click\r\n--b--\r\n';
  const form = 'List-Unsubscribe=One-Click';
  for (const [body, type] of [
    [form, 'application/x-www-form-urlencoded'],
    [multipart, 'multipart/form-data; boundary=b'],
    [form, 'text/plain; charset=utf-8'],
    [`${form}\r\n`, 'application/json'],
    [form, 'whatever they think of'],
    [form.toLowerCase(), 'application/x-www-form-urlencoded'],
    [form, ''],
  ] as const) {
    const { status, headers } = await post(leaveUrl(), body, type === '' ? {} : { 'content-type': type });
    assert.deepEqual([status, headers['location']], [200, undefined], type);
  }
  assert.deepEqual(await suppressed(), ['news unsubscribed']);
  const told = await events('unsubscribed');
  assert.deepEqual(
    told.map(({ detailJson }) => JSON.parse(detailJson)),
    [{ stream: 'news', how: 'one-click' }],
  );
  await post(leaveUrl(), 'choice=back');
  assert.deepEqual(await suppressed(), []);
});

test('looking at the page leaves nobody out, its button does, and undo takes it back', async () => {
  for (const method of ['GET', 'HEAD'] as const) {
    const answer = await request(leaveUrl(), { method });
    assert.equal(answer.statusCode, 200);
    assert.match(String(answer.headers['content-security-policy']), /default-src 'none'; style-src 'sha256-/);
    await answer.body.dump();
  }
  assert.deepEqual(await suppressed(), []);

  assert.match((await post(leaveUrl(), 'choice=all')).text, /<h1>You are unsubscribed<\/h1>/);
  assert.deepEqual(await suppressed(), ['* unsubscribed']);
  assert.match((await post(leaveUrl(), 'choice=back')).text, /subscribed again/);
  assert.deepEqual(await suppressed(), []);

  await post(leaveUrl(), 'choice=stream');
  await store.suppressions.add({ accountId, recipient, stream: '*', reason: 'manual', atMs: clock.now() });
  await post(leaveUrl(), 'choice=back');
  assert.deepEqual(
    await suppressed(),
    ['* manual'],
    'what the sender decided is not the recipient’s to undo',
  );
  await store.suppressions.remove({ accountId, recipient });
});

test('a post that says nothing we know changes nothing', async () => {
  for (const body of ['', 'choice=everything', 'List-Unsubscribe=Two-Clicks', '{}', '\0']) {
    assert.equal((await post(leaveUrl(), body)).status, 400, body);
  }
  assert.equal((await post(leaveUrl(), 'x'.repeat(9000))).status, 413);
  assert.deepEqual(await suppressed(), []);
});

test('the token alone is enough when the message is gone', async () => {
  const gone = { accountId, messageId: 4_000_000, stream: 'news', recipient: 'bob@example.org' };
  assert.equal((await post(links().unsubscribeUrl(gone), 'List-Unsubscribe=One-Click')).status, 200);
  assert.deepEqual(await suppressed('bob@example.org'), ['news unsubscribed']);
  assert.equal((await request(links().pixelUrl(4_000_000))).statusCode, 200);
});

test('the page speaks the reader’s language and writes out nothing that it was given', async () => {
  const page = async (language: string, stream = 'news') => {
    const url = links().unsubscribeUrl({ ...subscription(), stream, recipient: '"<b>&"@example.org' });
    return (await request(url, { headers: { 'accept-language': language } })).body.text();
  };
  for (const language of ['ru', 'ru-RU,ru;q=0.9,en;q=0.8', 'de, en;q=0.5, RU;q=0.7', '*;q=0.1,ru']) {
    assert.match(await page(language), /<html lang="ru">[^]*Отписаться/, language);
  }
  for (const language of ['', 'en', 'de', 'ru;q=0', 'en,ru', 'rue', ';;,q=,']) {
    assert.match(await page(language), /<html lang="en">[^]*Unsubscribe/, language);
  }
  assert.match(await page('en'), /&quot;&lt;b&gt;&amp;&quot;@example\.org/);
  assert.match(await page('en'), /This kind of mail \(news\)/);
  assert.doesNotMatch(await page('en', 'default'), /default/);
});
