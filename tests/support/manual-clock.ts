/**
 * A clock that stands still until a test moves it. Sleepers wake in the order of their times, and each one's
 * continuation runs before the next wakes, so that a chain of sleeps within one `advance` comes out right.
 */
import type { Clock } from '../../src/platform/clock.ts';

interface Sleeper {
  readonly atMs: number;
  readonly wake: () => void;
}

export class ManualClock implements Clock {
  #nowMs: number;
  #sleepers: Sleeper[] = [];
  #watchers: (() => void)[] = [];

  constructor(startMs = Date.UTC(2030, 0, 1)) {
    this.#nowMs = startMs;
  }

  now(): number {
    return this.#nowMs;
  }

  sleep(ms: number, signal?: AbortSignal): Promise<void> {
    if (ms <= 0 || signal?.aborted) return Promise.resolve();
    return new Promise<void>((resolve) => {
      const wake = () => {
        this.#sleepers = this.#sleepers.filter((other) => other !== sleeper);
        signal?.removeEventListener('abort', wake);
        resolve();
      };
      const sleeper: Sleeper = { atMs: this.#nowMs + ms, wake };
      this.#sleepers.push(sleeper);
      signal?.addEventListener('abort', wake, { once: true });
      for (const watcher of this.#watchers) watcher();
    });
  }

  /** Moves the time on and wakes whoever's sleep ends in it; resolves when what they did at once is done. */
  async advance(ms: number): Promise<void> {
    const endMs = this.#nowMs + ms;
    await turnOfTheLoop();
    for (let next = this.#earliest(); next !== undefined && next.atMs <= endMs; next = this.#earliest()) {
      this.#nowMs = next.atMs;
      next.wake();
      await turnOfTheLoop();
    }
    this.#nowMs = endMs;
  }

  /** When the next sleeper wakes, undefined if nobody sleeps. */
  get nextWakeAtMs(): number | undefined {
    return this.#earliest()?.atMs;
  }

  /** Resolves once somebody sleeps until `atMs` or earlier: the sign that a loop has come to rest on the clock. */
  async someoneSleeps(untilMs = Infinity): Promise<void> {
    while ((this.nextWakeAtMs ?? Infinity) > untilMs || this.nextWakeAtMs === undefined) {
      await new Promise<void>((resolve) => {
        const watcher = () => {
          this.#watchers = this.#watchers.filter((other) => other !== watcher);
          resolve();
        };
        this.#watchers.push(watcher);
      });
    }
  }

  #earliest(): Sleeper | undefined {
    let earliest: Sleeper | undefined;
    for (const sleeper of this.#sleepers) {
      if (earliest === undefined || sleeper.atMs < earliest.atMs) earliest = sleeper;
    }
    return earliest;
  }
}

/** Promise continuations and callbacks that are ready run before this resolves. */
const turnOfTheLoop = () => new Promise<void>((resolve) => setImmediate(resolve));
