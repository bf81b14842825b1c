/**
 * Delivery to mail servers that nobody here wrote, from Debian: what each takes, refuses, puts off and breaks, and what our
 * events and records make of it.
 */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { type AddressInfo, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { hostAt, openPostOffice, type PostOffice, routeTo } from '../deliver/post-office.ts';
import { anAuthority } from '../support/authority.ts';
import { peerOrSkip } from '../support/peers.ts';
import { postfixMissing, startPostfix } from '../support/postfix.ts';
import { maySwitchUsers } from '../support/private-users.ts';
import { freePorts } from '../support/service.ts';
import { startSmtpSink } from '../support/smtp-sink.ts';
import { startExim } from './exim.ts';
import { startOpenSmtpd } from './opensmtpd.ts';

const certificate = anAuthority().certificate('mx.example.org');
const largestBytes = 20_000;
const options = { certificate, largestBytes };
const small = Buffer.from(
  'From: shop@example.com\r\nTo: ann@example.org\r\nSubject: Hi\r\n\r\n.\r\n..hello\r\n',
);
const large = Buffer.concat([small, Buffer.from(`${'x'.repeat(70)}\r\n`.repeat(500))]);

/** What became of a message to each of these, as `type code enhanced-code`, and by which TLS. */
async function outcomes(office: PostOffice, recipients: readonly string[]): Promise<Record<string, string>> {
  const found: Record<string, string> = {};
  for (const recipient of recipients) {
    const raw = recipient === 'large' ? large : small;
    const [id = 0] = await office.post([`${recipient}@example.org`], { raw });
    await office.delivery.drained();
    const last = (await office.events(id)).at(-1);
    const tls = (await office.attempts(id)).at(-1)?.tls.startsWith('TLSv1.3 ') ? ' TLS' : '';
    found[recipient] = `${last?.type} ${last?.code} ${last?.enhancedCode}${tls}`;
  }
  return found;
}

/** What is put off is tried until it is through. @returns the types of its events */
async function inTheEnd(office: PostOffice, recipient: string): Promise<string> {
  const [id = 0] = await office.post([`${recipient}@example.org`], { raw: small });
  await office.delivery.drained();
  while ((await office.store.queue.nextDueAtMs()) !== undefined) {
    await office.clock.advance(60_000);
    await office.delivery.drained();
  }
  return (await office.events(id)).map(({ type }) => type).join();
}

test('Postfix: STARTTLS, unknown and busy recipients, greylisting, too large a message', async (context) => {
  const missing = postfixMissing();
  if (missing !== undefined) return context.skip(missing);
  const [port = 0] = await freePorts(1);
  await using greylist = await startGreylist();
  const folder = mkdtempSync(join(tmpdir(), 'aftersend-postfix-tls-'));
  chmodSync(folder, 0o755);
  writeFileSync(join(folder, 'both.pem'), certificate.key + certificate.cert, { mode: 0o600 });
  await using _postfix = await startPostfix(port, [
    'mydestination = example.org',
    'local_transport = discard:',
    'local_recipient_maps = inline:{ ann=1, soft=1, grey=1, large=1 }',
    `smtpd_tls_chain_files = ${folder}/both.pem`,
    'smtpd_tls_security_level = may',
    `message_size_limit = ${largestBytes}`,
    'smtpd_recipient_restrictions = reject_unauth_destination,',
    '  check_recipient_access inline:{ {soft@example.org = 450 4.2.1 mailbox busy} },',
    `  check_policy_service inet:127.0.0.1:${greylist.port}`,
  ]);
  await using office = await openPostOffice({ router: routeTo(hostAt(port)) });
  assert.deepEqual(await outcomes(office, ['ann', 'unknown', 'soft', 'large']), {
    ann: 'delivered 250 2.0.0 TLS',
    unknown: 'bounced 550 5.1.1 TLS',
    soft: 'deferred 450 4.2.1 TLS',
    large: 'bounced 554 5.3.4 TLS',
  });
  const [suppression] = await office.store.suppressions.find(office.accountId, 'unknown@example.org');
  assert.equal(suppression?.reason, 'bounced');
  rmSync(folder, { recursive: true });
});

test('Postfix: what is greylisted is taken at the second attempt', async (context) => {
  const missing = postfixMissing();
  if (missing !== undefined) return context.skip(missing);
  const [port = 0] = await freePorts(1);
  await using greylist = await startGreylist();
  await using _postfix = await startPostfix(port, [
    'mydestination = example.org',
    'local_transport = discard:',
    'local_recipient_maps =',
    'smtpd_recipient_restrictions = reject_unauth_destination,',
    `  check_policy_service inet:127.0.0.1:${greylist.port}`,
  ]);
  await using office = await openPostOffice({ router: routeTo(hostAt(port)) });
  assert.equal(await inTheEnd(office, 'grey'), 'accepted,deferred,delivered');
  const [first] = await office.attempts(1);
  assert.deepEqual([first?.answer.code, first?.category], ['450', 'greylisted']);
});

test('Exim: STARTTLS, unknown and busy recipients, too large a message, a refusal that hangs up', async (context) => {
  const exim = peerOrSkip(context, 'exim4');
  if (exim === undefined || !maySwitchUsers(context)) return;
  await using server = await startExim(exim, options);
  await using office = await openPostOffice({ router: routeTo(hostAt(server.port)) });
  assert.deepEqual(await outcomes(office, ['ann', 'unknown', 'soft', 'large', 'dropped']), {
    ann: 'delivered 250  TLS',
    unknown: 'bounced 550 5.1.1 TLS',
    soft: 'deferred 451 4.2.1 TLS',
    large: 'bounced 554 5.3.4 TLS',
    dropped: 'bounced 550  TLS',
  });
});

test('OpenSMTPD: unknown and busy recipients, too large a message, and a STARTTLS that may break', async (context) => {
  const smtpd = peerOrSkip(context, 'smtpd');
  if (smtpd === undefined || !maySwitchUsers(context)) return;
  await using server = await startOpenSmtpd(smtpd, options);
  await using office = await openPostOffice({ router: routeTo(hostAt(server.port)) });
  const found = await outcomes(office, ['ann', 'unknown', 'soft', 'large']);
  // Debian 12's offers TLS and then finds no key for it (OpenSSL 3): mail goes all the same, in the clear.
  const withoutTls = Object.entries(found).map(([name, outcome]) => [name, outcome.replace(/ TLS$/, '')]);
  assert.deepEqual(Object.fromEntries(withoutTls), {
    ann: 'delivered 250 2.0.0',
    unknown: 'bounced 524 5.2.4',
    soft: 'deferred 451 4.2.1',
    large: 'bounced 554 5.3.4',
  });
});

/** smtp-sink's faults: what it does at which command, and what that is to us. */
const faults: readonly (readonly [flags: readonly string[], outcome: string])[] = [
  // It breaks the connection without an answer …
  [['-q', 'ehlo'], 'deferred 451 4.4.2'],
  [['-q', 'mail'], 'deferred 451 4.4.2'],
  [['-q', 'rcpt'], 'deferred 451 4.4.2'],
  [['-q', 'data'], 'deferred 451 4.4.2'],
  [['-q', '.'], 'deferred 451 4.4.2'],
  // … or says 421 first,
  [['-Q', 'rcpt'], 'deferred 421 4.0.0'],
  // refuses for now,
  [['-r', 'connect'], 'deferred 450 4.3.0'],
  [['-r', 'mail'], 'deferred 450 4.3.0'],
  [['-r', 'rcpt'], 'deferred 450 4.3.0'],
  [['-r', 'data'], 'deferred 450 4.3.0'],
  [['-r', '.'], 'deferred 450 4.3.0'],
  // refuses for good: before the message that says nothing about it,
  [['-f', 'connect'], 'deferred 500 5.3.0'],
  [['-f', 'mail'], 'bounced 500 5.3.0'],
  [['-f', 'rcpt'], 'bounced 500 5.3.0'],
  [['-f', 'data'], 'bounced 500 5.3.0'],
  [['-f', '.'], 'bounced 500 5.3.0'],
  // and knows less than others: no PIPELINING, no ESMTP at all.
  [['-p'], 'delivered 250 2.0.0'],
  [['-e'], 'delivered 250 2.0.0'],
];

for (const [flags, outcome] of faults) {
  test(`smtp-sink ${flags.join(' ')}: ${outcome}`, async (context: TestContext) => {
    const peer = peerOrSkip(context, 'smtp-sink');
    if (peer === undefined) return;
    const [port = 0] = await freePorts(1);
    await using _sink = await startSmtpSink(peer, port, flags);
    await using office = await openPostOffice({ router: routeTo(hostAt(port)) });
    assert.deepEqual(await outcomes(office, ['ann']), { ann: outcome });
  });
}

/** A policy service for Postfix (its SMTPD_POLICY_README) that puts off whom it has not seen. */
async function startGreylist() {
  const seen = new Set<string>();
  const server = createServer((socket) => {
    let request = '';
    socket.on('error', () => {});
    socket.setEncoding('utf8').on('data', (text: string) => {
      request += text;
      if (!request.endsWith('\n\n')) return;
      const recipient = /^recipient=(.*)$/m.exec(request)?.[1] ?? '';
      request = '';
      const known = seen.has(recipient) || !recipient.startsWith('grey@');
      seen.add(recipient);
      socket.write(`action=${known ? 'dunno' : 'defer_if_permit Greylisted, please try again later'}\n\n`);
    });
  });
  await once(server.listen(0, '127.0.0.1'), 'listening');
  return {
    port: (server.address() as AddressInfo).port,
    async [Symbol.asyncDispose]() {
      server.close();
    },
  };
}
