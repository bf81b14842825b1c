/**
 * The machine-readable parts of a report (RFC 3464, RFC 5965): found by their media type wherever they hang in the message,
 * decoded, and cut into their blocks of fields. Never fails: what cannot be read is not there.
 */
import { fieldValue, type HeaderBlock, headerValue, readHeaders } from '../mail/header-fields.ts';
import { parseParameterized } from '../mail/media-type.ts';
import { partsBetween } from '../mail/text-parts.ts';
import { decodeBase64, decodeQuotedPrintable } from '../mail/transfer-encoding.ts';

const deepestNesting = 5;
const mostParts = 100;
const mostBlocks = 200;

/** Fields by lower-case name; of a repeated one the first. */
export type FieldBlock = ReadonlyMap<string, string>;

/** The blocks of fields of every part of this media type, in their order. */
export function reportBlocks(raw: Buffer, type: RegExp): FieldBlock[] {
  const blocks: FieldBlock[] = [];
  const budget = { parts: mostParts };
  for (const part of partsOf(raw, readHeaders(raw), raw.length, deepestNesting, budget)) {
    if (type.test(part.type)) blocks.push(...blocksOf(bodyOf(raw, part)));
  }
  return blocks.slice(0, mostBlocks);
}

interface Part {
  readonly type: string;
  readonly block: HeaderBlock;
  readonly end: number;
}

function* partsOf(
  raw: Buffer,
  block: HeaderBlock,
  end: number,
  depth: number,
  budget: { parts: number },
): Generator<Part> {
  if (budget.parts-- <= 0) return;
  const { value: type, parameters } = parseParameterized(headerValue(raw, block, 'content-type') ?? '');
  const boundary = parameters.get('boundary') ?? '';
  if (!type.startsWith('multipart/') || boundary === '' || depth === 0) {
    yield { type, block, end };
    return;
  }
  for (const part of partsBetween(raw, block.bodyStart, end, boundary)) {
    yield* partsOf(raw, readHeaders(raw, part.start, part.end), part.end, depth - 1, budget);
  }
}

function bodyOf(raw: Buffer, { block, end }: Part): Buffer {
  const encoding = headerValue(raw, block, 'content-transfer-encoding') ?? '';
  switch (encoding.toLowerCase()) {
    case 'base64':
      return decodeBase64(raw, block.bodyStart, end) ?? Buffer.alloc(0);
    case 'quoted-printable':
      return decodeQuotedPrintable(raw, block.bodyStart, end).bytes;
    default:
      return raw.subarray(block.bodyStart, end);
  }
}

function blocksOf(body: Buffer): FieldBlock[] {
  const blocks: FieldBlock[] = [];
  for (let position = 0; position < body.length && blocks.length < mostBlocks; ) {
    const block = readHeaders(body, position);
    const fields = new Map<string, string>();
    for (const field of block.fields) {
      if (!fields.has(field.name)) fields.set(field.name, fieldValue(body, field));
    }
    if (fields.size > 0) blocks.push(fields);
    position = block.bodyStart;
  }
  return blocks;
}
