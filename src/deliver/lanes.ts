/**
 * Who may send now. Each destination has a lane with an allowance of its own (`pace/allowance.ts`), lanes take turns, and
 * what a slow lane could not send soon is sent back to the queue, so that no destination fills the window that all share.
 * All of them give way to mail that comes in (`give-way.ts`).
 */
import type { Clock } from '../platform/clock.ts';
import { Deadlines, type Expiring } from './deadlines.ts';
import type { GiveWay } from './give-way.ts';
import type { Allowance, Paces } from './pace/allowance.ts';
import type { Destination } from './pace/destinations.ts';
import { Slots } from './slots.ts';

export interface LaneLimits {
  /** Messages sent at once, in all lanes. */
  readonly sending: number;
  /** Their bytes; one message alone may have more. */
  readonly bytesSending: number;
}

/** `unreachable`: no server could be talked to. `too-fast`: it said that we are. `untried`: nothing was learnt of it. */
export type JobResult = 'served' | 'unreachable' | 'too-fast' | 'untried';

export interface Job {
  readonly sizeBytes: number;
  /** Never rejects. @param slots the connections to its destination */
  run(slots: Slots): Promise<JobResult>;
  /** Instead of running: back into the queue. */
  giveBack(dueAtMs: number): void;
}

interface Lane extends Expiring {
  readonly allowance: Allowance;
  readonly slots: Slots;
  readonly waiting: Job[];
  readonly startedAtMs: Set<{ readonly atMs: number }>;
  /** How long a message takes, averaged; undefined until the first is through. */
  serviceMs: number | undefined;
  /** When the lane will have room for the next message that is sent back. */
  freeAtMs: number;
  inTurn: boolean;
  /** When its allowance lets it go on, Infinity while nothing waits for that. */
  deadlineMs: number;
}

/** While no more than these wait, in all lanes, nobody is in anybody's way. */
const crowded = 100;
/** When it is crowded, what a lane cannot begin to send within this goes back to the queue. */
const soonMs = 10_000;
/** A message that was sent back is looked at again within this, in case its destination has become faster. */
const longestGiveBackMs = 5 * 60_000;
const newestShare = 0.2;
/** While it gives way. */
const lookAgainMs = 50;
/** What was learnt of a destination is kept while there are no more than these. */
const maxLanes = 5000;

export class Lanes {
  readonly #clock: Clock;
  readonly #limits: LaneLimits;
  readonly #paces: Paces;
  readonly #giveWay: Pick<GiveWay, 'mostSending'>;
  readonly #lanes = new Map<string, Lane>();
  /** Lanes with something to send and a connection to spare. */
  #turns: Lane[] = [];
  readonly #resting: Deadlines;
  /** When to look again whether it still has to give way. */
  readonly #givingWay = { deadlineMs: Infinity, expire: () => this.#lookAgain() };
  #waiting = 0;
  #sending = 0;
  #bytesSending = 0;

  constructor(clock: Clock, limits: LaneLimits, paces: Paces, giveWay: Pick<GiveWay, 'mostSending'>) {
    this.#giveWay = giveWay;
    this.#clock = clock;
    this.#limits = limits;
    this.#paces = paces;
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
      this.#isResting(lane) ||
      lane.waiting.length >= pacedRoomOf(lane) ||
      (this.#waiting >= crowded && lane.waiting.length >= roomOf(lane, serviceMs));
    if (full) {
      this.#sendBack(lane, job, serviceMs);
      return;
    }
    lane.waiting.push(job);
    this.#waiting++;
    lane.allowance.waits(lane.waiting.length);
    this.#queueUp(lane);
    this.#start();
  }

  /** The window is full: lanes whose running messages already take long send back what they cannot send soon. */
  shed(): void {
    const nowMs = this.#clock.now();
    for (const lane of this.#lanes.values()) {
      const [oldest] = lane.startedAtMs;
      const serviceMs = Math.max(lane.serviceMs ?? 0, oldest === undefined ? 0 : nowMs - oldest.atMs);
      this.#shorten(lane, roomOf(lane, serviceMs), serviceMs);
    }
  }

  /** Everything that has not begun goes back, due at once. */
  clear(): void {
    const nowMs = this.#clock.now();
    for (const lane of this.#lanes.values()) {
      for (const job of lane.waiting.splice(0)) job.giveBack(nowMs);
      lane.allowance.waits(0);
      this.#resting.delete(lane);
    }
    this.#waiting = 0;
    this.#stopLooking();
  }

  #lane(destination: Destination): Lane {
    let lane = this.#lanes.get(destination.name);
    if (lane === undefined) {
      if (this.#lanes.size >= maxLanes) this.#forgetOneAtRest();
      lane = this.#open(destination);
      this.#lanes.set(destination.name, lane);
    }
    return lane;
  }

  #open(destination: Destination): Lane {
    const slots: Slots = new Slots(() => allowance.connections);
    const allowance: Allowance = this.#paces.of(destination, slots, () => this.#hear(lane));
    const lane: Lane = {
      allowance,
      slots,
      waiting: [],
      startedAtMs: new Set(),
      serviceMs: undefined,
      freeAtMs: 0,
      inTurn: false,
      deadlineMs: Infinity,
      expire: () => this.#goOn(lane),
    };
    return lane;
  }

  #forgetOneAtRest(): void {
    for (const [destination, lane] of this.#lanes) {
      if (lane.waiting.length === 0 && lane.startedAtMs.size === 0) {
        lane.slots.trim(0);
        this.#paces.forget(lane.allowance);
        this.#lanes.delete(destination);
        return;
      }
    }
  }

  /** Its allowance has become another one. */
  #hear(lane: Lane): void {
    lane.slots.trim();
    if (this.#isResting(lane)) {
      this.#sendAllBack(lane);
    } else {
      this.#shorten(lane, pacedRoomOf(lane), lane.serviceMs ?? 0);
      this.#goOn(lane);
    }
  }

  #goOn(lane: Lane): void {
    lane.deadlineMs = Infinity;
    this.#resting.delete(lane);
    this.#queueUp(lane);
    this.#start();
  }

  #isResting({ allowance }: Lane): boolean {
    return allowance.restUntilMs > this.#clock.now();
  }

  #mayStart(lane: Lane): boolean {
    const { allowance, startedAtMs } = lane;
    return startedAtMs.size < allowance.connections && allowance.readyAtMs <= this.#clock.now();
  }

  #queueUp(lane: Lane): void {
    const { allowance } = lane;
    if (lane.inTurn || lane.waiting.length === 0 || lane.startedAtMs.size >= allowance.connections) return;
    if (!this.#mayStart(lane)) {
      lane.deadlineMs = allowance.readyAtMs;
      this.#resting.moved(lane);
      return;
    }
    lane.inTurn = true;
    this.#turns.push(lane);
  }

  #start(): void {
    const most = this.#giveWay.mostSending;
    while (this.#sending < Math.min(this.#limits.sending, most)) {
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
      // While it waited for its turn, its allowance may have run out.
      if (job !== undefined && this.#mayStart(lane)) {
        lane.waiting.shift();
        this.#waiting--;
        void this.#run(lane, job);
      }
      this.#queueUp(lane);
    }
    if (most < this.#limits.sending && this.#waiting > 0) this.#startLater();
  }

  /** What is being sent may take minutes, and the doors be quiet before. */
  #startLater(): void {
    if (this.#givingWay.deadlineMs < Infinity) return;
    this.#givingWay.deadlineMs = this.#clock.now() + lookAgainMs;
    this.#resting.moved(this.#givingWay);
  }

  #lookAgain(): void {
    this.#stopLooking();
    this.#start();
  }

  #stopLooking(): void {
    this.#givingWay.deadlineMs = Infinity;
    this.#resting.delete(this.#givingWay);
  }

  async #run(lane: Lane, job: Job): Promise<void> {
    const started = { atMs: this.#clock.now() };
    lane.startedAtMs.add(started);
    lane.slots.running++;
    lane.allowance.sent(started.atMs);
    lane.allowance.waits(lane.waiting.length);
    this.#sending++;
    this.#bytesSending += job.sizeBytes;
    const result = await job.run(lane.slots);
    this.#sending--;
    this.#bytesSending -= job.sizeBytes;
    lane.startedAtMs.delete(started);
    lane.slots.running--;
    this.#learn(lane, result, this.#clock.now() - started.atMs);
    this.#queueUp(lane);
    this.#start();
  }

  #learn(lane: Lane, result: JobResult, tookMs: number): void {
    // What was not tried took the time of something else.
    if (result !== 'untried') {
      lane.serviceMs =
        lane.serviceMs === undefined ? tookMs : lane.serviceMs * (1 - newestShare) + tookMs * newestShare;
    }
    switch (result) {
      case 'served':
        return lane.allowance.served();
      case 'unreachable':
        return lane.allowance.unreachable();
      case 'too-fast':
        lane.allowance.toldOff(this.#clock.now());
        return this.#sendAllBack(lane);
      case 'untried':
    }
  }

  #sendAllBack(lane: Lane): void {
    lane.freeAtMs = Math.max(lane.freeAtMs, lane.allowance.restUntilMs);
    this.#shorten(lane, 0, lane.serviceMs ?? 0);
  }

  /** Sends back what waits beyond `room`, and waited least. */
  #shorten(lane: Lane, room: number, serviceMs: number): void {
    if (lane.waiting.length <= room) return;
    const beyond = lane.waiting.splice(room);
    this.#waiting -= beyond.length;
    for (const job of beyond) this.#sendBack(lane, job, serviceMs);
    lane.allowance.waits(lane.waiting.length);
  }

  #sendBack(lane: Lane, job: Job, serviceMs: number): void {
    const { plannedConnections: connections, distanceMs, restUntilMs } = lane.allowance;
    const nowMs = this.#clock.now();
    const latestMs = Math.max(nowMs, restUntilMs) + longestGiveBackMs;
    const dueAtMs = Math.max(nowMs + soonMs, lane.freeAtMs);
    lane.freeAtMs = Math.min(dueAtMs + Math.max(distanceMs, serviceMs / connections), latestMs);
    job.giveBack(Math.round(Math.min(dueAtMs, latestMs)));
  }
}

/** How many messages a lane can begin to send soon; always one for each connection. */
function roomOf(lane: Lane, serviceMs: number): number {
  return serviceMs === 0
    ? Infinity
    : lane.allowance.plannedConnections * Math.max(1, Math.floor(soonMs / serviceMs));
}

/** How many its allowance lets go soon. */
function pacedRoomOf({ allowance }: Lane): number {
  return Math.max(allowance.plannedConnections, Math.floor(soonMs / allowance.distanceMs));
}
