/** Messages made from parts: read back by another program, and nothing smuggled in. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import PostalMime from 'postal-mime';
import { type MailContent, RefusedError } from '../../src/accept/draft.ts';
import { composedFacts, composeMessage } from '../../src/mail/compose.ts';
import { decodeQuotedPrintable, encodeQuotedPrintable } from '../../src/mail/transfer-encoding.ts';
import { completeHeaders, readFacts } from '../../src/mail/headers.ts';

const facts = { messageId: '<17@mail.example.org>', dateMs: Date.UTC(2025, 6, 1), boundarySeed: 'seed17' };
const content: MailContent = {
  from: { address: 'shop@example.org', name: 'Лавка "У Анны", Ltd.' },
  replyTo: [{ address: 'help@example.org', name: '' }],
  to: [{ address: 'jane@example.org', name: 'Jane; Doe <x@y.org>' }],
  cc: [],
  subject: `Заказ № 17 — ${'очень длинная тема '.repeat(8)}`.trim(),
  text: 'Привет!\n.\nFrom here on\n',
  html: '<p>Привет! <img src="cid:logo"></p>',
  headers: { 'X-Campaign': 'spring', 'In-Reply-To': '<1@example.org>', 'X-Name': 'Имя' },
  attachments: [
    {
      filename: 'счёт.pdf',
      contentType: 'application/pdf',
      content: Buffer.of(0, 1, 2, 255),
      contentId: undefined,
    },
    { filename: 'logo.png', contentType: undefined, content: Buffer.of(137, 80), contentId: 'logo' },
  ],
};

test('a message holds what was given, as a reader that nobody here wrote sees it', async () => {
  const raw = composeMessage(content, facts);
  const read = await PostalMime.parse(raw);
  assert.deepEqual(read.from, content.from);
  assert.deepEqual(read.to, content.to);
  assert.deepEqual(read.replyTo, content.replyTo);
  assert.equal(read.subject, content.subject);
  assert.equal(read.text?.replaceAll('\r\n', '\n').trim(), content.text?.trim());
  assert.equal(read.html?.trim(), content.html);
  assert.equal(read.messageId, facts.messageId);
  assert.equal(read.headers.find(({ key }) => key === 'x-campaign')?.value, 'spring');
  const [logo, invoice] = read.attachments;
  assert.equal(invoice?.filename, 'счёт.pdf');
  assert.deepEqual(Buffer.from(invoice?.content as ArrayBuffer), content.attachments[0]?.content);
  assert.deepEqual([logo?.contentId, logo?.mimeType, logo?.related], ['<logo>', 'image/png', true]);
});

test('whatever breaks lines in the content, the message has whole CRLF lines of mail alone', async () => {
  const dangerous = fc.array(fc.constantFrom('\r', '\n', '\r\n', '.', 'a', 'é', '\0', 'x'.repeat(1000)), {
    maxLength: 9,
  });
  const pieces = dangerous.map((parts) => parts.join(''));
  await fc.assert(
    fc.asyncProperty(pieces, pieces, async (text, attached) => {
      const attachment = { content: Buffer.from(attached), contentId: undefined };
      const attachments = [
        { ...attachment, filename: 'given', contentType: 'message/rfc822' },
        { ...attachment, filename: 'named.eml', contentType: undefined },
      ];
      const raw = composeMessage({ ...content, text, html: text, attachments }, facts);
      const lines = Buffer.from(raw).toString('latin1').split('\r\n');
      assert.deepEqual(
        lines.filter((line) => line.length > 998 || /[\r\n\0]/.test(line)),
        [],
      );
      assert.equal(completeHeaders(raw, facts), raw);
    }),
    { numRuns: 300 },
  );
});

test('an attached message that mail cannot carry as it is comes out whole, as a file', async () => {
  const bytes = Buffer.from('Subject: x\r\n\r\none\r.\rtwo');
  const attachments = [
    { filename: 'a.eml', contentType: 'message/rfc822', content: bytes, contentId: undefined },
  ];
  const read = await PostalMime.parse(composeMessage({ ...content, attachments }, facts));
  assert.equal(read.attachments[0]?.mimeType, 'application/octet-stream');
  assert.deepEqual(Buffer.from(read.attachments[0].content as ArrayBuffer), bytes);
});

test('the bytes are always the same, in CRLF and short lines, and need no completing', async () => {
  const raw = Buffer.from(composeMessage(content, facts));
  assert.deepEqual(Buffer.from(composeMessage(content, facts)), raw);
  assert.ok(
    raw
      .toString('latin1')
      .split('\r\n')
      .every((line) => line.length <= 998 && !/[\r\n]/.test(line)),
  );
  assert.equal(completeHeaders(raw, facts), raw);
  assert.equal(readFacts(raw).senderName, content.from.name);
  assert.equal(readFacts(raw).subject, content.subject);
});

/** Words as people write them, in every script: what RFC 5322 calls unstructured text. */
const words = fc
  .array(fc.string({ unit: 'grapheme', minLength: 1, maxLength: 80 }), { maxLength: 8 })
  .map((list) =>
    list
      .join(' ')
      .replaceAll(/[\p{C}\p{Z}\s]+/gu, ' ')
      .replaceAll('=?', '')
      .trim(),
  );
const body = fc
  .array(fc.string({ unit: 'grapheme', maxLength: 200 }), { maxLength: 20 })
  .map((lines) => lines.map((line) => line.replaceAll(/[\r\n\0]/g, ' ').toWellFormed()).join('\n'));

test('whatever is written in whatever script is read as it was written, in lines of 76 where they can be', async () => {
  await fc.assert(
    fc.asyncProperty(words, words, words, body, body, async (subject, name, filename, text, html) => {
      const raw = composeMessage(
        {
          ...content,
          from: { address: 'shop@example.org', name },
          subject,
          text,
          html,
          headers: { 'X-Words': subject },
          attachments: [attachment({ filename: filename || 'a', content: Buffer.from(html) })],
        },
        facts,
      );
      const lines = Buffer.from(raw).toString('latin1').split('\r\n');
      assert.deepEqual(
        lines.filter((line) => line.length > 76 && /\S\s\S/.test(line.slice(12, 76))),
        [],
      );
      assert.ok(lines.every((line) => /^[\t -~]*$/.test(line)));
      const read = await PostalMime.parse(raw);
      assert.equal(read.subject ?? '', subject);
      assert.equal(readFacts(raw).subject, subject);
      assert.equal(readFacts(raw).senderName, name);
      assert.equal(read.text?.replaceAll('\r\n', '\n').trimEnd(), text.trimEnd());
      assert.equal(read.html?.replaceAll('\r\n', '\n').trimEnd(), html.trimEnd());
      assert.equal(read.attachments[0]?.filename, filename || 'a');
      assert.deepEqual(Buffer.from(read.attachments[0]?.content as ArrayBuffer), Buffer.from(html));
    }),
    { numRuns: 200 },
  );
});

test('quoted-printable goes there and back for every byte', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 400 }), (array) => {
      const bytes = Buffer.from(array);
      const encoded = encodeQuotedPrintable(bytes);
      assert.deepEqual(decodeQuotedPrintable(encoded, 0, encoded.length).bytes, bytes);
      assert.match(encoded.toString('latin1'), /^(?:(?:[\t -~]{0,75}[!-~]|)(?:\r\n|$))*$/);
    }),
  );
});

test('an attached message goes unencoded, unless it cannot', async () => {
  const forwarded = 'Subject: inner\n\nHello\n';
  const compose = (text: string) =>
    Buffer.from(
      composeMessage(
        {
          ...content,
          attachments: [attachment({ contentType: 'message/rfc822', content: Buffer.from(text) })],
        },
        facts,
      ),
    ).toString();
  assert.match(
    compose(forwarded),
    /message\/rfc822\r\nContent-Transfer-Encoding: 7bit\r\n[^]*Subject: inner\r\n\r\nHello/,
  );
  assert.match(compose(`${forwarded}ж`), /message\/rfc822\r\nContent-Transfer-Encoding: 8bit/);
  assert.match(compose('x'.repeat(2000)), /application\/octet-stream\r\nContent-Transfer-Encoding: base64/);
});

test('a caller’s own Message-ID counts', async () => {
  const raw = composeMessage({ ...content, headers: { 'message-id': '<own@example.org>' } }, facts);
  assert.equal(readFacts(raw).internetMessageId, '<own@example.org>');
  assert.equal(
    Buffer.from(raw)
      .toString()
      .match(/^message-id:/gim)?.length,
    1,
  );
});

/** Made of what has a meaning to those that read headers. */
const marked = fc
  .array(
    fc.oneof(
      fc.constantFrom(
        '=?UTF-8?B?w6k=?=',
        '=?utf-8?q?a=0D=0Ab?=',
        '=?x?=',
        '"',
        '\\',
        '(',
        ')',
        '<',
        '>',
        ',',
        ';',
        ':',
        '@',
      ),
      fc.constantFrom(
        ' ',
        '\t',
        '  ',
        '\u00A0',
        '\u0085',
        '\u007F',
        "'",
        '-',
        'Ann',
        'Анна',
        'word '.repeat(30),
      ),
      fc.string({ unit: 'grapheme', maxLength: 20 }),
    ),
    { maxLength: 8 },
  )
  .map((pieces) => pieces.join('').replaceAll(/[\r\n\0]/g, ''));

test('what is known of a message from making it is what is read in its bytes', () => {
  const address = fc.constantFrom(
    'a@b.example',
    '"a,b;c:(d"@example.org',
    '"\\"\\\\"@example.org',
    `${'long'.repeat(16)}@${'example.'.repeat(20)}org`,
    'почта@xn--e1afmkfd.xn--p1ai',
  );
  const messageIds = fc.constantFrom({}, { 'message-iD': '<own@example.org>' });
  fc.assert(
    fc.property(address, marked, marked, messageIds, (from, name, subject, headers) => {
      const given = { ...content, from: { address: from, name }, subject, headers };
      const read = readFacts(composeMessage(given, facts));
      assert.deepEqual({ ...composedFacts(given, facts), to: read.to, cc: read.cc }, read);
    }),
    { numRuns: 1000 },
  );
});

test('a message tells its own second', () => {
  for (const dateMs of [facts.dateMs, facts.dateMs + 999, facts.dateMs + 1000, facts.dateMs, 0]) {
    const raw = Buffer.from(composeMessage(content, { ...facts, dateMs })).toString();
    const date = /^Date: (.*)$/m.exec(raw)?.[1] ?? '';
    assert.match(date, /^\w{3}, \d\d \w{3} \d{4} \d\d:\d\d:\d\d \+0000\r?$/);
    assert.equal(Date.parse(date), dateMs - (dateMs % 1000));
  }
});

test('nothing that a caller wrote ends a line or takes the place of the service’s own fields', async () => {
  const bad: [string, Partial<MailContent>][] = [
    ['subject', { subject: 'a\r\nBcc: b@example.org' }],
    ['from.name', { from: { address: 'a@example.org', name: 'a\nb' } }],
    ['from.address', { from: { address: 'a@example.org\r\nX: 1', name: '' } }],
    ['to[0].name', { to: [{ address: 'a@example.org', name: '\0' }] }],
    ['replyTo[0].name', { replyTo: [{ address: 'a@example.org', name: '\r' }] }],
    ['headers.X-A', { headers: { 'X-A': 'b\r\nX-B: c' } }],
    ['headers.X-A', { headers: { 'X-A': 'b\rc' } }],
    ['headers.X-A', { headers: { 'X-A': 'x '.repeat(4500) } }],
    ['subject', { subject: `long ${'x'.repeat(900)}` }],
    ['headers.X?A', { headers: { 'X A': 'b' } }],
    ['headers.X-A:', { headers: { 'X-A:': 'b' } }],
    ['headers.X-A??X-B', { headers: { 'X-A\r\nX-B': 'b' } }],
    ['headers.', { headers: { '': 'b' } }],
    ...['BCC', 'DKIM-Signature', 'Received', 'Return-Path', 'Content-Type', 'From', 'X-Aftersend-Tags'].map(
      (name): [string, Partial<MailContent>] => [`headers.${name}`, { headers: { [name]: 'b' } }],
    ),
    ['headers.Message-ID', { headers: { 'Message-ID': 'none' } }],
    ['attachments[0].filename', { attachments: [attachment({ filename: 'a\r\nb' })] }],
    ['attachments[0].contentType', { attachments: [attachment({ contentType: 'text' })] }],
    ['attachments[0].contentType', { attachments: [attachment({ contentType: 'multipart/mixed' })] }],
    ['attachments[0].contentId', { attachments: [attachment({ contentId: 'a>b' })] }],
  ];
  for (const [field, change] of bad) {
    assert.throws(
      () => composeMessage({ ...content, ...change }, facts),
      (error) => error instanceof RefusedError && error.reason === 'header-invalid' && error.field === field,
      field,
    );
  }
});

function attachment(change: Partial<MailContent['attachments'][number]>): MailContent['attachments'][number] {
  return {
    filename: 'a.txt',
    contentType: 'text/plain',
    content: Buffer.of(1),
    contentId: undefined,
    ...change,
  };
}
