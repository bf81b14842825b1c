/**
 * Mail that comes in goes before mail that goes out: while the doors of this process take mail and the process has no
 * time to spare, only a few messages are sent at once, so that a burst is answered as fast as the disk takes it.
 *
 * It must never starve the queue: what has waited for so long as it may goes out as fast as it can, whoever is at the doors.
 */
import type { Clock } from '../platform/clock.ts';
import type { ClaimedMessage } from '../store/contract/queue.ts';

/** A door that took nothing for so long is quiet. */
const quietMs = 100;
const busyLoad = 0.8;
/** The load is that of so long a time at least: of a short one it is 0 or 1. */
const shortestWindowMs = 50;
/** What giving way may add to a message's time in the queue. */
const longestMs = 2000;
/** Sent at once meanwhile: with 4, a burst from 20 sessions was answered at 1,600 messages a second instead of 2,300. */
const fewSending = 2;

export class GiveWay {
  readonly #clock: Pick<Clock, 'now'>;
  readonly #loadSince: () => number;
  #load = 0;
  #measuredAtMs = -Infinity;
  #cameAtMs = -Infinity;
  #beganAtMs = -Infinity;
  #isLate = false;

  /** @param load which part of the time since it was asked last the process was busy, 0 to 1 */
  constructor({ clock, load }: { readonly clock: Pick<Clock, 'now'>; readonly load: () => number }) {
    this.#clock = clock;
    this.#loadSince = load;
  }

  /** A door of this process takes a message. */
  mailCame(): void {
    this.#cameAtMs = this.#clock.now();
  }

  /** How many may be sent at once now. */
  get mostSending(): number {
    const nowMs = this.#clock.now();
    const within = (sinceMs: number, longMs: number) => Math.abs(nowMs - sinceMs) < longMs;
    // Those few may take minutes: when none of them has made room for so long, others go.
    const mayWait = !this.#isLate && within(this.#beganAtMs, longestMs);
    const isPressed = mayWait && within(this.#cameAtMs, quietMs) && this.#loadAt(nowMs) >= busyLoad;
    return isPressed ? fewSending : Infinity;
  }

  /** A message is about to be sent: how long it has waited says whether the queue keeps up. */
  begins({ acceptedAtMs, attemptsMade }: Pick<ClaimedMessage, 'acceptedAtMs' | 'attemptsMade'>): void {
    this.#beganAtMs = this.#clock.now();
    if (attemptsMade === 0) this.#isLate = this.#beganAtMs - acceptedAtMs >= longestMs;
  }

  #loadAt(nowMs: number): number {
    if (Math.abs(nowMs - this.#measuredAtMs) >= shortestWindowMs) {
      this.#load = this.#loadSince();
      this.#measuredAtMs = nowMs;
    }
    return this.#load;
  }
}
