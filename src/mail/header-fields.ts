/**
 * Where the header fields of a message, or of a part of one, stand in its bytes. Nothing is decoded before it is
 * asked for: most mail passes through with only two or three of its fields read.
 */

export interface HeaderField {
  /** Lower case. */
  readonly name: string;
  /** From the first byte of the name to after the line break of its last line. */
  readonly start: number;
  readonly end: number;
  /** After the colon. */
  readonly valueStart: number;
}

export interface HeaderBlock {
  readonly fields: readonly HeaderField[];
  /** A line that is neither a field nor the continuation of one stands in the block. */
  readonly malformed: boolean;
  /** After the last field: the empty line, or the body when there is none. */
  readonly end: number;
  /** After the empty line. */
  readonly bodyStart: number;
}

const cr = 13;
const lf = 10;
const space = 32;
const tab = 9;
const colon = 58;

/** How far the end of a line is looked for byte by byte. */
const nearBytes = 160;

/**
 * Reads the header block that begins at `start`; it ends at the first empty line, at `limit` at the latest.
 * Lines may end in CRLF or LF.
 */
export function readHeaders(raw: Uint8Array, start = 0, limit = raw.length): HeaderBlock {
  const bytes = asBuffer(raw);
  const fields: HeaderField[] = [];
  let malformed = false;
  let position = start;
  while (position < limit) {
    const lineEnd = endOfLine(bytes, position, limit);
    const first = bytes[position];
    if (first === lf || (first === cr && bytes[position + 1] === lf)) {
      return { fields, malformed, end: position, bodyStart: lineEnd };
    }
    if (first === space || first === tab) {
      const last = fields.pop();
      if (last === undefined) malformed = true;
      else fields.push({ ...last, end: lineEnd });
    } else {
      const field = fieldAt(bytes, position, lineEnd);
      if (field === undefined) malformed = true;
      else fields.push(field);
    }
    position = lineEnd;
  }
  return { fields, malformed, end: position, bodyStart: position };
}

function fieldAt(bytes: Buffer, start: number, end: number): HeaderField | undefined {
  let colonAt = start;
  while (colonAt < end && bytes[colonAt] !== colon) colonAt++;
  if (colonAt === end) return undefined;
  // Blanks before the colon are the obsolete syntax of RFC 5322 section 4.5, still met.
  const name = bytes.toString('latin1', start, colonAt).trimEnd().toLowerCase();
  return isFieldName(name) ? { name, start, end, valueStart: colonAt + 1 } : undefined;
}

/** RFC 5322 section 2.2: printable ASCII without space and colon. */
export function isFieldName(name: string): boolean {
  return /^[!-9;-~]+$/.test(name);
}

/** After the line feed that ends the line, `limit` when none does. */
export function endOfLine(bytes: Buffer, position: number, limit: number): number {
  // Most lines are short: their bytes are looked at in half the time that the Buffer and the search below take.
  const near = Math.min(limit, position + nearBytes);
  for (let index = position; index < near; index++) {
    if (bytes[index] === lf) return index + 1;
  }
  if (near === limit) return limit;
  // Never looks beyond the limit: in a long line without end, every call would look through all of it.
  const feed = bytes.subarray(near, limit).indexOf(lf);
  return feed < 0 ? limit : near + feed + 1;
}

/** The field's value in one line, without the blanks around it. Not decoded; bytes that are no UTF-8 as Latin-1. */
export function fieldValue(raw: Uint8Array, field: HeaderField): string {
  const bytes = asBuffer(raw).subarray(field.valueStart, field.end);
  const text = bytes.toString('utf8');
  return (text.includes('\uFFFD') ? bytes.toString('latin1') : text).replaceAll(/\r?\n/g, '').trim();
}

export function findField({ fields }: HeaderBlock, name: string): HeaderField | undefined {
  return fields.find((field) => field.name === name);
}

/** The value of the first field of that name, undefined if there is none. */
export function headerValue(raw: Uint8Array, block: HeaderBlock, name: string): string | undefined {
  const field = findField(block, name);
  return field === undefined ? undefined : fieldValue(raw, field);
}

/** The same memory, with the methods of a Buffer. */
export function asBuffer(bytes: Uint8Array): Buffer {
  return Buffer.isBuffer(bytes) ? bytes : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}
