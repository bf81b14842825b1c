/**
 * The delivery loop: claims due messages ahead of the sending, gives each to its destination's lane, and settles every
 * attempt. Claims, sends and commits overlap; the loop rests until accept wakes it or the next message falls due.
 *
 * It must never settle what it has not tried or lose what it has claimed: whatever goes wrong, a message is settled,
 * released, or left to its lease's end.
 */
import type { Logger } from 'pino';
import type { Clock, Random } from '../platform/clock.ts';
import { Wake } from '../platform/wake.ts';
import type { PaceStore } from '../store/contract/paces.ts';
import type { ClaimedMessage, QueueStore, Settlement } from '../store/contract/queue.ts';
import { StoreBusyError } from '../store/contract/store.ts';
import { type AttemptEnd, makeAttempt } from './attempt.ts';
import { AttemptError } from './attempt-error.ts';
import { BodyCache, type BodyRead } from './body-cache.ts';
import { type ConnectionLimits, Connections } from './connections.ts';
import type { GiveWay } from './give-way.ts';
import { type JobResult, type LaneLimits, Lanes } from './lanes.ts';
import type { Paces } from './pace/allowance.ts';
import { openPaces } from './pace/open-paces.ts';
import { settlementOf } from './outcome.ts';
import { saysTooFast } from './pace/too-fast.ts';
import { Outage } from './outage.ts';
import type { Prepare } from './prepare.ts';
import type { RetrySettings } from './retry.ts';
import type { RoutePlan, Router } from './route.ts';
import type { Slots } from './slots.ts';
import { Trace } from './smtp/trace.ts';
import type { CountTls } from './tls/demand.ts';

export interface DeliverySettings {
  readonly retry: RetrySettings;
  readonly limits: DeliveryLimits;
}

export interface DeliveryLimits extends ConnectionLimits, LaneLimits {
  /** Messages claimed and not yet settled. */
  readonly claimed: number;
  /** Of those, the ones that wait for their turn; half of them is when more are claimed. */
  readonly waiting: number;
  /** Of those, the ones whose route is being looked up. */
  readonly routing: number;
  readonly bodyCacheBytes: number;
  /** A claim holds this long; attempts end before it does. */
  readonly leaseMs: number;
  /** From its beginning, whatever its stages do. */
  readonly attemptMs: number;
  /** When stopping, how long running attempts may take to come to their end. */
  readonly stopMs: number;
}

export const defaultLimits: DeliveryLimits = {
  claimed: 2000,
  waiting: 500,
  routing: 250,
  sending: 400,
  bytesSending: 128 * 2 ** 20,
  bodyCacheBytes: 16 * 2 ** 20,
  open: 500,
  idleMs: 20_000,
  connectMs: 30_000,
  replyMs: 2 * 60_000,
  contentMs: 10 * 60_000,
  attemptMs: 12 * 60_000,
  leaseMs: 20 * 60_000,
  stopMs: 8_000,
};

export interface Delivery extends AsyncDisposable {
  /** There may be something due: call it after each commit that queued a message. Cheap. */
  wake(): void;
  /** Resolves when nothing is due and nothing is being sent. */
  drained(): Promise<void>;
}

interface Dependencies {
  readonly queue: QueueStore;
  /** How fast mail may go where. */
  readonly paceStore: PaceStore;
  readonly router: Router;
  readonly prepare: Prepare;
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
  /** How TLS with recipients' servers comes out. */
  readonly countTls: CountTls;
  readonly settings: DeliverySettings;
  /** To mail that comes in by the doors of this process. */
  readonly giveWay: GiveWay;
  /** Stops it, as disposing does. */
  readonly signal?: AbortSignal;
}

export async function startDelivery(dependencies: Dependencies): Promise<Delivery> {
  const { paceStore: store, clock, logger } = dependencies;
  const delivery = new DeliveryLoop(dependencies, await openPaces({ store, clock, logger }));
  delivery.start();
  return delivery;
}

/** Between two looks at a queue that says something is due and gives nothing. */
const shortestRestMs = 100;
const longestRestMs = 60 * 60_000;
/** When the window is full and nothing moves, slow destinations are asked this often to make room. */
const shedEveryMs = 1000;
/** A store that fails is tried again after this. */
const storePauseMs = 500;
/** What was claimed while bodies could not be read comes back within this. */
const bodySpreadMs = 10_000;

/** Into the queue, untried. */
interface GivenBack {
  readonly dueAtMs: number;
}

class DeliveryLoop implements Delivery {
  readonly #queue: QueueStore;
  readonly #router: Router;
  readonly #prepare: Prepare;
  readonly #clock: Clock;
  readonly #random: Random;
  readonly #logger: Logger;
  readonly #outage: Outage;
  readonly #giveWay: GiveWay;
  readonly #retry: RetrySettings;
  readonly #limits: DeliveryLimits;
  readonly #bodies: BodyCache;
  readonly #connections: Connections;
  readonly #paces: Paces;
  readonly #lanes: Lanes;
  readonly #stop = new AbortController();
  readonly #stopped: AbortSignal;
  readonly #wake = new Wake();
  #loop: Promise<void> = Promise.resolve();
  /** Claimed and not yet settled. */
  #held = 0;
  #routing = 0;
  #wantsRoom = false;
  /** Counts wakes, to see one that comes while a claim is on its way. */
  #wakes = 0;
  #atRest = false;
  #restsUntilMs = 0;
  #cutOff = false;
  #restWatchers: (() => void)[] = [];

  constructor(dependencies: Dependencies, paces: Paces) {
    const { queue, router, prepare, clock, random, logger, countTls, settings, giveWay, signal } =
      dependencies;
    this.#queue = queue;
    this.#router = router;
    this.#prepare = prepare;
    this.#clock = clock;
    this.#random = random;
    this.#logger = logger;
    this.#outage = new Outage({ clock, logger });
    this.#giveWay = giveWay;
    this.#retry = settings.retry;
    this.#limits = settings.limits;
    this.#bodies = new BodyCache({ queue, clock, logger, maxBytes: settings.limits.bodyCacheBytes });
    this.#connections = new Connections({ clock, limits: settings.limits, countTls });
    this.#paces = paces;
    this.#lanes = new Lanes(clock, settings.limits, paces, giveWay);
    this.#stopped = signal === undefined ? this.#stop.signal : AbortSignal.any([signal, this.#stop.signal]);
  }

  start(): void {
    this.#loop = this.#run();
  }

  wake(): void {
    if (this.#stopped.aborted) return;
    this.#atRest = false;
    this.#wakes++;
    this.#wake.wake();
  }

  async drained(): Promise<void> {
    while (!(this.#atRest && this.#held === 0)) {
      await new Promise<void>((resolve) => this.#restWatchers.push(resolve));
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stop.abort();
    await this.#loop;
  }

  async #run(): Promise<void> {
    while (!this.#stopped.aborted) {
      const room = this.#room();
      const wakes = this.#wakes;
      this.#wantsRoom = room === 0;
      if (room === 0) {
        await this.#wake.wait(this.#clock, shedEveryMs, this.#stopped);
        // What waits for the store is no fault of its destination: it would be put off for how slow that seems.
        if (!this.#isStoreAway && this.#room() === 0) this.#lanes.shed();
      } else if ((await this.#claim(room)) < room && wakes === this.#wakes) {
        await this.#rest(wakes);
      }
    }
    await this.#finish();
  }

  /** How many to claim now: none until half of those that wait are on their way. */
  #room(): number {
    if (this.#isStoreAway) return 0;
    const { claimed, waiting, routing } = this.#limits;
    const held = this.#lanes.waiting + this.#routing;
    if (held > waiting / 2 || this.#routing >= routing) return 0;
    return Math.max(0, Math.min(waiting - held, claimed - this.#held, routing - this.#routing));
  }

  get #isStoreAway(): boolean {
    return this.#clock.now() < this.#bodies.awayUntilMs;
  }

  /** @returns how many came */
  async #claim(limit: number): Promise<number> {
    try {
      const { leaseMs } = this.#limits;
      const nowMs = this.#clock.now();
      const messages = await this.#queue.claim({ nowMs, leaseMs, limit });
      this.#outage.over();
      for (const message of messages) void this.#take(message, nowMs + leaseMs);
      return messages.length;
    } catch (error) {
      this.#outage.noticed(error, 'messages could not be claimed');
      await this.#clock.sleep(storePauseMs, this.#stopped);
      return limit;
    }
  }

  /** Until the next message falls due, or at once no more if a wake came since `wakes`. */
  async #rest(wakes: number): Promise<void> {
    const dueAtMs = await this.#nextDueAtMs();
    if (wakes !== this.#wakes || this.#stopped.aborted) return;
    const nowMs = this.#clock.now();
    this.#restsUntilMs = Math.min(nowMs + longestRestMs, Math.max(nowMs + shortestRestMs, dueAtMs));
    this.#atRest = true;
    this.#noteRest();
    await this.#wake.wait(this.#clock, this.#restsUntilMs - nowMs, this.#stopped);
    this.#atRest = false;
  }

  async #nextDueAtMs(): Promise<number> {
    try {
      return (await this.#queue.nextDueAtMs()) ?? Infinity;
    } catch (error) {
      this.#outage.noticed(error, 'the queue could not be read');
      return this.#clock.now() + storePauseMs;
    }
  }

  /** Carries one message to the end of its claim. Never rejects. */
  async #take(message: ClaimedMessage, leaseEndsAtMs: number): Promise<void> {
    this.#held++;
    try {
      const settlement = await this.#carry(message, leaseEndsAtMs);
      await this.#settle(settlement, leaseEndsAtMs);
      // The loop may rest, or be about to, until this message's lease would have ended.
      const dueAtMs = dueAgainAtMs(settlement);
      if (dueAtMs < (this.#atRest ? this.#restsUntilMs : Infinity)) this.wake();
    } catch (error) {
      this.#logger.error({ err: error, message: message.messageId }, 'left to the end of its lease');
    }
    this.#held--;
    this.#noteProgress();
    this.#noteRest();
  }

  async #carry(message: ClaimedMessage, leaseEndsAtMs: number): Promise<Settlement> {
    const { messageId, lease, suppressed: reason, stream } = message;
    if (reason !== undefined) {
      const detail = { reason, stream };
      return { messageId, lease, atMs: this.#clock.now(), outcome: 'skipped', detail };
    }
    let plan: RoutePlan;
    this.#routing++;
    try {
      plan = await this.#router(message);
    } catch (error) {
      if (!(error instanceof AttemptError)) throw error;
      return this.#judge(message, { trace: new Trace(this.#clock), result: error });
    } finally {
      this.#routing--;
    }
    if (this.#stopped.aborted) return this.#released(message, this.#clock.now());
    return new Promise<Settlement>((resolve, reject) => {
      this.#lanes.add(plan.destination, {
        sizeBytes: message.sizeBytes,
        giveBack: (dueAtMs) => resolve(this.#released(message, dueAtMs)),
        run: async (slots) => {
          this.#noteProgress();
          this.#giveWay.begins(message);
          try {
            const end = await this.#attempt(message, { plan, slots, leaseEndsAtMs });
            // Settling goes on while the lane already sends the next one.
            resolve('dueAtMs' in end ? this.#released(message, end.dueAtMs) : this.#judge(message, end));
            return 'dueAtMs' in end ? 'untried' : shownBy(end);
          } catch (error) {
            reject(error);
            return 'untried';
          }
        },
      });
    });
  }

  async #attempt(
    message: ClaimedMessage,
    { plan, slots, leaseEndsAtMs }: { plan: RoutePlan; slots: Slots; leaseEndsAtMs: number },
  ): Promise<AttemptEnd | GivenBack> {
    const nowMs = this.#clock.now();
    const limitMs = nowMs + this.#limits.attemptMs;
    const mayBeLost = limitMs >= leaseEndsAtMs || nowMs >= this.#queue.heldUntilMs(message.lease);
    if (this.#stopped.aborted || mayBeLost) return { dueAtMs: nowMs };
    const read = await this.#bodies.read(message.submissionId);
    if (read.kind !== 'read') return this.#withoutBody(read);
    const prepared = await this.#prepare(message, read.body);
    const end = await makeAttempt(plan.hosts, prepared, {
      connections: this.#connections,
      slots,
      clock: this.#clock,
      limitMs,
    });
    // We hung up, not the server: this was no attempt.
    const wasOurs = this.#cutOff && end.result instanceof AttemptError && !end.result.answered;
    return wasOurs ? { dueAtMs: this.#clock.now() } : end;
  }

  /** How an attempt without a body ends. What its place cannot give now comes back by and by. */
  #withoutBody(read: Exclude<BodyRead, { kind: 'read' }>): AttemptEnd | GivenBack {
    if (read.kind === 'away') {
      return { dueAtMs: Math.round(this.#bodies.awayUntilMs + bodySpreadMs * this.#random.unit()) };
    }
    const result =
      read.kind === 'gone'
        ? AttemptError.impossible('queue', '5.3.0', 'the message’s content is no longer kept')
        : AttemptError.unanswered('queue', 'the message’s content cannot be found', read.error);
    return { trace: new Trace(this.#clock), result };
  }

  #judge(message: ClaimedMessage, end: AttemptEnd): Settlement {
    const nowMs = this.#clock.now();
    const unit = this.#random.unit();
    const settlement = settlementOf(message, end, { nowMs, unit, retry: this.#retry });
    if (this.#logger.isLevelEnabled('debug')) {
      const { outcome } = settlement;
      const { host, address } = end.trace;
      const { code, enhancedCode } = end.result instanceof AttemptError ? end.result.answer : end.result;
      const { messageId } = message;
      this.#logger.debug({ message: messageId, outcome, host, address, code, enhancedCode }, 'attempt');
    }
    return settlement;
  }

  #released({ messageId, lease }: ClaimedMessage, dueAtMs: number): Settlement {
    return { messageId, lease, atMs: this.#clock.now(), outcome: 'released', dueAtMs };
  }

  /** An outcome that the server has told is stored as long as the lease lets us: a second delivery is the worse evil. */
  async #settle(settlement: Settlement, leaseEndsAtMs: number): Promise<void> {
    for (;;) {
      try {
        const stored = await this.#queue.settle(settlement);
        this.#outage.over();
        if (!stored) {
          const { messageId: message, outcome } = settlement;
          this.#logger.warn({ message, outcome }, 'the lease was lost before the outcome was stored');
        }
        return;
      } catch (error) {
        if (this.#clock.now() >= leaseEndsAtMs || this.#cutOff) throw error;
        this.#noteUnsettled(error, settlement);
        await this.#clock.sleep(storePauseMs);
      }
    }
  }

  #noteUnsettled(error: unknown, { messageId: message, outcome }: Settlement): void {
    const what = 'outcomes could not be stored';
    if (error instanceof StoreBusyError) this.#outage.noticed(error, what);
    // Of one message alone, whatever others come to.
    else this.#logger.error({ err: error, message, outcome }, what);
  }

  #noteProgress(): void {
    if (this.#wantsRoom && this.#room() > 0) this.#wake.wake();
  }

  #noteRest(): void {
    if (this.#held > 0 || !this.#atRest) return;
    const watchers = this.#restWatchers;
    this.#restWatchers = [];
    for (const watcher of watchers) watcher();
  }

  /** What runs may end, what waits goes back; after `stopMs` what still runs is cut off and goes back too. */
  async #finish(): Promise<void> {
    this.#lanes.clear();
    this.#atRest = true;
    const finished = new AbortController();
    const cutOff = this.#cutOffLater(finished.signal);
    await this.drained();
    finished.abort();
    await cutOff;
    this.#connections[Symbol.dispose]();
    await this.#paces[Symbol.asyncDispose]();
  }

  async #cutOffLater(unless: AbortSignal): Promise<void> {
    await this.#clock.sleep(this.#limits.stopMs, unless);
    if (unless.aborted) return;
    this.#cutOff = true;
    this.#connections[Symbol.dispose]();
  }
}

/** What an attempt shows of its destination. */
function shownBy({ result }: AttemptEnd): JobResult {
  if (!(result instanceof AttemptError)) return 'served';
  if (result.answered) return saysTooFast(result.answer) ? 'too-fast' : 'served';
  return result.permanent ? 'served' : 'unreachable';
}

function dueAgainAtMs(settlement: Settlement): number {
  if (settlement.outcome === 'deferred') return settlement.detail.nextAttemptAtMs;
  return settlement.outcome === 'released' ? settlement.dueAtMs : Infinity;
}
