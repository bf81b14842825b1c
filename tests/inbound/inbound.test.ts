/** Inbound over real sockets into a real store: whose address it is decides, what the mail says refines. */
import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, beforeEach, test } from 'node:test';
import pino from 'pino';
import { type InboundOutcome, startInbound } from '../../src/inbound/inbound.ts';
import { readOrMakeCertificate } from '../../src/platform/certificate.ts';
import { systemRandom } from '../../src/platform/clock.ts';
import type { SmtpListener } from '../../src/platform/smtp/listener.ts';
import type { Store } from '../../src/store/contract/store.ts';
import { openSqliteStore } from '../../src/store/sqlite/open.ts';
import { deriveKeys } from '../../src/tokens/keys.ts';
import { trackingLinks } from '../../src/tokens/links.ts';
import { signedTokens } from '../../src/tokens/signed.ts';
import { RawClient } from '../smtp/raw-client.ts';
import { ManualClock } from '../support/manual-clock.ts';

const links = trackingLinks(
  signedTokens(deriveKeys(['x'.repeat(32)])),
  'http://localhost',
  'mail.example.com',
);
const clock = new ManualClock(Date.now());
let folder: string;
let store: Store;
let listener: SmtpListener;
let accountId: number;
let outcomes: InboundOutcome[] = [];

before(async () => {
  folder = await mkdtemp(join(tmpdir(), 'inbound-'));
  store = await openSqliteStore(folder, 'serve');
  const created = await store.accounts.create({
    name: 'shop',
    email: '',
    timeZone: 'UTC',
    settings: { trackOpens: true, trackClicks: true, trackText: false, listUnsubscribe: true },
    token: { name: 'first', hash: 'a' },
    smtpLogin: { username: 'shop', hash: 'b' },
    atMs: 1,
  });
  if (created.kind === 'taken') throw new Error('the store is not empty');
  accountId = created.value.id;
  listener = await startInbound({
    listen: { host: '127.0.0.1', port: 0 },
    hostname: 'mail.example.com',
    certificate: readOrMakeCertificate(folder, 'mail.example.com', { clock, random: systemRandom }),
    readAddress: (address) =>
      links.readAddress(address) ?? (links.isReportAddress(address) ? 'anything' : undefined),
    readToken: (local) => links.readAddress(`${local}@mail.example.com`),
    classify: ({ enhancedCode }) => ({ category: 'c', recipientAtFault: enhancedCode === '5.1.1' }),
    log: store.log,
    messages: store.messages,
    reports: store.reports,
    count: (outcome) => outcomes.push(outcome),
    clock,
    logger: pino({ level: 'silent' }),
  });
});

beforeEach(() => {
  outcomes = [];
});

after(async () => {
  await listener[Symbol.asyncDispose]();
  await store[Symbol.asyncDispose]();
  await rm(folder, { recursive: true });
});

/** @returns the id of a message that is queued */
async function message(): Promise<number> {
  const accepted = await store.intake.accept({
    accountId,
    door: 'api',
    envelopeSender: '',
    sender: 'a@example.com',
    senderName: '',
    subject: 's',
    internetMessageId: '<1@example.com>',
    recipients: [{ address: `user-${clock.now()}@example.org`, role: 'to' }],
    raw: Buffer.from('From: a@example.com\r\n\r\nx\r\n'),
    tags: [],
    metadataJson: '{}',
    stream: 'news',
    essential: false,
    trackOpens: true,
    trackClicks: true,
    trackText: false,
    trackingHost: '',
    listUnsubscribe: true,
    templateId: undefined,
    templateVersion: undefined,
    idempotency: undefined,
    atMs: clock.now(),
  });
  await clock.advance(1);
  if (accepted.kind === 'conflict') throw new Error('there was no key');
  return accepted.messageIds[0] ?? 0;
}

const eventsOf = async (messageId: number) =>
  (await store.log.ofMessage(accountId, messageId))
    .filter(({ type }) => type !== 'accepted')
    .map(({ type, code, enhancedCode, detailJson }) => ({
      type,
      code,
      enhancedCode,
      ...(JSON.parse(detailJson) as Record<string, unknown>),
    }));

/** @returns the replies to RCPT and to the message */
async function send(sender: string, recipient: string, content: string): Promise<string[]> {
  using client = await RawClient.connect(listener.port);
  await client.reply();
  await client.ask('EHLO mx.example.org');
  await client.ask(`MAIL FROM:<${sender}>`);
  const taken = await client.ask(`RCPT TO:<${recipient}>`);
  if (!taken.startsWith('250')) return [taken];
  await client.ask('DATA');
  const replies = [taken, await client.ask(`${content}\r\n.`)];
  await client.ask('QUIT');
  return replies;
}

const bounce = (action = 'failed') =>
  [
    'Content-Type: multipart/report; report-type=delivery-status; boundary="b"',
    '',
    '--b',
    'Content-Type: message/delivery-status',
    '',
    'Reporting-MTA: dns; mx.example.org',
    '',
    'Final-Recipient: rfc822; somebody-else@example.org',
    `Action: ${action}`,
    'Status: 5.1.1',
    'Remote-MTA: dns; mx.example.org',
    'Diagnostic-Code: smtp; 550 5.1.1 No such user',
    '',
    '--b--',
  ].join('\r\n');

const complaint = 'Content-Type: message/feedback-report\r\n\r\nFeedback-Type: abuse\r\nVersion: 1';

test('a bounce message to a return path, in whatever case it comes back, bounces that message once', async () => {
  const id = await message();
  const replies = await send('', links.returnPath(id).toUpperCase(), bounce());
  assert.deepEqual(replies, ['250 2.1.5 OK', '250 2.0.0 Thank you']);
  await send('', links.returnPath(id), bounce());
  assert.deepEqual(outcomes, ['bounced', 'bounced']);
  const [event, ...more] = await eventsOf(id);
  assert.deepEqual(more, []);
  assert.partialDeepStrictEqual(event, {
    type: 'bounced',
    code: '550',
    enhancedCode: '5.1.1',
    host: 'mx.example.org',
    recipientAtFault: true,
    late: true,
  });
});

const listed = (messageId?: number) =>
  store.reports.list({ accountId, withUnclaimed: true, messageId, limit: 100 });

test('what is delayed, relayed or expanded is recorded and is no bounce; an auto-reply and plain mail are nothing', async () => {
  const id = await message();
  const actions = ['delayed', 'relayed', 'expanded', 'delivered'];
  for (const action of actions) await send('', links.returnPath(id), bounce(action));
  await send('', links.returnPath(id), 'Auto-Submitted: auto-replied\r\n\r\naway');
  await send('a@b.c', links.returnPath(id), 'Subject: hi\r\n\r\nhi');
  assert.deepEqual(outcomes, [...actions.map(() => 'noted'), 'auto-reply', 'ignored']);
  assert.deepEqual(await eventsOf(id), []);
  assert.deepEqual((await listed(id)).map(({ action }) => action).toReversed(), actions);
});

const quoting = (report: string, ...fields: readonly string[]) =>
  report.replace(
    /\r\n--b--$/,
    ['', '--b', 'Content-Type: text/rfc822-headers', '', ...fields, '--b--'].join('\r\n'),
  );

test('a report to the address for all of them counts by the token in the mail that it quotes', async () => {
  const fields = {
    'Return-Path': (id: number) => `<${links.returnPath(id)}>`,
    'CFBL-Address': (id: number) => `${links.feedbackAddress(id).toUpperCase()};\r\n report=arf`,
    'X-Report-Token': (id: number) => links.feedbackAddress(id).replace(/@.*/, ''),
    'List-Unsubscribe': (id: number) => `<mailto:${links.unsubscribeAddress({ accountId, messageId: id })}>`,
  };
  for (const [name, value] of Object.entries(fields)) {
    const id = await message();
    await send('', 'bounces@mail.example.com', quoting(bounce(), `${name}: ${value(id)}`, 'Subject: s'));
    assert.partialDeepStrictEqual(await eventsOf(id), [{ type: 'bounced', late: true }], name);
  }
  const id = await message();
  const complained = complaint.replace(
    'Content-Type: ',
    'Content-Type: multipart/report; boundary=b\r\n\r\n--b\r\nContent-Type: ',
  );
  await send(
    'fbl@b.c',
    'Feedback@mail.example.com',
    quoting(`${complained}\r\n--b--`, `X-Report-Token: ${fields['X-Report-Token'](id)}`),
  );
  assert.partialDeepStrictEqual(await eventsOf(id), [{ type: 'complained', feedbackType: 'abuse' }]);
});

test('the token of the address counts, whatever mail is quoted', async () => {
  const [id, other] = [await message(), await message()];
  await send('', links.returnPath(id), quoting(bounce(), `Return-Path: <${links.returnPath(other)}>`));
  assert.equal((await eventsOf(id)).length, 1);
  assert.deepEqual(await eventsOf(other), []);
});

test('a report without a token, or with those of two messages, is put on a list and changes nothing', async () => {
  const [id, other] = [await message(), await message()];
  const forged = links.returnPath(id).replace(/.@/, (end) => (end === 'a@' ? 'b@' : 'a@'));
  for (const fields of [
    ['Subject: s'],
    [`Return-Path: <${forged}>`],
    [`Return-Path: <${links.returnPath(id)}>`, `X-Report-Token: ${links.returnPath(other)}`],
    [`Feedback-ID: news:${accountId}:example.com:aftersend`],
  ]) {
    await send('', 'bounces@mail.example.com', quoting(bounce(), ...fields));
  }
  await send('fbl@b.c', 'feedback@mail.example.com', complaint);
  await send('', 'bounces@mail.example.com', 'Subject: =?utf-8?q?=C3=84?=\r\n\r\nx');
  assert.deepEqual(
    outcomes,
    outcomes.map(() => 'noted'),
  );
  const found = (await listed()).filter(({ messageId }) => messageId === undefined);
  assert.deepEqual(
    found.map(({ kind, recipient, category, subject, accountId }) => [
      kind,
      recipient,
      category,
      subject,
      accountId,
    ]),
    [
      ['other', '', '', 'Ä', undefined],
      ['complaint', '', '', '', undefined],
      ['bounce', 'somebody-else@example.org', 'c', '', accountId],
      ...[1, 2, 3].map(() => ['bounce', 'somebody-else@example.org', 'c', '', undefined]),
    ],
  );
  assert.deepEqual([await eventsOf(id), await eventsOf(other)], [[], []]);
  assert.deepEqual(await store.suppressions.find(accountId, 'somebody-else@example.org'), []);
});

test('a complaint counts at the feedback address and at the return path; a bounce at the first does not', async () => {
  for (const kind of ['feedbackAddress', 'returnPath'] as const) {
    const id = await message();
    await send('fbl@example.org', links[kind](id), complaint);
    assert.partialDeepStrictEqual(await eventsOf(id), [
      { type: 'complained', feedbackType: 'abuse', source: 'mail' },
    ]);
  }
  const id = await message();
  await send('', links.feedbackAddress(id), bounce());
  assert.deepEqual(await eventsOf(id), []);
});

test('mail to an unsubscribe address takes the recipient off the stream of the message; a machine’s does not', async () => {
  const id = await message();
  const address = links.unsubscribeAddress({ accountId, messageId: id });
  await send('', address, 'Subject: undelivered\r\n\r\nx');
  await send('a@b.c', address, 'Auto-Submitted: auto-replied\r\n\r\nx');
  assert.deepEqual(outcomes, ['ignored', 'ignored']);
  await send('a@b.c', address, 'Subject: unsubscribe\r\n\r\n');
  assert.partialDeepStrictEqual(await eventsOf(id), [{ type: 'unsubscribed', stream: 'news', how: 'mail' }]);
});

test('any other address is refused at RCPT, also one with a token that somebody made up', async () => {
  const id = await message();
  const good = links.returnPath(id);
  const forged = good.replace(/.@/, (end) => (end === 'a@' ? 'b@' : 'a@'));
  for (const address of [
    'postmaster@mail.example.com',
    forged,
    good.replace('@mail.', '@other.'),
    'bounce-@x.y',
  ]) {
    assert.deepEqual(await send('', address, bounce()), ['550 5.1.1 No such address here']);
  }
  assert.deepEqual(await eventsOf(id), []);
});

test('mail about a message that is gone, and mail that makes no sense, is taken and dropped', async () => {
  const replies = await send('', links.returnPath(999_999), bounce());
  assert.equal(replies[1], '250 2.0.0 Thank you');
  await send('a@b.c', links.unsubscribeAddress({ accountId, messageId: 999_999 }), 'x');
  await send(
    '',
    links.returnPath(await message()),
    `Content-Type: multipart/report; boundary=""\r\n\r\n\0\xff`,
  );
  assert.deepEqual(outcomes, ['unknown', 'unknown', 'noted']);
});

test('a mail of more than a mebibyte is refused', async () => {
  const line = `${'x'.repeat(998)}\r\n`;
  const [, reply] = await send('', links.returnPath(1), line.repeat(1049));
  assert.match(reply ?? '', /^552 5\.3\.4 /);
});
