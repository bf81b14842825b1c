/**
 * Slowing whoever guesses: failures counted by key (an address, a login) and forgotten one by one, in bounded memory.
 * Keeps what it is given as keys, so a key must never be a secret.
 */
import type { Clock } from './clock.ts';

/** Keys that are remembered; beyond it the oldest are forgotten. */
const maxRemembered = 20_000;

export interface Allowance {
  /** That may come at once. */
  readonly failures: number;
  /** How long it takes to forget one. */
  readonly forgetOneMs: number;
}

/**
 * Counts failures by key and forgets them one by one, in one number a key: the time at which all of them will be
 * forgotten (the generic cell rate algorithm).
 */
export class FailureMeter {
  readonly #forgottenAtMs = new BoundedMap<string, number>();
  readonly #allowance: Allowance;
  readonly #clock: Clock;

  constructor(allowance: Allowance, clock: Clock) {
    this.#allowance = allowance;
    this.#clock = clock;
  }

  /** How long until the key may fail once more, 0 if it may now. */
  waitMs(key: string): number {
    const owedMs = (this.#forgottenAtMs.get(key) ?? 0) - this.#clock.now();
    return Math.max(0, owedMs - (this.#allowance.failures - 1) * this.#allowance.forgetOneMs);
  }

  add(key: string): void {
    const fromMs = Math.max(this.#clock.now(), this.#forgottenAtMs.get(key) ?? 0);
    this.#forgottenAtMs.set(key, fromMs + this.#allowance.forgetOneMs);
  }
}

/** A map that forgets what was set longest ago. */
export class BoundedMap<Key, Value> {
  readonly #map = new Map<Key, Value>();

  get(key: Key): Value | undefined {
    return this.#map.get(key);
  }

  has(key: Key): boolean {
    return this.#map.has(key);
  }

  set(key: Key, value: Value): void {
    this.#map.delete(key);
    this.#map.set(key, value);
    if (this.#map.size <= maxRemembered) return;
    const [oldest] = this.#map.keys();
    if (oldest !== undefined) this.#map.delete(oldest);
  }

  delete(key: Key): void {
    this.#map.delete(key);
  }
}
