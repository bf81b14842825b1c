/**
 * Finds, in the decoded bytes of a text part, the places that differ for each recipient: links, the placeholder of the
 * unsubscribe link, and where the pixel goes. Works on bytes in every charset that keeps ASCII markup in place, so that
 * nothing has to be converted, and nothing but these places can change.
 */
import { type QuoteType, Tokenizer } from 'htmlparser2';
import { decodeCharset } from './encoded-words.ts';
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

/** @returns the places in order, none overlapping; no places in a charset whose markup cannot be seen in its bytes */
export function findPlaces(bytes: Buffer, { kind, charset }: Pick<TextPart, 'kind' | 'charset'>): Place[] {
  const visible = asciiView(bytes, charset);
  if (visible === undefined) return [];
  const placeholders = findPlaceholders(visible.text);
  if (kind === 'plain') return placeholders;
  const links = findLinks(visible.text, bytes, charset);
  const pixel = visible.endsInAscii
    ? [{ kind: 'pixel' as const, start: links.bodyEnd, end: links.bodyEnd }]
    : [];
  const apart = links.places.filter(
    (link) => !placeholders.some(({ start, end }) => start < link.end && end > link.start),
  );
  const all: Place[] = [...apart, ...placeholders, ...pixel];
  return all.sort((a, b) => a.start - b.start || a.end - b.end);
}

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

/** Says on a tag that its link is to be left alone. */
const optOutAttribute = 'data-no-track';

interface Attribute {
  readonly start: number;
  readonly end: number;
  readonly quote: string;
  readonly value: string;
}

/** Collects the tokenizer's view of one tag after another. */
function findLinks(text: string, bytes: Buffer, charset: string): { places: Place[]; bodyEnd: number } {
  const places: Place[] = [];
  let bodyEnd = text.trimEnd().length;
  let bodyClosed = false;
  let isLinkTag = false;
  let optedOut = false;
  let href: Attribute | undefined;
  let attributeName = '';
  let nameEnd = 0;
  let value = '';
  const endTag = () => {
    const target = href && targetOf(href.value);
    if (isLinkTag && !optedOut && href && target !== undefined) {
      const { start, end, quote } = href;
      places.push({ kind: 'link', start, end, quote, target });
    }
    isLinkTag = false;
  };
  const ignore = () => {};
  const tokenizer = new Tokenizer(
    { xmlMode: false, decodeEntities: true },
    {
      onopentagname(start, end) {
        isLinkTag = /^(?:a|area)$/i.test(text.slice(start, end));
        optedOut = false;
        href = undefined;
      },
      onattribname(start, end) {
        attributeName = isLinkTag ? text.slice(start, end).toLowerCase() : '';
        nameEnd = end;
        value = '';
        if (attributeName === optOutAttribute) optedOut = true;
      },
      onattribdata(start, end) {
        if (attributeName === 'href') value += decodeCharset(bytes.subarray(start, end), charset);
      },
      onattribentity(codePoint) {
        value += String.fromCodePoint(codePoint);
      },
      onattribend(quoteType, end) {
        // Of two attributes of one name, HTML takes the first.
        if (attributeName !== 'href' || href !== undefined) return;
        href = attributeAt(text, nameEnd, end, quoteType, value);
      },
      onopentagend: endTag,
      onselfclosingtag: endTag,
      onclosetag(start, end) {
        const name = text.slice(start, end).toLowerCase();
        // Text behind the last </body> still belongs to the body, but the pixel has its place before the tag.
        if (name === 'body' || (name === 'html' && !bodyClosed)) {
          bodyEnd = text.lastIndexOf('<', start);
          bodyClosed = name === 'body';
        }
      },
      oncdata: ignore,
      oncomment: ignore,
      ondeclaration: ignore,
      onend: ignore,
      onprocessinginstruction: ignore,
      ontext: ignore,
      ontextentity: ignore,
    },
  );
  tokenizer.write(text);
  tokenizer.end();
  return { places, bodyEnd };
}

function attributeAt(
  text: string,
  nameEnd: number,
  end: number,
  quoteType: QuoteType,
  value: string,
): Attribute | undefined {
  let start = nameEnd;
  while (start < end && /\s/.test(text.charAt(start))) start++;
  if (text.charAt(start) !== '=') return undefined;
  start++;
  while (start < end && /\s/.test(text.charAt(start))) start++;
  const first = text.charAt(start);
  const isQuoted = quoteType !== unquoted && (first === '"' || first === "'");
  return { start, end, quote: isQuoted ? first : '', value };
}

/** `QuoteType.Unquoted`: an enum of another package has no value without importing its code. */
const unquoted: QuoteType = 1;

/** As a browser reads an href: blanks around it and line breaks within it do not count. */
function targetOf(href: string): string | undefined {
  const target = href.replaceAll(/[\t\r\n]/g, '').trim();
  return /^https?:\/\//i.test(target) ? target : undefined;
}
