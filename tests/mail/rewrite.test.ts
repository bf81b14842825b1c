/** A recipient's message: links, pixel and unsubscribe link are put in, and not one other byte changes. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';
import PostalMime from 'postal-mime';
import { type RecipientChanges, rewriteForRecipient } from '../../src/mail/rewrite.ts';

const pixel = '<img src="https://t.example/o/P" width="1" height="1" alt="" style="border:0">';
const tracked = (target: string) => `https://t.example/c/${Buffer.from(target).toString('base64url')}`;
const changes: RecipientChanges = {
  clickUrl: tracked,
  tracksText: false,
  pixelUrl: 'https://t.example/o/P',
  unsubscribeUrl: 'https://t.example/u/U',
  extraHeaders: [],
};
const crlf = (...lines: string[]) => lines.join('\r\n');
const rewriteText = (text: string, change: Partial<RecipientChanges> = {}) =>
  Buffer.from(rewriteForRecipient(Buffer.from(text, 'latin1'), { ...changes, ...change })).toString('latin1');
const htmlHeader = crlf('From: a@example.org', 'Content-Type: text/html', '', '');
/** The HTML that becomes of HTML, all on short lines and without a pixel. */
const rewriteHtml = (html: string) =>
  rewriteText(htmlHeader + html, { pixelUrl: undefined }).slice(htmlHeader.length);

test('links of a and area are tracked; what is no web link, or opted out, is left alone', () => {
  const to = tracked('http://x.org/?a=1&b=2');
  const cases: [string, string][] = [
    ['<a href="http://x.org/?a=1&amp;b=2">x</a>', `<a href="${to}">x</a>`],
    ["<AREA class=x HREF = 'http://x.org/?a=1&b=2' >", `<AREA class=x HREF = '${to}' >`],
    ['<a href=http://x.org/?a=1&b=2>x', `<a href=${to}>x`],
    ['<a href="\n http://x.org/?a=1&#38;\tb=2 ">x', `<a href="${to}">x`],
    ['<a\nhref="http://x.org/?a=1&b=2"href="http://y.org">', `<a\nhref="${to}"href="http://y.org">`],
    ['<p <a href="http://x.org/?a=1&b=2">', '<p <a href="http://x.org/?a=1&b=2">'],
    ['<a title=">" href="http://x.org/?a=1&b=2"/>', `<a title=">" href="${to}"/>`],
  ];
  for (const [html, expected] of cases) assert.equal(rewriteHtml(html), expected);
  for (const untouched of [
    '<a data-no-track href="http://x.org">x</a>',
    '<a href="http://x.org" DATA-NO-TRACK="">x</a>',
    '<a href="mailto:a@x.org">',
    '<a href="tel:+1">',
    '<a href="#top">',
    '<a href="/path">',
    '<a href>',
    '<a href=>',
    '<a href="">',
    '<a name="href" title="http://x.org">',
    '<link href="http://x.org">',
    '<!-- <a href="http://x.org"> -->',
    '<script>"<a href=\\"http://x.org\\">"</script>',
    '<textarea><a href="http://x.org"></textarea>',
    '<a href="http://x.org/\xef\xf0\xe8">',
    '<a href="http://x.org',
    '<a href="http://x.org"',
    'a href="http://x.org"',
  ]) {
    const raw = Buffer.from(htmlHeader + untouched, 'latin1');
    assert.equal(rewriteForRecipient(raw, { ...changes, pixelUrl: undefined }), raw, untouched);
  }
});

test('a link that the caller does not track keeps its bytes', () => {
  const html = '<a href="http://x.org/?a=1&amp;b">x</a><a href=\'http://y.org\'>';
  const only = (target: string) => (target.includes('y.org') ? 'https://t/"&' : undefined);
  assert.equal(
    rewriteText(htmlHeader + html, { pixelUrl: undefined, clickUrl: only }).slice(htmlHeader.length),
    '<a href="http://x.org/?a=1&amp;b">x</a><a href=\'https://t/&quot;&amp;\'>',
  );
});

test('the pixel goes before the end of the body, wherever that is', () => {
  for (const [html, expected] of [
    ['<body>x</body></html>\r\n', `<body>x${pixel}</body></html>\r\n`],
    ['<body><pre></body></pre>x</BODY\n></html>', `<body><pre></body></pre>x${pixel}</BODY\n></html>`],
    ['<html>x</html> y', `<html>x${pixel}</html> y`],
    ['x \r\n\r\n', `x${pixel} \r\n\r\n`],
    ['x<!-- </body> --> y', `x<!-- </body> --> y${pixel}`],
    ['', pixel],
  ] as const) {
    assert.equal(rewriteText(htmlHeader + html).slice(htmlHeader.length), expected);
  }
});

test('the unsubscribe placeholder is replaced in HTML and plain text, in every encoding', () => {
  const url = changes.unsubscribeUrl;
  assert.equal(
    rewriteHtml('<a href="{{unsubscribe_url}}">{{ unsubscribe_url }}</a> {{ other }}'),
    `<a href="${url}">${url}</a> {{ other }}`,
  );
  assert.equal(
    rewriteHtml('<a href="https://x.org/?to={{ unsubscribe_url }}">'),
    `<a href="https://x.org/?to=${url}">`,
  );
  const plain = crlf('From: a@example.org', '', 'Leave: {{ unsubscribe_url }} http://x.org', '');
  assert.equal(rewriteText(plain), plain.replace('{{ unsubscribe_url }}', url));
  const quoted = crlf(
    'From: a@example.org',
    'Content-Transfer-Encoding: Quoted-Printable',
    '',
    '=D0=AF: =7B{ unsub=',
    'scribe_url =7D} =3D',
    '',
  );
  assert.equal(rewriteText(quoted), quoted.replace(/=7B\{[^]*=7D\}/, url));
  const header = crlf('From: a@example.org', 'Content-Transfer-Encoding: base64', '', '');
  const base64 = (text: string) => Buffer.from(text).toString('base64');
  assert.equal(
    rewriteText(`${header}${base64('Leave: {{ unsubscribe_url }}')}\r\n\r\n`),
    `${header}${base64(`Leave: ${url}`)}\r\n\r\n`,
  );
});

test('only readable HTML is changed; attachments, other types, signed and encrypted parts are not', () => {
  const link = '<a href="http://x.org">x</a>{{ unsubscribe_url }}';
  const part = (type: string, ...more: string[]) => crlf(`Content-Type: ${type}`, ...more, '', link);
  const closed = [
    part('text/html', 'Content-Disposition: attachment'),
    part('text/html', 'Content-Disposition: inline; filename="a.html"'),
    part('text/html; charset=utf-16le'),
    part('text/html; charset=unheard-of'),
    part('text/html', 'Content-Transfer-Encoding: x-uuencode'),
    part('text/html', 'Content-Transfer-Encoding: base64'),
    part('text/x-amp-html'),
    part('text/calendar; method=REQUEST'),
    part('message/rfc822', '', 'Content-Type: text/html'),
    part('application/pkcs7-mime'),
    crlf(
      'Content-Type: multipart/signed; boundary=in; protocol="application/pgp-signature"',
      '',
      '--in',
      part('text/html'),
      '--in--',
    ),
    crlf('Content-Type: multipart/encrypted; boundary=in', '', '--in', part('text/html'), '--in--'),
    crlf('Content-Type: multipart/digest; boundary=in', '', '--in', part('text/html'), '--in--'),
  ];
  for (const body of closed)
    assert.equal(rewriteText(`From: a@example.org\r\n${body}`).includes('t.example'), false, body);

  const mixed = (html: string) =>
    crlf(
      'From: a@example.org',
      'Content-Type: multipart/mixed;',
      ' boundary="out er"',
      '',
      `preamble ${link}`,
      ...closed.flatMap((body) => ['--out er', body]),
      '--out er \t',
      'content-type: multipart/alternative; boundary=out',
      '',
      '--out',
      '',
      'plain http://x.org',
      '--outside is no boundary',
      '--out',
      'Content-Type: TEXT/HTML; charset="UTF-8"',
      '',
      html,
      '--out--',
      `epilogue ${link}`,
      '--out er--',
      `epilogue ${link}`,
    );
  const expected = `<a href="${tracked('http://x.org')}">x</a>${changes.unsubscribeUrl}${pixel}`;
  assert.equal(rewriteText(mixed(link)), mixed(expected));
});

test('one pixel a message, also when it has several HTML parts or no closing boundary', () => {
  const part = crlf('--b', 'Content-Type: text/html', '', 'x', '');
  const raw = crlf('Content-Type: multipart/mixed; boundary=b', '', part + part);
  assert.equal(rewriteText(raw), raw.replace('\r\nx', `\r\nx${pixel}`));
});

test('links in other charsets arrive as they were meant, the text around them as it was', () => {
  const cases: [string, Buffer, string][] = [
    [
      'windows-1251',
      Buffer.from('<a href="http://x.org/\xef\xf3\xf2\xfc">\xdf</a>', 'latin1'),
      'http://x.org/путь',
    ],
    [
      'koi8-r',
      Buffer.from('<a href="http://x.org/\xd0\xd5\xd4\xd8">\xf1</a>', 'latin1'),
      'http://x.org/путь',
    ],
    // Between the escape sequences, ASCII bytes are halves of kanji: these look like markup and are none.
    [
      'iso-2022-jp',
      Buffer.from(
        '\x1b$B<"<a href="http://$B>\x1b(B<a href="http://x.org/\x1b$B%F%9\x1b(B">\x1b$B&<\x1b(B</a>',
        'latin1',
      ),
      'http://x.org/テス',
    ],
    [
      'shift_jis',
      Buffer.from('<a href="http://x.org/\x83\x5c\x83\x7b">\x83\x5c</a>', 'latin1'),
      'http://x.org/ソボ',
    ],
    ['us-ascii', Buffer.from('<a href="http://x.org/путь">'), 'http://x.org/путь'],
  ];
  for (const [charset, html, target] of cases) {
    const header = Buffer.from(`Content-Type: text/html; charset=${charset}\r\n\r\n`);
    const bytes = html.toString('latin1');
    const start = bytes.lastIndexOf('<a href="') + 9;
    const expected = bytes.slice(0, start) + tracked(target) + bytes.slice(bytes.indexOf('">', start));
    const rewritten = rewriteForRecipient(Buffer.concat([header, html]), { ...changes, pixelUrl: undefined });
    assert.equal(Buffer.from(rewritten).toString('latin1'), header.toString('latin1') + expected, charset);
  }
});

test('further headers go first, folded, and the sender’s own are not doubled', () => {
  const raw = crlf('From: a@example.org', 'List-Unsubscribe: <https://own.example>', '', 'text');
  const long = `<https://t.example/u/${'a'.repeat(90)}>, <mailto:leave-abc@t.example>`;
  const extraHeaders = [
    ['List-Unsubscribe', long],
    ['List-Unsubscribe-Post', 'List-Unsubscribe=One-Click'],
    ['Feedback-ID', '1:default:aftersend'],
  ] as const;
  assert.equal(rewriteText(raw, { extraHeaders }), `Feedback-ID: 1:default:aftersend\r\n${raw}`);
  const plain = crlf('From: a@example.org', '', 'text');
  const rewritten = rewriteText(plain, { extraHeaders });
  assert.ok(rewritten.endsWith(plain) && rewritten.startsWith('List-Unsubscribe:\r\n <https'));
  assert.ok(rewritten.includes('>,\r\n <mailto:'));
  assert.throws(() => rewriteText(plain, { extraHeaders: [['X', 'a\r\nb']] }), RangeError);
});

/** Pieces of HTML, as they are given and as they must come out. */
const filler = fc.constantFrom(
  '<p class="x">text &amp; more</p>',
  'плётка',
  '=3D= \t ',
  '\r\n',
  '\r\n.\r\n',
  'From here\r\n',
  ' '.repeat(30),
  'long '.repeat(40),
  '<!-- <a href="http://no.org"> -->',
  '{{ unsubscribe',
  '<a href="mailto:a@x.org">',
  '<a data-no-track href="http://no.org/">',
  '<br',
  ' >',
);
const link = fc
  .tuple(fc.webUrl({ withQueryParameters: true, withFragments: true }), fc.constantFrom('"', "'"))
  .filter(([url]) => !/["'<>&]/.test(url))
  .map(([url, quote]) => ({
    given: `<a href=${quote}${url}${quote}>`,
    expected: `<a href=${quote}${tracked(url)}${quote}>`,
  }));
const pieces = fc.array(
  fc.oneof(
    filler.map((text) => ({ given: text, expected: text })),
    link,
    fc.constant({ given: '{{ unsubscribe_url }}', expected: changes.unsubscribeUrl }),
  ),
  { maxLength: 20 },
);

const decoders: Readonly<Record<string, (text: string) => string>> = {
  '8bit': (text) => text,
  base64: (text) => Buffer.from(text, 'base64').toString('latin1'),
  'quoted-printable': (text) =>
    text
      .replaceAll('=\r\n', '')
      .replaceAll(/=([0-9A-F]{2})/g, (_, hex: string) => String.fromCharCode(Number.parseInt(hex, 16))),
};

/** Quoted-printable with soft line breaks and needless escapes where `choices` puts them. */
function encodeQ(text: string, choices: readonly number[]): string {
  let encoded = '';
  let column = 0;
  for (let at = 0; at < text.length; at++) {
    if (text.startsWith('\r\n', at)) {
      encoded += '\r\n';
      column = 0;
      at++;
      continue;
    }
    const choice = choices[at % choices.length] ?? 0;
    const character = text.charAt(at);
    const isPlain = /[!-<>-~]/.test(character) && choice !== 1;
    const unit = isPlain
      ? character
      : `=${character.charCodeAt(0).toString(16).toUpperCase().padStart(2, '0')}`;
    if (column + unit.length > 75 || choice === 2) {
      encoded += '=\r\n';
      column = 0;
    }
    encoded += unit;
    column += unit.length;
  }
  return encoded;
}

function encode(html: string, encoding: string, choices: readonly number[]): string {
  const bytes = Buffer.from(html);
  if (encoding === 'base64') return bytes.toString('base64').replaceAll(/.{60}(?=.)/g, '$&\r\n');
  return encoding === '8bit' ? bytes.toString('latin1') : encodeQ(bytes.toString('latin1'), choices);
}

test('whatever the HTML and its encoding: outside the links and the pixel every byte is the same', () => {
  const choices = fc.array(fc.constantFrom(0, 0, 0, 0, 0, 1, 2), { minLength: 1, maxLength: 200 });
  const encodings = fc.constantFrom('8bit', 'quoted-printable', 'base64');
  fc.assert(
    fc.property(pieces, encodings, choices, (parts, encoding, choice) => {
      const head = crlf(
        'Content-Type: multipart/alternative; boundary=b',
        '',
        '--b',
        '',
        'text http://x.org',
        '--b',
        'Content-Type: text/html; charset=utf-8',
        `Content-Transfer-Encoding: ${encoding}`,
        '',
        '',
      );
      const tail = crlf('', '--b--', 'epilogue');
      // The pixel's place is certain before a closing body tag that no unclosed tag swallows.
      const given = `${parts.map((part) => part.given).join('')} ><body></body>`;
      const expected = `${parts.map((part) => part.expected).join('')} ><body>${pixel}</body>`;
      const rewritten = rewriteText(head + encode(given, encoding, choice) + tail);
      assert.ok(rewritten.startsWith(head) && rewritten.endsWith(tail));
      const body = rewritten.slice(head.length, -tail.length);
      const decoded = decoders[encoding]?.(body);
      const longest = encoding === '8bit' ? 998 : 76;
      const wanted = Buffer.from(expected).toString('latin1');
      // Where a line would grow too long for its encoding, a line break stands beside what was put in.
      const breaks = encoding === '8bit' && wanted.split('\r\n').some((line) => line.length > longest);
      const text = (value = '') => (breaks ? value.replaceAll('\r\n', '') : value);
      if (isStraight(given)) assert.equal(text(decoded), text(wanted));
      assert.ok(body.split('\r\n').every((line) => line.length <= longest));
    }),
    { numRuns: 400 },
  );
});

/** True unless a piece swallows those behind it: then not every link is one. */
function isStraight(html: string): boolean {
  return !/<br(?! >)/.test(html);
}

test('lines without a transfer encoding stay under 998 octets, and too long a link stays what it is', () => {
  const url = (length: number) => `https://t.example/${'a'.repeat(length - 18)}`;
  const line = `${'x'.repeat(500)}<a href="http://x.org">${'y'.repeat(300)}<a href='http://x.org'>${'z'.repeat(150)}`;
  for (const length of [100, 200, 500, 900, 996]) {
    const rewritten = rewriteText(htmlHeader + line, { clickUrl: () => url(length) });
    assert.ok(rewritten.split('\r\n').every((text) => text.length <= 998));
    assert.equal(
      rewritten.replaceAll(/\r\n|<img[^>]*>/g, ''),
      (htmlHeader + line).replaceAll('http://x.org', url(length)).replaceAll('\r\n', ''),
    );
  }
  assert.equal(
    rewriteText(htmlHeader + line, { clickUrl: () => url(997), pixelUrl: undefined }),
    htmlHeader + line,
  );
});

test('a rewritten newsletter reads the same in a reader that nobody here wrote', async () => {
  const html = `<html><body><p>Привет, мир — ${'слово '.repeat(40)}</p><a href="https://пример.рф/п?q=1&amp;r=é#ф">да</a></body></html>`;
  const raw = crlf(
    'Content-Type: text/html; charset=utf-8',
    'Content-Transfer-Encoding: quoted-printable',
    '',
    encodeQ(Buffer.from(html).toString('latin1'), [0]),
    '',
  );
  const read = await PostalMime.parse(Buffer.from(rewriteText(raw), 'latin1'));
  assert.equal(
    read.html?.trim(),
    html
      .replace('https://пример.рф/п?q=1&amp;r=é#ф', tracked('https://пример.рф/п?q=1&r=é#ф'))
      .replace('</body>', `${pixel}</body>`),
  );
});

/** What took minutes of the whole service's time, for a megabyte of one customer's text, shows here as a test that hangs. */
test('text made to hold the reader up is read in one pass', () => {
  const megabyte = 2 ** 20;
  const fill = (text: string) => text.repeat(megabyte / text.length);
  const headed = (type: string, encoding: string, body: string) =>
    crlf('From: a@example.org', `Content-Type: ${type}`, `Content-Transfer-Encoding: ${encoding}`, '', body);
  const linksOf = (text: string) => text.split('https://t.example/c/').length - 1;

  const blanks = headed('text/html', 'base64', `${fill('\r\n')}!`);
  assert.equal(rewriteText(blanks), blanks);

  const brackets = headed('text/plain', '8bit', `https://x.org/${fill(')')}`);
  assert.equal(linksOf(rewriteText(brackets, { tracksText: true })), 1);

  for (const encoding of ['8bit', 'quoted-printable']) {
    const link = encoding === '8bit' ? '<a href="http://x">' : '<a href=3D"http://x">';
    const oneLine = rewriteText(headed('text/html', encoding, fill(link)), { clickUrl: () => 'https://t/c' });
    assert.equal(oneLine.split('https://t/c').length - 1, Math.floor(megabyte / link.length), encoding);
  }

  const mixed = headed('text/html', '8bit', `${fill('<a href=http://x>')}${fill('{{unsubscribe_url}}')}`);
  assert.equal(rewriteText(mixed).split('https://t.example/u/U').length - 1, Math.floor(megabyte / 19));

  const dashes = headed('multipart/mixed; boundary=b', '8bit', fill('--b'));
  assert.equal(rewriteText(dashes), dashes);
});

test('more links than a call may have arguments are all tracked', () => {
  const html = '<a href=http://x>\r\n'.repeat(200_000);
  const rewritten = rewriteText(htmlHeader + html, { clickUrl: () => 'https://t/c', pixelUrl: undefined });
  assert.equal(rewritten, htmlHeader + '<a href=https://t/c>\r\n'.repeat(200_000));
});
