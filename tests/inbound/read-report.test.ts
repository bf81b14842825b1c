/** What reports are read as: samples of real systems (tests/data/bounces, with their licence), made ones, and junk. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import * as fc from 'fast-check';
import { type MailMeaning, readReport } from '../../src/inbound/read-report.ts';

const sample = (name: string) => readFileSync(new URL(`../data/bounces/${name}.eml`, import.meta.url));

const expected: readonly (readonly [string, MailMeaning])[] = [
  [
    'lhost-exchange2007-01',
    {
      kind: 'bounce',
      answer: { code: '550', enhancedCode: '5.1.1', text: 'RESOLVER.ADR.RecipNotFound; not found' },
      host: 'mx4.example.org',
    },
  ],
  [
    'lhost-exim-43',
    {
      kind: 'bounce',
      answer: {
        code: '550',
        enhancedCode: '5.7.1',
        text: 'Connections not accepted from servers without a valid sender domain. Fix reverse DNS for 203.0.113.2',
      },
      host: 'mail-mx1.example.net',
    },
  ],
  ['arf-14', { kind: 'complaint', feedbackType: 'abuse' }],
  ['lhost-sendmail-29', { kind: 'notice' }],
  ['rfc3834-01', { kind: 'auto-reply' }],
];

for (const [name, meaning] of expected) {
  test(`${name} of the samples is read as ${meaning.kind}, with LF and with CRLF`, () => {
    const raw = sample(name);
    assert.deepEqual(readReport(raw), meaning);
    assert.deepEqual(
      readReport(Buffer.from(raw.toString('latin1').replaceAll('\n', '\r\n'), 'latin1')),
      meaning,
    );
  });
}

test('a reply code inside a reporter’s sentence is found', () => {
  for (const [name, code] of [
    ['lhost-postfix-44', '501'],
    ['lhost-postfix-35', '550'],
  ] as const) {
    const meaning = readReport(sample(name));
    assert.equal(meaning.kind === 'bounce' && meaning.answer.code, code);
  }
});

const report = (...lines: string[]) =>
  Buffer.from(
    [
      'Content-Type: multipart/report; boundary=b',
      '',
      '--b',
      'Content-Type: message/delivery-status',
      '',
      'Reporting-MTA: dns; mx.example.com',
      '',
      ...lines,
      '--b--',
      '',
    ].join('\r\n'),
  );

test('only a failed recipient is a bounce, whatever stands before it', () => {
  const failed = ['Final-Recipient: rfc822; a@b.c', 'Action: failed (for good)', 'Status: 5.2.2 (full)', ''];
  for (const action of ['delayed', 'relayed', 'expanded', 'delivered', 'Delayed']) {
    const other = ['Final-Recipient: rfc822; x@y.z', `Action: ${action}`, 'Status: 2.0.0', ''];
    assert.deepEqual(readReport(report(...other)), { kind: 'notice' });
    assert.deepEqual(readReport(report(...other, ...failed)), {
      kind: 'bounce',
      answer: {
        code: '554',
        enhancedCode: '5.2.2',
        text: 'Aftersend: a bounce message came back without the reason',
      },
      host: 'mx.example.com',
    });
  }
});

test('feedback that says the mail is no spam is no complaint', () => {
  const feedback = (type: string) =>
    Buffer.from(`Content-Type: message/feedback-report\n\nFeedback-Type: ${type}\nVersion: 1\n`);
  assert.deepEqual(readReport(feedback('not-spam')), { kind: 'notice' });
  assert.deepEqual(readReport(feedback('Abuse')), { kind: 'complaint', feedbackType: 'abuse' });
});

test('junk, nested without end or cut anywhere, is never more than mail', () => {
  const nested = 'Content-Type: multipart/mixed; boundary=b\n\n--b\n'.repeat(1000);
  assert.equal(readReport(Buffer.from(nested)).kind, 'other');
  const whole = sample('lhost-exim-43');
  fc.assert(
    fc.property(fc.nat(whole.length), fc.uint8Array({ maxLength: 200 }), (cut, junk) => {
      readReport(Buffer.concat([whole.subarray(0, cut), junk]));
      assert.notEqual(readReport(Buffer.from(junk)).kind, 'bounce');
    }),
  );
});
