/**
 * Puts on disk what was recorded. Whoever answers a visit has it handed to the operating system first, together with all
 * that came in the same turn; the sync, which takes as long as the disk takes, is made beside that for all of a moment. Keeps
 * what the disk does not take, up to a bound, and lets go of files that nobody needs any more.
 */
import type { Logger } from 'pino';
import type { Clock } from '../platform/clock.ts';
import type { Journal } from './journal.ts';
import { KeptTallies } from './kept-tallies.ts';
import type { Tally } from './repeats.ts';
import type { Recorded } from './visit.ts';

/** For so long visits wait for others to be synced with, or to be told before that. */
const gatherMs = 10;
/** After a disk that took nothing, or had no room. */
const retryMs = 500;
/** A visit takes about a kilobyte with its URL and user agent. */
const mostUnwritten = 20_000;

interface GroupSyncParts {
  readonly journal: Pick<Journal, 'append' | 'sync' | 'forget'>;
  readonly clock: Clock;
  readonly logger: Pick<Logger, 'warn'>;
  readonly isTold: (recorded: Recorded) => boolean;
  /** All numbers before it are told. */
  readonly toldBefore: () => number;
  /** So long the first of those that were synced together had to wait. */
  readonly onSynced: (waitedMs: number) => void;
}

/** What was written and not synced: up to which number, since when, and whether counts or the ends of some are among it. */
interface Unsynced {
  readonly last: number;
  readonly sinceMs: number;
  readonly isCount: boolean;
}

const nothing: Unsynced = { last: 0, sinceMs: 0, isCount: false };

export class GroupSync {
  readonly #parts: GroupSyncParts;
  readonly #stop = new AbortController();
  /** In the order of their numbers. */
  #unwritten: Recorded[] = [];
  readonly #tallies = new KeptTallies();
  /** Tallies by the number of the visit that tells them. */
  readonly #closing = new Map<number, Tally>();
  #unsynced = nothing;
  /** The disk took nothing when it was last tried. */
  #isRefused = false;
  /** Said once, until it takes something again. */
  #hasComplained = false;
  #mayForget = false;
  #isRunning = false;
  #running: Promise<void> | undefined;

  constructor(parts: GroupSyncParts) {
    this.#parts = parts;
  }

  /** @param closes a tally that it stands for @returns false if too many wait for the disk already */
  add(recorded: Recorded, closes?: Tally): boolean {
    if (this.#unwritten.length >= mostUnwritten) return false;
    this.#unwritten.push(recorded);
    if (closes !== undefined) this.#closing.set(recorded.number, closes);
    this.#wake();
    return true;
  }

  /** It has changed, or is another process's. @param segment where it stands, if it does */
  keep(tally: Tally, segment?: number): void {
    this.#tallies.change(tally, segment);
    this.#wake();
  }

  /** It was told, or a visit that is on disk tells it. */
  letGo(tally: Tally): void {
    this.#tallies.letGo(tally);
  }

  /** Those from a number on that are not in the journal. */
  from(number: number): Recorded[] {
    return this.#unwritten.filter((recorded) => recorded.number >= number);
  }

  /** Hands all that came to the operating system, from where it outlives the process. */
  writeDown(): void {
    while (!this.#isRefused && this.#hasMore()) this.#write();
  }

  /** To be called when visits were told: they need no writing, and may free files. */
  forgetTold(): void {
    this.#mayForget = true;
    this.#wake();
  }

  /** Writes all that is left and stops. */
  async end(): Promise<void> {
    this.#stop.abort();
    await this.#running;
    this.#mayForget = true;
    await this.#settle();
  }

  #hasMore(): boolean {
    return this.#unwritten.length > 0 || this.#tallies.haveChanged;
  }

  /** What is told needs no sync. */
  get #isUnsafe(): boolean {
    const { last, isCount } = this.#unsynced;
    return isCount || (last > 0 && last >= this.#parts.toldBefore());
  }

  #wake(): void {
    if (this.#isRunning || this.#stop.signal.aborted) return;
    this.#isRunning = true;
    this.#running = this.#run();
  }

  async #run(): Promise<void> {
    const { signal } = this.#stop;
    for (let waitMs = gatherMs; this.#hasWork() && !signal.aborted; ) {
      await this.#parts.clock.sleep(waitMs, signal);
      if (!signal.aborted) waitMs = (await this.#settle()) ? gatherMs : retryMs;
    }
    this.#isRunning = false;
  }

  #hasWork(): boolean {
    return this.#hasMore() || this.#isUnsafe || this.#mayForget;
  }

  /** @returns whether the disk did as it should */
  async #settle(): Promise<boolean> {
    this.#isRefused = false;
    this.writeDown();
    const isSynced = await this.#sync();
    if (isSynced) await this.#forget();
    return isSynced && !this.#isRefused;
  }

  #write(): void {
    this.#dropTold();
    const tallies = this.#tallies.changed;
    const rows = [...tallies.map(rowOfTally), ...this.#unwritten];
    if (rows.length === 0) return;
    const { journal, clock } = this.#parts;
    try {
      const { taken, segment } = journal.append(rows);
      if (taken === 0) {
        this.#refused({ waiting: rows.length }, 'the journal of opens and clicks is full');
        return;
      }
      this.#hasComplained = false;
      this.#tallies.wereWritten(tallies.slice(0, taken), segment);
      const ended = this.#areWritten(rows.slice(tallies.length, taken));
      const { sinceMs, isCount } = this.#unsynced;
      this.#unsynced = {
        last: rows[taken - 1]?.number ?? 0,
        sinceMs: sinceMs === 0 ? clock.now() : sinceMs,
        isCount: isCount || tallies.length > 0 || ended > 0,
      };
    } catch (error) {
      this.#refused({ err: error }, 'opens and clicks cannot be written to disk');
    }
  }

  #refused(facts: object, what: string): void {
    this.#isRefused = true;
    if (!this.#hasComplained) this.#parts.logger.warn(facts, what);
    this.#hasComplained = true;
  }

  async #sync(): Promise<boolean> {
    const { journal, clock, logger, onSynced } = this.#parts;
    const covered = this.#unsynced;
    const isSafe = !this.#isUnsafe;
    this.#unsynced = nothing;
    if (isSafe) return true;
    try {
      await journal.sync();
      onSynced(Math.max(0, clock.now() - covered.sinceMs));
      return true;
    } catch (error) {
      logger.warn({ err: error }, 'opens and clicks that were written may not be on disk');
      const { last, isCount } = this.#unsynced;
      const { sinceMs } = covered;
      this.#unsynced = { last: Math.max(last, covered.last), sinceMs, isCount: isCount || covered.isCount };
      return false;
    }
  }

  async #forget(): Promise<void> {
    if (!this.#mayForget) return;
    this.#mayForget = false;
    this.#dropTold();
    const { journal, toldBefore, logger } = this.#parts;
    try {
      const held = await journal.forget({
        before: toldBefore,
        // What replaces a count has to be on disk before it.
        isNeeded: (segment) => this.#unsynced.isCount || this.#tallies.isNeeded(segment),
      });
      if (held === undefined) return;
      this.#tallies.moveFrom(held);
      this.#mayForget = true;
    } catch (error) {
      logger.warn({ err: error }, 'opens and clicks that were told stay on disk');
    }
  }

  /** @returns of how many counts it is the end */
  #areWritten(visits: readonly Recorded[]): number {
    const last = visits.at(-1)?.number ?? 0;
    this.#unwritten = this.#unwritten.filter(({ number }) => number > last);
    return this.#close(visits);
  }

  #dropTold(): void {
    const { isTold } = this.#parts;
    if (!this.#unwritten.some(isTold)) return;
    this.#close(this.#unwritten.filter(isTold));
    this.#unwritten = this.#unwritten.filter((recorded) => !isTold(recorded));
  }

  #close(visits: readonly Recorded[]): number {
    const before = this.#closing.size;
    if (before === 0) return 0;
    for (const { number } of visits) {
      const tally = this.#closing.get(number);
      if (tally === undefined) continue;
      this.#closing.delete(number);
      this.letGo(tally);
    }
    return before - this.#closing.size;
  }
}

const rowOfTally = ({ last, count, sinceMs }: Tally): Recorded => ({
  number: 0,
  visit: last,
  count,
  sinceMs,
});
