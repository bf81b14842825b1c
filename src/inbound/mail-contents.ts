/**
 * A piece of mail that came back, taken apart: what a person would read in it, the machine-readable blocks of a report
 * (RFC 3464, RFC 5965), and the header of the mail that it quotes. Never fails: what cannot be read is not there. Knows
 * nothing of what the words mean.
 */
import { decodeCharset } from '../mail/encoded-words.ts';
import { fieldValue, type HeaderBlock, headerValue, readHeaders } from '../mail/header-fields.ts';
import { parseParameterized } from '../mail/media-type.ts';
import { partsBetween } from '../mail/text-parts.ts';
import { decodeBase64, decodeQuotedPrintable } from '../mail/transfer-encoding.ts';
import { textOfHtml } from './html-words.ts';
import { cutQuoted } from './quoted-mail.ts';

const deepestNesting = 5;
const mostParts = 100;
/** A message of ours has one recipient; who reports more of them is read so far. */
const mostBlocks = 50;
/** Of the words for people: a report says what it has to say at its beginning. */
const longestTextChars = 100_000;
/** Of the header of a quoted mail. */
const longestQuotedBytes = 64 * 1024;

const deliveryStatus = /^message\/(?:global-)?delivery-status$/;
const feedbackReport = /^message\/feedback-report$/;
const quotedMail = /^(?:message\/(?:rfc822|global|rfc822-headers|global-headers)|text\/rfc822-headers)$/;

/** Fields by lower-case name; of a repeated one the first. */
export type FieldBlock = ReadonlyMap<string, string>;

export interface MailContents {
  /** A field of the mail's own header, undefined if it has none of that name. */
  readonly header: (name: string) => string | undefined;
  /** What a person reads, LF line ends, without the mail that is quoted below it. */
  readonly text: string;
  /** Of the delivery status, in their order; wherever in the mail it stands. */
  readonly statusBlocks: readonly FieldBlock[];
  /** Of the first feedback report. */
  readonly feedback: FieldBlock | undefined;
  /** The header of the mail that is quoted, as it stands there; '' if none is. */
  readonly quoted: string;
}

interface Part {
  readonly type: string;
  readonly charset: string;
  readonly block: HeaderBlock;
  readonly end: number;
}

export function readContents(mail: Buffer): MailContents {
  const raw = withoutEmptyStart(mail);
  const top = readHeaders(raw);
  const found = { plain: [] as string[], html: [] as string[], quoted: '' };
  const statusBlocks: FieldBlock[] = [];
  const feedbackBlocks: FieldBlock[] = [];
  for (const part of partsOf(raw, top, raw.length, deepestNesting, { parts: mostParts })) {
    if (deliveryStatus.test(part.type)) statusBlocks.push(...blocksOf(bodyOf(raw, part)));
    else if (feedbackReport.test(part.type)) feedbackBlocks.push(...blocksOf(bodyOf(raw, part)));
    else if (quotedMail.test(part.type)) found.quoted ||= headerOf(bodyOf(raw, part));
    else if (part.type === 'text/html') found.html.push(textOf(raw, part));
    // A multipart that has no parts: the reporter lost its boundary, and its words stand there as they are.
    else if (/^(?:text\/plain|multipart\/.*|)$/.test(part.type)) found.plain.push(textOf(raw, part));
  }
  const plain = found.plain.join('\n');
  const words = plain.trim() === '' ? textOfHtml(found.html.join('\n')) : plain;
  const { text, quoted } = cutQuoted(words.slice(0, longestTextChars).replaceAll(/\r\n?/g, '\n'));
  if (statusBlocks.length === 0) statusBlocks.push(...blocksInText(text));
  return {
    header: (name) => headerValue(raw, top, name),
    text,
    statusBlocks: statusBlocks.slice(0, mostBlocks),
    feedback: feedbackBlocks.find((block) => block.has('feedback-type')) ?? feedbackBlocks[0],
    quoted: (found.quoted || quoted).slice(0, longestQuotedBytes),
  };
}

/** Line ends that a transport left before the header. */
function withoutEmptyStart(mail: Buffer): Buffer {
  let start = 0;
  while (mail[start] === 10 || mail[start] === 13) start++;
  return mail.subarray(start);
}

function* partsOf(
  raw: Buffer,
  block: HeaderBlock,
  end: number,
  depth: number,
  budget: { parts: number },
): Generator<Part> {
  if (budget.parts-- <= 0) return;
  const { value, parameters } = parseParameterized(headerValue(raw, block, 'content-type') ?? '');
  // Parameters without the semicolon before them are met, too.
  const type = value.split(/\s/, 1)[0] ?? '';
  const leaf: Part = { type, charset: parameters.get('charset') ?? '', block, end };
  const boundary = parameters.get('boundary') ?? '';
  if (!type.startsWith('multipart/') || boundary === '' || depth === 0) {
    yield leaf;
    return;
  }
  let isEmpty = true;
  for (const part of partsBetween(raw, block.bodyStart, end, boundary)) {
    isEmpty = false;
    yield* partsOf(raw, readHeaders(raw, part.start, part.end), part.end, depth - 1, budget);
  }
  if (isEmpty) yield leaf;
}

function bodyOf(raw: Buffer, { block, end }: Part): Buffer {
  const encoding = headerValue(raw, block, 'content-transfer-encoding') ?? '';
  switch (encoding.toLowerCase()) {
    case 'base64':
      // With a footer that a list server added, what is before it counts.
      return (
        decodeBase64(raw, block.bodyStart, end) ??
        Buffer.from(raw.toString('latin1', block.bodyStart, end), 'base64')
      );
    case 'quoted-printable':
      return decodeQuotedPrintable(raw, block.bodyStart, end).bytes;
    default:
      return raw.subarray(block.bodyStart, end);
  }
}

function textOf(raw: Buffer, part: Part): string {
  return decodeCharset(bodyOf(raw, part), part.charset === '' ? 'utf-8' : part.charset);
}

/** A quoted mail up to its body. What stands there is ASCII, or is no token of ours. */
function headerOf(body: Buffer): string {
  return body.toString('latin1', 0, Math.min(readHeaders(body).end, longestQuotedBytes));
}

function blocksOf(body: Buffer): FieldBlock[] {
  const blocks: FieldBlock[] = [];
  for (let position = 0; position < body.length && blocks.length < mostBlocks; ) {
    const block = readHeaders(body, position);
    let fields = new Map<string, string>();
    for (const field of block.fields) {
      // Some reporters leave out the empty line between two recipients.
      if (field.name === 'final-recipient' && fields.has(field.name)) {
        blocks.push(fields);
        fields = new Map();
      }
      if (!fields.has(field.name)) fields.set(field.name, fieldValue(body, field));
    }
    if (fields.size > 0) blocks.push(fields);
    position = block.bodyStart;
  }
  return blocks;
}

/** A delivery status that stands among the words: the report was sent on by a person, or its MIME header is lost. */
function blocksInText(text: string): FieldBlock[] {
  if (!/^final-recipient:/im.test(text)) return [];
  return blocksOf(Buffer.from(text)).filter(
    (block) => block.has('final-recipient') || block.has('reporting-mta'),
  );
}
