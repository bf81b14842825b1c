/**
 * Finds, in the decoded bytes of a text part, the places that differ for each recipient: links, the placeholder of the
 * unsubscribe link, and where the pixel goes. Works on bytes in every charset that keeps ASCII markup in place, so that
 * nothing has to be converted, and nothing but these places can change.
 */
import { decodeCharset } from './encoded-words.ts';
import { findHtmlLinks } from './html-links.ts';
import type { TextPart } from './text-parts.ts';

export type Place = {
  /** Byte offsets in the decoded text; a link's with its quotes, a pixel's are the same. */
  readonly start: number;
  readonly end: number;
} & (
  | {
      readonly kind: 'link';
      readonly target: string;
      /** `"`, `'` or none. */
      readonly quote: string;
    }
  | { readonly kind: 'unsubscribe' }
  | { readonly kind: 'pixel' }
);

/** `{{ unsubscribe_url }}`; the word is looked for before the expression is tried. */
const placeholderWord = 'unsubscribe_url';
const placeholder = /\{\{\s{0,8}unsubscribe_url\s{0,8}\}\}/g;

/** How text that PGP signed or encrypted begins (RFC 4880 section 6.2); what it covers cannot be told from the rest. */
const pgpArmor = '-----BEGIN PGP ';

/** @returns the places in order, none overlapping; no places in a charset whose markup cannot be seen in its bytes */
export function findPlaces(
  bytes: Buffer,
  { kind, charset }: Pick<TextPart, 'kind' | 'charset'>,
  tracksText: boolean,
): Place[] {
  const visible = asciiView(bytes, charset);
  if (visible === undefined || visible.text.includes(pgpArmor)) return [];
  const placeholders = findPlaceholders(visible.text);
  if (kind === 'plain') {
    const links = tracksText ? findTextLinks(visible.text, bytes, charset) : [];
    return inOrder([...apartFrom(placeholders, links), ...placeholders]);
  }
  const links = findHtmlLinks(visible.text, bytes, charset);
  const pixel = visible.endsInAscii
    ? [{ kind: 'pixel' as const, start: links.bodyEnd, end: links.bodyEnd }]
    : [];
  return inOrder([...apartFrom(placeholders, links.places), ...placeholders, ...pixel]);
}

/** Both in order. */
function apartFrom(placeholders: readonly Place[], links: readonly Place[]): Place[] {
  let next = 0;
  return links.filter((link) => {
    while ((placeholders[next]?.end ?? Infinity) <= link.start) next++;
    return (placeholders[next]?.start ?? Infinity) >= link.end;
  });
}

const inOrder = (places: Place[]): Place[] => places.sort((a, b) => a.start - b.start || a.end - b.end);

interface AsciiView {
  /** One character a byte: ASCII as it is, everything else as something that is not ASCII. */
  readonly text: string;
  readonly endsInAscii: boolean;
}

/** Of the charsets that WHATWG knows (others are left alone), those that cannot be looked through byte by byte. */
const opaqueCharsets: ReadonlySet<string> = new Set(['utf-16le', 'utf-16be', 'replacement']);

function asciiView(bytes: Buffer, charset: string): AsciiView | undefined {
  let name: string;
  try {
    name = new TextDecoder(charset).encoding;
  } catch {
    return undefined;
  }
  if (opaqueCharsets.has(name)) return undefined;
  if (name === 'iso-2022-jp') return iso2022View(bytes);
  // Multi-byte charsets use ASCII bytes as second bytes, but none that has a meaning in markup.
  return { text: bytes.toString('latin1'), endsInAscii: true };
}

/** ISO-2022-JP writes kanji with ASCII bytes between escape sequences (RFC 1468): those are blotted out. */
function iso2022View(bytes: Buffer): AsciiView {
  const escape = '\x1b';
  const text = bytes.toString('latin1');
  let view = '';
  let position = 0;
  let ascii = true;
  const take = (end: number, visible: boolean) => {
    view += visible ? text.slice(position, end) : '\x80'.repeat(end - position);
    position = end;
  };
  for (let at = text.indexOf(escape); at >= 0; at = text.indexOf(escape, at + 1)) {
    const designation = /^(?:\([BJI]|\$[@B]|\$\([DOPQ])/.exec(text.slice(at + 1, at + 4))?.[0];
    if (designation === undefined) continue;
    take(at, ascii);
    take(at + 1 + designation.length, false);
    ascii = designation === '(B' || designation === '(J';
  }
  take(text.length, ascii);
  return { text: view, endsInAscii: ascii };
}

function findPlaceholders(text: string): Place[] {
  if (!text.includes(placeholderWord)) return [];
  return Array.from(text.matchAll(placeholder), ({ 0: found, index }) => ({
    kind: 'unsubscribe' as const,
    start: index,
    end: index + found.length,
  }));
}

/** What an address in plain text goes on to: a blank, or what people put around addresses. */
const textLink = /https?:\/\/[^\s<>"]+/gi;
/** Letters of scripts that are written without blanks could be the words behind the address. */
const addressCharacters =
  /^(?:[!#-;=?-~]|(?!\p{sc=Han}|\p{sc=Hiragana}|\p{sc=Katakana}|\p{sc=Hangul}|\p{sc=Thai}|\p{sc=Lao}|\p{sc=Khmer}|\p{sc=Myanmar})[\p{L}\p{M}\p{N}])+$/u;

/** Only where the address surely ends: half a link is worse than one that is not tracked. */
function findTextLinks(text: string, bytes: Buffer, charset: string): Place[] {
  const places: Place[] = [];
  for (const { 0: found, index: start } of text.matchAll(textLink)) {
    const end = start + withoutPunctuation(found).length;
    const target = decodeCharset(bytes.subarray(start, end), charset);
    if (addressCharacters.test(target)) places.push({ kind: 'link', start, end, target, quote: '' });
  }
  return places;
}

const openers: Readonly<Record<string, string>> = { ')': '(', ']': '[', '}': '{' };

/** What ends a sentence or closes a bracket that opened before the address is not of the address. */
function withoutPunctuation(found: string): string {
  const counts = new Map<string, number>();
  const count = (character: string) => counts.get(character) ?? 0;
  for (const character of found) counts.set(character, count(character) + 1);
  let length = found.length;
  for (; ; length--) {
    const last = found.charAt(length - 1);
    const opener = openers[last];
    const isOutside = opener === undefined ? /[.,;:!?'*_~]/.test(last) : count(last) > count(opener);
    if (!isOutside) return found.slice(0, length);
    counts.set(last, count(last) - 1);
  }
}
