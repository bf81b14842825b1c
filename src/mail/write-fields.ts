/**
 * Writing header fields (RFC 5322, RFC 2047, RFC 2231): the counterpart of `header-fields.ts`. What comes in here has
 * no line breaks; what goes out breaks only where a line is folded.
 */
import type { Mailbox } from '../accept/draft.ts';

/** RFC 5322 section 2.1.1: where a line should end, when there is a blank to end it at. */
const foldedLine = 76;
/** RFC 2047 section 2: a line with encoded words has at most 76 characters. This makes 64, and leaves 12 for a name. */
const encodedWordBytes = 39;
/** Of a parameter's value in one piece, so that a piece fits a line with its name. */
const parameterPiece = 60;

/** Pieces of at most that, which end anywhere but inside a %XX. */
const wholeEscapes = new RegExp(`(?:%..|[^%]){1,${parameterPiece / 3}}`, 'g');

const printable = /^[\t -~]*$/;
/** A display name that needs no quotes (RFC 5322 section 3.2.3: atoms, and blanks between them). */
const plainName = /^[\w' -]*$/;

/** `Name: value` with its line break, folded at blanks. The value is ASCII, or UTF-8 in addresses alone (RFC 6532). */
export function fieldLine(name: string, value: string): string {
  const line = `${name}: ${value}`;
  return line.length <= foldedLine ? `${line}\r\n` : `${folded(line)}\r\n`;
}

function folded(line: string): string {
  let text = '';
  let column = 0;
  // Each piece but the first begins with its blanks, which then begin the continued line.
  for (const [index, piece] of line.split(/(?<=[^\t ])(?=[\t ])/).entries()) {
    // The first word stays beside the name: a first line without a value is legal, and yet trips some readers.
    if (index > 1 && column + piece.length > foldedLine) {
      text += '\r\n';
      column = 0;
    }
    text += piece;
    column += piece.length;
  }
  return text;
}

/** Free text: as it is where it is printable ASCII; otherwise encoded from its first such word to its last. */
export function fieldText(value: string): string {
  const text = value.trim();
  if (printable.test(text)) return text;
  const words = text.split(' ');
  const first = words.findIndex((word) => !printable.test(word));
  const last = words.findLastIndex((word) => !printable.test(word));
  const encoded = encodedWords(words.slice(first, last + 1).join(' '));
  return [...words.slice(0, first), encoded, ...words.slice(last + 1)].join(' ');
}

/** `Name <address>`, or the address alone. */
export function mailboxText({ name, address }: Mailbox): string {
  if (name === '') return address;
  if (plainName.test(name)) return `${name} <${address}>`;
  if (printable.test(name)) return `"${name.replaceAll(/["\\]/g, '\\$&')}" <${address}>`;
  return `${encodedWords(name)} <${address}>`;
}

/** Each word holds whole characters (RFC 2047 section 5). */
function encodedWords(text: string): string {
  const words: string[] = [];
  let piece = '';
  let bytes = 0;
  for (const character of text) {
    const size = Buffer.byteLength(character);
    if (bytes + size > encodedWordBytes) {
      words.push(piece);
      piece = '';
      bytes = 0;
    }
    piece += character;
    bytes += size;
  }
  return [...words, piece].map((word) => `=?UTF-8?B?${Buffer.from(word).toString('base64')}?=`).join(' ');
}

/** `; name="value"`, percent-encoded and in pieces where it is not short printable ASCII (RFC 2231). */
export function parameterText(name: string, value: string): string {
  if (printable.test(value) && value.length <= parameterPiece) {
    return `; ${name}="${value.replaceAll(/["\\]/g, '\\$&')}"`;
  }
  // Four marks that a URI may hold may not stand here.
  const encoded = encodeURIComponent(value.toWellFormed()).replaceAll(
    /['()*]/g,
    (mark) => `%${mark.charCodeAt(0).toString(16)}`,
  );
  const pieces = encoded.match(wholeEscapes) ?? [];
  return pieces
    .map(
      (piece, index) =>
        `; ${name}${pieces.length > 1 ? `*${index}` : ''}*=${index === 0 ? "UTF-8''" : ''}${piece}`,
    )
    .join('');
}
