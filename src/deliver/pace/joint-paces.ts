/**
 * The paces of a process among several: each destination's is kept in the store, and this process has a share of it. It
 * asks for all that are due at once, a few times a second at most, and for none while there is nothing to send.
 */
import type { Logger } from 'pino';
import type { Clock } from '../../platform/clock.ts';
import { Wake } from '../../platform/wake.ts';
import type { PaceStore } from '../../store/contract/paces.ts';
import { Deadlines } from '../deadlines.ts';
import { Outage } from '../outage.ts';
import type { Slots } from '../slots.ts';
import type { Allowance, Paces } from './allowance.ts';
import type { Destination } from './destinations.ts';
import { OwnShare } from './own-share.ts';
import { Pace } from './pace.ts';
import { type Ask, type Grant, leave, share, type SharedPace } from './sharing.ts';

/** Between two askings, so that those which fall due together go together. */
const spacingMs = 250;
/** Destinations that are asked for at once. */
const mostAsks = 500;

export interface JointPacesDependencies {
  readonly store: PaceStore;
  readonly processName: string;
  readonly clock: Clock;
  readonly logger: Logger;
}

interface Answer {
  readonly grants: ReadonlyMap<string, Grant>;
  readonly atMs: number;
}

export class JointPaces implements Paces {
  readonly #deps: JointPacesDependencies;
  readonly #deadlines: Deadlines;
  readonly #outage: Outage;
  readonly #shares = new Set<OwnShare>();
  readonly #due = new Set<OwnShare>();
  readonly #wake = new Wake();
  readonly #stop = new AbortController();
  readonly #loop: Promise<void>;

  constructor(deps: JointPacesDependencies) {
    this.#deps = deps;
    this.#outage = new Outage(deps);
    this.#deadlines = new Deadlines(deps.clock);
    this.#loop = this.#run();
  }

  of(destination: Destination, slots: Slots, onChange: () => void): Allowance {
    if (destination.isOwn) return new Pace(destination.limits);
    const made = new OwnShare({
      clock: this.#deps.clock,
      processName: this.#deps.processName,
      destination,
      slots,
      onChange,
      onMoved: (share) => this.#deadlines.moved(share),
      onDue: (share) => {
        this.#due.add(share);
        this.#wake.wake();
      },
    });
    this.#shares.add(made);
    return made;
  }

  forget(allowance: Allowance): void {
    if (!(allowance instanceof OwnShare)) return;
    this.#shares.delete(allowance);
    this.#due.delete(allowance);
    this.#deadlines.delete(allowance);
  }

  /** Nothing is under way any more: others may have what this process was lent. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#stop.abort();
    await this.#loop;
    const lent = [...this.#shares].filter(({ isLent }) => isLent).map(({ name }) => name);
    for (const one of this.#shares) this.forget(one);
    for (let at = 0; at < lent.length; at += mostAsks) await this.#leave(lent.slice(at, at + mostAsks));
  }

  async #run(): Promise<void> {
    const { clock } = this.#deps;
    const { signal } = this.#stop;
    while (!signal.aborted) {
      await this.#wake.wait(clock, Infinity, signal);
      while (this.#due.size > 0 && !signal.aborted) {
        await this.#askFor([...this.#due].slice(0, mostAsks));
        await clock.sleep(spacingMs, signal);
      }
    }
  }

  async #askFor(shares: readonly OwnShare[]): Promise<void> {
    const asks = new Map<OwnShare, Ask>();
    for (const one of shares) {
      this.#due.delete(one);
      asks.set(one, one.ask());
    }
    try {
      const { grants, atMs } = await this.#exchange(new Map([...asks].map(([one, ask]) => [one.name, ask])));
      this.#outage.over();
      for (const [one, ask] of asks) {
        const grant = grants.get(one.name);
        if (grant !== undefined) one.hear(grant, { ask, askedAtMs: atMs });
      }
    } catch (error) {
      this.#outage.noticed(error, 'the store could not be asked how fast mail may go');
      for (const [one, ask] of asks) one.hearNothing(ask);
    }
  }

  #exchange(asks: ReadonlyMap<string, Ask>): Promise<Answer> {
    const { store, clock } = this.#deps;
    return store.change({ names: [...asks.keys()], nowMs: clock.now() }, (state, seenAtMs) => {
      const atMs = clock.now();
      const grants = new Map<string, Grant>();
      const changed = new Map<string, string>();
      for (const [name, ask] of asks) {
        const { kept, grant } = share(parsed(state.get(name)), ask, atMs, seenAtMs);
        changed.set(name, JSON.stringify(kept));
        grants.set(name, grant);
      }
      return { state: changed, result: { grants, atMs } };
    });
  }

  async #leave(names: readonly string[]): Promise<void> {
    const { store, processName, clock } = this.#deps;
    // What is not given back ends by itself.
    await store
      .change({ names, nowMs: clock.now() }, (state) => {
        const kept = [...state].map(([name, text]) => {
          const shared = parsed(text);
          return [name, shared === undefined ? text : JSON.stringify(leave(shared, processName))] as const;
        });
        return { state: new Map(kept), result: undefined };
      })
      .catch(() => undefined);
  }
}

const parsed = (text: string | undefined): SharedPace | undefined =>
  text === undefined ? undefined : (JSON.parse(text) as SharedPace);
