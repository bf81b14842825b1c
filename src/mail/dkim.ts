/**
 * Signs a message as it goes out (DKIM: RFC 6376, Ed25519: RFC 8463), relaxed in header and body. The same message and
 * keys always make the same signature: it bears no time. Header and body are canonicalised once for all keys, and the
 * arithmetic runs in the thread pool, where it holds up nobody.
 */
import { hash, type KeyObject, sign } from 'node:crypto';
import { relaxedBody } from './dkim-body.ts';
import { asBuffer, type HeaderField, readHeaders } from './header-fields.ts';

export type DkimAlgorithm = 'rsa-sha256' | 'ed25519-sha256';

export interface DkimKey {
  readonly selector: string;
  readonly algorithm: DkimAlgorithm;
  readonly privateKey: KeyObject;
}

/** RFC 6376 section 5.4.1, and what tells recipients how to leave and complain (RFC 8058 section 4, RFC 9477 section 3). */
const signedFields: ReadonlySet<string> = new Set([
  'from',
  'sender',
  'reply-to',
  'to',
  'cc',
  'subject',
  'date',
  'message-id',
  'in-reply-to',
  'references',
  'mime-version',
  'content-type',
  'content-transfer-encoding',
  'content-disposition',
  'content-id',
  'list-id',
  'list-help',
  'list-unsubscribe',
  'list-unsubscribe-post',
  'list-subscribe',
  'list-post',
  'list-owner',
  'list-archive',
  'auto-submitted',
  'feedback-id',
  'cfbl-address',
  'cfbl-feedback-id',
]);

/** Named once more than they are there, so that nobody can add another that readers would believe (section 8.15). */
const sealedFields = ['from', 'to', 'cc', 'subject', 'date', 'reply-to', 'content-type'];

/** @returns the message with one DKIM-Signature a key before it. @param domain in its ASCII form */
export async function signMessage(
  content: Uint8Array,
  { domain, keys }: { readonly domain: string; readonly keys: readonly DkimKey[] },
): Promise<Uint8Array> {
  if (keys.length === 0) return content;
  const { fields, bodyStart } = readHeaders(content);
  const chosen = fieldsToSign(fields);
  const bytes = asBuffer(content);
  const names = foldedNames(chosen.names);
  const bodyHash = hash('sha256', relaxedBody(bytes.subarray(bodyStart)), 'base64');
  const canonical = chosen.fields.map((field) => relaxedField(field.name, valueOf(bytes, field))).join('');
  const signatures = await Promise.all(
    keys.map(async (key) => {
      const unsigned = signatureField({ domain, key, names, bodyHash });
      const value = unsigned.slice(unsigned.indexOf(':') + 1);
      const signed = canonical + relaxedField('dkim-signature', value).slice(0, -2);
      const signature = await signatureOf(Buffer.from(signed, 'latin1'), key);
      return `${unsigned}${folded(signature.toString('base64'))}\r\n`;
    }),
  );
  return Buffer.concat([Buffer.from(signatures.join(''), 'latin1'), bytes]);
}

/** Of several fields of one name the last is signed first (section 5.4.2). */
function fieldsToSign(all: readonly HeaderField[]): { fields: HeaderField[]; names: string[] } {
  const fields = all.filter(({ name }) => signedFields.has(name)).toReversed();
  return { fields, names: [...fields.map(({ name }) => name), ...sealedFields] };
}

/** Latin-1 keeps every byte, whatever its encoding, and gives it back as it was. */
const valueOf = (bytes: Buffer, { valueStart, end }: HeaderField): string =>
  bytes.toString('latin1', valueStart, end);

/** Section 3.4.2. Only space and tab are blanks: bytes that `trim` would take for one end many a word in UTF-8. */
function relaxedField(name: string, value: string): string {
  // What most fields are already: a blank, words with one between them, the end of the line.
  if (/^ [^ \t\r\n]+(?: [^ \t\r\n]+)*\r\n$/.test(value)) return `${name}:${value.slice(1)}`;
  const line = value
    .replaceAll(/\r?\n/g, '')
    .replaceAll(/[ \t]+/g, ' ')
    .replaceAll(/^ | $/g, '');
  return `${name}:${line}\r\n`;
}

/** The field up to and with `b=`, in lines that nobody has reason to fold again. */
function signatureField({
  domain,
  key,
  names,
  bodyHash,
}: {
  domain: string;
  key: DkimKey;
  names: string;
  bodyHash: string;
}): string {
  const lines = [
    `DKIM-Signature: v=1; a=${key.algorithm}; c=relaxed/relaxed;`,
    ` d=${domain}; s=${key.selector};`,
    ` h=${names};`,
    ` bh=${bodyHash};`,
    ' b=',
  ];
  return lines.join('\r\n');
}

const longestLine = 76;
const base64OfLine = 70;

function foldedNames(names: readonly string[]): string {
  let text = '';
  let line = '';
  for (const name of names) {
    if (line.length + name.length > longestLine - 6) {
      text += `${line}\r\n  `;
      line = '';
    }
    line += text === '' && line === '' ? name : `:${name}`;
  }
  return text + line;
}

function folded(base64: string): string {
  let text = base64.slice(0, base64OfLine);
  for (let at = base64OfLine; at < base64.length; at += base64OfLine) {
    text += `\r\n  ${base64.slice(at, at + base64OfLine)}`;
  }
  return text;
}

function signatureOf(data: Buffer, { algorithm, privateKey }: DkimKey): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const done = (error: Error | null, signature: Buffer) => (error ? reject(error) : resolve(signature));
    if (algorithm === 'rsa-sha256') sign('sha256', data, privateKey, done);
    // RFC 8463 section 3: what Ed25519 signs is the hash.
    else sign(null, hash('sha256', data, 'buffer'), privateKey, done);
  });
}
