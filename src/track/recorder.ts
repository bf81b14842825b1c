/**
 * Takes opens and clicks off the hands of those who answer the recipient: they wait here, in bounded memory, until the
 * log has them. Must never make an answer wait or fail; beyond the bound it counts what is lost instead.
 */
import type { Logger } from 'pino';
import type { Clock } from '../platform/clock.ts';
import type { EventLog, Report } from '../store/contract/log.ts';

interface RecorderParts {
  readonly log: Pick<EventLog, 'report'>;
  readonly clock: Clock;
  readonly logger: Pick<Logger, 'warn'>;
}

/** A report takes about a kilobyte with its URL and user agent. */
const mostWaiting = 20_000;
/** Enough to fill a group commit; the store bounds what all of them together may wait. */
const mostUnderWay = 256;
const firstRetryMs = 500;
const longestRetryMs = 30_000;
/** How long the end waits for a store that does not answer. */
const drainMs = 5_000;

export class Recorder implements AsyncDisposable {
  readonly #parts: RecorderParts;
  readonly #stop = new AbortController();
  readonly #waiting: Report[] = [];
  readonly #idlers: (() => void)[] = [];
  #underWay = 0;
  #resting = false;
  #retryMs = 0;
  #lost = 0;

  constructor(parts: RecorderParts) {
    this.#parts = parts;
  }

  record(report: Report): void {
    if (this.#waiting.length >= mostWaiting || this.#stop.signal.aborted) {
      this.#lose('opens and clicks find no room');
      return;
    }
    this.#waiting.push(report);
    this.#pump();
  }

  /** Resolves when everything recorded so far is in the log, or lost. */
  drained(): Promise<void> {
    return new Promise<void>((resolve) => {
      this.#idlers.push(resolve);
      this.#pump();
    });
  }

  /** Reports that found no room, or no store at the end. */
  get lost(): number {
    return this.#lost;
  }

  /** What waits is tried once more, and lost if the store does not take it now. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#stop.abort();
    const drained = new AbortController();
    await Promise.race([this.drained(), this.#parts.clock.sleep(drainMs, drained.signal)]);
    drained.abort();
  }

  #pump(): void {
    while (!this.#resting && this.#underWay < mostUnderWay) {
      const report = this.#waiting.shift();
      if (report === undefined) break;
      void this.#deliver(report);
    }
    if (this.#waiting.length === 0 && this.#underWay === 0) {
      for (const idle of this.#idlers.splice(0)) idle();
    }
  }

  async #deliver(report: Report): Promise<void> {
    this.#underWay++;
    try {
      await this.#parts.log.report(report);
      this.#retryMs = 0;
    } catch (error) {
      if (this.#stop.signal.aborted) {
        this.#lose('the store took no more opens and clicks');
      } else {
        this.#waiting.push(report);
        void this.#rest(error);
      }
    }
    this.#underWay--;
    this.#pump();
  }

  /** The store fails for all alike: everybody waits, and the waits grow. */
  async #rest(error: unknown): Promise<void> {
    if (this.#resting) return;
    this.#resting = true;
    this.#retryMs = Math.min(longestRetryMs, Math.max(firstRetryMs, this.#retryMs * 2));
    const { clock, logger } = this.#parts;
    logger.warn({ error, waiting: this.#waiting.length, retryMs: this.#retryMs }, 'opens and clicks wait');
    await clock.sleep(this.#retryMs, this.#stop.signal);
    this.#resting = false;
    this.#pump();
  }

  /** The first one is told of, and then every so many: a flood must not fill the log as well. */
  #lose(why: string): void {
    this.#lost++;
    if (this.#lost % mostWaiting === 1)
      this.#parts.logger.warn({ lost: this.#lost }, `${why}: they are lost`);
  }
}
