/**
 * Who may send now. Each destination has a lane with a pace of its own (`pace/pace.ts`), lanes take turns, and what a slow
 * lane could not send soon is sent back to the queue, so that no destination fills the window that all share.
 */
import type { Clock } from '../platform/clock.ts';
import { Deadlines, type Expiring } from './deadlines.ts';
import type { Destination } from './pace/destinations.ts';
import { Pace } from './pace/pace.ts';

export interface LaneLimits {
  /** Messages sent at once, in all lanes. */
  readonly sending: number;
  /** Their bytes; one message alone may have more. */
  readonly bytesSending: number;
}

/** `unreachable`: no server could be talked to. `too-fast`: it said that we are. */
export type JobResult = 'served' | 'unreachable' | 'too-fast';

export interface Job {
  readonly sizeBytes: number;
  /** Never rejects. */
  run(): Promise<JobResult>;
  /** Instead of running: back into the queue. */
  giveBack(dueAtMs: number): void;
}

interface Lane extends Expiring {
  readonly pace: Pace;
  readonly waiting: Job[];
  readonly startedAtMs: Set<{ readonly atMs: number }>;
  /** How long a message takes, averaged; undefined until the first is through. */
  serviceMs: number | undefined;
  /** When the lane will have room for the next message that is sent back. */
  freeAtMs: number;
  inTurn: boolean;
  /** When its pace lets it go on, Infinity while nothing waits for that. */
  deadlineMs: number;
}

/** While no more than these wait, in all lanes, nobody is in anybody's way. */
const crowded = 100;
/** When it is crowded, what a lane cannot begin to send within this goes back to the queue. */
const allowanceMs = 10_000;
/** A message that was sent back is looked at again within this, in case its destination has become faster. */
const longestGiveBackMs = 5 * 60_000;
const newestShare = 0.2;
/** What was learnt of a destination is kept while there are no more than these. */
const maxLanes = 5000;

export class Lanes {
  readonly #clock: Clock;
  readonly #limits: LaneLimits;
  readonly #lanes = new Map<string, Lane>();
  /** Lanes with something to send and a connection to spare. */
  #turns: Lane[] = [];
  readonly #resting: Deadlines;
  #waiting = 0;
  #sending = 0;
  #bytesSending = 0;

  constructor(clock: Clock, limits: LaneLimits) {
    this.#clock = clock;
    this.#limits = limits;
    this.#resting = new Deadlines(clock);
  }

  get waiting(): number {
    return this.#waiting;
  }

  get sending(): number {
    return this.#sending;
  }

  add(destination: Destination, job: Job): void {
    const lane = this.#lane(destination);
    const serviceMs = lane.serviceMs ?? 0;
    const full =
      lane.pace.restUntilMs > this.#clock.now() ||
      lane.waiting.length >= pacedRoomOf(lane) ||
      (this.#waiting >= crowded && lane.waiting.length >= roomOf(lane, serviceMs));
    if (full) {
      this.#sendBack(lane, job, serviceMs);
      return;
    }
    lane.waiting.push(job);
    this.#waiting++;
    this.#queueUp(lane);
    this.#start();
  }

  /** The window is full: lanes whose running messages already take long send back what they cannot send soon. */
  shed(): void {
    const nowMs = this.#clock.now();
    for (const lane of this.#lanes.values()) {
      const [oldest] = lane.startedAtMs;
      const serviceMs = Math.max(lane.serviceMs ?? 0, oldest === undefined ? 0 : nowMs - oldest.atMs);
      while (lane.waiting.length > roomOf(lane, serviceMs)) {
        const job = lane.waiting.pop();
        if (job === undefined) break;
        this.#waiting--;
        this.#sendBack(lane, job, serviceMs);
      }
    }
  }

  /** Everything that has not begun goes back, due at once. */
  clear(): void {
    const nowMs = this.#clock.now();
    for (const lane of this.#lanes.values()) {
      for (const job of lane.waiting.splice(0)) job.giveBack(nowMs);
      this.#resting.delete(lane);
    }
    this.#waiting = 0;
  }

  #lane({ name, limits }: Destination): Lane {
    let lane = this.#lanes.get(name);
    if (lane === undefined) {
      if (this.#lanes.size >= maxLanes) this.#forgetOneAtRest();
      const made: Lane = {
        pace: new Pace(limits),
        waiting: [],
        startedAtMs: new Set(),
        serviceMs: undefined,
        freeAtMs: 0,
        inTurn: false,
        deadlineMs: Infinity,
        expire: () => this.#goOn(made),
      };
      lane = made;
      this.#lanes.set(name, lane);
    }
    return lane;
  }

  #forgetOneAtRest(): void {
    for (const [destination, lane] of this.#lanes) {
      if (lane.waiting.length === 0 && lane.startedAtMs.size === 0) {
        this.#lanes.delete(destination);
        return;
      }
    }
  }

  #goOn(lane: Lane): void {
    lane.deadlineMs = Infinity;
    this.#resting.delete(lane);
    this.#queueUp(lane);
    this.#start();
  }

  #queueUp(lane: Lane): void {
    const { pace } = lane;
    if (lane.inTurn || lane.waiting.length === 0 || lane.startedAtMs.size >= pace.connections) return;
    if (pace.readyAtMs > this.#clock.now()) {
      lane.deadlineMs = pace.readyAtMs;
      this.#resting.moved(lane);
      return;
    }
    lane.inTurn = true;
    this.#turns.push(lane);
  }

  #start(): void {
    while (this.#sending < this.#limits.sending) {
      const lane = this.#turns[0];
      if (lane === undefined) return;
      const job = lane.waiting[0];
      const tooMuch =
        job !== undefined &&
        this.#sending > 0 &&
        this.#bytesSending + job.sizeBytes > this.#limits.bytesSending;
      if (tooMuch) return;
      this.#turns.shift();
      lane.inTurn = false;
      if (job === undefined) continue;
      lane.waiting.shift();
      this.#waiting--;
      void this.#run(lane, job);
      this.#queueUp(lane);
    }
  }

  async #run(lane: Lane, job: Job): Promise<void> {
    const started = { atMs: this.#clock.now() };
    lane.startedAtMs.add(started);
    lane.pace.sent(started.atMs);
    this.#sending++;
    this.#bytesSending += job.sizeBytes;
    const result = await job.run();
    this.#sending--;
    this.#bytesSending -= job.sizeBytes;
    lane.startedAtMs.delete(started);
    const tookMs = this.#clock.now() - started.atMs;
    lane.serviceMs =
      lane.serviceMs === undefined ? tookMs : lane.serviceMs * (1 - newestShare) + tookMs * newestShare;
    this.#learn(lane, result);
    this.#queueUp(lane);
    this.#start();
  }

  #learn(lane: Lane, result: JobResult): void {
    switch (result) {
      case 'served':
        return lane.pace.served();
      case 'unreachable':
        return lane.pace.unreachable();
      case 'too-fast':
        lane.pace.toldOff(this.#clock.now());
        lane.freeAtMs = Math.max(lane.freeAtMs, lane.pace.restUntilMs);
        this.#waiting -= lane.waiting.length;
        for (const job of lane.waiting.splice(0)) this.#sendBack(lane, job, lane.serviceMs ?? 0);
    }
  }

  #sendBack(lane: Lane, job: Job, serviceMs: number): void {
    const { connections, distanceMs, restUntilMs } = lane.pace;
    const nowMs = this.#clock.now();
    const latestMs = Math.max(nowMs, restUntilMs) + longestGiveBackMs;
    const dueAtMs = Math.max(nowMs + allowanceMs, lane.freeAtMs);
    lane.freeAtMs = Math.min(dueAtMs + Math.max(distanceMs, serviceMs / connections), latestMs);
    job.giveBack(Math.round(Math.min(dueAtMs, latestMs)));
  }
}

/** How many messages a lane can begin to send within the allowance; always one for each connection. */
function roomOf(lane: Lane, serviceMs: number): number {
  return serviceMs === 0
    ? Infinity
    : lane.pace.connections * Math.max(1, Math.floor(allowanceMs / serviceMs));
}

/** How many its pace lets go within the allowance. */
function pacedRoomOf({ pace }: Lane): number {
  return Math.max(pace.connections, Math.floor(allowanceMs / pace.distanceMs));
}
