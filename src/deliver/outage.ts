/**
 * What the log says of a store that fails under delivery: a line when it begins and one when it is over, however many
 * messages notice it in between.
 */
import type { Logger } from 'pino';
import type { Clock } from '../platform/clock.ts';

export class Outage {
  readonly #clock: Clock;
  readonly #logger: Logger;
  #sinceMs: number | undefined;

  constructor({ clock, logger }: { readonly clock: Clock; readonly logger: Logger }) {
    this.#clock = clock;
    this.#logger = logger;
  }

  /** The store has failed. @param what could not be done, for the log */
  noticed(error: unknown, what: string): void {
    if (this.#sinceMs !== undefined) return;
    this.#sinceMs = this.#clock.now();
    this.#logger.error({ err: error }, `${what}; it is tried again until the store answers`);
  }

  /** The store has answered. */
  over(): void {
    if (this.#sinceMs === undefined) return;
    const lastedMs = this.#clock.now() - this.#sinceMs;
    this.#sinceMs = undefined;
    this.#logger.info({ lastedMs }, 'the store answers again');
  }
}
