/** The SMTP protocol over raw sockets: order, bounds, smuggling, stalls, TLS, stopping. */
import assert from 'node:assert/strict';
import { createSecureContext } from 'node:tls';
import { test } from 'node:test';
import pino from 'pino';
import { readOrMakeCertificate } from '../../src/platform/certificate.ts';
import { systemRandom } from '../../src/platform/clock.ts';
import {
  type SmtpListener,
  startSmtpListener,
  type SmtpListenerSetting,
} from '../../src/platform/smtp/listener.ts';
import { reply } from '../../src/platform/smtp/replies.ts';
import type { ReceivedMail, SmtpConversation, SmtpService } from '../../src/platform/smtp/service.ts';
import { mkdtempSync, rmSync, statSync } from 'node:fs';
import { networkInterfaces, tmpdir } from 'node:os';
import { join } from 'node:path';
import { ManualClock } from '../support/manual-clock.ts';
import { RawClient } from './raw-client.ts';

const ok = reply(250, '2.0.0', 'OK');

/** Takes everything; what it took stands in `taken`. */
function start(
  changes: Partial<SmtpListenerSetting> & { conversation?: Partial<SmtpConversation> } = {},
): Promise<SmtpListener & { taken: ReceivedMail[]; clock: ManualClock }> {
  const taken: ReceivedMail[] = [];
  const clock = new ManualClock();
  const { conversation, ...setting } = changes;
  const service: SmtpService = {
    hostname: 'mail.example.com',
    limits: { messageBytes: 10_000, recipients: 10 },
    open: () => ({
      sender: () => ok,
      recipient: () => ok,
      message(mail) {
        taken.push(mail);
        return ok;
      },
      ...conversation,
    }),
  };
  return startSmtpListener({
    listen: { host: '127.0.0.1', port: 0 },
    service,
    bounds: { connections: 10, connectionsOfAddress: 5, memoryBytes: 100_000 },
    secureContext: undefined,
    clock,
    logger: pino({ level: 'silent' }),
    ...setting,
  }).then((listener) => Object.assign(listener, { taken, clock }));
}

async function greeted(listener: SmtpListener): Promise<RawClient> {
  const client = await RawClient.connect(listener.port, listener.host);
  assert.match(await client.reply(), /^220 /);
  assert.match(await client.ask('EHLO here'), /^250-/);
  return client;
}

async function begin(client: RawClient): Promise<void> {
  assert.match(await client.ask('MAIL FROM:<a@example.com>'), /^250/);
  assert.match(await client.ask('RCPT TO:<b@example.com>'), /^250/);
  assert.match(await client.ask('DATA'), /^354/);
}

const strayEndings = ['\n.\n', '\n.\r\n', '\r.\r\n', '\r.\r', '\r\n.\n', '\r\n.\r'];

for (const ending of strayEndings) {
  test(`${JSON.stringify(ending)} neither ends nor hides a message: 521, and the connection ends`, async () => {
    await using listener = await start();
    using client = await greeted(listener);
    await begin(client);
    const smuggled =
      'MAIL FROM:<evil@example.com>\r\nRCPT TO:<b@example.com>\r\nDATA\r\nSubject: 2\r\n\r\n2\r\n.\r\n';
    client.write(`Subject: 1\r\n\r\n1${ending}${smuggled}`);
    assert.match(await client.reply(), /^521 5\.5\.2 /);
    client.write('QUIT\r\n');
    assert.equal(await client.closed(), '');
    assert.deepEqual(listener.taken, []);
  });
}

test('the greeting waits for nothing, and the clock has not moved', async () => {
  await using listener = await start();
  using client = await RawClient.connect(listener.port);
  assert.equal(await client.reply(), '220 mail.example.com ESMTP');
});

test('a command that is too long, unknown or out of order is refused, and the connection goes on', async () => {
  await using listener = await start();
  using client = await greeted(listener);
  for (const [command, answer] of [
    [`NOOP ${'x'.repeat(5000)}`, '500 5.5.2 Line too long'],
    ['FROB', '500 5.5.2 Command not recognized'],
    ['constructor', '500 5.5.2 Command not recognized'],
    ['BDAT 10', '502 5.5.1 Command not implemented'],
    ['STARTTLS', '502 5.5.1 Command not implemented'],
    ['AUTH PLAIN', '502 5.5.1 Command not implemented'],
    ['EHLO', '501 5.5.4 Syntax error in parameters or arguments'],
    ['RCPT TO:<a@b.c>', '503 5.5.1 Send MAIL first'],
    ['DATA', '503 5.5.1 Send MAIL first'],
    ['VRFY root', '252 2.5.0 Send some mail and see'],
    ['MAIL FROM:<a@b.c>', '250 2.0.0 OK'],
    ['MAIL FROM:<a@b.c>', '503 5.5.1 Sender already given'],
    ['DATA', '503 5.5.1 No valid recipients'],
    ['RSET', '250 2.0.0 OK'],
    ['noop', '250 2.0.0 OK'],
  ] as const) {
    assert.equal(await client.ask(command), answer);
  }
  assert.equal(await client.ask('QUIT'), '221 2.0.0 Bye');
  assert.equal(await client.closed(), '');
});

test('a web page that posts SMTP, and a client that only errs, are sent away', async () => {
  await using listener = await start();
  using browser = await RawClient.connect(listener.port);
  await browser.reply();
  browser.write('POST / HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\nEHLO x\r\nMAIL FROM:<a@b.c>\r\n');
  assert.match(await browser.reply(), /^421 4\.7\.0 /);
  assert.equal(await browser.closed(), '');
  using guesser = await greeted(listener);
  const answers = [];
  for (let i = 0; i < 30; i++) answers.push((await guesser.ask('FROB')).slice(0, 3));
  assert.deepEqual(answers, [...Array<string>(29).fill('500'), '421']);
});

test('AUTH where TLS is missing is refused before a password is asked for', async () => {
  const auth = { allowed: false, signIn: () => Promise.reject(new Error('was asked')) };
  await using listener = await start({ conversation: { auth } });
  using client = await RawClient.connect(listener.port);
  await client.reply();
  assert.doesNotMatch(await client.ask('EHLO here'), /AUTH/);
  assert.equal(await client.ask('AUTH PLAIN AGEAYg=='), '538 5.7.11 Send STARTTLS first');
});

test('a client that stalls is sent away: before a command, in one, in a message', async () => {
  await using listener = await start();
  using idle = await greeted(listener);
  using slow = await greeted(listener);
  using sending = await greeted(listener);
  slow.write('NO');
  await begin(sending);
  sending.write('Subject: ');
  await listener.clock.advance(2 * 60_000);
  slow.write('O');
  sending.write('never ');
  assert.match(await sending.ask('\r\n.'), /^250/);
  await begin(sending);
  await listener.clock.advance(3 * 60_000);
  await listener.clock.advance(5_000);
  for (const client of [idle, slow, sending]) assert.match(await client.reply(), /^421 4\.4\.2 /);
});

test('connections are bounded, in all and from one address', async () => {
  await using listener = await start({ bounds: { connections: 2, connectionsOfAddress: 1, memoryBytes: 1 } });
  using first = await greeted(listener);
  using second = await RawClient.connect(listener.port);
  assert.match(await second.reply(), /^421 4\.7\.0 Too many connections/);
  await first.ask('QUIT');
  first.end();
  await first.closed();
  await second.closed();
  second.end();
  // The server hears of a client's going a moment after the client has gone.
  for (let answer = ''; !answer.startsWith('220 '); ) {
    using third = await RawClient.connect(listener.port);
    answer = await third.reply();
    assert.match(answer, /^(?:220|421) /);
  }
});

test('a message for which there is no memory is put off, and the memory comes back', async () => {
  const full = Promise.withResolvers<void>();
  const conversation = {
    async message() {
      await full.promise;
      return ok;
    },
  };
  const bounds = { connections: 9, connectionsOfAddress: 9, memoryBytes: 3000 };
  await using listener = await start({ bounds, conversation });
  using first = await greeted(listener);
  using second = await greeted(listener);
  const message = `Subject: x\r\n\r\n${'x'.repeat(2000)}\r\n.`;
  await begin(first);
  await begin(second);
  first.write(`${message}\r\nRSET\r\n`);
  assert.match(await second.ask(message), /^452 4\.3\.1 /);
  full.resolve();
  assert.match(await first.reply(), /^250 /);
  assert.match(await first.reply(), /^250 /);
  await begin(second);
  assert.match(await second.ask(message), /^250 /);
});

test('a client that has said all and half closes gets its answers', async () => {
  await using listener = await start();
  using client = await RawClient.connect(listener.port);
  client.write('EHLO x\r\nMAIL FROM:<a@b.c>\r\nRCPT TO:<a@b.c>\r\nDATA\r\nSubject: x\r\n\r\nx\r\n.\r\n');
  client.end();
  assert.match(await client.closed(), /^220 .*354 .*\r\n250 2\.0\.0 OK\r\n$/s);
  assert.equal(listener.taken.length, 1);
});

test('stopping lets a message be finished, and tells idle clients', async () => {
  const storing = Promise.withResolvers<void>();
  const started = Promise.withResolvers<void>();
  const conversation = {
    async message() {
      started.resolve();
      await storing.promise;
      return ok;
    },
  };
  const listener = await start({ conversation });
  using idle = await greeted(listener);
  using sending = await greeted(listener);
  await begin(sending);
  sending.write('Subject: x\r\n\r\nx\r\n.\r\n');
  await started.promise;
  const stopped = listener[Symbol.asyncDispose]();
  assert.equal(await idle.reply(), '421 4.3.2 The service is shutting down');
  storing.resolve();
  assert.equal(await sending.reply(), '250 2.0.0 OK');
  assert.equal(await sending.reply(), '421 4.3.2 The service is shutting down');
  idle.end();
  sending.end();
  await stopped;
  await assert.rejects(RawClient.connect(listener.port), { code: 'ECONNREFUSED' });
});

test('clear text behind STARTTLS is dropped, and a failed handshake ends the connection', async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'listener-'));
  t.after(() => rmSync(folder, { recursive: true }));
  const clock = new ManualClock(Date.now());
  const made = { clock, random: systemRandom };
  const certificate = readOrMakeCertificate(folder, 'mail.example.com', made);
  assert.equal(statSync(join(folder, 'submission-tls.pem')).mode & 0o777, 0o600);
  assert.deepEqual(readOrMakeCertificate(folder, 'mail.example.com', made), certificate);
  await using listener = await start({ secureContext: createSecureContext({ ...certificate }) });
  using client = await greeted(listener);
  client.write('STARTTLS\r\nMAIL FROM:<injected@example.com>\r\n');
  assert.match(await client.reply(), /^220 2\.0\.0/);
  await client.startTls({ ca: certificate.cert, servername: 'mail.example.com' });
  assert.match(await client.ask('EHLO here'), /^250-/);
  assert.match(await client.ask('RCPT TO:<b@example.com>'), /^503 5\.5\.1 Send MAIL/);
  await begin(client);
  assert.match(await client.ask('Subject: x\r\n\r\nx\r\n.'), /^250/);
  assert.match(await client.ask('QUIT'), /^221/);
  client.end();
  using garbled = await greeted(listener);
  await garbled.ask('STARTTLS');
  garbled.write('this is not TLS\r\n'.repeat(10));
  assert.doesNotMatch(await garbled.closed(), /^\d{3} /m);
});

const hasIpv6 = Object.values(networkInterfaces()).some((list) =>
  list?.some(({ address }) => address === '::1'),
);

test('IPv6 clients are served and named by their address', { skip: !hasIpv6 && 'no ::1 here' }, async () => {
  const seen: string[] = [];
  const service: SmtpService = {
    hostname: 'mail.example.com',
    limits: { messageBytes: 1, recipients: 1 },
    open(client) {
      seen.push(client.address);
      return reply(554, '5.7.1', 'Go away');
    },
  };
  await using listener = await start({ service, listen: { host: '::', port: 0 } });
  for (const host of ['::1', '127.0.0.1']) {
    using client = await RawClient.connect(listener.port, host);
    assert.equal(await client.reply(), '554 5.7.1 Go away');
    client.end();
    await client.closed();
  }
  assert.deepEqual(seen, ['::1', '127.0.0.1']);
});
