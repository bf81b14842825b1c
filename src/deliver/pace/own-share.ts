/**
 * This process's share of one destination, as it was told last, and what it needs now. It begins nothing that it was not
 * lent and given: when its time has run out, because the store cannot be reached or the process stood still, it has none.
 */
import type { Clock } from '../../platform/clock.ts';
import type { Expiring } from '../deadlines.ts';
import type { Slots } from '../slots.ts';
import type { Allowance } from './allowance.ts';
import type { Destination } from './destinations.ts';
import { firstConnections, firstRestMs } from './pace.ts';
import { type Ask, betweenAsksMs, type Grant, lentMs, spendMs } from './sharing.ts';

/** A share is asked for anew so often while it is used. */
const renewMs = 5_000;
/** For clocks that do not agree: nobody else may think that the time is over before this process does. */
const marginMs = 5_000;

/** Messages that may go until a time. */
interface Given {
  left: number;
  readonly untilMs: number;
}

export interface ShareDependencies {
  readonly clock: Clock;
  readonly destination: Destination;
  readonly slots: Slots;
  readonly processName: string;
  /** The lane is to look again. */
  readonly onChange: () => void;
  /** `deadlineMs` has moved. */
  readonly onMoved: (share: OwnShare) => void;
  /** The store is to be asked. */
  readonly onDue: (share: OwnShare) => void;
}

export class OwnShare implements Allowance, Expiring {
  deadlineMs = Infinity;
  readonly #deps: ShareDependencies;
  /** As it was lent; used only until `#usableUntilMs`. */
  #connections = 0;
  /** The same, whatever has become of it. */
  #lastLent = 0;
  #usableUntilMs = 0;
  /** What others count: what it had open beyond its share as it asked. */
  #counted = 0;
  #given: Given[] = [];
  #isUnlimited = false;
  #wasTold = false;
  #restUntilMs = 0;
  /** Nothing is known of it before it was told. */
  #distanceMs = 0;
  #waiting = 0;
  #sentSinceAsked = 0;
  #served = 0;
  #unreachable = 0;
  #toldOffAtMs: number | undefined;
  #isAsking = false;
  #askedAtMs = -Infinity;
  #askAgainAtMs = 0;
  /** After a store that did not answer. */
  #notBeforeMs = 0;

  constructor(deps: ShareDependencies) {
    this.#deps = deps;
  }

  get name(): string {
    return this.#deps.destination.name;
  }

  /** Others count connections of this process here. */
  get isLent(): boolean {
    return this.#deps.clock.now() < this.#askedAtMs + lentMs;
  }

  get connections(): number {
    return this.#deps.clock.now() < this.#usableUntilMs ? this.#connections : 0;
  }

  get plannedConnections(): number {
    // A store that cannot be asked makes the destination no slower: it is soon lent again.
    if (this.#wasTold) return Math.max(1, this.#lastLent);
    return Math.min(firstConnections, this.#deps.destination.limits.connections);
  }

  get distanceMs(): number {
    return this.#distanceMs;
  }

  get restUntilMs(): number {
    return this.#restUntilMs;
  }

  get readyAtMs(): number {
    if (this.#deps.clock.now() < this.#restUntilMs) return this.#restUntilMs;
    return this.#isUnlimited || this.#messagesLeft > 0 ? 0 : Infinity;
  }

  waits(count: number): void {
    this.#waiting = count;
    this.#schedule();
  }

  sent(): void {
    this.#sentSinceAsked++;
    const given = this.#given.find(({ left }) => left > 0);
    if (given !== undefined) given.left--;
  }

  served(): void {
    this.#served++;
    this.#schedule();
  }

  unreachable(): void {
    this.#unreachable++;
    this.#schedule();
  }

  toldOff(nowMs: number): void {
    this.#toldOffAtMs = nowMs;
    // How long in truth, the store tells.
    this.#restUntilMs = Math.max(this.#restUntilMs, nowMs + firstRestMs);
    this.#schedule();
  }

  expire(): void {
    const nowMs = this.#deps.clock.now();
    if (this.#connections > 0 && nowMs >= this.#usableUntilMs) {
      this.#connections = 0;
      this.#deps.onChange();
    }
    this.#schedule();
  }

  /** What it asks for now. Until it hears of it, it keeps what it has. */
  ask(): Ask {
    const { slots, destination, processName } = this.#deps;
    const learnt = { served: this.#served, unreachable: this.#unreachable, toldOffAtMs: this.#toldOffAtMs };
    const ask = {
      process: processName,
      limits: destination.limits,
      open: slots.used,
      wants: this.#wants,
      messages: Math.max(0, this.#couldSend - this.#messagesLeft),
      ...learnt,
    };
    this.#isAsking = true;
    this.#served = 0;
    this.#unreachable = 0;
    this.#toldOffAtMs = undefined;
    this.#sentSinceAsked = 0;
    return ask;
  }

  /** @param askedAtMs what time it was for the store */
  hear(grant: Grant, { ask, askedAtMs }: { readonly ask: Ask; readonly askedAtMs: number }): void {
    this.#isAsking = false;
    this.#wasTold = true;
    this.#askedAtMs = askedAtMs;
    this.#askAgainAtMs = grant.askAgainAtMs;
    this.#connections = grant.connections;
    this.#lastLent = grant.connections;
    this.#counted = Math.max(grant.connections, ask.open);
    this.#usableUntilMs = grant.untilMs - marginMs;
    this.#isUnlimited = grant.messages === null;
    if (grant.messages) this.#given.push({ left: grant.messages, untilMs: askedAtMs + spendMs });
    // A word that was said meanwhile is not in the answer.
    this.#restUntilMs =
      this.#toldOffAtMs === undefined ? grant.restUntilMs : Math.max(grant.restUntilMs, this.#restUntilMs);
    this.#distanceMs = grant.distanceMs;
    this.#deps.onChange();
    this.#schedule();
  }

  /** The store could not be asked: what was learnt is told the next time. */
  hearNothing(ask: Ask): void {
    this.#isAsking = false;
    this.#served += ask.served;
    this.#unreachable += ask.unreachable;
    this.#toldOffAtMs ??= ask.toldOffAtMs;
    this.#notBeforeMs = this.#deps.clock.now() + betweenAsksMs;
    this.#schedule();
  }

  /** Connections that it has work for; an idle one may stay for the next message. */
  get #wants(): number {
    const { slots, destination } = this.#deps;
    const work = this.#waiting + slots.running;
    return Math.min(destination.limits.connections, work > 0 ? work : Math.min(1, slots.used));
  }

  get #messagesLeft(): number {
    const nowMs = this.#deps.clock.now();
    this.#given = this.#given.filter(({ left, untilMs }) => left > 0 && nowMs < untilMs);
    return this.#given.reduce((sum, { left }) => sum + left, 0);
  }

  /** By the time it asks again: what begins at once, and twice what went since it asked last, or two a connection. */
  get #couldSend(): number {
    const { plannedConnections: planned } = this;
    const free = Math.max(0, planned - this.#deps.slots.running);
    return Math.min(this.#waiting, free + 2 * Math.max(planned, this.#sentSinceAsked));
  }

  #schedule(): void {
    const nowMs = this.#deps.clock.now();
    const dueAtMs = this.#dueAtMs;
    if (dueAtMs <= nowMs) this.#deps.onDue(this);
    const endsAtMs = this.#connections > 0 ? this.#usableUntilMs : Infinity;
    const deadlineMs = Math.min(dueAtMs <= nowMs ? Infinity : dueAtMs, endsAtMs);
    if (deadlineMs === this.deadlineMs) return;
    this.deadlineMs = deadlineMs;
    this.#deps.onMoved(this);
  }

  /** When the store is to be asked; Infinity while nothing is needed of it. */
  get #dueAtMs(): number {
    return this.#isAsking ? Infinity : Math.max(this.#notBeforeMs, this.#neededAtMs);
  }

  get #neededAtMs(): number {
    if (this.#toldOffAtMs !== undefined) return 0;
    const { slots } = this.#deps;
    const soonestMs = this.#askedAtMs + betweenAsksMs;
    // Others are told as soon as there is less to be counted.
    if (this.#counted > this.#connections && this.#deps.clock.now() < this.#usableUntilMs) return soonestMs;
    if (this.#waiting + slots.running === 0) return this.#connections > 1 ? soonestMs : Infinity;
    const needsMore =
      this.#waiting > 0 &&
      (this.connections < this.#wants || (!this.#isUnlimited && this.#messagesLeft * 2 <= this.#couldSend));
    return needsMore ? Math.max(soonestMs, this.#askAgainAtMs) : this.#askedAtMs + renewMs;
  }
}
