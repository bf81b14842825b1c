/** Submitted messages: what is read of them, put right in them and refused. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';
import { noOptions, type RefusalReason, RefusedError } from '../../src/accept/draft.ts';
import { takeOptions } from '../../src/mail/control-fields.ts';
import { completeHeaders, readFacts } from '../../src/mail/headers.ts';

const mail = (...lines: string[]) => Buffer.from(lines.join('\r\n'));
const facts = { messageId: '<1@host>', dateMs: Date.UTC(2025, 6, 1, 9, 30) };
const complete = (raw: Uint8Array) => Buffer.from(completeHeaders(raw, facts)).toString();
const refused = (reason: RefusalReason, field?: string) => (error: unknown) =>
  error instanceof RefusedError && error.reason === reason && (field === undefined || error.field === field);

test('facts are read from folded and encoded fields', () => {
  const raw = mail(
    'Received: from a',
    'SUBJECT: =?utf-8?Q?=D0=9F=D1=80?=',
    ' =?UTF-8?q?=D0=B8=D0=B2=D0=B5=D1?= =?utf-8?Q?=82,_you?= and',
    '\tyou =?koi8-r?B?4Q==?= =?x-none?Q?=E9?= =?utf-8?q?=0D=0AEvil:_1?=',
    'From: =?windows-1251?Q?=C0=ED=ED=E0?= <Anna@Example.org>,',
    ' bob@example.org',
    'Message-ID:',
    ' <x@example.org>',
    'To: a@example.org, Team: b@example.org;',
    '',
    'Subject: not this one',
  );
  assert.deepEqual(readFacts(raw), {
    sender: 'Anna@example.org',
    senderName: 'Анна',
    subject: 'Привет, you and you Аé Evil: 1',
    internetMessageId: '<x@example.org>',
    to: [
      { address: 'a@example.org', name: '' },
      { address: 'b@example.org', name: '' },
    ],
    cc: [],
  });
});

test('raw UTF-8 in a header is read, other 8-bit bytes as Latin-1', () => {
  assert.equal(readFacts(mail('From: a@b.org', 'Subject: Привет', '', '')).subject, 'Привет');
  const latin1 = Buffer.from('From: a@b.org\r\nSubject: caf\xe9\r\n\r\n', 'latin1');
  assert.equal(readFacts(latin1).subject, 'café');
});

test('what is missing is added, what must not leave is removed, the rest stays byte for byte', () => {
  const raw = mail(
    'Return-Path: <bounce@example.org>',
    'From: a@example.org',
    'bcc: secret@example.org,',
    ' other@example.org',
    'X-Odd  : kept',
    '',
    'Bcc: body@example.org',
    '',
  );
  const completed = mail(
    'From: a@example.org',
    'X-Odd  : kept',
    'Date: Tue, 01 Jul 2025 09:30:00 +0000',
    'Message-ID: <1@host>',
    'MIME-Version: 1.0',
    '',
    'Bcc: body@example.org',
    '',
  );
  assert.equal(complete(raw), completed.toString());
  assert.equal(completeHeaders(completed, facts), completed, 'the same bytes when nothing is missing');
  assert.match(complete(mail('From: a@example.org', '')), /^From: .*\r\nMIME-Version: 1.0\r\n\r\n$/s);
});

test('malformed messages are refused', () => {
  const cases: [RefusalReason, Buffer][] = [
    ['from-missing', mail('Subject: x', '', '')],
    ['from-missing', mail('From: nobody', '', '')],
    ['from-missing', mail('From: a@example.org, nobody', '', '')],
    ['from-missing', mail('Subject: x', '', 'From: a@example.org', '')],
    ['message-malformed', mail('From: a@example.org', 'From: b@example.org', '', '')],
    ['message-malformed', mail('From: a@example.org', 'no field', '', '')],
    ['message-malformed', mail(' folded: first', 'From: a@example.org', '', '')],
    ['message-malformed', mail('From: a@example.org', 'Su bject: x', '', '')],
    ['message-malformed', mail('From: a@example.org', '', 'NUL \0', '')],
    ['message-malformed', mail('From: a@example.org', '', 'bare\nLF', '')],
    ['message-malformed', mail('From: a@example.org', '', 'bare\rCR', '')],
    ['message-malformed', mail('From: a@example.org', '', 'twice\r\r\n', '')],
    ['message-malformed', mail('From: a@example.org', `X-Long: ${'x'.repeat(300_000)}`, '', '')],
  ];
  for (const [reason, raw] of cases) assert.throws(() => complete(raw), refused(reason), raw.toString());
});

test('control fields become options and leave the message', () => {
  const raw = mail(
    'X-Aftersend-Tags: welcome, trial,',
    'From: a@example.org',
    'x-aftersend-metadata: {"order": 17,',
    ' "name": "=?utf-8?q?=D0=AF?="}',
    'X-Aftersend-Stream: news',
    'X-Aftersend-Essential: yes',
    'X-Aftersend-Unsubscribe: OFF',
    'X-Aftersend-Track: opens=on, Clicks = off, text=on',
    '',
    'X-Aftersend-Tags: body',
    '',
  );
  const taken = takeOptions(raw);
  assert.equal(Buffer.from(taken.raw).toString(), 'From: a@example.org\r\n\r\nX-Aftersend-Tags: body\r\n');
  assert.deepEqual(taken.options, {
    tags: ['welcome', 'trial'],
    metadata: { order: 17, name: 'Я' },
    stream: 'news',
    essential: true,
    trackOpens: true,
    trackClicks: false,
    trackText: true,
    listUnsubscribe: false,
  });
  const plain = mail('From: a@example.org', '', '');
  assert.equal(takeOptions(plain).raw, plain);
  assert.deepEqual(takeOptions(plain).options, noOptions);
});

test('a control field that is not understood is refused, never ignored', () => {
  for (const line of [
    'X-Aftersend-Tag: one',
    'X-Aftersend-constructor: one',
    'X-Aftersend-Metadata: [1]',
    'X-Aftersend-Metadata: {',
    'X-Aftersend-Essential: maybe',
    'X-Aftersend-Track: opens',
    'X-Aftersend-Track: constructor=on',
    'X-Aftersend-Track: opens=constructor',
    'X-Aftersend-Stream:',
    'X-Aftersend-Tags: a\r\nX-Aftersend-Tags: b',
  ]) {
    const name = line.slice(0, line.indexOf(':')).toLowerCase();
    assert.throws(
      () => takeOptions(mail('From: a@example.org', line, '', '')),
      refused('options-invalid', `headers.${name}`),
      line,
    );
  }
});

test('whatever the bytes, a message is completed or refused, and completing twice changes nothing', () => {
  const pieces = fc.constantFrom(
    'From: a@b.org',
    'Bcc: c@d.org',
    ' folded',
    'X-A: 1',
    '',
    '=?',
    '\0',
    'X-Aftersend-Tags: 1',
    'é:',
  );
  const ends = fc.constantFrom('\r\n', '\r\n', '\r\n', '\r\n', '\n', '\r');
  fc.assert(
    fc.property(fc.array(fc.tuple(pieces, ends), { maxLength: 12 }), (lines) => {
      const raw = Buffer.from(lines.flat().join(''));
      try {
        const once = completeHeaders(takeOptions(raw).raw, facts);
        assert.equal(completeHeaders(once, facts), once);
        assert.ok(readFacts(once).sender);
      } catch (error) {
        if (!(error instanceof RefusedError)) throw error;
      }
    }),
    { numRuns: 2000 },
  );
});
