/** Finds out what has to be known of visits to say who made them, and for no more of them than need it. */
import type { Visitor } from '../events/types.ts';
import type { EventLog } from '../store/contract/log.ts';
import type { Habits } from './habits.ts';
import type { Recorded } from './visit.ts';
import { visitorByFacts, visitorByRequest } from './visitor.ts';

interface JudgeParts {
  readonly log: Pick<EventLog, 'finishedAtMs'>;
  readonly habits: Pick<Habits, 'around'>;
}

export class Judge {
  readonly #parts: JudgeParts;

  constructor(parts: JudgeParts) {
    this.#parts = parts;
  }

  /** In their order. @throws what the store says */
  async visitorsOf(visits: readonly Recorded[]): Promise<readonly Visitor[]> {
    const { log, habits } = this.#parts;
    const byRequest = visits.map(({ visit }) => visitorByRequest(visit));
    const unclear = new Set(
      visits.filter((_, index) => byRequest[index] === undefined).map(({ visit }) => visit.messageId),
    );
    const finishedAtMs = await log.finishedAtMs([...unclear]);
    return visits.map(
      ({ visit, sinceMs }, index) =>
        byRequest[index] ??
        visitorByFacts(visit, {
          deliveredAtMs: finishedAtMs.get(visit.messageId),
          isEndless: sinceMs > 0,
          ...habits.around(visit),
        }),
    );
  }
}
