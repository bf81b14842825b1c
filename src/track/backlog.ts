/**
 * What was recorded and is not told yet, in its order: the oldest in bounded memory, all of it on disk within moments, and
 * what memory has no room for on disk alone, from where it comes back. Taken off as it is told. Must never make anybody
 * wait.
 */
import type { Logger } from 'pino';
import type { Clock } from '../platform/clock.ts';
import type { VisitsTold } from '../store/contract/log.ts';
import { GroupSync } from './group-sync.ts';
import type { Journal, Page, Place } from './journal.ts';
import type { Tally } from './repeats.ts';
import type { Recorded, Visit } from './visit.ts';

/** A visit takes about a kilobyte with its URL and user agent. */
const mostInMemory = 20_000;
/** When fewer than this are in memory, more are read back. */
const readBackBelow = 5_000;
/** After a disk that cannot be read. */
const retryMs = 5_000;
/** A click is told when it can be seen whether it was one of many at once. */
const judgeAfterMs = 2000;

export type BacklogJournal = Pick<
  Journal,
  'lastNumber' | 'append' | 'sync' | 'read' | 'isAtEnd' | 'forget' | 'begin' | 'end' | 'bytes'
>;

export interface BacklogParts {
  readonly journal: BacklogJournal;
  /** How far the journal was told when this process took it. */
  readonly told: VisitsTold;
  readonly clock: Clock;
  readonly logger: Pick<Logger, 'warn'>;
  /** Something can be told that could not before. */
  readonly onMore: () => void;
  /** A visit comes back that the process before this one took. */
  readonly onInherited: (visit: Visit) => void;
  /** What that one has counted and not told. */
  readonly onInheritedTallies: (tallies: readonly Tally[]) => void;
  /** So long the first of those that were synced together had to wait. */
  readonly onSynced: (waitedMs: number) => void;
}

export class Backlog {
  readonly #parts: BacklogParts;
  readonly #stop = new AbortController();
  readonly #sync: GroupSync;
  readonly #lanes: Record<Visit['type'], Recorded[]> = { opened: [], clicked: [] };
  readonly #told: { opened: number; clicked: number };
  #lastNumber: number;
  /** What memory has no room for: all from this number on. Until it has come back, nothing else enters a lane. */
  #tail: { readonly from: number; readonly place: Place } | undefined;
  /** Files before this one are of the process before. */
  readonly #firstOwnSegment: number;
  /** Of those files, as long as they are read. */
  #inherited: Map<string, Tally> | undefined;
  #readingBack = false;

  constructor(parts: BacklogParts) {
    const { journal, told, clock, logger, onSynced } = parts;
    this.#parts = parts;
    this.#told = { ...told };
    this.#lastNumber = Math.max(told.opened, told.clicked, journal.lastNumber);
    this.#firstOwnSegment = journal.end.segment;
    this.#sync = new GroupSync({
      journal,
      clock,
      logger,
      isTold: ({ number, visit }) => number <= this.#told[visit.type],
      toldBefore: () => this.#toldBefore(),
      onSynced,
    });
    if (journal.bytes === 0) return;
    this.#inherited = new Map();
    this.#tail = { from: Math.min(told.opened, told.clicked) + 1, place: journal.begin };
    void this.#readBack();
  }

  /** @param tally which it tells of, for one alone undefined @returns false if it finds no room, on disk or in memory */
  add(visit: Visit, tally?: Tally): boolean {
    const number = this.#lastNumber + 1;
    const { count, sinceMs } = tally ?? { count: 1, sinceMs: 0 };
    const recorded = { number, visit, count, sinceMs };
    const place = this.#parts.journal.end;
    const fits = this.#tail === undefined && this.#inMemory < mostInMemory;
    if (!this.#sync.add(recorded, tally) && !fits) return false;
    this.#lastNumber = number;
    if (!fits) {
      this.#tail ??= { from: number, place };
    } else if (this.#lanes[visit.type].push(recorded) === 1 || visit.type === 'opened') {
      this.#parts.onMore();
    }
    return true;
  }

  /** Puts a count on disk that is to be told later. */
  keep(tally: Tally): void {
    this.#sync.keep(tally);
  }

  /** What was added outlives the process from here on. To be called before it is answered. */
  writeDown(): void {
    this.#sync.writeDown();
  }

  /** The next ones to be told, of each type the oldest. @param isHurried does not wait for what comes around clicks */
  next(most: number, nowMs: number, isHurried: boolean): Recorded[] {
    const { opened, clicked } = this.#lanes;
    const fresh = isHurried ? -1 : clicked.findIndex(({ visit }) => msUntilRipe(visit, nowMs) > 0);
    const ripe = fresh < 0 ? clicked.length : fresh;
    const opens = Math.min(opened.length, most - Math.min(ripe, most / 2));
    return [...opened.slice(0, opens), ...clicked.slice(0, Math.min(ripe, most - opens))];
  }

  msUntilNext(nowMs: number): number {
    const [open] = this.#lanes.opened;
    const [click] = this.#lanes.clicked;
    if (open !== undefined) return 0;
    return click === undefined ? Infinity : Math.max(0, msUntilRipe(click.visit, nowMs));
  }

  /** @param visits as `next` gave them */
  told(visits: readonly Recorded[]): void {
    if (this.#stop.signal.aborted) return;
    const counts = { opened: 0, clicked: 0 };
    for (const { number, visit } of visits) {
      this.#told[visit.type] = number;
      counts[visit.type]++;
    }
    this.#lanes.opened.splice(0, counts.opened);
    this.#lanes.clicked.splice(0, counts.clicked);
    this.#sync.forgetTold();
    void this.#readBack();
  }

  /** How many there have been, ever. */
  get taken(): number {
    return this.#lastNumber;
  }

  /** For how long the oldest has waited. */
  waitedMs(nowMs: number): number {
    const { opened, clicked } = this.#lanes;
    const waited = [opened[0], clicked[0]].map((oldest) => nowMs - (oldest?.visit.atMs ?? nowMs));
    // What lies ahead of the clock has waited: the clock was set back meanwhile.
    return Math.min(...waited) < 0 ? Infinity : Math.max(...waited);
  }

  /** How many are to be told. */
  get waiting(): number {
    // Counts that are read back get their numbers at the end.
    const onDisk = this.#tail === undefined ? 0 : Math.max(1, this.#lastNumber - this.#tail.from + 1);
    return this.#inMemory + onDisk;
  }

  /** Nothing is read back any more, and what is left goes to disk. @returns how many visits the disk did not take */
  async end(): Promise<number> {
    this.#stop.abort();
    await this.#sync.end();
    return this.#sync.from(0).length;
  }

  get #inMemory(): number {
    return this.#lanes.opened.length + this.#lanes.clicked.length;
  }

  #toldBefore(): number {
    const { opened, clicked } = this.#lanes;
    const next = this.#lastNumber + 1;
    return Math.min(opened[0]?.number ?? next, clicked[0]?.number ?? next, this.#tail?.from ?? next);
  }

  async #readBack(): Promise<void> {
    const { journal, logger, clock, onMore } = this.#parts;
    const { signal } = this.#stop;
    if (this.#readingBack) return;
    this.#readingBack = true;
    while (this.#tail !== undefined && this.#inMemory < readBackBelow && !signal.aborted) {
      try {
        if (journal.isAtEnd(this.#tail.place)) this.#endTail(this.#tail.from);
        else this.#takeBack(await journal.read(this.#tail.place), this.#tail.from);
        onMore();
      } catch (error) {
        logger.warn({ err: error }, 'opens and clicks on disk cannot be read back now');
        await clock.sleep(retryMs, signal);
      }
    }
    this.#readingBack = false;
  }

  #takeBack({ rows, segment, next }: Page, from: number): void {
    const isInherited = segment < this.#firstOwnSegment;
    if (!isInherited) this.#endInherited();
    let last = from - 1;
    for (const row of rows) {
      const { number, visit } = row;
      if (isInherited) this.#takeTally(row, segment);
      if (number <= last) continue;
      last = number;
      if (number <= this.#told[visit.type]) continue;
      if (isInherited) this.#parts.onInherited(visit);
      this.#lanes[visit.type].push(row);
    }
    this.#tail = { from: last + 1, place: next };
    this.#sync.forgetTold();
  }

  /** What is not in the journal either is in memory, and that is all there is. */
  #endTail(from: number): void {
    for (const recorded of this.#sync.from(from)) this.#lanes[recorded.visit.type].push(recorded);
    this.#tail = undefined;
    this.#endInherited();
    this.#sync.forgetTold();
  }

  #takeTally({ number, visit, count, sinceMs }: Recorded, segment: number): void {
    if (sinceMs === 0 || this.#inherited === undefined) return;
    const name = `${sinceMs} ${visit.type} ${visit.messageId} ${visit.url}`;
    const known = this.#inherited.get(name);
    if (known !== undefined) this.#sync.letGo(known);
    this.#inherited.delete(name);
    // One with a number tells it.
    if (number > 0) return;
    const tally = { count, last: visit, sinceMs };
    this.#inherited.set(name, tally);
    this.#sync.keep(tally, segment);
  }

  #endInherited(): void {
    if (this.#inherited === undefined) return;
    const tallies = [...this.#inherited.values()];
    this.#inherited = undefined;
    this.#parts.onInheritedTallies(tallies);
  }
}

/** One that lies ahead of the clock has waited: the clock was set back meanwhile. */
function msUntilRipe({ type, atMs }: Visit, nowMs: number): number {
  return type === 'opened' || atMs > nowMs ? 0 : atMs + judgeAfterMs - nowMs;
}
