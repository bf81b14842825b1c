/** The paces of a process that shares them with nobody: in memory, and kept in the store now and then for its next life. */
import type { Logger } from 'pino';
import type { Clock } from '../../platform/clock.ts';
import { Wake } from '../../platform/wake.ts';
import type { PaceStore } from '../../store/contract/paces.ts';
import type { Allowance, Paces } from './allowance.ts';
import type { Destination, DestinationLimits } from './destinations.ts';
import { type Learnt, Pace } from './pace.ts';
import type { SharedPace } from './sharing.ts';

/** What was learnt is kept at most so often, and only if something was. */
const keepEveryMs = 10_000;
const keptAtOnce = 500;
/** What is known of more destinations than these is not read again. */
const mostKnown = 5_000;

export interface LonePacesDependencies {
  readonly store: PaceStore;
  readonly clock: Clock;
  readonly logger: Logger;
}

class LonePace extends Pace {
  readonly name: string;
  readonly #onLearnt: (pace: LonePace) => void;

  constructor(
    { name, limits }: { readonly name: string; readonly limits: DestinationLimits },
    learnt: Learnt | undefined,
    onLearnt: (pace: LonePace) => void,
  ) {
    super(limits, learnt);
    this.name = name;
    this.#onLearnt = onLearnt;
  }

  override served(): void {
    super.served();
    this.#onLearnt(this);
  }

  override unreachable(): void {
    super.unreachable();
    this.#onLearnt(this);
  }

  override toldOff(nowMs: number): void {
    super.toldOff(nowMs);
    this.#onLearnt(this);
  }
}

export class LonePaces implements Paces {
  readonly #deps: LonePacesDependencies;
  /** Of earlier lives, and of lanes that were forgotten since. */
  readonly #known: Map<string, Learnt>;
  /** Learnt something that is not kept yet. */
  readonly #unkept = new Map<string, LonePace>();
  readonly #wake = new Wake();
  readonly #stop = new AbortController();
  readonly #loop: Promise<void>;

  private constructor(deps: LonePacesDependencies, known: Map<string, Learnt>) {
    this.#deps = deps;
    this.#known = known;
    this.#loop = this.#run();
  }

  static async open(deps: LonePacesDependencies): Promise<LonePaces> {
    const known = new Map<string, Learnt>();
    for (const { name, state } of await deps.store.recent(mostKnown)) {
      const { learnt } = JSON.parse(state) as SharedPace;
      if (learnt !== undefined) known.set(name, learnt);
    }
    return new LonePaces(deps, known);
  }

  of(destination: Destination): Allowance {
    return new LonePace(destination, this.#known.get(destination.name), (pace) => {
      this.#unkept.set(pace.name, pace);
      this.#wake.wake();
    });
  }

  forget(allowance: Allowance): void {
    if (!(allowance instanceof LonePace)) return;
    this.#known.delete(allowance.name);
    if (this.#known.size < mostKnown) this.#known.set(allowance.name, allowance.learnt);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stop.abort();
    await this.#loop;
    await this.#keep();
  }

  async #run(): Promise<void> {
    const { clock } = this.#deps;
    const { signal } = this.#stop;
    while (!signal.aborted) {
      await this.#wake.wait(clock, Infinity, signal);
      await clock.sleep(keepEveryMs, signal);
      if (!signal.aborted) await this.#keep();
    }
  }

  async #keep(): Promise<void> {
    const { store, clock, logger } = this.#deps;
    const paces = [...this.#unkept.values()];
    this.#unkept.clear();
    try {
      for (let at = 0; at < paces.length; at += keptAtOnce) {
        const some = paces.slice(at, at + keptAtOnce);
        const state = new Map(some.map((pace) => [pace.name, stateOf(pace)]));
        await store.change({ names: [...state.keys()], nowMs: clock.now() }, () => ({
          state,
          result: undefined,
        }));
      }
    } catch (error) {
      // It is learnt again.
      logger.warn({ err: error }, 'what was learnt of destinations could not be kept');
    }
  }
}

const stateOf = ({ learnt }: Pace): string => JSON.stringify({ learnt, shares: {} } satisfies SharedPace);
