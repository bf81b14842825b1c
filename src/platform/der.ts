/** As much of DER (ITU-T X.690) as a certificate needs to be written. Reads nothing. */

function element(tag: number, content: Uint8Array): Buffer {
  const length =
    content.length < 0x80
      ? [content.length]
      : content.length < 0x100
        ? [0x81, content.length]
        : [0x82, content.length >> 8, content.length & 0xff];
  if (content.length > 0xffff) throw new RangeError('longer than a certificate ever is');
  return Buffer.concat([Buffer.from([tag, ...length]), content]);
}

export const sequence = (...parts: Buffer[]) => element(0x30, Buffer.concat(parts));
export const set = (...parts: Buffer[]) => element(0x31, Buffer.concat(parts));
export const octetString = (bytes: Buffer) => element(0x04, bytes);
export const bitString = (bytes: Buffer) => element(0x03, Buffer.concat([Buffer.from([0]), bytes]));
export const utf8 = (text: string) => element(0x0c, Buffer.from(text));
export const boolean = (value: boolean) => element(0x01, Buffer.from([value ? 0xff : 0]));
/** Context-specific, around another element. */
export const explicit = (number: number, part: Buffer) => element(0xa0 | number, part);
/** Context-specific, instead of an element's own tag; for strings and addresses. */
export const implicit = (number: number, content: Buffer) => element(0x80 | number, content);

/** Of a number that is not negative, most significant byte first. */
export function integer(bytes: Buffer): Buffer {
  const first = bytes.findIndex((byte) => byte !== 0);
  const shortest = first < 0 ? Buffer.from([0]) : bytes.subarray(first);
  const negative = (shortest[0] ?? 0) >= 0x80;
  return element(0x02, negative ? Buffer.concat([Buffer.from([0]), shortest]) : shortest);
}

export function objectId(dotted: string): Buffer {
  const [first = 0, second = 0, ...rest] = dotted.split('.').map(Number);
  return element(0x06, Buffer.from([first * 40 + second, ...rest.flatMap(base128)]));
}

function base128(value: number): number[] {
  const bytes = [value & 0x7f];
  for (let left = value >>> 7; left > 0; left >>>= 7) bytes.unshift((left & 0x7f) | 0x80);
  return bytes;
}

/** UTCTime up to 2049, GeneralizedTime from then on (RFC 5280 section 4.1.2.5). */
export function time(ms: number): Buffer {
  const digits = `${new Date(ms).toISOString().replaceAll(/[-:T]/g, '').slice(0, 14)}Z`;
  return digits < '2050' ? element(0x17, Buffer.from(digits.slice(2))) : element(0x18, Buffer.from(digits));
}
