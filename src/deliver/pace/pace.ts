/**
 * How fast mail goes to one destination. It begins slowly, grows with each message that is answered for, up to the
 * destination's limits; halves when servers cannot be reached; and rests when they say that it is too fast, longer each
 * time that they say it again. It counts time as it is told and starts no timer.
 *
 * Its limit holds in every minute, wherever one begins to count: the few that may go at once after a pause are made up
 * for by a little more distance between all others.
 */
import type { Allowance } from './allowance.ts';
import type { DestinationLimits } from './destinations.ts';

/** What was learnt of a destination, to be kept. */
export interface Learnt {
  readonly connections: number;
  /** Null if there is no limit. */
  readonly perMinute: number | null;
  readonly paidUntilMs: number;
  readonly restUntilMs: number;
  readonly rests: number;
}

/** A new destination gets so many connections, or its limit if that is less. */
export const firstConnections = 5;
/** And so many messages a minute. */
const firstPerMinute = 60;
/** Of a minute's messages, how many may go at once after a pause. */
const burstShare = 1 / 20;
const minuteMs = 60_000;
const growth = 1.03;
/** However often it is told off, it tries a message in this time. */
const slowestPerMinute = 2;
export const firstRestMs = 30_000;
const longestRestMs = 30 * 60_000;
/** Of times that are sums of distances, in messages. */
const roundingError = 1e-6;

export class Pace implements Allowance {
  readonly #limits: DestinationLimits;
  readonly #minuteMs: number;
  #connections: number;
  #perMinute: number;
  /** When the messages so far would all have gone, had each kept its distance. */
  #paidUntilMs: number;
  #restUntilMs: number;
  /** Rests without a message taken in between. */
  #rests: number;

  /**
   * @param learnt of an earlier life; what is new now if undefined
   * @param spendMs how long after `pay` the message that was paid for may go
   */
  constructor(limits: DestinationLimits, learnt?: Learnt, spendMs = 0) {
    this.#limits = limits;
    this.#minuteMs = minuteMs + spendMs;
    this.#connections = Math.min(learnt?.connections ?? firstConnections, limits.connections);
    const first = limits.messagesPerMinute === Infinity ? Infinity : firstPerMinute;
    this.#perMinute = Math.min(learnt?.perMinute ?? first, limits.messagesPerMinute);
    this.#paidUntilMs = learnt?.paidUntilMs ?? 0;
    this.#restUntilMs = learnt?.restUntilMs ?? 0;
    this.#rests = learnt?.rests ?? 0;
  }

  get learnt(): Learnt {
    return {
      connections: this.#connections,
      perMinute: this.#perMinute === Infinity ? null : this.#perMinute,
      paidUntilMs: this.#paidUntilMs,
      restUntilMs: this.#restUntilMs,
      rests: this.#rests,
    };
  }

  /** Messages that may be sent at once. */
  get connections(): number {
    return this.#connections;
  }

  get plannedConnections(): number {
    return this.#connections;
  }

  /** Between two messages, on average. */
  get distanceMs(): number {
    return this.#perMinute === Infinity ? 0 : this.#minuteMs / (this.#perMinute - this.#burst + 1);
  }

  get restUntilMs(): number {
    return this.#restUntilMs;
  }

  /** When the next message may go; in the past if it may go now. */
  get readyAtMs(): number {
    const paidMs = this.#perMinute === Infinity ? 0 : this.#paidUntilMs - (this.#burst - 1) * this.distanceMs;
    return Math.max(this.#restUntilMs, paidMs);
  }

  /** How many may go now; Infinity where nothing limits them. */
  readyCount(nowMs: number): number {
    if (nowMs < this.#restUntilMs) return 0;
    if (this.#perMinute === Infinity) return Infinity;
    const aheadMs = Math.max(0, this.#paidUntilMs - nowMs);
    return Math.max(0, Math.floor(this.#burst - aheadMs / this.distanceMs + roundingError));
  }

  get #burst(): number {
    return Math.max(1, Math.floor(this.#perMinute * burstShare));
  }

  waits(): void {
    // One process alone has nobody to tell of its needs.
  }

  sent(nowMs: number): void {
    this.pay(1, nowMs);
  }

  /** So many messages go, now or within the time to spend. */
  pay(count: number, nowMs: number): void {
    if (this.#perMinute === Infinity) return;
    this.#paidUntilMs = Math.max(nowMs, this.#paidUntilMs) + count * this.distanceMs;
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
    const pentUpMs = (this.#burst - 1) * this.distanceMs;
    this.#paidUntilMs = Math.max(this.#paidUntilMs, this.#restUntilMs + pentUpMs);
    this.#rests++;
  }
}
