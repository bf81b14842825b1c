/** What one recipient gets: headers, links and return path, made by the real mail and token rooms. */
import assert from 'node:assert/strict';
import { generateKeyPairSync } from 'node:crypto';
import { test } from 'node:test';
import { dkimVerify } from 'mailauth/lib/dkim/verify.js';
import { createPrepare } from '../../src/deliver/prepare.ts';
import type { SenderIdentity } from '../../src/domains/identity.ts';
import { rewriteForRecipient } from '../../src/mail/rewrite.ts';
import type { ClaimedMessage } from '../../src/store/contract/queue.ts';
import { deriveKeys } from '../../src/tokens/keys.ts';
import { trackingLinks } from '../../src/tokens/links.ts';
import { signedTokens } from '../../src/tokens/signed.ts';

const raw = Buffer.from(
  'From: shop@example.com\r\nTo: ann@example.org\r\nSubject: hi\r\nMIME-Version: 1.0\r\n' +
    'Content-Type: text/html; charset=utf-8\r\n\r\n<body><a href="https://example.com/a">a</a></body>\r\n',
);

const message: ClaimedMessage = {
  messageId: 12,
  submissionId: 7,
  accountId: 3,
  account: 'acme',
  tags: [],
  recipient: 'ann@example.org',
  attemptsMade: 0,
  lease: 1,
  acceptedAtMs: 0,
  sizeBytes: raw.byteLength,
  suppressed: undefined,
  sender: 'shop@Example.com',
  subject: 'hi',
  stream: 'news',
  trackOpens: true,
  trackClicks: true,
  trackText: false,
  listUnsubscribe: true,
  trackingHost: '',
};

const nobody: SenderIdentity = { domain: '', keys: [], bounceHost: undefined, requireTls: false };

function open(publicUrl: string, identity = nobody) {
  const identityOf = async () => identity;
  const links = trackingLinks(signedTokens(deriveKeys(['s'.repeat(40)])), publicUrl, 'mail.test');
  return { links, prepare: createPrepare({ rewriteForRecipient, links, identityOf, publicUrl }) };
}

/** Unfolded. */
const headersOf = (content: Uint8Array) =>
  (Buffer.from(content).toString().split('\r\n\r\n')[0] ?? '').replaceAll(/\r\n[ \t]+/g, ' ');
const bodyOf = (content: Uint8Array) => Buffer.from(content).toString().split('\r\n\r\n')[1] ?? '';

test('links, pixel, unsubscribe and feedback headers are the recipient’s own, and the same each time', async () => {
  const { links, prepare } = open('https://mail.test');
  const prepared = await prepare(message, raw);
  assert.deepEqual(await prepare(message, raw), prepared);
  assert.notDeepEqual((await prepare({ ...message, messageId: 13 }, raw)).content, prepared.content);
  assert.deepEqual(links.readAddress(prepared.envelopeSender), { kind: 'bounce', messageId: 12 });
  const headers = headersOf(prepared.content);
  assert.match(headers, /^List-Unsubscribe: <https:\/\/mail\.test\/u\/[^>]+>, <mailto:[^>]+@mail\.test>$/m);
  assert.match(headers, /^List-Unsubscribe-Post: List-Unsubscribe=One-Click$/m);
  assert.match(headers, /^Feedback-ID: news:3:example\.com:aftersend$/m);
  const [, feedback = ''] = /^CFBL-Address: (\S+); report=arf$/m.exec(headers) ?? [];
  assert.deepEqual(links.readAddress(feedback), { kind: 'feedback', messageId: 12 });
  const body = bodyOf(prepared.content);
  assert.match(body, /href="https:\/\/mail\.test\/c\//);
  assert.match(body, /src="https:\/\/mail\.test\/o\//);
});

test('what was not asked for is not added; without https nobody is told to leave by http', async () => {
  const { prepare } = open('http://localhost:8080');
  const plain = { ...message, trackOpens: false, trackClicks: false, listUnsubscribe: false };
  const untouched = (await prepare(plain, raw)).content;
  assert.doesNotMatch(headersOf(untouched), /List-Unsubscribe/);
  assert.equal(bodyOf(untouched), bodyOf(raw));
  const headers = headersOf((await prepare(message, raw)).content);
  assert.match(headers, /^List-Unsubscribe: <mailto:/m);
  assert.doesNotMatch(headers, /List-Unsubscribe-Post/);
});

test('mail for the simulator always carries the pixel and the one-click headers', async () => {
  const { prepare } = open('http://localhost:8080');
  const recipient = 'Opened+x@Simulator.test';
  const simulated = { ...message, recipient, trackOpens: false, trackClicks: false, listUnsubscribe: false };
  const { content } = await prepare(simulated, raw);
  assert.match(headersOf(content), /^List-Unsubscribe: <http:\/\/localhost:8080\/u\//m);
  assert.match(headersOf(content), /^List-Unsubscribe-Post: List-Unsubscribe=One-Click/m);
  assert.match(bodyOf(content), /src="http:\/\/localhost:8080\/o\//);
  assert.match(bodyOf(content), /href="https:\/\/example\.com\/a"/);
});

test('links stand under the account’s own name, with scheme and port of the service; the simulator’s do not', async () => {
  const { prepare, links } = open('https://mail.test:8443');
  const own = { ...message, trackingHost: 'track.example.com' };
  const prepared = await prepare(own, raw);
  assert.match(headersOf(prepared.content), /<https:\/\/track\.example\.com:8443\/u\//);
  assert.match(bodyOf(prepared.content), /href="https:\/\/track\.example\.com:8443\/c\//);
  assert.match(bodyOf(prepared.content), /src="https:\/\/track\.example\.com:8443\/o\//);
  assert.match(prepared.envelopeSender, /@mail\.test$/);
  const { content } = await prepare({ ...own, recipient: 'opened@simulator.test' }, raw);
  assert.doesNotMatch(Buffer.from(content).toString(), /track\.example\.com/);
  const ours = links.under('track.example.com');
  for (const url of [links.pixelUrl(1), ours.pixelUrl(1)]) {
    assert.equal(ours.clickUrl(1, url), undefined, 'a link of ours is not tracked again');
  }
});

test('with a sending domain, everything is signed for it and bounces come back to its own host', async () => {
  const { publicKey, privateKey } = generateKeyPairSync('ed25519');
  const { links, prepare } = open('https://mail.test', {
    domain: 'example.com',
    keys: [{ selector: 's1', algorithm: 'ed25519-sha256', privateKey }],
    bounceHost: 'bounce.example.com',
    requireTls: true,
  });
  const prepared = await prepare(message, raw);
  assert.deepEqual(await prepare(message, raw), prepared, 'the signature is the same each time, too');
  assert.equal(prepared.requireTls, true);
  assert.match(prepared.envelopeSender, /@bounce\.example\.com$/);
  assert.ok(prepared.envelopeSender.indexOf('@') <= 64);
  assert.deepEqual(links.readAddress(prepared.envelopeSender), { kind: 'bounce', messageId: 12 });
  assert.match(headersOf(prepared.content), /^CFBL-Address: \S+@bounce\.example\.com; report=arf$/m);

  const record = publicKey.export({ type: 'spki', format: 'der' }).subarray(-32).toString('base64');
  const verdict = await dkimVerify(Buffer.from(prepared.content), {
    resolver: async (name) => {
      assert.equal(name, 's1._domainkey.example.com');
      return [[`v=DKIM1; k=ed25519; p=${record}`]];
    },
  });
  assert.deepEqual(
    verdict.results.map(({ status, signingHeaders }) => [
      status.result,
      ['list-unsubscribe', 'list-unsubscribe-post', 'feedback-id', 'cfbl-address'].every((name) =>
        signingHeaders?.keys.toLowerCase().includes(name),
      ),
    ]),
    [['pass', true]],
  );
});
