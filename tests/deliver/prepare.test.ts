/** What one recipient gets: headers, links and return path, made by the real mail and token rooms. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createPrepare } from '../../src/deliver/prepare.ts';
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

function open(publicUrl: string) {
  const links = trackingLinks(signedTokens(deriveKeys(['s'.repeat(40)])), publicUrl, 'mail.test');
  return { links, prepare: createPrepare({ rewriteForRecipient, links, publicUrl }) };
}

/** Unfolded. */
const headersOf = (content: Uint8Array) =>
  (Buffer.from(content).toString().split('\r\n\r\n')[0] ?? '').replaceAll(/\r\n[ \t]+/g, ' ');
const bodyOf = (content: Uint8Array) => Buffer.from(content).toString().split('\r\n\r\n')[1] ?? '';

test('links, pixel, unsubscribe and feedback headers are the recipient’s own, and the same each time', () => {
  const { links, prepare } = open('https://mail.test');
  const prepared = prepare(message, raw);
  assert.deepEqual(prepare(message, raw), prepared);
  assert.notDeepEqual(prepare({ ...message, messageId: 13 }, raw).content, prepared.content);
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

test('what was not asked for is not added; without https nobody is told to leave by http', () => {
  const { prepare } = open('http://localhost:8080');
  const plain = { ...message, trackOpens: false, trackClicks: false, listUnsubscribe: false };
  const untouched = prepare(plain, raw).content;
  assert.doesNotMatch(headersOf(untouched), /List-Unsubscribe/);
  assert.equal(bodyOf(untouched), bodyOf(raw));
  const headers = headersOf(prepare(message, raw).content);
  assert.match(headers, /^List-Unsubscribe: <mailto:/m);
  assert.doesNotMatch(headers, /List-Unsubscribe-Post/);
});

test('mail for the simulator always carries the pixel and the one-click headers', () => {
  const { prepare } = open('http://localhost:8080');
  const recipient = 'Opened+x@Simulator.test';
  const simulated = { ...message, recipient, trackOpens: false, trackClicks: false, listUnsubscribe: false };
  const { content } = prepare(simulated, raw);
  assert.match(headersOf(content), /^List-Unsubscribe: <http:\/\/localhost:8080\/u\//m);
  assert.match(headersOf(content), /^List-Unsubscribe-Post: List-Unsubscribe=One-Click/m);
  assert.match(bodyOf(content), /src="http:\/\/localhost:8080\/o\//);
  assert.match(bodyOf(content), /href="https:\/\/example\.com\/a"/);
});

test('links stand under the account’s own name, with scheme and port of the service; the simulator’s do not', () => {
  const { prepare, links } = open('https://mail.test:8443');
  const own = { ...message, trackingHost: 'track.example.com' };
  const prepared = prepare(own, raw);
  assert.match(headersOf(prepared.content), /<https:\/\/track\.example\.com:8443\/u\//);
  assert.match(bodyOf(prepared.content), /href="https:\/\/track\.example\.com:8443\/c\//);
  assert.match(bodyOf(prepared.content), /src="https:\/\/track\.example\.com:8443\/o\//);
  assert.match(prepared.envelopeSender, /@mail\.test$/);
  const { content } = prepare({ ...own, recipient: 'opened@simulator.test' }, raw);
  assert.doesNotMatch(Buffer.from(content).toString(), /track\.example\.com/);
  const ours = links.under('track.example.com');
  for (const url of [links.pixelUrl(1), ours.pixelUrl(1)]) {
    assert.equal(ours.clickUrl(1, url), undefined, 'a link of ours is not tracked again');
  }
});
