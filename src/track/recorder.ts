/**
 * Takes opens and clicks off the hands of those who answer the recipient: they wait in bounded memory, then in a bounded
 * spool on disk, until the log has them; only beyond that they are lost, and counted. Says of each who it is taken to
 * have been. Must never make an answer wait or fail.
 */
import type { Logger } from 'pino';
import type { VisitorKind } from '../events/types.ts';
import type { Clock } from '../platform/clock.ts';
import type { EventLog } from '../store/contract/log.ts';
import { Habits } from './habits.ts';
import type { Spool } from './spool.ts';
import { visitorOf } from './visitor.ts';
import type { Visit } from './visit.ts';

interface RecorderParts {
  readonly log: Pick<EventLog, 'report' | 'finishedAtMs'>;
  readonly spool: Pick<Spool, 'add' | 'hold' | 'take' | 'isEmpty' | 'bytes'>;
  readonly clock: Clock;
  readonly logger: Pick<Logger, 'warn'>;
}

/** Visits under way that were written down together; when all of them are done they are taken away. */
interface Hold {
  left: number;
  readonly release: () => Promise<void>;
}

/** A visit takes about a kilobyte with its URL and user agent. */
const mostWaiting = 20_000;
/** So many go to disk together, while there is still room for those that come meanwhile. */
const spillAt = 10_000;
/** Enough to fill a group commit; the store bounds what all of them together may wait. */
const mostUnderWay = 256;
/** What has waited so long for a store that does not answer goes to disk: a crash would lose what is in memory. */
const patienceMs = 1000;
const firstRetryMs = 500;
const longestRetryMs = 30_000;
/** How long the end waits for a store that does not answer. */
const drainMs = 5_000;
/** A click is judged when it can be seen whether it was one of many at once. */
const judgeAfterMs = 2000;

export class Recorder implements AsyncDisposable {
  readonly #parts: RecorderParts;
  readonly #stop = new AbortController();
  readonly #habits = new Habits();
  /** Clicks too fresh to be judged, in the order of their times. */
  readonly #fresh: Visit[] = [];
  readonly #waiting: Visit[] = [];
  readonly #underWay = new Set<Visit>();
  /** Of those under way, which are on disk as well. */
  readonly #held = new Map<Visit, Hold>();
  /** What the store did not take at the end. */
  readonly #leftOver: Visit[] = [];
  readonly #idlers: (() => void)[] = [];
  readonly #counts = new Map<string, number>();
  #ripening = false;
  #spilling = false;
  #readingBack: Promise<void> | undefined;
  #guarding = false;
  #resting = false;
  #retryMs = 0;
  #stored = 0;
  #lost = 0;

  constructor(parts: RecorderParts) {
    this.#parts = parts;
    this.#readBack();
  }

  record(visit: Visit): void {
    this.#habits.note(visit);
    if (this.waiting >= mostWaiting || this.#stop.signal.aborted) {
      this.#lose(1, 'opens and clicks find no room');
      return;
    }
    if (visit.type === 'clicked') {
      this.#fresh.push(visit);
      void this.#ripen();
    } else {
      this.#waiting.push(visit);
      this.#pump();
    }
    if (this.waiting >= spillAt && !this.#spilling) {
      void this.#spill([...this.#waiting.splice(0), ...this.#fresh.splice(0)]);
    }
  }

  /** Resolves when everything recorded so far is in the log, on disk or lost. Clicks are judged by what is known now. */
  drained(): Promise<void> {
    this.#waiting.push(...this.#fresh.splice(0));
    return new Promise<void>((resolve) => {
      this.#idlers.push(resolve);
      this.#pump();
    });
  }

  /** Visits in memory that the log has not been asked to take. */
  get waiting(): number {
    return this.#fresh.length + this.#waiting.length;
  }

  get spooledBytes(): number {
    return this.#parts.spool.bytes;
  }

  /** Visits that found no room anywhere. */
  get lost(): number {
    return this.#lost;
  }

  /** How many went to the log, by type and by who it is taken to have been. */
  *counts(): Iterable<{ type: Visit['type']; visitor: VisitorKind; count: number }> {
    for (const [key, count] of this.#counts) {
      const [type, visitor] = key.split(' ') as [Visit['type'], VisitorKind];
      yield { type, visitor, count };
    }
  }

  /** What waits is tried once more; what the store does not take now stays on disk for the next start. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#stop.abort();
    const drained = new AbortController();
    await Promise.race([
      Promise.all([this.drained(), this.#readingBack]),
      this.#parts.clock.sleep(drainMs, drained.signal),
    ]);
    drained.abort();
    const hanging = [...this.#underWay].filter((visit) => !this.#held.has(visit));
    await this.#spill([...hanging, ...this.#leftOver, ...this.#waiting.splice(0)]);
  }

  async #ripen(): Promise<void> {
    if (this.#ripening) return;
    this.#ripening = true;
    const { clock } = this.#parts;
    for (let [next] = this.#fresh; next !== undefined; [next] = this.#fresh) {
      await clock.sleep(this.#msUntilRipe(next), this.#stop.signal);
      // What lies ahead of the clock waited as well: the clock was set back meanwhile.
      const isRipe = (visit: Visit) =>
        this.#msUntilRipe(visit) <= 0 || visit.atMs > clock.now() || this.#stop.signal.aborted;
      const ripe = this.#fresh.findIndex((visit) => !isRipe(visit));
      this.#waiting.push(...this.#fresh.splice(0, ripe < 0 ? this.#fresh.length : ripe));
      this.#pump();
    }
    this.#ripening = false;
  }

  /** Never longer than a click waits at all, whatever was done to the clock. */
  #msUntilRipe({ type, atMs }: Visit): number {
    if (type === 'opened') return 0;
    return Math.min(judgeAfterMs, atMs + judgeAfterMs - this.#parts.clock.now());
  }

  #pump(): void {
    while (!this.#resting && this.#underWay.size < mostUnderWay) {
      const visit = this.#waiting.shift();
      if (visit === undefined) break;
      this.#underWay.add(visit);
      void this.#deliver(visit);
    }
    if (this.#waiting.length > 0 || this.#underWay.size > 0) void this.#guard();
    if (this.waiting === 0 && this.#underWay.size === 0 && !this.#spilling) {
      for (const idle of this.#idlers.splice(0)) idle();
    }
  }

  async #deliver(visit: Visit): Promise<void> {
    const told = await this.#tell(visit);
    this.#underWay.delete(visit);
    if (!told) (this.#stop.signal.aborted ? this.#leftOver : this.#waiting).push(visit);
    this.#letGo(visit);
    this.#pump();
  }

  /** @returns false if the store did not take it */
  async #tell(visit: Visit): Promise<boolean> {
    const { log } = this.#parts;
    try {
      const { messageId, atMs, url, userAgent, address } = visit;
      const deliveredAtMs = await log.finishedAtMs(messageId);
      const visitor = visitorOf(visit, { deliveredAtMs, ...this.#habits.around(visit) });
      const report = { messageId, atMs, userAgent, address, visitor };
      const { kind } = await log.report(
        visit.type === 'clicked' ? { type: 'clicked', url, ...report } : { type: 'opened', ...report },
      );
      const key = `${visit.type} ${visitor.kind}`;
      // Of a message that is not kept any more, nothing goes to the log.
      if (kind !== 'unknown') this.#counts.set(key, (this.#counts.get(key) ?? 0) + 1);
      this.#stored++;
      this.#retryMs = 0;
      return true;
    } catch (error) {
      void this.#rest(error);
      return false;
    }
  }

  /** The store fails for all alike: everybody waits, and the waits grow. */
  async #rest(error: unknown): Promise<void> {
    if (this.#resting || this.#stop.signal.aborted) return;
    this.#resting = true;
    this.#retryMs = Math.min(longestRetryMs, Math.max(firstRetryMs, this.#retryMs * 2));
    const { clock, logger } = this.#parts;
    logger.warn({ err: error, waiting: this.waiting, retryMs: this.#retryMs }, 'opens and clicks wait');
    await clock.sleep(this.#retryMs, this.#stop.signal);
    this.#resting = false;
    this.#pump();
    this.#readBack();
  }

  /** While the store takes nothing, what waits goes to disk, and what it was asked to take is noted there. */
  async #guard(): Promise<void> {
    if (this.#guarding) return;
    this.#guarding = true;
    const { signal } = this.#stop;
    while (this.#waiting.length > 0 || this.#underWay.size > 0) {
      const before = this.#stored;
      const asked = [...this.#underWay];
      await this.#parts.clock.sleep(patienceMs, signal);
      if (signal.aborted) break;
      await this.#hold(asked.filter((visit) => this.#underWay.has(visit) && !this.#held.has(visit)));
      if (this.#stored === before) await this.#spill(this.#waiting.splice(0));
    }
    this.#guarding = false;
  }

  async #hold(visits: readonly Visit[]): Promise<void> {
    if (visits.length === 0) return;
    try {
      const release = await this.#parts.spool.hold(visits);
      const hold: Hold = { left: visits.length, release };
      for (const visit of visits) this.#held.set(visit, hold);
      for (const visit of visits) if (!this.#underWay.has(visit)) this.#letGo(visit);
    } catch (error) {
      this.#parts.logger.warn({ err: error }, 'opens and clicks cannot be written to disk');
    }
  }

  #letGo(visit: Visit): void {
    const hold = this.#held.get(visit);
    if (hold === undefined) return;
    this.#held.delete(visit);
    hold.left--;
    if (hold.left === 0) {
      hold.release().catch((error: unknown) => {
        this.#parts.logger.warn({ err: error }, 'opens and clicks that were told stay on disk');
      });
    }
  }

  async #spill(visits: readonly Visit[]): Promise<void> {
    if (visits.length === 0) return;
    const { spool, logger } = this.#parts;
    this.#spilling = true;
    try {
      const taken = await spool.add(visits);
      this.#lose(visits.length - taken, 'the spool of opens and clicks is full');
    } catch (error) {
      logger.warn({ err: error }, 'opens and clicks cannot be written to disk');
      const room = this.#stop.signal.aborted ? 0 : mostWaiting - this.waiting;
      this.#waiting.push(...visits.slice(0, room));
      this.#lose(visits.length - room, 'opens and clicks find no room');
    }
    this.#spilling = false;
    this.#readBack();
    this.#pump();
  }

  #readBack(): void {
    if (this.#readingBack !== undefined || this.#parts.spool.isEmpty) return;
    this.#readingBack = this.#readBackAll().finally(() => {
      this.#readingBack = undefined;
    });
  }

  /** Brings back what is on disk, a file at a time, while the store takes it. */
  async #readBackAll(): Promise<void> {
    const { spool, logger } = this.#parts;
    try {
      while (!this.#resting && !this.#stop.signal.aborted) {
        const spooled = await spool.take();
        if (spooled === undefined) break;
        const { visits, isInherited } = spooled;
        if (isInherited) for (const visit of visits) this.#habits.note(visit);
        const freshMs = visits.reduce((mostMs, visit) => Math.max(mostMs, this.#msUntilRipe(visit)), 0);
        await this.#parts.clock.sleep(freshMs, this.#stop.signal);
        await spooled.done(await this.#tellAll(visits));
      }
    } catch (error) {
      logger.warn({ err: error }, 'opens and clicks on disk cannot be read back now');
    }
  }

  /** @returns those that the store did not take */
  async #tellAll(visits: readonly Visit[]): Promise<readonly Visit[]> {
    const left: Visit[] = [];
    for (let at = 0; at < visits.length; at += mostUnderWay) {
      const group = visits.slice(at, at + mostUnderWay);
      if (this.#resting || this.#stop.signal.aborted) {
        left.push(...group);
        continue;
      }
      const told = await Promise.all(group.map((visit) => this.#tell(visit)));
      left.push(...group.filter((_, index) => told[index] === false));
    }
    return left;
  }

  /** The first one is told of, and then every so many: a flood must not fill the log as well. */
  #lose(count: number, why: string): void {
    if (count <= 0) return;
    const before = this.#lost;
    this.#lost += count;
    if (before === 0 || Math.floor(before / mostWaiting) < Math.floor(this.#lost / mostWaiting)) {
      this.#parts.logger.warn({ lost: this.#lost }, `${why}: they are lost`);
    }
  }
}
