/** A message as it stands on the wire after DATA (RFC 5321 section 4.5.2). */

const dot = 0x2e;
const lineWithDot = Buffer.from('\r\n.');

/** Doubles the dots that begin a line. The same bytes come back where there are none, as nearly always. */
export function dataBlock(content: Uint8Array): Buffer {
  const bytes = Buffer.from(content.buffer, content.byteOffset, content.byteLength);
  const pieces: Buffer[] = [];
  let start = 0;
  if (bytes[0] === dot) pieces.push(Buffer.from('.'));
  for (let at = bytes.indexOf(lineWithDot); at !== -1; at = bytes.indexOf(lineWithDot, start)) {
    const afterDot = at + lineWithDot.byteLength;
    pieces.push(bytes.subarray(start, afterDot), Buffer.from('.'));
    start = afterDot;
  }
  return pieces.length === 0 ? bytes : Buffer.concat([...pieces, bytes.subarray(start)]);
}

/** What ends the content: the last line is ended first where it is not. */
export function endOfData(block: Buffer): string {
  const ended = block.at(-2) === 0x0d && block.at(-1) === 0x0a;
  return ended || block.byteLength === 0 ? '.\r\n' : '\r\n.\r\n';
}
