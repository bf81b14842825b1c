/** A log that takes visits as a store does, each number once, when it is let; and visits to tell it of. */
import type { NumberedVisit, ReportResult, VisitBatch } from '../../src/store/contract/log.ts';
import { StoreBusyError } from '../../src/store/contract/store.ts';
import { untold } from '../../src/store/sql/visits.ts';
import type { Visit } from '../../src/track/visit.ts';
import type { ManualClock } from '../support/manual-clock.ts';

export const browser =
  'Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 Chrome/140.0 Safari/537.36';

export const openOf = (messageId: number, atMs: number, changes: Partial<Visit> = {}): Visit => ({
  type: 'opened',
  messageId,
  atMs,
  url: '',
  userAgent: browser,
  address: '192.0.2.1',
  isHead: false,
  isPrefetch: false,
  ...changes,
});

/** `forgets`: takes them and never says so. `breaks`: with an error that is no fault of the disk. */
export type Behaviour = 'takes' | 'fails' | 'hangs' | 'forgets' | 'breaks';

/** Of messages that were delivered an hour before its clock began. */
export class Log {
  behaviour: Behaviour = 'takes';
  readonly stored: NumberedVisit[] = [];
  readonly gates: (() => void)[] = [];
  /** When it was asked, in milliseconds since the beginning. */
  readonly tries: number[] = [];
  /** Messages whose visits it never takes. */
  readonly refused = new Set<number>();
  readonly #clock: ManualClock;
  readonly #startMs: number;
  readonly #told = new Map<string, { opened: number; clicked: number }>();
  #watchers: (() => void)[] = [];

  constructor(clock: ManualClock) {
    this.#clock = clock;
    this.#startMs = clock.now();
  }

  get reports() {
    return this.stored.map(({ report }) => report);
  }

  get ids(): number[] {
    return this.reports.map(({ messageId }) => messageId).sort((a, b) => a - b);
  }

  async finishedAtMs(ids: readonly number[]) {
    return new Map(ids.map((id) => [id, this.#startMs - 3_600_000]));
  }

  async visitsTold({ journal }: Pick<VisitBatch, 'journal'>) {
    return this.#told.get(journal) ?? { opened: 0, clicked: 0 };
  }

  async reportVisits({ journal, visits }: VisitBatch): Promise<ReportResult['kind'][]> {
    this.tries.push(this.#clock.now() - this.#startMs);
    if (this.behaviour === 'hangs') await new Promise<void>((resolve) => this.gates.push(resolve));
    if (this.behaviour === 'fails') throw new StoreBusyError('attempt to write a readonly database');
    const isRefused = visits.some(({ report }) => this.refused.has(report.messageId));
    if (this.behaviour === 'breaks' || isRefused) throw new TypeError('a value is out of range');
    const { fresh, after } = untold(visits, await this.visitsTold({ journal }));
    this.#told.set(journal, after);
    this.stored.push(...visits.filter((_, index) => fresh[index]));
    for (const watcher of this.#watchers.splice(0)) watcher();
    if (this.behaviour === 'forgets') throw new StoreBusyError('the connection was lost');
    return fresh.map((isFresh) => (isFresh ? 'appended' : 'repeated'));
  }

  async has(count: number): Promise<void> {
    while (this.stored.length < count) await new Promise<void>((resolve) => this.#watchers.push(resolve));
  }
}
