/**
 * The transfer encodings of MIME (RFC 2045 section 6), read so that a place in the decoded bytes can be found again in
 * the encoded ones, and written into the middle of encoded text without touching what stands around it.
 */
import { endOfLine } from './header-fields.ts';

const lf = 10;
const cr = 13;
const equals = 61;

/** RFC 5322 section 2.1.1 and RFC 2045 section 6.7, without the line break. */
export const longestLine = 998;
export const longestEncodedLine = 76;

export interface Decoded {
  readonly bytes: Buffer;
  /** Where in the encoded bytes the decoded byte at `offset` begins; for the length, where the last one ends. */
  readonly encodedOffset: (offset: number) => number;
}

/** Decodes quoted-printable from `start` to `end`; what is malformed stands for itself. */
export function decodeQuotedPrintable(raw: Buffer, start: number, end: number): Decoded {
  const bytes = Buffer.allocUnsafe(end - start);
  const offsets = new Uint32Array(end - start + 1);
  let length = 0;
  let lastEnd = start;
  for (let position = start; position < end; ) {
    let byte = raw[position] ?? 0;
    let next = position + 1;
    if (byte === equals) {
      const value = hexPair(raw, position + 1, end);
      if (value !== undefined) {
        byte = value;
        next = position + 3;
      } else {
        const softBreak = endOfSoftBreak(raw, position + 1, end);
        if (softBreak !== undefined) {
          position = softBreak;
          continue;
        }
      }
    }
    bytes[length] = byte;
    offsets[length++] = position;
    position = next;
    lastEnd = next;
  }
  offsets[length] = lastEnd;
  return { bytes: bytes.subarray(0, length), encodedOffset: (offset) => offsets[offset] ?? lastEnd };
}

function hexPair(raw: Buffer, at: number, end: number): number | undefined {
  if (at + 2 > end) return undefined;
  const high = hexDigit(raw[at] ?? 0);
  const low = hexDigit(raw[at + 1] ?? 0);
  return high < 0 || low < 0 ? undefined : high * 16 + low;
}

function hexDigit(byte: number): number {
  if (byte >= 48 && byte <= 57) return byte - 48;
  const letter = byte & ~32;
  return letter >= 65 && letter <= 70 ? letter - 55 : -1;
}

/** Blanks that a server left behind the `=` belong to the soft line break. */
function endOfSoftBreak(raw: Buffer, at: number, end: number): number | undefined {
  let position = at;
  while (position < end && (raw[position] === 32 || raw[position] === 9)) position++;
  if (position === end) return end;
  if (raw[position] === cr && raw[position + 1] === lf) return position + 2;
  return raw[position] === lf ? position + 1 : undefined;
}

/** @returns undefined for text that is not base64 from beginning to end, as when a list server added a footer */
export function decodeBase64(raw: Buffer, start: number, end: number): Buffer | undefined {
  // Cut first: an expression that looks for blanks at the end as well tries every one of a million as its beginning.
  const text = raw.toString('latin1', start, end).trimEnd();
  return /^[A-Za-z0-9+/\s]*={0,2}$/.test(text) ? Buffer.from(text, 'base64') : undefined;
}

export function encodeBase64Lines(bytes: Buffer): string {
  return bytes.toString('base64').replaceAll(/.{76}(?=.)/g, '$&\r\n');
}

const hexDigits = Buffer.from('0123456789ABCDEF');

/** Text whose lines end in CRLF, which stay; every other CR and LF is encoded. */
export function encodeQuotedPrintable(bytes: Buffer): Buffer {
  // Three for each byte, and a soft line break after 25 of those at the latest.
  const encoded = Buffer.allocUnsafe(bytes.length * 3 + Math.ceil(bytes.length / 25) * 3);
  let length = 0;
  let lineStart = 0;
  for (let index = 0; index < bytes.length; index++) {
    const byte = bytes[index] ?? 0;
    const next = bytes[index + 1];
    if (byte === cr && next === lf) {
      length = encoded.writeUInt16BE(0x0d0a, length);
      lineStart = length;
      index++;
      continue;
    }
    const blank = byte === 32 || byte === 9;
    const literal = blank ? next !== cr && next !== undefined : byte > 32 && byte < 127 && byte !== equals;
    // One column is kept free for the `=` of a soft line break.
    if (length - lineStart + (literal ? 1 : 3) >= longestEncodedLine) {
      encoded[length++] = equals;
      length = encoded.writeUInt16BE(0x0d0a, length);
      lineStart = length;
    }
    if (literal) {
      encoded[length++] = byte;
    } else {
      encoded[length++] = equals;
      encoded[length++] = hexDigits[byte >> 4] ?? 0;
      encoded[length++] = hexDigits[byte & 15] ?? 0;
    }
  }
  return encoded.subarray(0, length);
}

/** ASCII text that takes the place of the encoded bytes from `start` to `end`. */
export interface Replacement {
  readonly start: number;
  readonly end: number;
  readonly text: string;
}

/** The encoded bytes with the replacements (ordered, apart) made in the transfer encoding of the part. */
export function splice(
  raw: Buffer,
  part: { start: number; end: number; encoding: 'identity' | 'quoted-printable' },
  replacements: readonly Replacement[],
): Buffer[] {
  const insert = part.encoding === 'identity' ? insertPlain : insertQuotedPrintable;
  const pieces: Buffer[] = [];
  let position = part.start;
  let column = 0;
  for (const [index, { start, end, text }] of replacements.entries()) {
    const kept = raw.subarray(position, start);
    pieces.push(kept);
    const feed = kept.lastIndexOf(lf);
    column = feed < 0 ? column + kept.length : kept.length - feed - 1;
    const restEnd = endOfText(raw, end, replacements[index + 1]?.start ?? part.end);
    const inserted = insert(text, column, restEnd - end);
    pieces.push(Buffer.from(inserted, 'latin1'));
    const breakAt = inserted.lastIndexOf('\n');
    column = breakAt < 0 ? column + inserted.length : inserted.length - breakAt - 1;
    position = end;
  }
  pieces.push(raw.subarray(position, part.end));
  return pieces;
}

/** Where the line's text ends, before its line break. */
function endOfText(raw: Buffer, position: number, limit: number): number {
  let end = endOfLine(raw, position, limit);
  if (end > position && raw[end - 1] === lf) end--;
  if (end > position && raw[end - 1] === cr) end--;
  return end;
}

/**
 * Text without an encoding can only break between lines. The replaced text stands where HTML and plain text both allow
 * a line break around it, so one goes before or after when the line would grow too long.
 * @param column of the insertion @param restLength of what follows on the line
 */
function insertPlain(text: string, column: number, restLength: number): string {
  const before = column > 0 && column + text.length > longestLine ? '\r\n' : '';
  const endColumn = (before === '' ? column : 0) + text.length;
  return before + text + (endColumn + restLength > longestLine && restLength > 0 ? '\r\n' : '');
}

function insertQuotedPrintable(text: string, startColumn: number, restLength: number): string {
  let encoded = '';
  let column = startColumn;
  for (let index = 0; index < text.length; index++) {
    const character = text.charAt(index);
    const unit = character === '=' ? '=3D' : character;
    // One column is kept free for the `=` of a soft line break.
    if (column + unit.length >= longestEncodedLine) {
      encoded += '=\r\n';
      column = 0;
    }
    encoded += unit;
    column += unit.length;
  }
  return column + restLength >= longestEncodedLine && column > 0 ? `${encoded}=\r\n` : encoded;
}
