/** Tokens and links: they say what they were made to say, and nobody else can make one. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';
import { fromBase32, toBase32 } from '../../src/tokens/base32.ts';
import { deriveKeys } from '../../src/tokens/keys.ts';
import { trackingLinks } from '../../src/tokens/links.ts';
import { type AddressToken, type SignedTokens, signedTokens } from '../../src/tokens/signed.ts';

const first = 'first secret, long enough to be one';
const second = 'second secret, which came after it';
const tokens = signedTokens(deriveKeys([first]));

const id = fc.integer({ min: 1, max: Number.MAX_SAFE_INTEGER });
const text = fc.string({ unit: 'grapheme', maxLength: 64 }).map((value) => value.toWellFormed());
const plain = { noNullPrototype: true };
const subscription = fc.record({ accountId: id, messageId: id, stream: text, recipient: text }, plain);
const addressToken: fc.Arbitrary<AddressToken> = fc.oneof(
  fc.record({ kind: fc.constant('bounce' as const), messageId: id }, plain),
  fc.record({ kind: fc.constant('feedback' as const), messageId: id }, plain),
  fc.record({ kind: fc.constant('unsubscribe' as const), messageId: id, accountId: id }, plain),
);

function readAll(reading: SignedTokens, token: string): unknown[] {
  return [
    reading.readOpen(token),
    reading.readClick(token),
    reading.readUnsubscribe(token),
    reading.readAddress(token),
    reading.readAddress(`bounce-${token}`),
  ].filter((value) => value !== undefined);
}

test('a token gives back what was put in, and is no token of another kind', () => {
  fc.assert(
    fc.property(id, text, subscription, (messageId, target, leaving) => {
      assert.deepEqual(readAll(tokens, tokens.openToken(messageId)), [{ messageId }]);
      assert.deepEqual(readAll(tokens, tokens.clickToken(messageId, target)), [{ messageId, target }]);
      assert.deepEqual(readAll(tokens, tokens.unsubscribeToken(leaving)), [leaving]);
    }),
  );
});

test('an address token fits a local part and survives a change of case', () => {
  fc.assert(
    fc.property(addressToken, (token) => {
      const local = tokens.addressToken(token);
      assert.ok(local.length <= 64 && local === local.toLowerCase());
      assert.deepEqual(tokens.readAddress(local), token);
      assert.deepEqual(tokens.readAddress(local.toUpperCase()), token);
    }),
  );
});

test('junk never verifies and never throws', () => {
  fc.assert(
    fc.property(fc.oneof(fc.string(), fc.base64String(), fc.string({ unit: 'binary' })), (junk) => {
      assert.deepEqual(readAll(tokens, junk), []);
      assert.deepEqual(readAll(tokens, junk.replaceAll(/[^a-z2-7]/g, 'a')), []);
    }),
    { numRuns: 500 },
  );
});

test('a changed character never verifies, not even one that only touches unused bits', () => {
  const urlAlphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_=+/ '.split('');
  const click = tokens.clickToken(41, 'https://example.org/?a=1');
  const bounce = tokens.addressToken({ kind: 'bounce', messageId: 41 });
  for (let at = 0; at < click.length; at++) {
    for (const other of urlAlphabet) {
      if (other === click[at]) continue;
      assert.equal(tokens.readClick(click.slice(0, at) + other + click.slice(at + 1)), undefined);
    }
    assert.equal(tokens.readClick(click.slice(0, at)), undefined);
  }
  for (let at = 0; at < bounce.length; at++) {
    for (const other of 'abcdefghijklmnopqrstuvwxyz234567') {
      if (other === bounce[at]) continue;
      assert.equal(tokens.readAddress(bounce.slice(0, at) + other + bounce.slice(at + 1)), undefined);
    }
  }
});

test('old tokens verify after a rotation, another secret’s do not', () => {
  const rotated = signedTokens(deriveKeys([first, second]));
  const old = tokens.clickToken(7, 'https://example.org/');
  const oldBounce = tokens.addressToken({ kind: 'bounce', messageId: 7 });
  assert.deepEqual(rotated.readClick(old), { messageId: 7, target: 'https://example.org/' });
  assert.deepEqual(rotated.readAddress(oldBounce), { kind: 'bounce', messageId: 7 });
  assert.notEqual(rotated.openToken(7), tokens.openToken(7));
  assert.equal(tokens.readOpen(rotated.openToken(7)), undefined, 'a key number that is not ours yet');
  assert.deepEqual(readAll(signedTokens(deriveKeys([second])), old), []);
  const weekly = Array.from({ length: 104 }, (_, week) => `the secret of week ${week}, long enough`);
  const afterYears = signedTokens(deriveKeys([first, ...weekly]));
  assert.deepEqual(afterYears.readClick(old), { messageId: 7, target: 'https://example.org/' });
});

test('base32 gives back the bytes and takes each text but its one spelling for none', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 40 }), (bytes) => {
      const encoded = toBase32(bytes);
      assert.deepEqual(fromBase32(encoded), Buffer.from(bytes));
      assert.equal(fromBase32(`${encoded}!`), undefined);
    }),
  );
  fc.assert(
    fc.property(fc.stringMatching(/^[a-z2-7]{0,40}$/), (encoded) => {
      const bytes = fromBase32(encoded);
      assert.equal(bytes === undefined ? encoded : toBase32(bytes), encoded);
    }),
  );
});

test('links track http and https targets alone, unchanged, and never grow over their bound', () => {
  const links = trackingLinks(tokens, 'https://mail.example.org', 'mail.example.org');
  const token = (url: string | undefined) => url?.slice('https://mail.example.org/c/'.length) ?? '';
  for (const target of [
    'http://example.org',
    'HTTPS://Example.org/Path?q=a b#frag',
    'https://пример.рф/путь?ключ=знач#якорь',
  ]) {
    assert.deepEqual(tokens.readClick(token(links.clickUrl(9, target))), { messageId: 9, target });
  }
  for (const target of [
    'mailto:a@example.org',
    'tel:+1',
    '#top',
    '/path',
    '//example.org/',
    'javascript:alert(1)',
    'http://',
    `https://example.org/${'a'.repeat(1990)}`,
    links.unsubscribeUrl({ accountId: 1, messageId: 9, stream: 'default', recipient: 'a@example.org' }),
  ]) {
    assert.equal(links.clickUrl(9, target), undefined, target);
  }
  for (let length = 1; length < 2000; length += 7) {
    const url = links.clickUrl(9, `https://example.org/${'a'.repeat(length)}`);
    assert.ok(url === undefined || url.length <= 2000);
  }
});

test('addresses are read back for the own hostname and for bounce hosts alone', () => {
  const links = trackingLinks(tokens, 'https://t.example.org', 'Mail.example.org');
  assert.deepEqual(links.readAddress(links.returnPath(5).toUpperCase()), { kind: 'bounce', messageId: 5 });
  assert.deepEqual(links.readAddress(links.feedbackAddress(5)), { kind: 'feedback', messageId: 5 });
  const elsewhere = links.returnPath(5, 'bounce.example.com');
  assert.deepEqual(links.readAddress(elsewhere), { kind: 'bounce', messageId: 5 });
  assert.equal(links.readAddress(elsewhere.replace('@bounce', '@bounced')), undefined);
  const leaving = links.unsubscribeAddress({ accountId: 3, messageId: 5 });
  assert.deepEqual(links.readAddress(leaving), { kind: 'unsubscribe', accountId: 3, messageId: 5 });
  for (const address of ['', '@', 'postmaster@mail.example.org', leaving.replace('ail', 'ial')]) {
    assert.equal(links.readAddress(address), undefined);
  }
});
