/** What answers mean: a clear enhanced code first, then the wording, then vague codes and the reply code. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';
import { type Category, classify } from '../../src/deliver/classify.ts';
import type { AttemptStage } from '../../src/events/types.ts';

const table: readonly (readonly [string, AttemptStage, Category, boolean])[] = [
  ['550 5.1.1 The email account that you tried to reach does not exist', 'rcpt', 'recipient-unknown', true],
  ['550 5.1.10 null MX', 'rcpt', 'domain-unknown', true],
  ['551 5.1.6 moved', 'rcpt', 'recipient-unknown', true],
  ['450 4.1.1 unverified address', 'rcpt', 'recipient-unknown', false],
  ['550  No such user here', 'rcpt', 'recipient-unknown', true],
  ['550  User unknown', 'mail', 'policy', false],
  ['552 5.2.2 over quota', 'rcpt', 'mailbox-full', false],
  ['452  mailbox full', 'rcpt', 'mailbox-full', false],
  ['550 5.2.1 disabled', 'rcpt', 'disabled', false],
  ['550 5.7.1 Service unavailable; client host blocked using Spamhaus', 'rcpt', 'policy', false],
  ['550 5.7.26 unauthenticated mail is prohibited', 'data', 'authentication', false],
  ['554 5.7.1 message looks like spam', 'data', 'content', false],
  ['451 4.7.1 Greylisting in action, please come back later', 'rcpt', 'greylisted', false],
  ['421 4.7.28 too many messages', 'mail', 'rate-limited', false],
  ['552 5.3.4 too big', 'data', 'too-large', false],
  ['552  message size exceeds limit', 'data', 'too-large', false],
  ['421  shutting down', 'greeting', 'remote-system', false],
  ['554 5.4.6 loop detected', 'data', 'loop', false],
  ['535 5.7.8 bad credentials', 'auth', 'authentication', false],
  ['554 5.4.4 Aftersend: no such domain', 'dns', 'domain-unknown', true],
  ['554 5.4.6 Aftersend: the mail server is this service itself', 'dns', 'loop', false],
  ['451 4.4.4 Aftersend: no answer', 'dns', 'connection', false],
  ['451 4.4.1 Aftersend: no connection', 'connect', 'connection', false],
  ['451 4.4.2 Aftersend: connection lost', 'data', 'connection', false],
  ['451 4.7.5 Aftersend: no TLS', 'tls', 'tls', false],
  ['550  go away', 'rcpt', 'policy', false],
  ['550  ', 'rcpt', 'unknown', false],
  ['451  ', 'rcpt', 'remote-system', false],
  // Words that say why a server does not want to know a recipient.
  ['550 5.1.1 too many recipients this hour from 192.0.2.1', 'rcpt', 'rate-limited', false],
  ['553 5.1.3 http://www.spamhaus.org/query/bl?ip=192.0.2.1', 'rcpt', 'policy', false],
  ['552 5.1.1 sorry, mailbox ann@example.org is over quota', 'rcpt', 'mailbox-full', false],
  // Words of others: an address, and the path of a URL.
  ['550 5.1.1 <spam-quota-full@example.org>... User unknown', 'rcpt', 'recipient-unknown', true],
  ['550  Refused, see https://example.org/user-unknown', 'rcpt', 'policy', false],
  // In doubt nobody is at fault: after the content, in a report that does not say when, before the recipient was named.
  ['550  User unknown', 'data', 'recipient-unknown', false],
  ['550  User unknown', 'report', 'recipient-unknown', false],
  ['550 5.1.1 User unknown', 'report', 'recipient-unknown', true],
  ['550 5.7.1 User unknown', 'rcpt', 'recipient-unknown', false],
  ['550 5.2.1 User unknown', 'rcpt', 'recipient-unknown', true],
  ['553 5.1.8 Domain of sender address does not exist', 'mail', 'policy', false],
  ['450 5.1.1 User unknown', 'rcpt', 'recipient-unknown', false],
  ['550 5.4.1 [a@b.c]: Recipient address rejected: Access denied', 'rcpt', 'recipient-unknown', true],
  ['550 5.1.10 RESOLVER.ADR.RecipientNotFound; Recipient not found', 'rcpt', 'recipient-unknown', true],
  ['554 5.4.4 Domain Lookup Failed', 'rcpt', 'domain-unknown', true],
  ['550 5.7.27 Host does not accept mail', 'rcpt', 'domain-unknown', true],
  ['550 5.7.606 Access denied, banned sending IP', 'rcpt', 'policy', false],
  ['525 5.7.13 Disabled recipient address', 'rcpt', 'disabled', false],
  ['550 5.7.17 mailbox has another owner', 'rcpt', 'recipient-unknown', true],
  ['554 5.4.14 Hop count exceeded', 'data', 'loop', false],
];

for (const [reply, stage, category, recipientAtFault] of table) {
  test(`${reply} (${stage}) is ${category}${recipientAtFault ? ', the recipient’s fault' : ''}`, () => {
    const [, code = '', enhancedCode = '', text = ''] = /^(\d+) (\S*) (.*)$/.exec(reply) ?? [];
    assert.deepEqual(classify({ code, enhancedCode, text }, stage), { category, recipientAtFault });
  });
}

test('every code of the registry and any words have a category, and only a refusal for good is somebody’s fault', () => {
  const anyAnswer = fc.record({
    code: fc.constantFrom('', '250', '421', '450', '550', '554'),
    enhancedCode: fc.oneof(
      fc.constantFrom('', '5.0.0', '4.1.1'),
      fc.tuple(fc.constantFrom(4, 5), fc.nat(7), fc.nat(700)).map((parts) => parts.join('.')),
    ),
    text: fc.oneof(fc.string({ maxLength: 300 }), fc.constantFrom('user unknown', 'host unknown')),
  });
  fc.assert(
    fc.property(anyAnswer, fc.constantFrom('greeting', 'mail', 'rcpt', 'data', 'report'), (answer, stage) => {
      const { recipientAtFault } = classify(answer, stage);
      if (answer.code.startsWith('4') || answer.enhancedCode.startsWith('4'))
        assert.equal(recipientAtFault, false);
      if (stage === 'greeting' || stage === 'mail') assert.equal(recipientAtFault, false);
    }),
  );
});
