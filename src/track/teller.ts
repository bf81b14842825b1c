/**
 * Tells the log what the backlog holds, in batches, each visit with who it is taken to have been. Gives way while the
 * process is busy with answers, and waits for a store that fails.
 */
import type { Logger } from 'pino';
import type { Visitor, VisitorKind } from '../events/types.ts';
import type { Clock } from '../platform/clock.ts';
import { Wake } from '../platform/wake.ts';
import type { EventLog, NumberedVisit } from '../store/contract/log.ts';
import { StoreBusyError } from '../store/contract/store.ts';
import type { Backlog } from './backlog.ts';
import type { Habits } from './habits.ts';
import { Judge } from './judge.ts';
import { Rush } from './rush.ts';
import type { Recorded, Visit } from './visit.ts';

/** Of one transaction. Judging and handing over so many takes about a millisecond of the main thread. */
const mostTogether = 256;
/** While the process is busier than this, a full batch is told each of these times at most: five thousand visits a second. */
const busyLoad = 0.9;
const giveWayMs = 50;
/** Visits that come faster than that are a rush, and while it keeps the process busier than this none is told. */
const rushLoad = 0.5;
/** Unless the oldest has waited so long. */
const longestWaitMs = 10_000;
const firstRetryMs = 500;
const longestRetryMs = 30_000;
/** When so many fail one after the other, it is the store and not what they say. */
const mostSuspects = 8;

interface TellerParts {
  readonly log: Pick<EventLog, 'reportVisits' | 'finishedAtMs'>;
  /** By which the log knows the numbers of the visits. */
  readonly journalName: string;
  readonly backlog: Pick<Backlog, 'next' | 'msUntilNext' | 'told' | 'waiting' | 'taken' | 'waitedMs'>;
  readonly habits: Pick<Habits, 'around'>;
  readonly clock: Clock;
  readonly logger: Pick<Logger, 'warn'>;
  /** Which part of the time since the last question the process was busy, 0 to 1. */
  readonly load: () => number;
  readonly onGivenUp: (visits: readonly Recorded[]) => void;
}

/** Visits whose telling failed while that of others did not, or has not been tried. */
interface Search {
  readonly suspects: Recorded[];
  error: unknown;
}

export class Teller {
  readonly #parts: TellerParts;
  readonly #judge: Judge;
  readonly #rush: Rush;
  readonly #more = new Wake();
  readonly #finish = new AbortController();
  readonly #stop = new AbortController();
  readonly #idlers: (() => void)[] = [];
  readonly #counts = new Map<string, number>();
  readonly #running: Promise<void>;

  constructor(parts: TellerParts) {
    this.#parts = parts;
    this.#judge = new Judge(parts);
    this.#rush = new Rush(mostTogether, giveWayMs, parts.backlog.taken, parts.clock.now());
    this.#running = this.#run();
  }

  wake(): void {
    this.#more.wake();
  }

  /** Resolves when nothing waits to be told. Clicks are judged by what is known now. */
  drained(): Promise<void> {
    return new Promise((resolve) => {
      this.#idlers.push(resolve);
      this.wake();
    });
  }

  /** Tells what there is once more, clicks too; resolves when all is told or the store fails. */
  async finish(): Promise<void> {
    this.#finish.abort();
    this.wake();
    await this.#running;
  }

  /** Nothing is told any more but what the store was asked to take. */
  stop(): void {
    this.#finish.abort();
    this.#stop.abort();
  }

  /** How many visits went to the log, by type and by who it is taken to have been. */
  *counts(): Iterable<{ type: Visit['type']; visitor: VisitorKind; count: number }> {
    for (const [key, count] of this.#counts) {
      const [type, visitor] = key.split(' ') as [Visit['type'], VisitorKind];
      yield { type, visitor, count };
    }
  }

  async #run(): Promise<void> {
    const { clock, logger, backlog } = this.#parts;
    const finishing = this.#finish.signal;
    for (let retryMs = 0; !this.#stop.signal.aborted; ) {
      try {
        await this.#tellNext();
        retryMs = 0;
        if (finishing.aborted && backlog.waiting === 0) return;
      } catch (error) {
        if (finishing.aborted) return;
        retryMs = Math.min(longestRetryMs, Math.max(firstRetryMs, retryMs * 2));
        logger.warn({ err: error, waiting: backlog.waiting, retryMs }, 'opens and clicks wait for the log');
        await clock.sleep(retryMs, finishing);
      }
    }
  }

  /** A batch, or until there is one. @throws what the store says */
  async #tellNext(): Promise<void> {
    const { backlog, clock } = this.#parts;
    const isHurried = this.#finish.signal.aborted || this.#idlers.length > 0;
    const batch = backlog.next(mostTogether, clock.now(), isHurried);
    if (batch.length > 0) {
      const search: Search = { suspects: [], error: undefined };
      await this.#tell(batch, search);
      if (search.suspects.length > 0) throw search.error;
      await this.#giveWay(batch.length === mostTogether);
    } else if (backlog.waiting > 0 || !isHurried) {
      await this.#more.wait(clock, backlog.msUntilNext(clock.now()), this.#stop.signal);
    } else {
      for (const idle of this.#idlers.splice(0)) idle();
    }
  }

  /** A few are told at once, however busy the moment was in which they came. */
  async #giveWay(isFull: boolean): Promise<void> {
    const { backlog, clock, load } = this.#parts;
    for (let isRush = true; isRush && !this.#finish.signal.aborted; ) {
      const busy = load();
      const nowMs = clock.now();
      const isFast = this.#rush.isOn(backlog.taken, nowMs);
      isRush = isFast && busy > rushLoad && backlog.waitedMs(nowMs) < longestWaitMs;
      if (!isRush && !(isFull && busy > busyLoad)) return;
      await clock.sleep(giveWayMs, this.#finish.signal);
    }
  }

  /**
   * One that the store does not take takes no other with it: what fails is told in halves, the earlier first, and what
   * fails alone is given up as soon as something after it is taken. If nothing is, it is the store that fails.
   */
  async #tell(part: readonly Recorded[], search: Search): Promise<void> {
    try {
      await this.#report(part, search);
    } catch (error) {
      if (error instanceof StoreBusyError) throw error;
      const [first] = part;
      if (part.length > 1) {
        const half = part.length >> 1;
        await this.#tell(part.slice(0, half), search);
        await this.#tell(part.slice(half), search);
      } else if (first !== undefined) {
        search.suspects.push(first);
        search.error = error;
        if (search.suspects.length === mostSuspects) throw error;
      }
    }
  }

  async #report(part: readonly Recorded[], { suspects }: Search): Promise<void> {
    const { log, journalName: journal, clock, backlog, onGivenUp } = this.#parts;
    const visitors = await this.#judge.visitorsOf(part);
    const visits = part.map((recorded, index) => numbered(recorded, visitors[index] as Visitor));
    const kinds = await log.reportVisits({ journal, visits, atMs: clock.now() });
    const givenUp = suspects.splice(0);
    if (givenUp.length > 0) onGivenUp(givenUp);
    backlog.told([...givenUp, ...part]);
    for (const [index, { visit, count }] of part.entries()) {
      // Of a message that is not kept any more, nothing goes to the log.
      if (kinds[index] !== 'appended') continue;
      const key = `${visit.type} ${visitors[index]?.kind}`;
      this.#counts.set(key, (this.#counts.get(key) ?? 0) + count);
    }
  }
}

function numbered({ number, visit, count }: Recorded, visitor: Visitor): NumberedVisit {
  const { type, messageId, atMs, url, userAgent, address } = visit;
  const facts = { messageId, atMs, userAgent, address, visitor, ...(count > 1 && { count }) };
  return { number, report: type === 'clicked' ? { type, url, ...facts } : { type, ...facts } };
}
