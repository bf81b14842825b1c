/**
 * From the bytes of a connection to command lines and message content, in bounded memory, whatever way the bytes are cut.
 * A message ends with CRLF.CRLF and nothing else: a CR or LF that stands alone is reported as soon as it is seen and
 * nothing after it is read, so that nobody can hide a second message behind an end that another server would see (SMTP
 * smuggling). One pass over the content, and one copy when it is whole.
 */

const cr = 0x0d;
const lf = 0x0a;
const dot = 0x2e;
const nothing: Buffer = Buffer.alloc(0);

/** Where in a line of content the last byte was. Constants, because an enum would need a build. */
const lineStart = 0;
const afterDot = 1;
const afterDotCr = 2;
const inLine = 3;
const afterCr = 4;

export interface ContentBounds {
  readonly messageBytes: number;
  /** Of one line, without its end. */
  readonly lineBytes: number;
  /** How much of a message that is too large is read to its end, so that its sender gets an answer. */
  readonly discardBytes: number;
  /** Asks for memory for `bytes` more; if it is refused the rest of the message is read and dropped. */
  readonly reserve: (bytes: number) => boolean;
}

export type ContentRead =
  | { readonly kind: 'message'; readonly content: Buffer }
  | { readonly kind: 'too-large' | 'line-too-long' | 'no-room' }
  /** Nothing more can be read after these two. */
  | { readonly kind: 'bare-line-end' | 'endless' };

type Fault = 'too-large' | 'line-too-long' | 'no-room';

export class SmtpReader {
  readonly #maxLineBytes: number;
  #input: Buffer = nothing;
  #at = 0;
  #lineTooLong = false;
  #content: ContentReader | undefined;

  constructor(maxLineBytes: number) {
    this.#maxLineBytes = maxLineBytes;
  }

  push(chunk: Buffer): void {
    this.#input =
      this.#at === this.#input.length ? chunk : Buffer.concat([this.#input.subarray(this.#at), chunk]);
    this.#at = 0;
  }

  /** Bytes that were pushed and not read. */
  get waitingBytes(): number {
    return this.#input.length - this.#at;
  }

  drop(): void {
    this.#at = this.#input.length;
  }

  /** The next command line without its end; undefined until it is whole. A bare LF ends one too: people type them. */
  readLine(): Buffer | 'too-long' | undefined {
    const end = this.#input.indexOf(lf, this.#at);
    if (end < 0) {
      if (this.waitingBytes <= this.#maxLineBytes) return undefined;
      // The beginning is not kept, so however long the line gets, it takes no memory.
      this.#lineTooLong = true;
      this.drop();
      return undefined;
    }
    const line = this.#input.subarray(
      this.#at,
      end > this.#at && this.#input[end - 1] === cr ? end - 1 : end,
    );
    this.#at = end + 1;
    const tooLong = this.#lineTooLong || line.length > this.#maxLineBytes;
    this.#lineTooLong = false;
    return tooLong ? 'too-long' : line;
  }

  startContent(bounds: ContentBounds): void {
    this.#content = new ContentReader(bounds);
  }

  /** The message that `startContent` announced; undefined until it is whole. */
  readContent(): ContentRead | undefined {
    const content = this.#content;
    if (content === undefined) throw new Error('no content was announced');
    this.#at += content.take(this.#at === 0 ? this.#input : this.#input.subarray(this.#at));
    if (content.result !== undefined) this.#content = undefined;
    return content.result;
  }
}

class ContentReader {
  readonly #bounds: ContentBounds;
  readonly #pieces: Buffer[] = [];
  #keptBytes = 0;
  #readBytes = 0;
  #lineBytes = 0;
  #state = lineStart;
  #fault: Fault | undefined;
  result: ContentRead | undefined;

  constructor(bounds: ContentBounds) {
    this.#bounds = bounds;
  }

  /** Reads up to the end of the message or of the chunk. @returns how many bytes it has read */
  take(chunk: Buffer): number {
    const end = this.#scan(chunk);
    this.#readBytes += end;
    const { messageBytes, discardBytes } = this.#bounds;
    if (this.result === undefined && this.#readBytes > messageBytes + discardBytes) {
      this.result = { kind: 'endless' };
    }
    return end;
  }

  #scan(chunk: Buffer): number {
    let state = this.#state;
    /** Where in the chunk the bytes to keep begin that are not kept yet. */
    let from = 0;
    /** Where the line began, negative if in an earlier chunk. */
    let lineFrom = -this.#lineBytes;
    for (let i = 0; i < chunk.length; i++) {
      const byte = chunk[i];
      if (state === inLine && byte !== cr && byte !== lf) continue;
      if (byte === lf) {
        if (state === afterDotCr) {
          this.#finish();
          return i + 1;
        }
        if (state !== afterCr) return this.#bareLineEnd(i);
        this.#checkLine(i - 1 - lineFrom);
        lineFrom = i + 1;
        state = lineStart;
      } else if (state === afterCr || state === afterDotCr) {
        return this.#bareLineEnd(i);
      } else if (byte === cr) {
        if (state === afterDot) {
          // Either the end of the message, whose CR is not content, or a bare CR.
          this.#keep(chunk.subarray(from, i));
          from = i + 1;
          state = afterDotCr;
        } else {
          state = afterCr;
        }
      } else if (state === lineStart && byte === dot) {
        // The dot that transparency added (RFC 5321 section 4.5.2), or the first one of the end.
        this.#keep(chunk.subarray(from, i));
        from = i + 1;
        state = afterDot;
      } else {
        state = inLine;
      }
    }
    this.#state = state;
    this.#lineBytes = chunk.length - lineFrom;
    this.#checkLine(this.#lineBytes);
    this.#keep(chunk.subarray(from));
    return chunk.length;
  }

  #checkLine(bytes: number): void {
    if (bytes > this.#bounds.lineBytes) this.#drop('line-too-long');
  }

  #keep(piece: Buffer): void {
    if (piece.length === 0 || this.#fault !== undefined) return;
    this.#keptBytes += piece.length;
    if (this.#keptBytes > this.#bounds.messageBytes) this.#drop('too-large');
    else if (this.#bounds.reserve(piece.length)) this.#pieces.push(piece);
    else this.#drop('no-room');
  }

  #drop(fault: Fault): void {
    this.#fault ??= fault;
    this.#pieces.length = 0;
  }

  #finish(): void {
    const [first = nothing] = this.#pieces;
    this.result =
      this.#fault === undefined
        ? { kind: 'message', content: this.#pieces.length > 1 ? Buffer.concat(this.#pieces) : first }
        : { kind: this.#fault };
  }

  #bareLineEnd(at: number): number {
    this.result = { kind: 'bare-line-end' };
    return at + 1;
  }
}
