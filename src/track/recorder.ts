/**
 * Takes opens and clicks off the hands of those who answer the recipient: numbers them, and sees to it that each is on
 * disk in moments and in the log soon; only what finds room neither in memory nor on disk is lost, and counted. Must never
 * make an answer wait or fail.
 */
import type { Logger } from 'pino';
import type { VisitorKind } from '../events/types.ts';
import type { Clock } from '../platform/clock.ts';
import type { EventLog } from '../store/contract/log.ts';
import { Backlog, type BacklogJournal } from './backlog.ts';
import { Habits } from './habits.ts';
import type { Journal } from './journal.ts';
import { Repeats, type Tally } from './repeats.ts';
import { Teller } from './teller.ts';
import type { Visit } from './visit.ts';

export interface RecorderParts {
  readonly log: Pick<EventLog, 'reportVisits' | 'visitsTold' | 'finishedAtMs'>;
  readonly journal: Pick<Journal, 'name'> & BacklogJournal;
  readonly clock: Clock;
  readonly logger: Pick<Logger, 'warn'>;
  /** Which part of the time since the last question the process was busy, 0 to 1. */
  readonly load: () => number;
  /** So long the first of those that were synced together had to wait. */
  readonly onSynced: (waitedMs: number) => void;
}

/** How long the end waits for a store that does not answer. */
const drainMs = 5_000;
/** After the first visit that is lost, one line for so many. */
const lostPerLine = 20_000;

export class Recorder implements AsyncDisposable {
  readonly #parts: RecorderParts;
  readonly #stop = new AbortController();
  readonly #habits = new Habits();
  readonly #repeats = new Repeats();
  readonly #backlog: Backlog;
  readonly #teller: Teller;
  #watching = false;
  #lost = 0;

  /** @throws what the store says */
  static async open(parts: RecorderParts): Promise<Recorder> {
    const told = await parts.log.visitsTold({ journal: parts.journal.name, atMs: parts.clock.now() });
    return new Recorder(parts, told);
  }

  private constructor(parts: RecorderParts, told: Awaited<ReturnType<EventLog['visitsTold']>>) {
    const { log, journal, clock, logger, load, onSynced } = parts;
    this.#parts = parts;
    this.#backlog = new Backlog({
      journal,
      told,
      clock,
      logger,
      onMore: () => this.#teller.wake(),
      onInherited: (visit) => this.#habits.note(visit),
      onInheritedTallies: (tallies) => this.#addTallies(tallies),
      onSynced,
    });
    this.#teller = new Teller({
      log,
      journalName: journal.name,
      backlog: this.#backlog,
      habits: this.#habits,
      clock,
      logger,
      load,
      onGivenUp: (visits) => this.#lose(visits.length, 'the log does not take opens and clicks as they are'),
    });
  }

  record(visit: Visit): void {
    if (this.#stop.signal.aborted) {
      this.#lose(1, 'opens and clicks come after the end');
      return;
    }
    this.#habits.note(visit);
    if (this.#repeats.isOver(visit.atMs)) this.#addTallies(this.#repeats.end());
    const tally = this.#repeats.count(visit);
    if (tally === undefined) {
      if (!this.#backlog.add(visit)) this.#lose(1, 'opens and clicks find no room');
    } else {
      this.#backlog.keep(tally);
      void this.#watch();
    }
  }

  /** What was recorded outlives the process from here on. To be called before it is answered; takes microseconds. */
  writeDown(): void {
    this.#backlog.writeDown();
  }

  /** Resolves when everything recorded so far is in the log. Clicks are judged by what is known now. */
  drained(): Promise<void> {
    return this.#teller.drained();
  }

  /** Visits that are to be told; those that are counted are told as one at the end of the hour. */
  get waiting(): number {
    return this.#backlog.waiting;
  }

  get journalBytes(): number {
    return this.#parts.journal.bytes;
  }

  /** Visits that found no room anywhere. */
  get lost(): number {
    return this.#lost;
  }

  /** How many went to the log, by type and by who it is taken to have been. */
  counts(): Iterable<{ type: Visit['type']; visitor: VisitorKind; count: number }> {
    return this.#teller.counts();
  }

  /** What waits is told once more; what the store does not take now stays on disk for the next start. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#stop.abort();
    this.#addTallies(this.#repeats.end());
    const finished = new AbortController();
    await Promise.race([this.#teller.finish(), this.#parts.clock.sleep(drainMs, finished.signal)]);
    finished.abort();
    this.#teller.stop();
    this.#lose(await this.#backlog.end(), 'the disk does not take opens and clicks');
  }

  /** What is counted is told at the end of its hour, whoever comes then. */
  async #watch(): Promise<void> {
    if (this.#watching) return;
    this.#watching = true;
    const { clock } = this.#parts;
    const { signal } = this.#stop;
    while (this.#repeats.isCounting && !signal.aborted) {
      await clock.sleep(this.#repeats.endsAtMs - clock.now(), signal);
      if (this.#repeats.isOver(clock.now())) this.#addTallies(this.#repeats.end());
    }
    this.#watching = false;
  }

  #addTallies(tallies: readonly Tally[]): void {
    for (const tally of tallies) {
      if (!this.#backlog.add(tally.last, tally))
        this.#lose(tally.count, 'counts of opens and clicks find no room');
    }
  }

  /** The first one is told of, and then every so many: a flood must not fill the operator's log as well. */
  #lose(count: number, why: string): void {
    if (count <= 0) return;
    const before = this.#lost;
    this.#lost += count;
    if (before === 0 || Math.floor(before / lostPerLine) < Math.floor(this.#lost / lostPerLine)) {
      this.#parts.logger.warn({ lost: this.#lost }, `${why}: they are lost`);
    }
  }
}
