/** What reports are read as: samples of real systems (tests/data/bounces, with their licence), made ones, and junk. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import * as fc from 'fast-check';
import { type MailMeaning, type ReportedRecipient, readReport } from '../../src/inbound/read-report.ts';

const sample = (name: string) => readFileSync(new URL(`../data/bounces/mail/${name}.eml`, import.meta.url));

const expected: readonly (readonly [string, { kind: MailMeaning['kind'] } & Record<string, unknown>])[] = [
  [
    'lhost-exchange2007-01',
    {
      kind: 'bounce',
      recipients: [
        {
          recipient: 'mikeneko@example.co.jp',
          answer: { code: '550', enhancedCode: '5.1.1', text: 'RESOLVER.ADR.RecipNotFound; not found' },
          host: 'mx4.example.org',
        },
      ],
    },
  ],
  [
    'lhost-exim-43',
    {
      kind: 'bounce',
      recipients: [
        {
          answer: {
            code: '550',
            enhancedCode: '5.7.1',
            text: 'Connections not accepted from servers without a valid sender domain. Fix reverse DNS for 203.0.113.2',
          },
          stage: 'mail',
          host: 'mail-mx1.example.net',
        },
      ],
    },
  ],
  ['arf-14', { kind: 'complaint', feedbackType: 'abuse', recipients: ['kijitora@y.example.com'] }],
  ['lhost-sendmail-29', { kind: 'bounce', recipients: [{ action: 'delayed' }] }],
  ['rfc3834-01', { kind: 'auto-reply', sender: 'kijitora@example.net' }],
];

for (const [name, meaning] of expected) {
  test(`${name} of the samples is read as ${meaning.kind}, with LF and with CRLF`, () => {
    const raw = sample(name);
    assert.partialDeepStrictEqual(readReport(raw), meaning);
    const crlf = raw.toString('latin1').replaceAll(/\r?\n/g, '\r\n');
    assert.partialDeepStrictEqual(readReport(Buffer.from(crlf, 'latin1')), meaning);
  });
}

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

/** The only recipient of a bounce. */
function recipientOf(raw: Buffer): ReportedRecipient {
  const meaning = readReport(raw);
  assert.equal(meaning.kind, 'bounce');
  const [recipient, ...more] = meaning.kind === 'bounce' ? meaning.recipients : [];
  assert.deepEqual(more, []);
  assert.ok(recipient);
  return recipient;
}

test('each recipient has what was done with it, whatever stands before it', () => {
  const failed = ['Final-Recipient: rfc822; a@b.c', 'Action: failed (for good)', 'Status: 5.2.2 (full)', ''];
  for (const action of ['delayed', 'relayed', 'expanded', 'delivered', 'Delayed']) {
    const other = ['Final-Recipient: rfc822; x@y.z', `Action: ${action}`, 'Status: 2.0.0', ''];
    assert.equal(recipientOf(report(...other)).action, action.toLowerCase());
    assert.partialDeepStrictEqual(readReport(report(...other, ...failed)), {
      kind: 'bounce',
      recipients: [
        { recipient: 'x@y.z', action: action.toLowerCase() },
        {
          recipient: 'a@b.c',
          action: 'failed',
          answer: { code: '', enhancedCode: '5.2.2', text: 'full' },
          host: 'mx.example.com',
        },
      ],
    });
  }
});

test('the answer nearest to the server counts: in the diagnostic, before the reporter’s status', () => {
  const status = (code: string, diagnostic: string) =>
    recipientOf(
      report(
        'Final-Recipient: rfc822;a@b.c',
        'Action: failed',
        `Status: ${code}`,
        `Diagnostic-Code: smtp; ${diagnostic}`,
        '',
      ),
    ).answer;
  assert.partialDeepStrictEqual(status('5.1.1', '550 5.7.1 no'), {
    code: '550',
    enhancedCode: '5.7.1',
    text: 'no',
  });
  assert.partialDeepStrictEqual(status('5.1.1', '550 5.0.0 no'), { enhancedCode: '5.1.1' });
  assert.partialDeepStrictEqual(
    status('4.4.7', '554 4.4.7 expired after 840 minutes <421 4.4.2 timed out>'),
    {
      code: '421',
      enhancedCode: '4.4.2',
    },
  );
  assert.partialDeepStrictEqual(status('5.0.0', 'host 192.0.2.5 says 550-no'), {
    code: '550',
    enhancedCode: '5.0.0',
    text: 'no',
  });
});

const mail = (from: string, subject: string, ...lines: string[]) =>
  Buffer.from(
    [`From: ${from}`, 'To: shop@example.com', `Subject: ${subject}`, '', ...lines, ''].join('\r\n'),
  );

test('words alone are read, in forms of many systems', () => {
  const daemon = 'MAILER-DAEMON@mx.example.net';
  const forms: readonly (readonly [Buffer, string, string, string])[] = [
    [
      mail(
        daemon,
        'failure notice',
        'Hi. This is the qmail-send program.',
        '',
        '<ann@example.org>:',
        '192.0.2.7 does not like recipient.',
        'Remote host said: 550 5.1.1 no such user',
        'Giving up on 192.0.2.7.',
        '',
        '--- Below this line is a copy of the message.',
        '',
        'Return-Path: <shop@example.com>',
        'To: bob@example.org',
      ),
      'ann@example.org',
      '550',
      '5.1.1',
    ],
    [
      mail(
        'postmaster@example.net',
        'DELIVERY FAILURE: User ann not listed',
        'Your message',
        '',
        '  Subject: Hello',
        '',
        'was not delivered to:',
        '',
        '  ann@example.org',
        '',
        'because:',
        '',
        '   User ann (ann@example.org) not listed in Domino Directory',
      ),
      'ann@example.org',
      '',
      '5.0.0',
    ],
    [
      mail(
        daemon,
        'Mail could not be delivered',
        'Sent <<< RCPT TO:<ann@example.org>',
        'Received >>> 550 5.1.1 <ann@example.org>... user unknown',
        '',
        'Unable to deliver message to <ann@example.org>',
      ),
      'ann@example.org',
      '550',
      '5.1.1',
    ],
    [
      mail(
        daemon,
        'There was an error sending your mail',
        'We had trouble delivering your message.',
        '',
        ' * ann@example.org',
        ' SMTP Server <mx.example.org[192.0.2.1]> RCPT TO response: 552 5.2.2 mailbox full',
      ),
      'ann@example.org',
      '552',
      '5.2.2',
    ],
    [
      mail(
        'Postmaster <postmaster@example.net>',
        'Undeliverable Mail',
        'User mailbox exceeds allowed size: ann@example.org',
        '',
        'Original message follows.',
        '',
        'Received: from x',
      ),
      'ann@example.org',
      '',
      '5.0.0',
    ],
  ];
  for (const [raw, recipient, code, enhancedCode] of forms) {
    assert.partialDeepStrictEqual(recipientOf(raw), {
      recipient,
      action: 'failed',
      answer: { code, enhancedCode },
    });
  }
});

test('the words of the quoted mail are not the reporter’s', () => {
  const raw = mail(
    'MAILER-DAEMON@x.example',
    'failure notice',
    '<ann@example.org>:',
    'mailbox is full',
    '',
    '--- Below this line is a copy of the message.',
    '',
    'Return-Path: <a@b.c>',
    'Subject: 550 5.1.1 unknown user',
    '',
    '<eve@example.org>: 550 5.1.1',
  );
  assert.partialDeepStrictEqual(recipientOf(raw), {
    recipient: 'ann@example.org',
    answer: { code: '', enhancedCode: '5.0.0' },
  });
  assert.match(readReport(raw).quoted, /^Return-Path: <a@b.c>\nSubject: .*$/);
});

test('what a transport bent is read all the same: an empty start, a footer behind base64, a lost MIME header', () => {
  const words = Buffer.from('<ann@example.org>: 550 5.1.1 no such user\n').toString('base64');
  const base64 = [
    'From: MAILER-DAEMON@x.example',
    'Subject: failure notice',
    'Content-Transfer-Encoding: base64',
    '',
    words,
    '',
    '-- ',
    'a list',
    '',
  ].join('\r\n');
  assert.partialDeepStrictEqual(recipientOf(Buffer.from(base64)), {
    recipient: 'ann@example.org',
    answer: { enhancedCode: '5.1.1' },
  });
  const whole = report('Final-Recipient: rfc822; a@b.c', 'Action: failed', 'Status: 5.1.1', '').toString();
  const bent = [
    '\r\n\r\n'.concat(whole),
    whole.replace(/^Content-Type.*\r\n/, 'Subject: x\r\n'),
    `Subject: Fwd: failure\r\n\r\nSee:\r\n> ${whole.replaceAll('\r\n', '\r\n> ')}`,
  ];
  for (const text of bent) {
    assert.partialDeepStrictEqual(recipientOf(Buffer.from(text)), {
      recipient: 'a@b.c',
      answer: { enhancedCode: '5.1.1' },
    });
  }
});

test('people who are away, and people who write, bounce nothing', () => {
  const kindOf = (raw: Buffer) => readReport(raw).kind;
  assert.equal(
    kindOf(mail('Ann <ann@example.org>', 'Out of office: Hello', 'Write to bob@example.org')),
    'auto-reply',
  );
  assert.equal(kindOf(mail('Ann <ann@example.org>', 'Автоматический ответ: привет', 'x')), 'auto-reply');
  assert.equal(
    kindOf(
      mail('Ann <ann@example.org>', 'Re: Hello', 'I could not reach bob@example.org, he said 550 things.'),
    ),
    'other',
  );
  assert.equal(kindOf(mail('Ann <ann@example.org>', 'Re: your order', 'Thanks!')), 'other');
  const answered = 'It could not be delivered to bob@example.org either.';
  assert.equal(kindOf(mail('Ann <ann@example.org>', 'Re: Your parcel was not delivered', answered)), 'other');
  assert.equal(kindOf(mail('MAILER-DAEMON@example.org', 'Re: Undeliverable: Hello', answered)), 'bounce');
});

test('mail that asks for no automatic replies is one itself only if it answers something', () => {
  const asks = (more: string) =>
    readReport(
      Buffer.from(
        `From: ann@example.org\r\nTo: leave-x@example.com\r\nSubject: unsubscribe\r\nX-Auto-Response-Suppress: All\r\n${more}\r\nx\r\n`,
      ),
    ).kind;
  assert.equal(asks(''), 'other');
  assert.equal(asks('In-Reply-To: <1@example.com>\r\n'), 'auto-reply');
});

test('feedback is read by its type, redacted or not, and in the forms without a feedback report', () => {
  const feedback = (...lines: string[]) =>
    readReport(Buffer.from(['Content-Type: message/feedback-report', '', ...lines, ''].join('\n')));
  assert.partialDeepStrictEqual(feedback('Feedback-Type: Not-Spam', 'Version: 1'), {
    kind: 'complaint',
    feedbackType: 'not-spam',
    recipients: [],
  });
  assert.partialDeepStrictEqual(feedback('Feedback-Type: Abuse', 'Original-Rcpt-To: <ann@example.org>'), {
    feedbackType: 'abuse',
    recipients: ['ann@example.org'],
  });
  assert.partialDeepStrictEqual(
    readReport(mail('staff@hotmail.com', 'complaint about message from 192.0.2.1', 'x')),
    { kind: 'complaint', feedbackType: 'abuse' },
  );
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
