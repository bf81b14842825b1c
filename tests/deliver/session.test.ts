/** One SMTP connection as its client: TLS, signing in, what goes over the wire. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { array, assert as check, asyncProperty, constantFrom } from 'fast-check';
import { SMTPServer, type SMTPServerOptions } from 'smtp-server';
import { type AttemptEnd, makeAttempt } from '../../src/deliver/attempt.ts';
import { AttemptError } from '../../src/deliver/attempt-error.ts';
import { Connections, type RouteHost } from '../../src/deliver/connections.ts';
import { defaultLimits } from '../../src/deliver/deliver.ts';
import { readOrMakeCertificate } from '../../src/platform/certificate.ts';
import { Slots } from '../../src/deliver/slots.ts';
import { systemClock, systemRandom } from '../../src/platform/clock.ts';
import { hostAt } from './post-office.ts';
import { startScriptedServer } from './scripted-server.ts';

async function send(
  host: RouteHost,
  { content = 'Subject: hi\r\n\r\nhello\r\n', recipient = 'ann@example.org', requireTls = false } = {},
): Promise<AttemptEnd> {
  using connections = new Connections({ clock: systemClock, limits: defaultLimits, countTls: () => {} });
  const message = { envelopeSender: 'b1@bounce.test', recipient, content: Buffer.from(content), requireTls };
  const limitMs = systemClock.now() + 10_000;
  return await makeAttempt([host], message, {
    connections,
    slots: new Slots(() => 1),
    clock: systemClock,
    limitMs,
  });
}

const folder = mkdtempSync(join(tmpdir(), 'aftersend-session-'));
const certificate = readOrMakeCertificate(folder, 'server.test', {
  clock: systemClock,
  random: systemRandom,
});
after(() => rmSync(folder, { recursive: true }));

/** nodemailer's server, with a certificate that nobody vouches for. */
async function startTlsServer(options: SMTPServerOptions) {
  const sessions: { secure: boolean; user: unknown }[] = [];
  const server = new SMTPServer({
    ...certificate,
    authOptional: true,
    onData(stream, session, callback) {
      stream.resume();
      stream.on('end', () => {
        sessions.push({ secure: session.secure, user: session.user });
        callback();
      });
    },
    ...options,
  });
  server.on('error', () => {});
  server.listen(0, '127.0.0.1');
  await once(server.server, 'listening');
  return {
    port: (server.server.address() as AddressInfo).port,
    sessions,
    [Symbol.asyncDispose]: () => new Promise<void>((resolve) => server.close(() => resolve())),
  };
}

const answerOf = ({ result }: AttemptEnd) =>
  result instanceof AttemptError
    ? `${result.stage} ${result.answer.code} ${result.answer.enhancedCode}`
    : result.code;

test('TLS is used where it is offered, with any certificate, and the record says so', async () => {
  await using server = await startTlsServer({});
  const end = await send(hostAt(server.port));
  assert.equal(answerOf(end), '250');
  assert.equal(server.sessions[0]?.secure, true);
  assert.match(end.trace.tls, /^TLSv1\.3 TLS_/);
  assert.match(end.trace.dialogue, /not verified: /);
});

test('TLS from the first byte; and none where the demand is a good certificate that is not there', async () => {
  await using implicit = await startTlsServer({ secure: true });
  assert.equal(answerOf(await send(hostAt(implicit.port, { implicitTls: true }))), '250');
  assert.equal(
    answerOf(await send(hostAt(implicit.port, { implicitTls: true, tls: 'verified' }))),
    'tls 451 4.7.5',
  );
  await using offered = await startTlsServer({});
  assert.equal(answerOf(await send(hostAt(offered.port, { tls: 'verified' }))), 'tls 451 4.7.5');
  await using plain = await startTlsServer({ disabledCommands: ['STARTTLS'] });
  assert.equal(answerOf(await send(hostAt(plain.port, { tls: 'verified' }))), 'tls 451 4.7.5');
  assert.equal(offered.sessions.length + plain.sessions.length, 0);
});

test('a STARTTLS that breaks, or that somebody has put words behind, does not stop opportunistic mail', async () => {
  for (const answer of ['220 go on', '220 go on\r\n250 injected']) {
    await using server = await startScriptedServer({
      extensions: ['STARTTLS'],
      answer(command, connection) {
        if (command !== 'STARTTLS') return undefined;
        if (connection === 1) setImmediate(() => server.hangUp());
        return answer;
      },
    });
    const end = await send(hostAt(server.port));
    assert.equal(answerOf(end), '250');
    assert.equal(end.trace.tls, '');
    assert.equal(server.connectionCount, 2);
    assert.match(end.trace.dialogue, /no TLS with/);
  }
});

test('signing in works with PLAIN and LOGIN, and no credential stands in the record', async () => {
  const login = { username: 'robot', password: 'sesame-street' };
  for (const authMethods of [['PLAIN'], ['LOGIN']]) {
    await using server = await startTlsServer({
      authMethods,
      onAuth({ username, password }, _session, callback) {
        if (password === login.password) callback(null, { user: username ?? '' });
        else callback(new Error('wrong'));
      },
    });
    const end = await send(hostAt(server.port, { login }));
    assert.equal(answerOf(end), '250');
    assert.equal(server.sessions[0]?.user, 'robot');
    const wrong = await send(hostAt(server.port, { login: { ...login, password: 'open' } }));
    assert.equal(answerOf(wrong), 'auth 535 ');
    assert.equal(wrong.result instanceof AttemptError && wrong.result.permanent, false);
    for (const { trace } of [end, wrong]) {
      for (const secret of ['sesame', 'robot', 'cm9ib3Q', Buffer.from('sesame-street').toString('base64')]) {
        assert.ok(!trace.dialogue.includes(secret), trace.dialogue);
      }
    }
  }
});

test('any content arrives as it was, whatever dots begin its lines', async () => {
  await using server = await startScriptedServer({ extensions: ['PIPELINING'] });
  const host = hostAt(server.port);
  const piece = constantFrom('.', '..', '\r\n', '\r\n.', '\r\n..', 'text', '\r\n.\r\n', 'ü');
  await check(
    asyncProperty(array(piece, { maxLength: 12 }), async (pieces) => {
      const content = `Subject: x\r\n\r\n${pieces.join('')}\r\n`;
      assert.equal(answerOf(await send(host, { content })), '250');
      assert.equal(server.taken.at(-1)?.content, content);
    }),
    { numRuns: 60 },
  );
});

test('extensions are used where they are offered and needed, and missed only where nothing else works', async () => {
  const all = ['SIZE 1000', '8BITMIME', 'SMTPUTF8', 'PIPELINING'];
  await using rich = await startScriptedServer({ extensions: all });
  await using poor = await startScriptedServer();
  const eightBit = 'Subject: x\r\n\r\nü\r\n';
  await send(hostAt(rich.port), { content: eightBit });
  await send(hostAt(rich.port), { recipient: 'jürgen@пример.test' });
  await send(hostAt(rich.port), { recipient: 'ann@пример.test' });
  const mails = rich.commands.filter((command) => /^(MAIL|RCPT)/.test(command));
  assert.deepEqual(mails, [
    'MAIL FROM:<b1@bounce.test> SIZE=18 BODY=8BITMIME',
    'RCPT TO:<ann@example.org>',
    'MAIL FROM:<b1@bounce.test> SIZE=22 SMTPUTF8',
    'RCPT TO:<jürgen@xn--e1afmkfd.test>',
    'MAIL FROM:<b1@bounce.test> SIZE=22',
    'RCPT TO:<ann@xn--e1afmkfd.test>',
  ]);
  assert.equal(answerOf(await send(hostAt(poor.port), { content: eightBit })), '250');
  assert.equal(
    answerOf(await send(hostAt(poor.port), { recipient: 'jürgen@example.org' })),
    'rcpt 554 5.6.7',
  );
  assert.equal(answerOf(await send(hostAt(rich.port), { content: 'x'.repeat(1001) })), 'mail 554 5.3.4');
  const smuggled = await send(hostAt(poor.port), {
    recipient: 'ann@example.org>\r\nRCPT TO:<bob@example.org',
  });
  assert.equal(answerOf(smuggled), 'mail 554 5.1.3');
  assert.ok(!poor.commands.some((command) => command.includes('bob')));
});

test('the first refusal of a pipelined group is the answer, also when the server hangs up behind it', async () => {
  const refusals = { MAIL: 'mail 550 5.7.1', RCPT: 'rcpt 550 5.7.1', DATA: 'data 550 5.7.1' };
  for (const [verb, expected] of Object.entries(refusals)) {
    for (const thenDrop of [false, true]) {
      let refused = false;
      await using server = await startScriptedServer({
        extensions: ['PIPELINING'],
        answer(command) {
          if (refused && thenDrop) return 'drop';
          refused ||= command.startsWith(verb);
          return command.startsWith(verb) ? '550 5.7.1 no' : undefined;
        },
      });
      assert.equal(answerOf(await send(hostAt(server.port))), expected);
      assert.ok(!server.taken.some(({ content }) => content.includes('hello')));
    }
  }
});
