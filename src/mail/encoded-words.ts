/**
 * Reading encoded words (RFC 2047) in header values. Must never fail: what cannot be decoded stays as it stands, and
 * an unknown charset is read as Latin-1.
 */

const word = /=\?([^?\s]{1,64})\?([bq])\?([^?]*)\?=/gi;
/** Blank between two encoded words is no text of its own (RFC 2047 section 6.2). */
const betweenWords = /(\?=)\s+(?==\?[^?\s]{1,64}\?[bq]\?[^?]*\?=)/gi;

export function decodeWords(value: string): string {
  if (!value.includes('=?')) return value;
  const pieces: (string | { charset: string; bytes: Buffer[] })[] = [];
  const joined = value.replaceAll(betweenWords, '$1');
  let end = 0;
  for (const match of joined.matchAll(word)) {
    const [whole, charset = '', encoding = '', text = ''] = match;
    if (match.index > end) pieces.push(joined.slice(end, match.index));
    end = match.index + whole.length;
    const bytes = encoding.toLowerCase() === 'b' ? Buffer.from(text, 'base64') : decodeQ(text);
    const name = charset.replace(/\*.*$/, '').toLowerCase();
    const last = pieces.at(-1);
    // Senders cut words inside a character, so neighbours of one charset are decoded together.
    if (typeof last === 'object' && last.charset === name) last.bytes.push(bytes);
    else pieces.push({ charset: name, bytes: [bytes] });
  }
  pieces.push(joined.slice(end));
  return pieces
    .map((piece) =>
      typeof piece === 'string' ? piece : decodeCharset(Buffer.concat(piece.bytes), piece.charset),
    )
    .join('');
}

function decodeQ(text: string): Buffer {
  const latin1 = text
    .replaceAll('_', ' ')
    .replaceAll(/=([0-9a-f]{2})/gi, (_, hex: string) => String.fromCharCode(Number.parseInt(hex, 16)));
  return Buffer.from(latin1, 'latin1');
}

const decoders = new Map<string, TextDecoder>();
/** Charset names come from strangers' mail; WHATWG knows about 230 labels. */
const mostDecoders = 300;

/** Text of bytes in a charset by its MIME name; unknown names are read as Latin-1 (Windows-1252). */
export function decodeCharset(bytes: Uint8Array, charset: string): string {
  return decoderFor(charset.toLowerCase()).decode(bytes);
}

function decoderFor(charset: string): TextDecoder {
  const known = decoders.get(charset);
  if (known !== undefined) return known;
  let decoder: TextDecoder;
  try {
    decoder = new TextDecoder(charset);
  } catch {
    return latin1;
  }
  if (decoders.size < mostDecoders) decoders.set(charset, decoder);
  return decoder;
}

const latin1 = new TextDecoder('latin1');
