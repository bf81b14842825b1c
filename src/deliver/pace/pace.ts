/**
 * How fast mail goes to one destination. It begins slowly, grows with each message that is answered for, up to the
 * destination's limits; halves when servers cannot be reached; and rests when they say that it is too fast, longer each
 * time that they say it again. It counts time as it is told and starts no timer.
 */
import type { DestinationLimits } from './destinations.ts';

/** A new destination gets so many connections, or its limit if that is less. */
const firstConnections = 5;
/** And so many messages a minute. */
const firstPerMinute = 60;
/** Of a minute's messages, how many may go at once after a pause. */
const burstShare = 1 / 6;
const growth = 1.03;
/** However often it is told off, it tries a message in this time. */
const slowestPerMinute = 2;
const firstRestMs = 30_000;
const longestRestMs = 30 * 60_000;

export class Pace {
  readonly #limits: DestinationLimits;
  #connections: number;
  #perMinute: number;
  /** When the messages so far would all have gone, had each kept its distance. */
  #paidUntilMs = 0;
  #restUntilMs = 0;
  /** Rests without a message taken in between. */
  #rests = 0;

  constructor(limits: DestinationLimits) {
    this.#limits = limits;
    this.#connections = Math.min(firstConnections, limits.connections);
    this.#perMinute = limits.messagesPerMinute === Infinity ? Infinity : firstPerMinute;
    this.#perMinute = Math.min(this.#perMinute, limits.messagesPerMinute);
  }

  /** Messages that may be sent at once. */
  get connections(): number {
    return this.#connections;
  }

  /** Between two messages, on average. */
  get distanceMs(): number {
    return this.#perMinute === Infinity ? 0 : 60_000 / this.#perMinute;
  }

  get restUntilMs(): number {
    return this.#restUntilMs;
  }

  /** When the next message may go; in the past if it may go now. */
  get readyAtMs(): number {
    const burstMs = Math.max(1, this.#perMinute * burstShare) * this.distanceMs;
    const paidMs = this.#perMinute === Infinity ? 0 : this.#paidUntilMs + this.distanceMs - burstMs;
    return Math.max(this.#restUntilMs, paidMs);
  }

  sent(nowMs: number): void {
    this.#paidUntilMs = Math.max(nowMs, this.#paidUntilMs) + this.distanceMs;
  }

  served(): void {
    this.#rests = 0;
    this.#connections = Math.min(this.#connections + 1, this.#limits.connections);
    this.#perMinute = Math.min(this.#perMinute * growth, this.#limits.messagesPerMinute);
  }

  unreachable(): void {
    this.#connections = Math.max(1, Math.floor(this.#connections / 2));
  }

  toldOff(nowMs: number): void {
    // What was under way when it began to rest says nothing new.
    if (nowMs < this.#restUntilMs) return;
    this.#connections = 1;
    const perMinute = this.#perMinute === Infinity ? firstPerMinute : this.#perMinute / 2;
    this.#perMinute = Math.max(Math.min(slowestPerMinute, this.#limits.messagesPerMinute), perMinute);
    this.#restUntilMs = nowMs + Math.min(longestRestMs, firstRestMs * 2 ** this.#rests);
    // After a rest there is no pent-up burst.
    this.#paidUntilMs = this.#restUntilMs + this.distanceMs;
    this.#rests++;
  }
}
