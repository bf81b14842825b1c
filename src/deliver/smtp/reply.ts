/** Reads SMTP replies (RFC 5321 section 4.2) out of the bytes of a connection. Knows nothing of what was asked. */
import type { ServerAnswer } from '../../events/types.ts';

export interface Reply extends ServerAnswer {
  /** The lines without their codes, as EHLO needs them. */
  readonly lines: readonly string[];
  /** As it came, code included, line breaks as ` / `: for the dialogue. */
  readonly raw: string;
}

/** The server does not speak SMTP, or speaks without end. */
export class ReplyError extends Error {
  override readonly name = 'ReplyError';
}

const maxReplyBytes = 64 * 1024;
/** What is kept of a reply's text. */
const maxTextLength = 2000;

const lineFeed = 0x0a;

export class ReplyReader {
  #rest: Buffer | undefined;
  #lines: string[] = [];
  #bytes = 0;

  /** True while part of a reply is held. */
  get pending(): boolean {
    return this.#rest !== undefined || this.#lines.length > 0;
  }

  /** @returns the replies that `chunk` completes. @throws ReplyError */
  push(chunk: Buffer): Reply[] {
    const bytes = this.#rest === undefined ? chunk : Buffer.concat([this.#rest, chunk]);
    this.#rest = undefined;
    this.#bytes += chunk.byteLength;
    if (this.#bytes > maxReplyBytes) throw new ReplyError('its answer has no end');
    const replies: Reply[] = [];
    let start = 0;
    for (let end = bytes.indexOf(lineFeed); end !== -1; end = bytes.indexOf(lineFeed, start)) {
      const reply = this.#line(bytes.toString('utf8', start, end).trimEnd());
      if (reply !== undefined) replies.push(reply);
      start = end + 1;
    }
    if (start < bytes.byteLength) this.#rest = bytes.subarray(start);
    return replies;
  }

  #line(line: string): Reply | undefined {
    if (!/^[2-5]\d\d(?:[ -]|$)/.test(line)) throw new ReplyError('its answer is not SMTP');
    this.#lines.push(line);
    if (line[3] === '-') return undefined;
    const lines = this.#lines;
    this.#lines = [];
    this.#bytes = 0;
    return toReply(lines);
  }
}

function toReply(lines: readonly string[]): Reply {
  const last = lines.at(-1) ?? '';
  const code = last.slice(0, 3);
  // oxlint-disable-next-line no-control-regex -- what a stranger's server says is shown to people
  const texts = lines.map((line) => line.slice(4).replaceAll(/[\u0000-\u001f\u007f]/g, ' '));
  const enhancedCode = enhanced.exec(texts[0] ?? '')?.[0] ?? '';
  const ours = enhancedCode[0] === code[0] ? enhancedCode : '';
  const text = texts
    .map((line) => (ours !== '' && line.startsWith(ours) ? line.slice(ours.length) : line).trim())
    .filter((line) => line !== '')
    .join(' ')
    .slice(0, maxTextLength);
  return { code, enhancedCode: ours, text, lines: texts, raw: `${code} ${texts.join(' / ')}` };
}

/** RFC 3463 section 2. */
const enhanced = /^[245]\.\d{1,3}\.\d{1,3}(?=\s|$)/;
