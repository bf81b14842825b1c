/**
 * Building MIME: parts to bytes, each in the plainest transfer encoding that carries it. Knows neither what the parts
 * mean nor where they came from; the same parts always give the same bytes.
 */
import {
  encodeBase64Lines,
  encodeQuotedPrintable,
  longestEncodedLine,
  longestLine,
} from './transfer-encoding.ts';

/** Of a message: text that is written as UTF-8, or bytes as they are. */
type Piece = string | Buffer;

/** The header lines of a part, each with its line break, and its encoded body. */
export interface Part {
  readonly headers: string;
  readonly body: readonly Piece[];
}

/** All pieces behind one another, in memory of their own. Each piece that stands beside text costs a write of its own. */
export function bytesOf(pieces: readonly Piece[]): Buffer {
  const joined: Piece[] = [];
  let text = '';
  for (const piece of pieces) {
    if (typeof piece === 'string') {
      text += piece;
      continue;
    }
    joined.push(text, piece);
    text = '';
  }
  joined.push(text);
  const sizeBytes = joined.reduce((sum, piece) => sum + Buffer.byteLength(piece), 0);
  const bytes = Buffer.allocUnsafeSlow(sizeBytes);
  let length = 0;
  for (const piece of joined) {
    length += typeof piece === 'string' ? bytes.write(piece, length) : piece.copy(bytes, length);
  }
  return bytes;
}

/** What base64 makes of a byte, with its line breaks: quoted-printable may be as long, and can be read. */
const base64Growth = (4 / 3) * (78 / 76);

const plain = /^[\t\r\n -~]*$/;

/** Text of any line breaks. */
export function textPart(type: 'text/plain' | 'text/html', text: string): Part {
  const lines = text.replaceAll(/\r\n?|\n/g, '\r\n');
  const headers = (encoding: string) =>
    `Content-Type: ${type}; charset=utf-8\r\nContent-Transfer-Encoding: ${encoding}\r\n`;
  if (plain.test(lines) && longestLineOf(lines) <= longestEncodedLine) {
    return { headers: headers('7bit'), body: [lines] };
  }
  const bytes = Buffer.from(lines);
  const quoted = encodeQuotedPrintable(bytes);
  return quoted.length <= bytes.length * base64Growth
    ? { headers: headers('quoted-printable'), body: [quoted.toString('latin1')] }
    : { headers: headers('base64'), body: [encodeBase64Lines(bytes)] };
}

/** @param headers what says how it is shown and named */
export function filePart(type: string, headers: string, content: Buffer): Part {
  const contentType = (value: string) => `Content-Type: ${value}\r\nContent-Transfer-Encoding: `;
  if (!/^message\//i.test(type)) {
    return { headers: `${contentType(type)}base64\r\n${headers}`, body: [encodeBase64Lines(content)] };
  }
  // RFC 2046 section 5.2.1: a message inside a message may not be encoded. One that cannot go so is sent as a file.
  const text = content.toString('latin1').replaceAll(/\r?\n/g, '\r\n');
  const body = Buffer.from(text, 'latin1');
  if (/\0|\r(?!\n)/.test(text) || longestLineOf(body) > longestLine) {
    return {
      headers: `${contentType('application/octet-stream')}base64\r\n${headers}`,
      body: [encodeBase64Lines(content)],
    };
  }
  const encoding = body.some((byte) => byte > 127) ? '8bit' : '7bit';
  return { headers: `${contentType(type)}${encoding}\r\n${headers}`, body: [body] };
}

/** @param boundary something that none of the parts holds */
export function multipart(subtype: string, boundary: string, parts: readonly Part[]): Part {
  return {
    headers: `Content-Type: multipart/${subtype}; boundary="${boundary}"\r\n`,
    body: [
      ...parts.flatMap(({ headers, body }) => [`--${boundary}\r\n${headers}\r\n`, ...body, '\r\n']),
      `--${boundary}--\r\n`,
    ],
  };
}

/** In bytes or ASCII characters, without the line break. */
function longestLineOf(lines: Piece): number {
  let longest = 0;
  for (let start = 0; start < lines.length; ) {
    const feed = lines.indexOf('\r\n', start);
    const end = feed < 0 ? lines.length : feed;
    longest = Math.max(longest, end - start);
    start = end + 2;
  }
  return longest;
}
