/**
 * How many requests may be under way. A burst of endpoints with something to send is spread out, and yet one that hangs
 * must not keep a place from others for the 30 s that it may take: after a second a request counts as slow and gives its
 * place back, while it goes on. Endpoints that are failing have places of their own, so that however many are down, they
 * hold a bounded number of bodies and connections, and wait for one another only.
 */
import type { Clock } from '../platform/clock.ts';
import { Line } from '../platform/line.ts';

const quickPlaces = 128;
const quickMs = 1_000;
const probePlaces = 64;

export interface Slot {
  release(): void;
}

interface Waiter {
  readonly grant: () => void;
}

export class Slots {
  readonly #clock: Clock;
  readonly #closing: AbortSignal;
  /** Requests that hold a quick place. */
  readonly #quick = new Line<Slot & { readonly beganAtMs: number }>();
  readonly #quickWaiters = new Set<Waiter>();
  readonly #probeWaiters = new Set<Waiter>();
  #probes = 0;
  #expiring = false;

  /** @param closing ends what waits inside; waiting callers have signals of their own */
  constructor(clock: Clock, closing: AbortSignal) {
    this.#clock = clock;
    this.#closing = closing;
  }

  /** A place that is free, undefined if none is. */
  take(kind: 'quick' | 'probe'): Slot | undefined {
    return kind === 'quick' ? this.#takeQuick() : this.#takeProbe();
  }

  /** @returns undefined when the signal aborted first */
  async acquire(kind: 'quick' | 'probe', signal: AbortSignal): Promise<Slot | undefined> {
    const waiters = kind === 'quick' ? this.#quickWaiters : this.#probeWaiters;
    while (!signal.aborted) {
      const slot = this.take(kind);
      if (slot !== undefined) return slot;
      const granted = new Promise<void>((resolve) => {
        const grant = () => {
          waiters.delete(waiter);
          signal.removeEventListener('abort', grant);
          resolve();
        };
        const waiter: Waiter = { grant };
        waiters.add(waiter);
        signal.addEventListener('abort', grant, { once: true });
      });
      if (kind === 'quick') void this.#expire();
      await granted;
    }
    return undefined;
  }

  #takeQuick(): Slot | undefined {
    if (this.#quick.length >= quickPlaces) return undefined;
    const place = this.#quick.add({
      beganAtMs: this.#clock.now(),
      release: () => {
        if (this.#quick.remove(place)) wakeFirst(this.#quickWaiters);
      },
    });
    return place.item;
  }

  #takeProbe(): Slot | undefined {
    if (this.#probes >= probePlaces) return undefined;
    this.#probes += 1;
    return {
      release: () => {
        this.#probes -= 1;
        wakeFirst(this.#probeWaiters);
      },
    };
  }

  /** While somebody waits: takes the place of each request that has become slow. */
  async #expire(): Promise<void> {
    if (this.#expiring) return;
    this.#expiring = true;
    while (this.#quickWaiters.size > 0) {
      const oldest = this.#quick.first;
      if (oldest === undefined) break;
      const leftMs = oldest.beganAtMs + quickMs - this.#clock.now();
      if (leftMs > 0) await this.#clock.sleep(leftMs, this.#closing);
      oldest.release();
    }
    this.#expiring = false;
  }
}

function wakeFirst(waiters: ReadonlySet<Waiter>): void {
  const [first] = waiters;
  first?.grant();
}
