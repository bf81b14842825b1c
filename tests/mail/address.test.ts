/** What counts as an address, in which spelling, and what can be hidden in a list of them. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';
import { addressOf, parseMailboxes } from '../../src/mail/address.ts';

test('addresses come in one spelling', () => {
  const spellings: [string, string][] = [
    ['User@Example.ORG', 'User@example.org'],
    ['"plain"@example.org', 'plain@example.org'],
    ['"a@b"@example.org', '"a@b"@example.org'],
    ["o'brien+tag=x@sub.example.org", "o'brien+tag=x@sub.example.org"],
    ['почта@Пример.РФ', 'почта@xn--e1afmkfd.xn--p1ai'],
    ['e\u0301@example.org', 'é@example.org'],
    ['root@localhost', 'root@localhost'],
  ];
  for (const [given, address] of spellings) assert.equal(addressOf(given)?.address, address);
});

test('an address in the form in which it is kept is read as one that has to be brought there', () => {
  const piece = fc.constantFrom('a', 'b1', '-', '.', '_', '+', '%', '9', "'", 'x'.repeat(32), 'y'.repeat(62));
  const text = fc.array(piece, { maxLength: 7 }).map((pieces) => pieces.join(''));
  fc.assert(
    fc.property(text, text, (local, domain) => {
      // Capitals in the domain make it the long way, and come to the same.
      assert.deepEqual(addressOf(`${local}@a${domain}`), addressOf(`${local}@A${domain}`));
      assert.deepEqual(addressOf(`${local}@${domain}a`), addressOf(`${local}@${domain}A`));
    }),
    { numRuns: 5000 },
  );
});

test('what is no address, or could become a command or header of its own, is none', () => {
  const local64 = 'l'.repeat(64);
  for (const text of [
    '',
    '@',
    'a',
    'a@',
    '@b',
    'a b@example.org',
    'a@exam ple.org',
    'a@example.org\r\nRCPT TO:<b@example.org>',
    'a\0@example.org',
    'a@b@example.org',
    '<a@example.org>',
    'a..b@example.org',
    '.a@example.org',
    'a.@example.org',
    'a@example..org',
    'a@-example.org',
    'a@example.org.',
    'a@[127.0.0.1]',
    'a@127.0.0.1',
    'a@0x7f.1',
    'a@under_score.org',
    'a@ex%61mple.org',
    '"a b"@example.org',
    '"a\r\n"@example.org',
    '"a>b"@example.org',
    'a\u202Eb@example.org',
    'a\u2028@example.org',
    'a\uD800@example.org',
    `${local64}x@example.org`,
    `${'й'.repeat(33)}@example.org`,
    `a@${'d'.repeat(64)}.org`,
    `${local64}@${`${'d'.repeat(60)}.`.repeat(3)}example`,
  ]) {
    assert.equal(addressOf(text), undefined, text);
  }
  assert.ok(addressOf(`${local64}@example.org`));
});

test('an address is read as itself again, whatever came in', () => {
  const loose = fc.oneof(
    fc.string({ unit: 'binary' }),
    fc.emailAddress(),
    fc.tuple(fc.string({ unit: 'grapheme' }), fc.domain()).map(([local, domain]) => `${local}@${domain}`),
  );
  fc.assert(
    fc.property(loose, (text) => {
      const found = addressOf(text);
      if (found === undefined) return;
      assert.deepEqual(addressOf(found.address), found);
      assert.doesNotMatch(found.address, /[\s\0<>]/);
    }),
    { numRuns: 1000 },
  );
});

test('address lists are read with names, quotes, comments, groups and encoded words', () => {
  const { mailboxes, invalid } = parseMailboxes(
    '"Doe, Jane" <jane@example.org>, bob@example.org (Bob, "the" \\) builder), =?utf-8?B?0JDQvdC90LA=?= ' +
      '<anna@example.org>, Team: a@example.org, B <b@example.org>;, "x@y"@example.org, nobody, <>, ' +
      'Ann "a\\"b" <c@example.org>',
  );
  assert.deepEqual(mailboxes, [
    { address: 'jane@example.org', name: 'Doe, Jane' },
    { address: 'bob@example.org', name: '' },
    { address: 'anna@example.org', name: 'Анна' },
    { address: 'a@example.org', name: '' },
    { address: 'b@example.org', name: 'B' },
    { address: '"x@y"@example.org', name: '' },
    { address: 'c@example.org', name: 'Ann a"b' },
  ]);
  assert.deepEqual(invalid, ['nobody', '<>']);
  assert.deepEqual(parseMailboxes('undisclosed-recipients:;'), { mailboxes: [], invalid: [] });
});

/** What takes a list apart. */
const marks = ['"', '<', '>', '(', ')', ',', ';', ':', '\\', ' '] as const;

test('no text makes the list reader fail or yield what is no address', () => {
  const pieces = fc.constantFrom(...marks, 'a@b.org', '=?', '?=', 'é');
  fc.assert(
    fc.property(fc.array(pieces, { maxLength: 30 }), (parts) => {
      for (const { address } of parseMailboxes(parts.join('')).mailboxes) assert.ok(addressOf(address));
    }),
    { numRuns: 500 },
  );
});

test('an entry that stands alone is read as one in a list', () => {
  const piece = fc.oneof(
    fc.constantFrom(...marks, '@', '\t', '\r\n ', '=?UTF-8?B?w6k=?='),
    fc.constantFrom('ann@example.org', '<ann@example.org>', 'Ann ', 'Анна'),
    fc.string({ maxLength: 4 }),
  );
  fc.assert(
    fc.property(fc.array(piece, { maxLength: 6 }), (pieces) => {
      const value = pieces.join('');
      // The comma before it makes a list of it, and adds nothing.
      assert.deepEqual(parseMailboxes(value), parseMailboxes(`,${value}`));
    }),
    { numRuns: 5000 },
  );
});
