/**
 * What recipients do after they got their mail, some at a time, in bounded number. A reaction that fails is logged and
 * forgotten: a recipient owes nobody anything.
 */
import type { Logger } from 'pino';
import type { Clock } from '../platform/clock.ts';

/** A person needs a moment, and so the sender has always noted the delivery first. */
const momentMs = 500;
const maxAtOnce = 20;
const maxWaiting = 10_000;

export class Reactions {
  readonly #clock: Clock;
  readonly #logger: Logger;
  readonly #signal: AbortSignal;
  readonly #waiting: (() => Promise<void>)[] = [];
  #running = 0;
  #idle = Promise.withResolvers<void>();

  /** @param signal when it aborts, what waits for its moment happens at once */
  constructor({ clock, logger, signal }: { clock: Clock; logger: Logger; signal: AbortSignal }) {
    this.#clock = clock;
    this.#logger = logger;
    this.#signal = signal;
    this.#idle.resolve();
  }

  add(reaction: () => Promise<void>): void {
    if (this.#waiting.length >= maxWaiting) {
      this.#logger.warn('a simulated recipient did nothing: too many others are at it');
      return;
    }
    if (this.#running === 0) this.#idle = Promise.withResolvers<void>();
    this.#waiting.push(reaction);
    if (this.#running < maxAtOnce) void this.#work();
  }

  /** Resolves when nothing is left to do. */
  get drained(): Promise<void> {
    return this.#idle.promise;
  }

  async #work(): Promise<void> {
    this.#running++;
    for (let reaction = this.#waiting.shift(); reaction !== undefined; reaction = this.#waiting.shift()) {
      await this.#clock.sleep(momentMs, this.#signal);
      try {
        await reaction();
      } catch (error) {
        this.#logger.warn({ err: error }, 'a simulated recipient could not do what it wanted to');
      }
    }
    if (--this.#running === 0) this.#idle.resolve();
  }
}
