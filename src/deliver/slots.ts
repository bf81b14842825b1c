/**
 * The connections to one destination: how many are open, idle ones and those that are being closed included, for that
 * is what its servers count. It ends idle ones where there are too many, and decides nothing else.
 */
import type { SmtpSession } from './smtp/session.ts';

export class Slots {
  /** Messages under way, each with a connection or about to have one. */
  running = 0;
  readonly #allowed: () => number;
  readonly #open = new Set<SmtpSession>();
  /** Longest idle first; some may have ended by themselves. */
  readonly #idle = new Set<SmtpSession>();
  /** There is room for them, and they are about to be opened. */
  #claimed = 0;
  #waiting: (() => void)[] = [];

  /** @param allowed how many connections there may be now; a message that is under way has a right to one */
  constructor(allowed: () => number) {
    this.#allowed = allowed;
  }

  /** What the destination's servers may count now or in a moment. */
  get used(): number {
    return Math.max(this.#open.size, this.running);
  }

  /** Resolves when there is room for one more, which `add` must follow at once: an idle one may have to go first. */
  async room(): Promise<void> {
    while (this.#open.size + this.#claimed >= Math.max(this.#allowed(), this.running, 1)) {
      this.#quitIdle(1);
      await new Promise<void>((resolve) => this.#waiting.push(resolve));
    }
    this.#claimed++;
  }

  /** It begins to connect. */
  add(session: SmtpSession): void {
    this.#claimed--;
    this.#open.add(session);
    void session.closed.then(() => this.#left(session));
  }

  /** The session waits for its next message. */
  rest(session: SmtpSession): void {
    this.#idle.add(session);
    this.trim();
  }

  /** Of the idle ones that fit the one that was used last; it is idle no more. */
  use(fits: (session: SmtpSession) => boolean): SmtpSession | undefined {
    const session = [...this.#idle].findLast((idle) => idle.usable && fits(idle));
    if (session !== undefined) this.#idle.delete(session);
    return session;
  }

  /** Ends idle connections beyond what is allowed, or beyond `most`. */
  trim(most = this.#allowed()): void {
    if (this.#open.size <= most) return;
    const staying = [...this.#open].filter(({ usable }) => usable).length;
    this.#quitIdle(staying - most);
  }

  #quitIdle(count: number): void {
    const longest = [...this.#idle].filter(({ usable }) => usable).slice(0, Math.max(0, count));
    for (const session of longest) {
      this.#idle.delete(session);
      session.quit();
    }
  }

  #left(session: SmtpSession): void {
    this.#open.delete(session);
    this.#idle.delete(session);
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const look of waiting) look();
  }
}
