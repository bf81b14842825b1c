/**
 * Finds the readable text of a message, HTML and plain, by the byte offsets at which it stands. What is signed,
 * encrypted, attached or a message of its own is never entered.
 */
import { asBuffer, endOfLine, type HeaderBlock, headerValue, readHeaders } from './header-fields.ts';
import { parseParameterized } from './media-type.ts';

export interface TextPart {
  readonly kind: 'html' | 'plain';
  /** As it stands there, lower case; 'utf-8' where nothing or us-ascii is said. */
  readonly charset: string;
  readonly encoding: 'identity' | 'quoted-printable' | 'base64';
  /** Of the part's encoded body; the line break before the next boundary is not in it. */
  readonly start: number;
  readonly end: number;
}

const deepestNesting = 20;
const mostParts = 200;

/** Containers whose bytes are signed, encrypted, or a report about other mail. */
const closedContainers: ReadonlySet<string> = new Set([
  'multipart/signed',
  'multipart/encrypted',
  'multipart/report',
  // Its parts are whole messages.
  'multipart/digest',
]);

const encodings: ReadonlyMap<string, TextPart['encoding']> = new Map([
  ['', 'identity'],
  ['7bit', 'identity'],
  ['8bit', 'identity'],
  ['binary', 'identity'],
  ['quoted-printable', 'quoted-printable'],
  ['base64', 'base64'],
]);

/** @param block the message's own header */
export function findTextParts(raw: Uint8Array, block: HeaderBlock): TextPart[] {
  const found: TextPart[] = [];
  walk(asBuffer(raw), block, raw.length, deepestNesting, found);
  return found;
}

function walk(raw: Buffer, block: HeaderBlock, end: number, depth: number, found: TextPart[]): void {
  const { value: type, parameters } = parseParameterized(
    headerValue(raw, block, 'content-type') ?? 'text/plain',
  );
  if (type.startsWith('multipart/')) {
    const boundary = parameters.get('boundary') ?? '';
    if (closedContainers.has(type) || boundary === '' || depth === 0) return;
    for (const part of partsBetween(raw, block.bodyStart, end, boundary)) {
      if (found.length >= mostParts) return;
      walk(raw, readHeaders(raw, part.start, part.end), part.end, depth - 1, found);
    }
    return;
  }
  const kind = type === 'text/html' ? 'html' : type === 'text/plain' ? 'plain' : undefined;
  const transferEncoding = headerValue(raw, block, 'content-transfer-encoding') ?? '';
  const encoding = encodings.get(transferEncoding.toLowerCase());
  if (kind === undefined || encoding === undefined || isAttachment(raw, block)) return;
  const charset = (parameters.get('charset') ?? 'utf-8').toLowerCase();
  found.push({
    kind,
    charset: charset === 'us-ascii' ? 'utf-8' : charset,
    encoding,
    start: block.bodyStart,
    end,
  });
}

/** Some mail programs write `inline` with a file name for what their user attached. */
function isAttachment(raw: Buffer, block: HeaderBlock): boolean {
  const { value, parameters } = parseParameterized(headerValue(raw, block, 'content-disposition') ?? '');
  return value === 'attachment' || parameters.has('filename');
}

/** The body parts of a multipart (RFC 2046 section 5.1.1), preamble and epilogue left out. */
export function* partsBetween(
  raw: Buffer,
  start: number,
  end: number,
  boundary: string,
): Generator<{ start: number; end: number }> {
  const dashBoundary = Buffer.from(`--${boundary}`);
  let partStart: number | undefined;
  // What holds this container may go on for long: it is not searched again for every container in it.
  const within = raw.subarray(0, end);
  for (let position = start; position < end; ) {
    const at = within.indexOf(dashBoundary, position);
    if (at < 0) break;
    position = at + dashBoundary.length;
    if (at > start && raw[at - 1] !== 10) continue;
    const lineEnd = endOfLine(raw, position, end);
    const rest = raw.toString('latin1', position, Math.min(lineEnd, position + 80)).trim();
    // One boundary may begin like another: nothing but the closing dashes may follow.
    if (rest !== '' && rest !== '--') continue;
    if (partStart !== undefined)
      yield { start: partStart, end: Math.max(partStart, beforeLineBreak(raw, at)) };
    partStart = lineEnd;
    position = lineEnd;
    if (rest === '--') return;
  }
  // The closing boundary is missing: the last part goes as far as there is something.
  if (partStart !== undefined) yield { start: partStart, end };
}

function beforeLineBreak(raw: Buffer, position: number): number {
  if (raw[position - 1] !== 10) return position;
  return raw[position - 2] === 13 ? position - 2 : position - 1;
}
