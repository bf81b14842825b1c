/**
 * Several delivering processes with one destination between them, in a time that a test moves: the real lanes, slots and
 * shares, over a store in memory. Processes stand still and die as a test says; whoever watches from the destination's
 * side sees every open connection and every message.
 */
import { pino } from 'pino';
import { type JobResult, Lanes } from '../../src/deliver/lanes.ts';
import type { DestinationLimits } from '../../src/deliver/pace/destinations.ts';
import { JointPaces } from '../../src/deliver/pace/joint-paces.ts';
import { lentMs } from '../../src/deliver/pace/sharing.ts';
import type { SmtpSession } from '../../src/deliver/smtp/session.ts';
import type { Clock } from '../../src/platform/clock.ts';
import type { PaceStore } from '../../src/store/contract/paces.ts';
import { StoreBusyError } from '../../src/store/contract/store.ts';
import { ManualClock } from '../support/manual-clock.ts';

/** How often a process says that it lives. */
const sayEveryMs = 5_000;
/** After so long without a word a server hangs up. */
const silenceMs = 5 * 60_000;
const lookEveryMs = 10_000;
/** How long a connection takes to close. */
const closingMs = 40;

export interface WorldOptions {
  readonly limits: DestinationLimits;
  /** How long the destination takes for a message. */
  readonly serviceMs: number;
  /** Messages that a process sends at once, to whomever. */
  readonly sending?: number;
  /** What becomes of a message. */
  readonly result?: (process: string) => JobResult;
}

export class JointWorld {
  readonly clock = new ManualClock();
  readonly options: WorldOptions;
  readonly processes: JointProcess[] = [];
  /** As the destination counts them. */
  readonly sessions = new Set<FakeSession>();
  mostOpen = 0;
  readonly begun: { readonly process: string; readonly atMs: number }[] = [];
  readonly #states = new Map<string, string>();
  changes = 0;

  constructor(options: WorldOptions) {
    this.options = options;
  }

  start(name: string): JointProcess {
    const process = new JointProcess(this, name);
    this.processes.push(process);
    return process;
  }

  /** Time goes on; the destination hangs up where nobody has said anything for five minutes. */
  async pass(ms: number): Promise<void> {
    const endMs = this.clock.now() + ms;
    if (ms === 0) await this.clock.advance(0);
    while (this.clock.now() < endMs) {
      await this.clock.advance(Math.min(lookEveryMs, endMs - this.clock.now()));
      for (const session of this.sessions) {
        if (this.clock.now() - session.usedAtMs >= silenceMs) session.close();
      }
    }
  }

  opened(session: FakeSession): void {
    this.sessions.add(session);
    this.mostOpen = Math.max(this.mostOpen, this.sessions.size);
  }

  get open(): number {
    return this.sessions.size;
  }

  begunBy(name: string, sinceMs = 0): number {
    return this.begun.filter(({ process, atMs }) => process === name && atMs >= sinceMs).length;
  }

  /** The store as one process reaches it. */
  storeOf(process: JointProcess): PaceStore {
    return {
      processName: process.name,
      recent: async () => [],
      change: async (_, decide) => {
        await process.awake();
        if (process.isCutOff) throw new StoreBusyError('the database cannot be reached');
        const seenAtMs = (name: string) =>
          this.processes.find((other) => other.name === name)?.seenAtMs ?? Infinity;
        const { state, result } = decide(this.#states, seenAtMs);
        this.changes++;
        for (const [name, text] of state) this.#states.set(name, text);
        await process.awake();
        return result;
      },
    };
  }
}

export class JointProcess {
  readonly name: string;
  readonly #world: JointWorld;
  readonly #paces: JointPaces;
  readonly #lanes: Lanes;
  #state: 'running' | 'still' | 'dead' = 'running';
  #saidAtMs: number;
  #resume: (() => void) | undefined;
  #stillness: Promise<void> = Promise.resolve();
  readonly #sockets = new Set<FakeSession>();
  /** It does not reach the store, nor the store it. */
  isCutOff = false;

  constructor(world: JointWorld, name: string) {
    this.name = name;
    this.#world = world;
    this.#saidAtMs = world.clock.now();
    const clock = this.clock;
    const logger = pino({ level: 'silent' });
    this.#paces = new JointPaces({ store: world.storeOf(this), processName: name, clock, logger });
    const { sending = 400 } = world.options;
    this.#lanes = new Lanes(clock, { sending, bytesSending: 1e9 }, this.#paces, { mostSending: Infinity });
  }

  /** Time goes on for a process that stands still, and it does nothing in it. */
  get clock(): Clock {
    const { clock } = this.#world;
    return {
      now: () => clock.now(),
      sleep: async (ms, signal) => {
        await clock.sleep(ms, signal);
        await this.awake();
      },
    };
  }

  get waiting(): number {
    return this.#lanes.waiting;
  }

  get seenAtMs(): number {
    if (this.#state === 'dead' || this.isCutOff) return Infinity;
    const nowMs = this.#world.clock.now();
    if (this.#state === 'running') this.#saidAtMs = nowMs - (nowMs % sayEveryMs);
    return this.#saidAtMs;
  }

  awake(): Promise<void> {
    return this.#stillness;
  }

  /** Stops in the middle of whatever it does, with its connections open. */
  standStill(): void {
    if (this.#state !== 'running' || this.isCutOff) return;
    void this.seenAtMs;
    this.#state = 'still';
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#stillness = promise;
    this.#resume = resolve;
  }

  goOn(): void {
    if (this.#state !== 'still') return;
    this.#state = 'running';
    this.#resume?.();
    this.#stillness = Promise.resolve();
  }

  /** Not one that stands still: what is silent on both sides cannot be told from a dead one. */
  cutOff(): void {
    this.isCutOff = this.#state === 'running';
  }

  reconnect(): void {
    this.isCutOff = false;
  }

  /** The system closes its connections. */
  die(): void {
    if (this.#state === 'dead') return;
    this.isCutOff = false;
    this.standStill();
    this.#state = 'dead';
    for (const socket of this.#sockets) socket.close();
  }

  get isDead(): boolean {
    return this.#state === 'dead';
  }

  /** Messages for the destination, for as long as it takes: what is sent back comes again. */
  post(count: number): void {
    if (this.#state !== 'running') return;
    for (let n = 0; n < count; n++) this.#add();
  }

  /** As many as it would wait with. */
  fill(): void {
    for (let before = -1; this.waiting > before && this.waiting < 100; this.#add()) before = this.waiting;
  }

  #add(): void {
    this.#lanes.add(
      { name: 'mx.example.org', limits: this.#world.options.limits },
      {
        sizeBytes: 1,
        run: (slots) => this.#run(slots),
        giveBack: (dueAtMs) => void this.#comeAgain(dueAtMs),
      },
    );
  }

  async #comeAgain(dueAtMs: number): Promise<void> {
    const { clock } = this;
    await clock.sleep(dueAtMs - clock.now());
    this.#add();
  }

  async #run(slots: Parameters<Parameters<Lanes['add']>[1]['run']>[0]): Promise<JobResult> {
    const world = this.#world;
    let session = slots.use(() => true) as unknown as FakeSession | undefined;
    if (session === undefined) {
      await slots.room();
      const made = new FakeSession(world, this.clock, () => this.#sockets.delete(made));
      this.#sockets.add(made);
      session = made;
      slots.add(asSession(session));
    }
    session.usedAtMs = world.clock.now();
    world.begun.push({ process: this.name, atMs: world.clock.now() });
    await this.clock.sleep(world.options.serviceMs);
    session.usedAtMs = world.clock.now();
    if (session.usable) slots.rest(asSession(session));
    return world.options.result?.(this.name) ?? 'served';
  }
}

const asSession = (session: FakeSession) => session as unknown as SmtpSession;

class FakeSession {
  usable = true;
  usedAtMs = 0;
  readonly closed: Promise<void>;
  readonly #world: JointWorld;
  readonly #clock: Clock;
  readonly #letGo: () => void;

  constructor(world: JointWorld, clock: Clock, onClosed: () => void) {
    this.#world = world;
    this.#clock = clock;
    const { promise, resolve } = Promise.withResolvers<void>();
    this.closed = promise;
    this.#letGo = () => {
      onClosed();
      resolve();
    };
    this.usedAtMs = world.clock.now();
    world.opened(this);
  }

  quit(): void {
    this.usable = false;
    void this.#clock.sleep(closingMs).then(() => this.close());
  }

  close(): void {
    this.usable = false;
    this.#world.sessions.delete(this);
    this.#letGo();
  }
}

/** After this, what a dead process was lent is in use elsewhere. */
export const takenOverMs = lentMs + 5_000;
