/**
 * Base32 (RFC 4648 alphabet in lower case, no padding): for tokens in the local part of an address, whose case a
 * server on the way may change.
 */

const alphabet = 'abcdefghijklmnopqrstuvwxyz234567';

export function toBase32(bytes: Uint8Array): string {
  let text = '';
  let bits = 0;
  let held = 0;
  for (const byte of bytes) {
    held = (held << 8) | byte;
    bits += 8;
    for (; bits >= 5; bits -= 5) text += alphabet.charAt((held >>> (bits - 5)) & 31);
    held &= 0xff;
  }
  return bits === 0 ? text : text + alphabet.charAt((held << (5 - bits)) & 31);
}

/** @returns undefined for text that `toBase32` never makes, but for its case */
export function fromBase32(text: string): Buffer | undefined {
  const bytes = Buffer.alloc(Math.floor((text.length * 5) / 8));
  let filled = 0;
  let bits = 0;
  let held = 0;
  for (const character of text.toLowerCase()) {
    const value = alphabet.indexOf(character);
    if (value < 0) return undefined;
    held = (held << 5) | value;
    bits += 5;
    if (bits >= 8) {
      bits -= 8;
      bytes[filled++] = (held >>> bits) & 0xff;
    }
    held &= 0xff;
  }
  // Left-over bits must be zero and fewer than a character's, or two texts would mean the same bytes.
  return bits < 5 && (held & ((1 << bits) - 1)) === 0 ? bytes : undefined;
}
