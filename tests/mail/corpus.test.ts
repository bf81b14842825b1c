/**
 * Real kinds of mail (`tests/data/mail`): each link that should be tracked is, and everything outside the rewritten
 * URLs and the pixel is what the sender wrote. Checked from the outside, by undoing what was done.
 */
import assert from 'node:assert/strict';
import { generateKeyPairSync } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import * as fc from 'fast-check';
import { dkimVerify } from 'mailauth/lib/dkim/verify.js';
import PostalMime from 'postal-mime';
import { createPrepare } from '../../src/deliver/prepare.ts';
import { type RecipientChanges, rewriteForRecipient } from '../../src/mail/rewrite.ts';
import { deriveKeys } from '../../src/tokens/keys.ts';
import { trackingLinks } from '../../src/tokens/links.ts';
import { signedTokens } from '../../src/tokens/signed.ts';

const folder = join(import.meta.dirname, '../data/mail');
const load = (name: string) => readFileSync(join(folder, `${name}.eml`));

/** What each message's tracked links lead to, in order; `text`: those in plain text, tracked by setting. */
const corpus: Readonly<
  Record<string, { html: readonly string[]; text?: readonly string[]; pixel?: true; placeholders?: number }>
> = {
  'newsletter-utf8-quoted-printable': {
    html: [
      'https://example.com/?a=1&b=2#c',
      'https://пример.рф/путь?ключ=é#я',
      'http://user:pw@example.com:8080/%7Ea?x=[1]',
    ],
    text: ['https://example.com/новости?b=1&c=2', 'https://example.com/a_(b)'],
    pixel: true,
    placeholders: 2,
  },
  'newsletter-windows-1251-8bit': {
    html: ['https://example.com/скидки?x=ё', 'https://example.com/plain'],
    pixel: true,
    placeholders: 1,
  },
  'newsletter-windows-1251-base64': { html: ['https://example.com/счёт'], pixel: true, placeholders: 1 },
  'letter-koi8-r-quoted-printable': {
    html: ['http://example.com/путь?где=там'],
    text: ['http://example.com/путь'],
    pixel: true,
    placeholders: 1,
  },
  'magazine-iso-2022-jp': { html: ['http://example.jp/?q=テスト', 'http://example.jp/plain'], pixel: true },
  'outlook-conditional-comments': {
    html: ['https://example.com/button', 'https://example.com/outlook', 'https://example.com/button'],
    pixel: true,
  },
  'malformed-html': {
    html: [
      'https://example.com/unquoted?a=1&b=2',
      'https://example.com/single',
      'https://example.com/spaces',
      'https://example.com/openquote',
      'https://example.com/after',
    ],
    pixel: true,
  },
  'amp-and-calendar': {
    html: ['https://example.com/html'],
    text: ['https://example.com/join?a=1'],
    pixel: true,
  },
  'forwarded-and-attached': { html: ['https://example.com/a'], pixel: true },
  'lf-line-ends-and-no-end': {
    html: ['https://example.com/lf', 'https://example.com/second-part'],
    pixel: true,
  },
  'plain-flowed': {
    html: [],
    text: [
      'https://example.com/order/42?x=1&y=2',
      'https://example.com/angle',
      'https://example.com/quoted',
      'https://example.com/end',
      'https://example.com/brackets',
      'https://example.com/a_(b)',
      'https://example.com/c',
    ],
  },
  'signed-smime': { html: [] },
  'signed-pgp-inline': { html: [] },
  'signed-dkim': { html: [] },
  'encrypted-pgp': { html: [] },
  'encrypted-smime': { html: [] },
};

const pixelTag = '<img src="https://t.example/o/P" width="1" height="1" alt="" style="border:0">';
const unsubscribeUrl = 'https://t.example/u/U';

/** Rewrites, and says in which order links were put in. */
function rewritten(raw: Uint8Array, tracksText: boolean) {
  const changes: RecipientChanges = {
    clickUrl: (target) => `https://t.example/c/${Buffer.from(target).toString('base64url')}`,
    tracksText,
    pixelUrl: 'https://t.example/o/P',
    unsubscribeUrl,
    extraHeaders: [],
  };
  return Buffer.from(rewriteForRecipient(raw, changes));
}

/** The message with its transfer encodings undone, one character a byte, the same way for before and after. */
function decoded(raw: Buffer): string {
  let text = raw.toString('latin1');
  if (/^Content-Transfer-Encoding: base64\r\n\r\n(?=PCFE)/im.test(text)) {
    const start = text.indexOf('PCFE');
    return text.slice(0, start) + Buffer.from(text.slice(start), 'base64').toString('latin1');
  }
  if (/^Content-Transfer-Encoding: quoted-printable/im.test(text)) {
    text = text
      .replaceAll('=\r\n', '')
      .replaceAll(/=([0-9A-F]{2})/g, (_, hex: string) => String.fromCharCode(Number.parseInt(hex, 16)));
  }
  return text;
}

/** With the targets back in the place of the tracked links. */
const asWritten = (text: string): string =>
  text.replaceAll(/https:\/\/t\.example\/c\/([\w-]+)/g, (_, target: string) =>
    Buffer.from(target, 'base64url').toString(),
  );

const escaped = (text: string) => text.replaceAll(/[\\^$.*+?()[\]{}|]/g, String.raw`\$&`);

/** Undoes the rewriting: the pixel goes, each URL of ours matches whatever stood there. @returns what stood there */
function whatStoodThere(before: string, after: string, name: string): string[] {
  const pieces = after.replace(pixelTag, '').split(/https:\/\/t\.example\/[cu]\/[\w-]+/);
  const found = new RegExp(`^${pieces.map(escaped).join('([^]*?)')}$`).exec(before);
  assert.ok(found, `${name}: something outside the URLs was changed`);
  return found.slice(1);
}

describe('the corpus', () => {
  test('is complete', () => {
    const files = readdirSync(folder).filter((file) => file.endsWith('.eml'));
    assert.deepEqual(files.map((file) => file.slice(0, -4)).sort(), Object.keys(corpus).sort());
  });

  for (const [name, { html, text = [], pixel = false, placeholders = 0 }] of Object.entries(corpus)) {
    for (const tracksText of [false, true]) {
      test(`${name}${tracksText ? ', links in plain text too' : ''}`, () => {
        const raw = load(name);
        const result = rewritten(raw, tracksText);
        const after = decoded(result);
        const stood = whatStoodThere(decoded(raw), after, name);
        const targets = Array.from(after.matchAll(/https:\/\/t\.example\/c\/([\w-]+)/g), ([, target = '']) =>
          Buffer.from(target, 'base64url').toString(),
        );
        assert.deepEqual(targets, tracksText ? [...text, ...html] : html);
        assert.equal(after.includes(pixelTag), pixel);
        assert.equal(after.split(unsubscribeUrl).length - 1, placeholders);
        assert.equal(stood.length, targets.length + placeholders);
        if (targets.length === 0 && !pixel) assert.deepEqual(result, raw, 'not one byte is changed');
        const longest = /quoted-printable/i.test(raw.toString('latin1')) ? 76 : 998;
        assert.ok(
          result
            .toString('latin1')
            .split(/\r?\n/)
            .every((line) => line.length <= longest),
        );
      });
    }
  }

  test('a reader that nobody here wrote sees the same parts with the same words', async () => {
    for (const name of Object.keys(corpus)) {
      const [before, after] = await Promise.all(
        [load(name), rewritten(load(name), false)].map((raw) => PostalMime.parse(raw)),
      );
      assert.deepEqual(after?.attachments, before?.attachments, name);
      assert.deepEqual(after?.headers, before?.headers, name);
      assert.equal(after?.text?.replaceAll(unsubscribeUrl, '{{ unsubscribe_url }}'), before?.text, name);
      const words = (html = '') => asWritten(html).replaceAll(/<[^>]*>/g, '');
      assert.equal(words(after?.html), words(before?.html), name);
    }
  });
});

test('links in plain text: whatever stands around them stays, and each is found whole', () => {
  const word = fc.constantFrom(
    'see',
    'и',
    '(',
    ')',
    '«',
    '»',
    'mailto:a@b.org',
    '\r\n',
    '.',
    '…',
    'www.x.org',
    '"',
  );
  const url = fc.constantFrom(
    'https://x.org/a?b=1&c=%20',
    'http://x.org',
    'https://x.org/~a/(b)',
    'HTTPS://X.org/#f',
  );
  fc.assert(
    fc.property(fc.array(fc.tuple(word, url), { maxLength: 10 }), (parts) => {
      const header = 'Content-Type: text/plain; charset=utf-8\r\n\r\n';
      const given = header + parts.map(([before, link]) => `${before} ${link} `).join('');
      const after = rewritten(Buffer.from(given), true).toString();
      const restored = asWritten(after);
      assert.equal(restored, given);
      assert.equal(after.split('t.example/c/').length - 1, parts.length);
    }),
  );
});

test('a link whose end cannot be told in plain text is left alone', () => {
  const header = 'Content-Type: text/plain; charset=utf-8\r\n\r\n';
  for (const text of [
    'https://example.jp/abcをご覧ください',
    'https://example.org/a“b',
    'https://',
    'http://»',
    'xhttps:/example.org',
    'https://example.org/?u={{ unsubscribe_url }}',
  ]) {
    const result = rewritten(Buffer.from(header + text), true).toString();
    assert.ok(!result.includes('/c/'), text);
  }
});

test('DKIM holds after rewriting and signing, and covers both unsubscribe headers', async () => {
  const { privateKey, publicKey } = generateKeyPairSync('rsa', {
    modulusLength: 2048,
  });
  const identity = {
    domain: 'example.com',
    keys: [{ selector: 'new', algorithm: 'rsa-sha256' as const, privateKey }],
    bounceHost: undefined,
    requireTls: false,
  };
  const links = trackingLinks(
    signedTokens(deriveKeys(['a secret that is long enough for tests'])),
    'https://mail.example.net',
    'mail.example.net',
  );
  const prepare = createPrepare({
    rewriteForRecipient,
    links,
    identityOf: async () => identity,
    publicUrl: 'https://mail.example.net',
  });
  for (const name of Object.keys(corpus)) {
    const raw = Buffer.from(load(name).toString('latin1').replaceAll(/\r?\n/g, '\r\n'), 'latin1');
    const { content: signed } = await prepare(
      {
        messageId: 7,
        submissionId: 7,
        accountId: 3,
        account: 'acme',
        tags: [],
        recipient: 'ann@example.org',
        attemptsMade: 0,
        lease: 1,
        acceptedAtMs: 0,
        sizeBytes: raw.length,
        suppressed: undefined,
        sender: 'shop@example.com',
        subject: '',
        stream: 'news',
        trackOpens: true,
        trackClicks: true,
        trackText: true,
        listUnsubscribe: true,
        trackingHost: '',
      },
      raw,
    );
    const { results } = await dkimVerify(Buffer.from(signed), {
      resolver: async (host: string) => {
        assert.match(host, /^(new|own)\._domainkey\.example\.com$/);
        return [
          [`v=DKIM1; k=rsa; p=${publicKey.export({ type: 'spki', format: 'der' }).toString('base64')}`],
        ];
      },
    });
    const ours = results.find(({ selector }) => selector === 'new');
    assert.equal(ours?.status.result, 'pass', name);
    const covered = String(ours?.signingHeaders?.keys).toLowerCase();
    assert.match(covered, /list-unsubscribe(?!-)/, name);
    assert.match(covered, /list-unsubscribe-post/, name);
  }
});
