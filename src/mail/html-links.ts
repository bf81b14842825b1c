/**
 * Links and the end of the body in HTML, by the byte offsets at which they stand: whatever state the HTML is in, it is
 * read as a browser's tokenizer reads it, and never written anew.
 */
import { type QuoteType, Tokenizer } from 'htmlparser2';
import { decodeCharset } from './encoded-words.ts';
import type { Place } from './text-places.ts';

/** Says on a tag that its link is to be left alone. */
const optOutAttribute = 'data-no-track';

interface Attribute {
  readonly start: number;
  readonly end: number;
  readonly quote: string;
  readonly value: string;
}

/** Tags whose href is a link. */
const linkTags = /^(?:a|area)$/i;
/** Outlook draws buttons as VML shapes, which are links as well. */
const outlookLinkTags = /^(?:a|area|v:[a-z]+)$/i;

/** What Outlook alone reads: HTML in a comment with a condition before it. Every other program passes over it. */
const outlookComment = /^(\[if [^\]]*\]>)([^]*)<!\[endif\]$/i;

/**
 * Collects the tokenizer's view of one tag after another.
 * @param text as `bytes`, one character a byte @param tags whose href counts
 */
export function findHtmlLinks(
  text: string,
  bytes: Buffer,
  charset: string,
  tags = linkTags,
): { readonly places: readonly Place[]; readonly bodyEnd: number } {
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
        isLinkTag = tags.test(text.slice(start, end));
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
      oncomment(start, end, endOffset) {
        const [, condition, inner] = outlookComment.exec(text.slice(start, end - endOffset)) ?? [];
        if (condition === undefined || inner === undefined || tags === outlookLinkTags) return;
        const at = start + condition.length;
        const within = findHtmlLinks(inner, bytes.subarray(at, at + inner.length), charset, outlookLinkTags);
        for (const place of within.places) {
          places.push({ ...place, start: place.start + at, end: place.end + at });
        }
      },
      oncdata: ignore,
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

/** What bytes become that are none of the charset which the part names. */
const undecodable = '\uFFFD';

/** As a browser reads an href: blanks around it and line breaks within it do not count. */
function targetOf(href: string): string | undefined {
  const target = href.replaceAll(/[\t\r\n]/g, '').trim();
  // Where the charset is not the one that is named, the sender's bytes lead where ours would not.
  return /^https?:\/\//i.test(target) && !target.includes(undecodable) ? target : undefined;
}
