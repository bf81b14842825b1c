/**
 * The relaxed form of a body for DKIM (RFC 6376 section 3.4.4): runs of blanks as one space, none before a line break, no
 * empty lines at the end. Most bodies are in it already but for their end, and those are not copied.
 */

const cr = 13;
const lf = 10;
const space = 32;
const tab = 9;

export function relaxedBody(body: Buffer): Buffer {
  const relaxed = isRelaxedInside(body) ? body : collapsed(body);
  return withOneLastBreak(relaxed);
}

function isRelaxedInside(body: Buffer): boolean {
  return !body.includes('\t') && !body.includes('  ') && !body.includes(' \r\n') && body.at(-1) !== space;
}

function collapsed(body: Buffer): Buffer {
  const out = Buffer.allocUnsafe(body.length);
  let length = 0;
  let blank = false;
  for (let at = 0; at < body.length; at++) {
    const byte = body[at] ?? 0;
    if (byte === space || byte === tab) {
      blank = true;
      continue;
    }
    if (blank && !(byte === cr && body[at + 1] === lf)) out[length++] = space;
    blank = false;
    out[length++] = byte;
  }
  return out.subarray(0, length);
}

function withOneLastBreak(body: Buffer): Buffer {
  let end = body.length;
  while (end >= 2 && body[end - 1] === lf && body[end - 2] === cr) end -= 2;
  if (end === 0) return body.subarray(0, 0);
  return end + 2 <= body.length ? body.subarray(0, end + 2) : Buffer.concat([body, Buffer.from('\r\n')]);
}
