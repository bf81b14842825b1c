/**
 * Ends what has waited too long, with one sleeper for all of it: a timer for each SMTP reply would cost more than the
 * reply. A deadline may be moved at any time by writing it; whoever moves one calls `moved`.
 */
import type { Clock } from '../platform/clock.ts';

export interface Expiring {
  /** Infinity while nothing is waited for. */
  readonly deadlineMs: number;
  /** Called once the deadline has passed, until it is moved or the entry is deleted. */
  expire(): void;
}

export class Deadlines {
  readonly #clock: Clock;
  readonly #entries = new Set<Expiring>();
  #sleepsUntilMs = Infinity;
  #sleeper: AbortController | undefined;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  delete(entry: Expiring): void {
    this.#entries.delete(entry);
    if (this.#entries.size === 0) this.#wakeNever();
  }

  moved(entry: Expiring): void {
    this.#entries.add(entry);
    // Most deadlines move later, past the sleeper's: it finds them when it looks the next time.
    if (entry.deadlineMs < this.#sleepsUntilMs) this.#sleepUntil(entry.deadlineMs);
  }

  #sleepUntil(atMs: number): void {
    this.#wakeNever();
    if (atMs === Infinity) return;
    const sleeper = new AbortController();
    this.#sleeper = sleeper;
    this.#sleepsUntilMs = atMs;
    void this.#sleep(atMs - this.#clock.now(), sleeper.signal);
  }

  async #sleep(ms: number, signal: AbortSignal): Promise<void> {
    await this.#clock.sleep(ms, signal);
    if (!signal.aborted) this.#look();
  }

  #wakeNever(): void {
    this.#sleeper?.abort();
    this.#sleeper = undefined;
    this.#sleepsUntilMs = Infinity;
  }

  #look(): void {
    const nowMs = this.#clock.now();
    for (const entry of this.#entries) {
      if (entry.deadlineMs <= nowMs) entry.expire();
    }
    let earliestMs = Infinity;
    for (const { deadlineMs } of this.#entries) {
      if (deadlineMs > nowMs) earliestMs = Math.min(earliestMs, deadlineMs);
    }
    this.#sleepUntil(earliestMs);
  }
}
