/** What answers mean: the enhanced code first, then the wording, then the reply code. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type Category, classify } from '../../src/deliver/classify.ts';
import type { AttemptStage } from '../../src/events/types.ts';

const table: readonly (readonly [string, AttemptStage, Category, boolean])[] = [
  ['550 5.1.1 The email account that you tried to reach does not exist', 'rcpt', 'recipient-unknown', true],
  ['550 5.1.10 null MX', 'rcpt', 'domain-unknown', true],
  ['551 5.1.6 moved', 'rcpt', 'recipient-unknown', true],
  ['450 4.1.1 unverified address', 'rcpt', 'recipient-unknown', false],
  ['550  No such user here', 'rcpt', 'recipient-unknown', true],
  ['550  User unknown', 'mail', 'unknown', false],
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
  ['451 4.4.4 Aftersend: no answer', 'dns', 'connection', false],
  ['451 4.4.1 Aftersend: no connection', 'connect', 'connection', false],
  ['451 4.4.2 Aftersend: connection lost', 'data', 'connection', false],
  ['451 4.7.5 Aftersend: no TLS', 'tls', 'tls', false],
  ['550  go away', 'rcpt', 'unknown', false],
];

for (const [reply, stage, category, recipientAtFault] of table) {
  test(`${reply} (${stage}) is ${category}${recipientAtFault ? ', the recipient’s fault' : ''}`, () => {
    const [, code = '', enhancedCode = '', text = ''] = /^(\d+) (\S*) (.*)$/.exec(reply) ?? [];
    assert.deepEqual(classify({ code, enhancedCode, text }, stage), { category, recipientAtFault });
  });
}
