/** Our signatures, checked by verifiers that nobody here wrote: mailauth, and OpenDKIM from Debian. */
import assert from 'node:assert/strict';
import { generateKeyPairSync } from 'node:crypto';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import fc from 'fast-check';
import { dkimVerify } from 'mailauth/lib/dkim/verify.js';
import { type DkimKey, signMessage } from '../../src/mail/dkim.ts';
import { peerOrSkip } from '../support/peers.ts';
import { runProgram } from '../support/program.ts';

const rsa = generateKeyPairSync('rsa', { modulusLength: 2048 });
const ed25519 = generateKeyPairSync('ed25519');
const keys: readonly DkimKey[] = [
  { selector: 'r', algorithm: 'rsa-sha256', privateKey: rsa.privateKey },
  { selector: 'e', algorithm: 'ed25519-sha256', privateKey: ed25519.privateKey },
];
const spki = (key: typeof rsa.publicKey) => key.export({ type: 'spki', format: 'der' });
const records: Readonly<Record<string, string>> = {
  'r._domainkey.example.com': `v=DKIM1; k=rsa; p=${spki(rsa.publicKey).toString('base64')}`,
  'e._domainkey.example.com': `v=DKIM1; k=ed25519; p=${spki(ed25519.publicKey).subarray(-32).toString('base64')}`,
};

const sign = async (message: string) =>
  Buffer.from(await signMessage(Buffer.from(message, 'latin1'), { domain: 'example.com', keys }));

async function verdicts(message: Buffer): Promise<string[]> {
  const { results } = await dkimVerify(message, {
    resolver: async (name) => [[records[name.toLowerCase()] ?? '']],
  });
  return results.map(({ status }) => status.result);
}

const head =
  'From: Shop <shop@example.com>\r\nTo: ann@example.org,\r\n\tbob@example.org\r\nSubject: Your   order \r\n' +
  'X-Other: not signed\r\nList-Unsubscribe: <https://example.com/u>\r\nList-Unsubscribe-Post: List-Unsubscribe=One-Click\r\n' +
  'Feedback-ID: news:3:example.com:aftersend\r\nCFBL-Address: f@example.com; report=arf\r\n';

const bodies = {
  plain: 'hello\r\n',
  empty: '',
  'only empty lines': '\r\n\r\n\r\n',
  'without a last line break': 'hello',
  'blanks in every place': ' hello  there\t \r\n\t\r\n  \r\nend \t \r\n \r\n\r\n',
  'eight bits': 'gr\xfc\xdfe\r\n',
  'a carriage return alone': 'a \r b\r\n',
};

for (const [name, body] of Object.entries(bodies)) {
  test(`mailauth passes both signatures of a body: ${name}`, async () => {
    const message = await sign(`${head}\r\n${body}`);
    assert.deepEqual(await verdicts(message), ['pass', 'pass']);
    assert.deepEqual(await sign(`${head}\r\n${body}`), message, 'the same bytes each time');
  });
}

test('a field that ends in a byte that looks like a blank in Latin-1 keeps it', async () => {
  // "Voilà" in UTF-8 ends in A0; VT and FF are no WSP either (RFC 5234 appendix B.1).
  const subjects = ['Voil\xc3\xa0', '\xa0x', 'x\x0b', 'x\x0c'];
  for (const subject of subjects) {
    const message = await sign(`From: shop@example.com\r\nSubject: ${subject}\r\n\r\nhello\r\n`);
    assert.deepEqual(await verdicts(message), ['pass', 'pass'], JSON.stringify(subject));
  }
});

test('mailauth passes whatever a body is made of', async () => {
  const pieces = fc.array(fc.constantFrom(' ', '\t', '\r\n', 'a', '.', '\xe4', '=20'), { maxLength: 60 });
  await fc.assert(
    fc.asyncProperty(pieces, async (body) => {
      assert.deepEqual(await verdicts(await sign(`${head}\r\n${body.join('')}`)), ['pass', 'pass']);
    }),
    { numRuns: 60 },
  );
});

test('a change of what is signed, or a second From, breaks both signatures', async () => {
  const signed = (await sign(`${head}\r\nhello\r\n`)).toString('latin1');
  const changes = [
    signed.replace('hello', 'hallo'),
    signed.replace('news:3', 'news:4'),
    signed.replace('One-Click', 'None'),
    signed.replace('From: Shop', 'From: other@example.net\r\nFrom: Shop'),
  ];
  for (const changed of changes) {
    const results = await verdicts(Buffer.from(changed, 'latin1'));
    assert.ok(
      results.every((result) => result !== 'pass'),
      results.join(),
    );
  }
});

test('OpenDKIM passes both signatures of every body', async (context) => {
  const opendkim = peerOrSkip(context, 'opendkim');
  if (opendkim === undefined) return;
  const folder = await mkdtemp(join(tmpdir(), 'aftersend-dkim-'));
  const dns = join(folder, 'dns');
  const lines = Object.entries(records).map(([name, value]) => `${name} ${value}`);
  await writeFile(dns, `${lines.join('\n')}\n`);
  const settings = join(folder, 'opendkim.conf');
  await writeFile(settings, `Mode v\nTestDNSData file:${dns}\nMinimumKeyBits 1024\n`);
  for (const [index, body] of Object.values(bodies).entries()) {
    // It reads files line by line: one without an end, or with a carriage return alone, is lost to it.
    if (body.includes('\r b') || !/^$|\n$/.test(body)) continue;
    // One key a file: it tells of one signature.
    for (const key of keys) {
      const file = join(folder, `${index}-${key.selector}.eml`);
      const message = Buffer.from(`${head}\r\n${body}`, 'latin1');
      await writeFile(file, await signMessage(message, { domain: 'example.com', keys: [key] }));
      const { stdout, stderr } = await runProgram(opendkim.command, ['-x', settings, '-t', file, '-vv'], {
        env: opendkim.env,
      });
      assert.match(stdout + stderr, /verification \(s=[re], d=example\.com, \d+-bit key\) succeeded/);
    }
  }
  await rm(folder, { recursive: true });
});
