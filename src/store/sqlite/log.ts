/** What becomes known of messages outside delivery, in SQLite: opens and clicks come often and have statements of their own. */
import type { Report, ReportResult, VisitBatch, VisitReport } from '../contract/log.ts';
import { reportOther } from '../sql/log.ts';
import type { Awaitable } from '../sql/statements.ts';
import { isFirst, isVisit, visitEvent } from '../sql/visit-events.ts';
import { saveTold, takeJournal, untold } from '../sql/visits.ts';
import type { Writer } from './database.ts';
import { insertEvent } from './events.ts';

type Visited = readonly [
  accountId: number,
  recipient: string,
  lastNumber: number,
  opened: number,
  clicked: number,
  sender: string,
  subject: string,
  tags: string,
  metadata: string,
];

function appendVisit(database: Writer, report: VisitReport): ReportResult {
  const { messageId } = report;
  const visited = database.tuple<Visited>(
    `SELECT m.account_id, m.recipient, m.last_number, m.opened, m.clicked, s.sender, s.subject, s.tags, s.metadata
     FROM messages m JOIN submissions s ON s.id = m.submission_id WHERE m.id = ?`,
    messageId,
  );
  if (visited === undefined) return { kind: 'unknown' };
  const [accountId, recipient, lastNumber, opened, clicked, sender, subject, tags, metadata] = visited;
  const first = isFirst(report, { opened, clicked });
  const number = lastNumber + 1;
  database.run(
    'UPDATE messages SET last_number = ?, opened = ?, clicked = ? WHERE id = ?',
    number,
    first && report.type === 'opened' ? 1 : opened,
    first && report.type === 'clicked' ? 1 : clicked,
    messageId,
  );
  const event = visitEvent(report, first);
  const facts = { accountId, messageId, number, recipient, sender, subject, tags, metadata };
  return { kind: 'appended', eventId: insertEvent(database, { ...facts, ...event }) };
}

export const logWrites = {
  report: (database: Writer, report: Report): Awaitable<ReportResult> =>
    isVisit(report) ? appendVisit(database, report) : reportOther(database, report),

  visitsTold: takeJournal,

  async reportVisits(database: Writer, batch: VisitBatch): Promise<ReportResult['kind'][]> {
    const { fresh, after } = untold(batch.visits, await takeJournal(database, batch));
    await saveTold(database, batch.journal, after);
    return batch.visits.map(({ report }, index) =>
      fresh[index] === true ? appendVisit(database, report).kind : 'repeated',
    );
  },
};
