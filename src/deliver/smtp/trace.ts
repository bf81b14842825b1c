/**
 * How far an attempt has come, and what was said in it with the milliseconds since it began: for a person to read.
 * The content is left out; credentials never come here, because the session writes what stands for them itself.
 */
import type { Clock } from '../../platform/clock.ts';

const maxLineLength = 500;
const maxLength = 8000;

export class Trace {
  readonly startedAtMs: number;
  /** The server that was tried last, and by which address. */
  host = '';
  address = '';
  sourceAddress = '';
  /** Protocol, cipher and, in brackets, what verified the server; '' without TLS. */
  tls = '';
  readonly #clock: Clock;
  #dialogue = '';

  constructor(clock: Clock) {
    this.#clock = clock;
    this.startedAtMs = clock.now();
  }

  get dialogue(): string {
    return this.#dialogue;
  }

  /** What we said. */
  sent(line: string): void {
    this.#add('>', line);
  }

  /** What the server said. */
  received(line: string): void {
    this.#add('<', line);
  }

  /** What happened. */
  note(line: string): void {
    this.#add('*', line);
  }

  #add(mark: '>' | '<' | '*', line: string): void {
    if (this.#dialogue.length > maxLength) return;
    const short = line.length > maxLineLength ? `${line.slice(0, maxLineLength)}…` : line;
    const before = this.#dialogue === '' ? '' : '\n';
    this.#dialogue += `${before}+${this.#clock.now() - this.startedAtMs} ms ${mark} ${short}`;
  }
}
