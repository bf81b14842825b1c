/** The simulator from the outside: mail goes in by SMTP, what its recipients do comes back by HTTP and SMTP. */
import assert from 'node:assert/strict';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { after, before, beforeEach, test } from 'node:test';
import { createTransport } from 'nodemailer';
import pino from 'pino';
import { readReport } from '../../src/inbound/read-report.ts';
import { systemRandom } from '../../src/platform/clock.ts';
import { type SmtpListener, startSmtpListener } from '../../src/platform/smtp/listener.ts';
import { reply } from '../../src/platform/smtp/replies.ts';
import type { ReceivedMail } from '../../src/platform/smtp/service.ts';
import { type Simulator, startSimulator } from '../../src/simulator/simulator.ts';
import { deriveKeys } from '../../src/tokens/keys.ts';
import { trackingLinks } from '../../src/tokens/links.ts';
import { signedTokens } from '../../src/tokens/signed.ts';
import { RawClient } from '../smtp/raw-client.ts';
import { ManualClock } from '../support/manual-clock.ts';

const base = 'http://track.example.com';
const links = trackingLinks(signedTokens(deriveKeys(['x'.repeat(32)])), base, 'mail.example.com');
const logger = pino({ level: 'silent' });
const ok = reply(250, '2.0.0', 'OK');

class WatchedClock extends ManualClock {
  readonly #watched = new Map<number, () => void>();

  /** Resolves when somebody begins to sleep for exactly so long. */
  nextSleepOf(ms: number): Promise<void> {
    return new Promise((resolve) => this.#watched.set(ms, resolve));
  }

  override sleep(ms: number, signal?: AbortSignal): Promise<void> {
    const sleeping = super.sleep(ms, signal);
    this.#watched.get(ms)?.();
    return sleeping;
  }
}

const envelopes = new Set<string>();
let requests: { line: string; host: string | undefined; body: string }[] = [];
let reports: ReceivedMail[] = [];
let clock: WatchedClock;
let simulator: Simulator;
let inbound: SmtpListener;

const web = createServer((request, response) => {
  let body = '';
  request.setEncoding('utf8');
  request.on('data', (chunk: string) => {
    body += chunk;
  });
  request.on('end', () => {
    requests.push({ line: `${request.method} ${request.url}`, host: request.headers.host, body });
    // A real click is answered so; following it would leave the service.
    response.writeHead(302, { location: 'http://elsewhere.example/' }).end();
  });
});

before(async () => {
  await new Promise<void>((resolve) => {
    web.listen(0, '127.0.0.1', resolve);
  });
  clock = new WatchedClock();
  const message = (mail: ReceivedMail) => {
    reports.push(mail);
    return ok;
  };
  inbound = await startSmtpListener({
    listen: { host: '127.0.0.1', port: 0 },
    service: {
      hostname: 'mail.example.com',
      limits: { messageBytes: 2 ** 20, recipients: 1 },
      open: () => ({ sender: () => ok, recipient: () => ok, message }),
    },
    bounds: { connections: 10, connectionsOfAddress: 10, memoryBytes: 2 ** 20 },
    secureContext: undefined,
    clock,
    logger,
  });
  simulator = await startSimulator({
    messageBytes: 2 ** 20,
    isOurs: (url) => links.isOurs(url),
    http: () => `http://127.0.0.1:${(web.address() as AddressInfo).port}`,
    inbound: () => inbound,
    softBounce: async (envelope) => envelopes.size < envelopes.add(envelope).size,
    clock,
    random: systemRandom,
    logger,
  });
});

beforeEach(() => {
  requests = [];
  reports = [];
});

after(async () => {
  await simulator[Symbol.asyncDispose]();
  await inbound[Symbol.asyncDispose]();
  web.close();
  web.closeAllConnections();
});

const subscription = { accountId: 1, messageId: 7, stream: 'news', recipient: 'x@simulator.test' };
const unsubscribeUrl = links.unsubscribeUrl(subscription);
const pixelUrl = links.pixelUrl(7);
const clickUrl = links.clickUrl(7, 'https://shop.example/?a=1&b=2') ?? '';

/** @returns the reply to the message */
async function deliver(to: string, headers: Record<string, string> = {}): Promise<string> {
  const transport = createTransport({ host: simulator.host, port: simulator.port, ignoreTLS: true });
  const sent = await transport.sendMail({
    envelope: { from: links.returnPath(7), to: [to] },
    from: 'shop@example.com',
    to,
    subject: 'Заказ',
    text: clickUrl,
    html: `<a href="https://shop.example/">x</a><a href="${unsubscribeUrl}">leave</a>
      <a href="${clickUrl}">one</a><a href="${links.clickUrl(7, 'https://two.example/')}">two</a>
      <img src="http://elsewhere.example/o/x.png"><img src="${pixelUrl}" width="1">`,
    headers: {
      'List-Unsubscribe': `<${unsubscribeUrl}>, <mailto:leave@example.com>`,
      'List-Unsubscribe-Post': 'List-Unsubscribe=One-Click',
      'CFBL-Address': `${links.feedbackAddress(7)}; report=arf`,
      ...headers,
    },
  });
  return sent.response;
}

async function afterAMoment(): Promise<void> {
  await clock.advance(1000);
  await simulator.drained();
}

const path = (url: string) => url.slice(base.length);

test('opened@ gets the pixel, by the name that the URL has and nothing before its 250', async () => {
  assert.equal(await deliver('opened@simulator.test'), '250 2.0.0 Taken by the simulator (opened)');
  assert.deepEqual(requests, []);
  await afterAMoment();
  assert.deepEqual(requests, [{ line: `GET ${path(pixelUrl)}`, host: 'track.example.com', body: '' }]);
});

test('clicked@ opens and follows the first tracked link, and goes nowhere else', async () => {
  await deliver('Clicked+order-17@Simulator.TEST');
  await afterAMoment();
  assert.deepEqual(
    requests.map(({ line }) => line),
    [`GET ${path(pixelUrl)}`, `GET ${path(clickUrl)}`],
  );
});

test('unsubscribed@ posts the one-click unsubscribe, where the mail offers it', async () => {
  await deliver('unsubscribed@simulator.test');
  await afterAMoment();
  assert.deepEqual(requests, [
    {
      line: `POST ${path(unsubscribeUrl)}`,
      host: 'track.example.com',
      body: 'List-Unsubscribe=One-Click',
    },
  ]);
  await deliver('unsubscribed@simulator.test', { 'List-Unsubscribe-Post': 'no' });
  await simulator.drained();
  assert.equal(requests.length, 1);
});

test('complained@ sends a complaint to the feedback address, which inbound understands', async () => {
  await deliver('complained@simulator.test');
  await afterAMoment();
  const [report] = reports;
  assert.deepEqual(report?.recipients, [links.feedbackAddress(7)]);
  assert.partialDeepStrictEqual(readReport(report.content), {
    kind: 'complaint',
    feedbackType: 'abuse',
    recipients: ['complained@simulator.test'],
  });
  assert.match(report.content.toString(), /\r\n\r\n(?:.*\r\n)*?To: complained@simulator\.test\r\n/);
});

test('late-bounced@ takes the mail and sends a bounce message to its return path', async () => {
  assert.match(await deliver('late-bounced@simulator.test'), /^250 /);
  await afterAMoment();
  const [report] = reports;
  assert.equal(report?.sender, '');
  assert.deepEqual(report.recipients, [links.returnPath(7)]);
  const meaning = readReport(report.content);
  assert.equal(meaning.kind === 'bounce' && meaning.recipients[0]?.answer.enhancedCode, '5.1.1');
});

test('soft-bounced@ puts each message off once, hard-bounced@ refuses, and the rest is taken', async () => {
  using client = await RawClient.connect(simulator.port);
  await client.reply();
  await client.ask('EHLO here');
  const ask = async (sender: string, recipient: string) => {
    await client.ask(`MAIL FROM:<${sender}>`);
    const answer = await client.ask(`RCPT TO:<${recipient}>`);
    await client.ask('RSET');
    return answer.slice(0, 9);
  };
  assert.equal(await ask('one@example.com', 'soft-bounced+x@simulator.test'), '451 4.2.0');
  assert.equal(await ask('one@example.com', 'soft-bounced+x@simulator.test'), '250 2.1.5');
  assert.equal(await ask('two@example.com', 'soft-bounced+x@simulator.test'), '451 4.2.0');
  assert.equal(await ask('one@example.com', 'hard-bounced@simulator.test'), '550 5.1.1');
  assert.match(await deliver('who-knows@simulator.test'), /^250 .*\(delivered\)$/);
  assert.match(await deliver('hard-bounced@example.com'), /^250 .*\(captured\)$/);
  await simulator.drained();
  assert.deepEqual([requests, reports], [[], []]);
});

test('slow@ answers after 20 seconds', async () => {
  let answered = false;
  const longSleep = clock.nextSleepOf(20_000);
  const sending = deliver('slow@simulator.test').finally(() => {
    answered = true;
  });
  await longSleep;
  await clock.advance(19_000);
  assert.equal(answered, false);
  await clock.advance(1_000);
  assert.match(await sending, /^250 .*\(slow\)$/);
});
