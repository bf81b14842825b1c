/**
 * Who may send now. Each destination has a lane with its own number of connections, lanes take turns, and what a slow
 * lane could not send soon is sent back to the queue, so that no destination fills the window that all share.
 *
 * A lane's width follows what its servers show (additive increase, multiplicative decrease): it begins narrow, widens
 * with each message they answer for, and halves when they cannot be reached.
 */
import type { Clock } from '../platform/clock.ts';

export interface LaneLimits {
  /** Messages sent at once, in all lanes. */
  readonly sending: number;
  /** Their bytes; one message alone may have more. */
  readonly bytesSending: number;
  readonly connectionsPerDestination: number;
}

export interface Job {
  readonly sizeBytes: number;
  /** Never rejects. `unreachable`: no server could be talked to. */
  run(): Promise<'served' | 'unreachable'>;
  /** Instead of running: back into the queue. */
  giveBack(dueAtMs: number): void;
}

interface Lane {
  readonly waiting: Job[];
  readonly startedAtMs: Set<{ readonly atMs: number }>;
  width: number;
  /** How long a message takes, averaged; undefined until the first is through. */
  serviceMs: number | undefined;
  /** When the lane will have room for the next message that is sent back. */
  freeAtMs: number;
  inTurn: boolean;
}

const firstWidth = 5;
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
  #waiting = 0;
  #sending = 0;
  #bytesSending = 0;

  constructor(clock: Clock, limits: LaneLimits) {
    this.#clock = clock;
    this.#limits = limits;
  }

  get waiting(): number {
    return this.#waiting;
  }

  get sending(): number {
    return this.#sending;
  }

  add(destination: string, job: Job): void {
    const lane = this.#lane(destination);
    const serviceMs = lane.serviceMs ?? 0;
    if (this.#waiting >= crowded && lane.waiting.length >= roomOf(lane, serviceMs)) {
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
    }
    this.#waiting = 0;
  }

  #lane(destination: string): Lane {
    let lane = this.#lanes.get(destination);
    if (lane === undefined) {
      if (this.#lanes.size >= maxLanes) this.#forgetOneAtRest();
      lane = {
        waiting: [],
        startedAtMs: new Set(),
        width: Math.min(firstWidth, this.#limits.connectionsPerDestination),
        serviceMs: undefined,
        freeAtMs: 0,
        inTurn: false,
      };
      this.#lanes.set(destination, lane);
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

  #queueUp(lane: Lane): void {
    if (lane.inTurn || lane.waiting.length === 0 || lane.startedAtMs.size >= lane.width) return;
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
    this.#sending++;
    this.#bytesSending += job.sizeBytes;
    const result = await job.run();
    this.#sending--;
    this.#bytesSending -= job.sizeBytes;
    lane.startedAtMs.delete(started);
    const tookMs = this.#clock.now() - started.atMs;
    lane.serviceMs =
      lane.serviceMs === undefined ? tookMs : lane.serviceMs * (1 - newestShare) + tookMs * newestShare;
    lane.width =
      result === 'served'
        ? Math.min(lane.width + 1, this.#limits.connectionsPerDestination)
        : Math.max(1, Math.floor(lane.width / 2));
    this.#queueUp(lane);
    this.#start();
  }

  #sendBack(lane: Lane, job: Job, serviceMs: number): void {
    const nowMs = this.#clock.now();
    const dueAtMs = Math.max(nowMs + allowanceMs, lane.freeAtMs);
    lane.freeAtMs = Math.min(dueAtMs + serviceMs / lane.width, nowMs + longestGiveBackMs);
    job.giveBack(Math.round(Math.min(dueAtMs, nowMs + longestGiveBackMs)));
  }
}

/** How many messages a lane can begin to send within the allowance; always one for each connection. */
function roomOf(lane: Lane, serviceMs: number): number {
  return serviceMs === 0 ? Infinity : lane.width * Math.max(1, Math.floor(allowanceMs / serviceMs));
}
