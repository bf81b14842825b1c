/** The bytes inside a token: whole numbers as LEB128, texts as UTF-8 with their length before them. */

/** Seven bits a byte, the lowest first; the top bit says that more follow. Safe integers take eight bytes at most. */
export function numberBytes(value: number): Buffer {
  const bytes: number[] = [];
  let rest = value;
  for (; rest >= 128; rest = Math.floor(rest / 128)) bytes.push((rest % 128) + 128);
  bytes.push(rest);
  return Buffer.from(bytes);
}

export function textBytes(value: string): Buffer {
  const text = Buffer.from(value);
  return Buffer.concat([numberBytes(text.length), text]);
}

/**
 * Reads what was written, in its order. Only ever given bytes whose authentication was checked, so that a payload
 * which does not fit is a fault of the program, not of a stranger: it throws.
 */
export class PayloadReader {
  readonly #bytes: Buffer;
  #position = 0;

  constructor(bytes: Buffer) {
    this.#bytes = bytes;
  }

  number(): number {
    let value = 0;
    for (let factor = 1; ; factor *= 128) {
      const byte = this.#bytes[this.#position++];
      if (byte === undefined) throw new RangeError('a token payload ends too soon');
      value += (byte % 128) * factor;
      if (byte < 128) return value;
    }
  }

  text(): string {
    const length = this.number();
    const start = this.#position;
    this.#position += length;
    return this.#bytes.toString('utf8', start, this.#position);
  }

  rest(): string {
    const text = this.#bytes.toString('utf8', this.#position);
    this.#position = this.#bytes.length;
    return text;
  }
}
