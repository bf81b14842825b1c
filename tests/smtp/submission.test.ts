/** The SMTP door: who may hand mail in, what a draft is made of it, and what is answered. */
import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, beforeEach, test } from 'node:test';
import { createTransport } from 'nodemailer';
import pino from 'pino';
import { credentials, hashSecret, newSecret } from '../../src/accept/credentials.ts';
import { type Accept, type Draft, RefusedError, type RefusalReason } from '../../src/accept/draft.ts';
import { startSubmission, type SubmissionDependencies } from '../../src/accept/smtp/submission.ts';
import { trustedNetworks } from '../../src/config/readers.ts';
import { type Certificate, readOrMakeCertificate } from '../../src/platform/certificate.ts';
import { systemClock, systemRandom } from '../../src/platform/clock.ts';
import type { SmtpListener } from '../../src/platform/smtp/listener.ts';
import type { Account } from '../../src/store/contract/accounts.ts';
import { type Store, StoreBusyError } from '../../src/store/contract/store.ts';
import { openSqliteStore } from '../../src/store/sqlite/open.ts';
import { ManualClock } from '../support/manual-clock.ts';
import { RawClient } from './raw-client.ts';

const password = newSecret(systemRandom);
const plain = (name: string, secret: string) => Buffer.from(`\0${name}\0${secret}`).toString('base64');
const base64 = (text: string) => Buffer.from(text).toString('base64');
const message = 'From: a@example.com\r\nTo: b@example.com\r\nSubject: x\r\n\r\nhello\r\n';

let folder: string;
let store: Store;
let account: Account;
let certificate: Certificate;
let drafts: Draft[] = [];
let answer: Accept;
const clock = new ManualClock(systemClock.now());

before(async () => {
  folder = await mkdtemp(join(tmpdir(), 'submission-'));
  store = await openSqliteStore(folder, 'serve');
  const created = await store.accounts.create({
    name: 'shop',
    email: '',
    timeZone: 'UTC',
    settings: { trackOpens: true, trackClicks: true, trackText: false, listUnsubscribe: true },
    token: { name: 'first', hash: hashSecret('a token') },
    smtpLogin: { username: 'shop', hash: hashSecret(password) },
    atMs: 1,
  });
  if (created.kind === 'taken') throw new Error('the store is not empty');
  account = created.value;
  certificate = readOrMakeCertificate(folder, 'mail.example.com', { clock, random: systemRandom });
});

beforeEach(() => {
  drafts = [];
  let id = 100;
  answer = (draft) => {
    drafts.push(draft);
    const messageIds = draft.recipients.map(() => id++);
    return Promise.resolve({ submissionId: 1, messageIds, recipients: [], repeated: false });
  };
});

after(async () => {
  await store[Symbol.asyncDispose]();
  await rm(folder, { recursive: true });
});

function start(changes: Partial<SubmissionDependencies> = {}): Promise<SmtpListener> {
  return startSubmission({
    listen: { host: '127.0.0.1', port: 0 },
    hostname: 'mail.example.com',
    limits: { messageBytes: 10_000, recipients: 3 },
    certificate,
    trusted: [],
    accounts: store.accounts,
    credentials: credentials(store.accounts, clock),
    accept: (draft) => answer(draft),
    clock,
    logger: pino({ level: 'silent' }),
    ...changes,
  });
}

/** Connected, greeted, and signed in. */
async function signedIn(listener: SmtpListener): Promise<RawClient> {
  const client = await RawClient.connect(listener.port);
  assert.match(await client.reply(), /^220 mail\.example\.com ESMTP/);
  assert.match(await client.ask('EHLO here'), /^250-mail\.example\.com\n/);
  assert.equal(await client.ask(`AUTH PLAIN ${plain('shop', password)}`), '235 2.7.0 Signed in');
  return client;
}

async function begin(client: RawClient, to = 'b@example.com'): Promise<void> {
  assert.match(await client.ask('MAIL FROM:<a@example.com>'), /^250 2\.1\.0/);
  assert.match(await client.ask(`RCPT TO:<${to}>`), /^250 2\.1\.5/);
  assert.match(await client.ask('DATA'), /^354 /);
}

test('EHLO offers what is true: STARTTLS before TLS only, AUTH on loopback or under TLS, never DSN', async () => {
  await using listener = await start();
  using client = await RawClient.connect(listener.port);
  await client.reply();
  const common = ['PIPELINING', 'SIZE 10000', '8BITMIME', 'SMTPUTF8', 'ENHANCEDSTATUSCODES'];
  const offers = async () => (await client.ask('EHLO here')).split('\n').map((line) => line.slice(4));
  assert.deepEqual(await offers(), ['mail.example.com', ...common, 'STARTTLS', 'AUTH PLAIN LOGIN']);
  assert.match(await client.ask('STARTTLS'), /^220 2\.0\.0/);
  await client.startTls({ ca: certificate.cert, servername: 'mail.example.com' });
  assert.match(await client.ask('MAIL FROM:<a@example.com>'), /^503 5\.5\.1/);
  assert.deepEqual(await offers(), ['mail.example.com', ...common, 'AUTH PLAIN LOGIN']);
  assert.match(await client.ask('STARTTLS'), /^503 5\.5\.1/);
});

test('nodemailer sends by STARTTLS and LOGIN, and is told the ids of all its recipients', async () => {
  await using listener = await start();
  const transport = createTransport({
    host: '127.0.0.1',
    port: listener.port,
    requireTLS: true,
    tls: { ca: certificate.cert, servername: 'mail.example.com' },
    auth: { user: 'shop', pass: password },
    authMethod: 'LOGIN',
  });
  const sent = await transport.sendMail({
    from: 'Shop <a@example.com>',
    to: 'To <b@example.com>',
    cc: 'C@example.com',
    bcc: 'd@example.com',
    subject: 'Привет',
    text: '.\n..dots\n',
    headers: { 'X-Aftersend-Tags': 'welcome' },
  });
  assert.equal(sent.response, '250 2.0.0 queued as 100-102');
  const [draft] = drafts;
  assert.deepEqual(draft?.recipients, [
    { address: 'b@example.com', role: 'to' },
    { address: 'C@example.com', role: 'cc' },
    { address: 'd@example.com', role: 'bcc' },
  ]);
  assert.equal(draft.account.id, account.id);
  assert.equal(draft.door, 'smtp');
  assert.equal(draft.envelopeSender, 'a@example.com');
  assert.deepEqual(draft.options.tags, ['welcome']);
  const raw = 'raw' in draft.mail ? Buffer.from(draft.mail.raw).toString() : '';
  assert.doesNotMatch(raw, /X-Aftersend/);
  assert.match(raw, /\r\n\r\n\.\r\n\.\.dots\r\n/);
});

test('pipelined commands and messages are answered in order', async () => {
  await using listener = await start();
  using client = await signedIn(listener);
  const one = 'MAIL FROM:<a@example.com>\r\nRCPT TO:<b@example.com>\r\nDATA\r\n';
  client.write(`${one}${message}.\r\n${one}${message}.\r\nQUIT\r\n`);
  const replies = [];
  for (let i = 0; i < 9; i++) replies.push(await client.reply());
  assert.deepEqual(
    replies.map((reply) => reply.slice(0, 3)),
    ['250', '250', '354', '250', '250', '250', '354', '250', '221'],
  );
  assert.equal(replies[3], '250 2.0.0 queued as 100');
  assert.equal(drafts.length, 2);
  assert.equal(await client.closed(), '');
});

test('without signing in nothing is accepted, except from a trusted network, in the named account', async () => {
  await using closed = await start();
  using stranger = await RawClient.connect(closed.port);
  await stranger.reply();
  assert.match(await stranger.ask('MAIL FROM:<a@example.com>'), /^503 5\.5\.1/);
  await stranger.ask('EHLO here');
  assert.equal(await stranger.ask('MAIL FROM:<a@example.com>'), '530 5.7.0 Sign in first');
  assert.match(await stranger.ask('RCPT TO:<b@example.com>'), /^503 5\.5\.1/);
  assert.match(await stranger.ask('DATA'), /^503 5\.5\.1/);

  await using open = await start({ trusted: trustedNetworks('127.0.0.0/8=shop,127.0.0.1=nobody,::1=shop') });
  using misnamed = await RawClient.connect(open.port);
  await misnamed.reply();
  await misnamed.ask('HELO here');
  assert.match(await misnamed.ask('MAIL FROM:<a@example.com>'), /^530 5\.7\.0/);

  await using trusting = await start({ trusted: trustedNetworks('127.0.0.0/8=shop') });
  using local = await RawClient.connect(trusting.port);
  await local.reply();
  await local.ask('HELO here');
  await begin(local);
  assert.equal(await local.ask(`${message}.`), '250 2.0.0 queued as 100');
  assert.equal(drafts[0]?.account.name, 'shop');
});

test('AUTH takes only what is well formed', async () => {
  await using listener = await start();
  using client = await RawClient.connect(listener.port);
  await client.reply();
  assert.match(await client.ask(`AUTH PLAIN ${plain('shop', password)}`), /^503 5\.5\.1/);
  await client.ask('EHLO here');
  assert.match(await client.ask('AUTH CRAM-MD5'), /^504 5\.5\.4/);
  assert.match(await client.ask('AUTH'), /^501 5\.5\.4/);
  assert.match(await client.ask('AUTH PLAIN !!!'), /^501 5\.5\.2/);
  assert.match(await client.ask(`AUTH PLAIN ${base64('no separators')}`), /^501 5\.5\.2/);
  assert.match(await client.ask(`AUTH PLAIN ${base64(`other\0shop\0${password}`)}`), /^535 5\.7\.8/);
  assert.match(await client.ask('AUTH LOGIN'), /^334 VXNlcm5hbWU6$/);
  assert.match(await client.ask('*'), /^501 5\.7\.0/);
  assert.match(await client.ask('NOOP'), /^250/);
  assert.match(await client.ask('AUTH PLAIN'), /^334$/);
  assert.match(await client.ask(plain('shop', 'wrong')), /^535 5\.7\.8/);
  assert.match(await client.ask(`AUTH LOGIN ${base64('shop')}`), /^334 UGFzc3dvcmQ6$/);
  assert.match(await client.ask(base64(password)), /^235 2\.7\.0/);
  assert.match(await client.ask(`AUTH PLAIN ${plain('shop', password)}`), /^503 5\.5\.1/);
});

test('guessing passwords is answered with 454 after some failures', async () => {
  await using listener = await start();
  using client = await RawClient.connect(listener.port);
  await client.reply();
  await client.ask('EHLO here');
  const replies = [];
  for (let guess = 0; guess < 12; guess++) {
    replies.push((await client.ask(`AUTH PLAIN ${plain('shop', `guess ${guess}`)}`)).slice(0, 9));
  }
  assert.deepEqual(replies, [...Array<string>(10).fill('535 5.7.8'), '454 4.7.0', '454 4.7.0']);
});

test('a login that is revoked is out of its open connections too', async () => {
  await store.accounts.createSmtpLogin({
    accountId: account.id,
    username: 'short-lived',
    hash: hashSecret(password),
    atMs: 1,
  });
  await using listener = await start();
  using client = await RawClient.connect(listener.port);
  await client.reply();
  await client.ask('EHLO here');
  await client.ask(`AUTH PLAIN ${plain('short-lived', password)}`);
  await store.accounts.revokeSmtpLogin({ accountId: account.id, username: 'short-lived', atMs: 2 });
  await clock.advance(1000);
  assert.match(await client.ask('MAIL FROM:<a@example.com>'), /^530 5\.7\.0/);
});

test('why accept refused is said with the right code, and the connection goes on', async () => {
  await using listener = await start();
  using client = await signedIn(listener);
  const refusals: readonly (readonly [Error, string])[] = [
    ...(
      [
        ['message-too-large', '552 5.3.4'],
        ['address-invalid', '553 5.1.3'],
        ['header-invalid', '554 5.6.0'],
        ['message-malformed', '554 5.6.0'],
        ['options-invalid', '550 5.6.0'],
      ] as readonly (readonly [RefusalReason, string])[]
    ).map(([reason, code]) => [new RefusedError(reason, '', 'why\r\n250 ok'), `${code} why 250 ok`] as const),
    [new StoreBusyError(), '451 4.3.0 Too much waits to be stored, try again later'],
    [new Error('a secret cause'), '451 4.3.0 Local error, try again later'],
  ];
  for (const [error, reply] of refusals) {
    answer = () => Promise.reject(error);
    await begin(client);
    assert.equal(await client.ask(`${message}.`), reply);
  }
  await begin(client);
  assert.match(await client.ask('No header here\r\n.'), /^554 5\.6\.0/);
  await begin(client);
  assert.match(await client.ask(`X-Aftersend-Trakc: opens=on\r\n${message}.`), /^550 5\.6\.0/);
});

test('addresses are checked where they are given; recipients and size have a limit', async () => {
  await using listener = await start();
  using client = await signedIn(listener);
  for (const [command, code] of [
    ['MAIL FROM:a@example.com', '501 5.1.7'],
    ['MAIL FROM:<not an address>', '553 5.1.7'],
    ['MAIL FROM:<a@example..com>', '553 5.1.7'],
    ['MAIL FROM:<a@example.com> SIZE=10001', '552 5.3.4'],
    ['MAIL FROM:<a@example.com> SIZE=x', '501 5.5.4'],
    ['MAIL FROM:<a@example.com> RET=FULL', '555 5.5.4'],
    ['MAIL FROM:<ä@example.com>', '553 5.6.7'],
    ['MAIL FROM:<ä@example.com> SMTPUTF8 BODY=8BITMIME SIZE=10000', '250 2.1.0'],
    ['MAIL FROM:<a@example.com>', '503 5.5.1'],
    ['RCPT TO:<@relay.example,@other.example:b@example.com>', '250 2.1.5'],
    ['RCPT TO:<b>', '553 5.1.3'],
    ['RCPT TO:<>', '501 5.1.3'],
    ['RCPT TO:<b@example.com> NOTIFY=NEVER', '555 5.5.4'],
    ['RCPT TO:<"quoted local"@example.com>', '553 5.1.3'],
    ['RCPT TO:<c@example.com>', '250 2.1.5'],
    ['RCPT TO:<почта@почта.рф>', '250 2.1.5'],
    ['RCPT TO:<d@example.com>', '452 4.5.3'],
  ] as const) {
    assert.equal((await client.ask(command)).slice(0, 9), code, command);
  }
  assert.match(await client.ask('DATA'), /^354/);
  assert.match(await client.ask(`${'x'.repeat(70)}\r\n`.repeat(200).concat('.')), /^552 5\.3\.4/);
  await begin(client);
  assert.match(await client.ask(`${message}.`), /^250 2\.0\.0/);
});
