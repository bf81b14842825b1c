/** Opens and clicks in batches: a fixed number of statements for all of them, by the same rules as in the other store. */
import type { ReportResult, VisitBatch, VisitReport } from '../contract/log.ts';
import { isFirst, visitEvent } from '../sql/visit-events.ts';
import { saveTold, takeJournal, untold } from '../sql/visits.ts';
import { arrayOf, type Row, rowsJson, type Transaction } from './transaction.ts';

interface MessageRow {
  readonly id: number;
  readonly account_id: number;
  readonly submission_id: number;
  readonly recipient: string;
  last_number: number;
  opened: number;
  clicked: number;
}

interface SubmissionRow {
  readonly id: number;
  readonly sender: string;
  readonly subject: string;
  readonly tags: string;
  readonly metadata: string;
}

/** In the order in which all others lock messages. */
const lockMessages = `
  SELECT id, account_id, submission_id, recipient, last_number, opened, clicked
  FROM messages WHERE id = ANY (?::bigint[]) ORDER BY id FOR NO KEY UPDATE`;
const readSubmissions =
  'SELECT id, sender, subject, tags, metadata FROM submissions WHERE id = ANY (?::bigint[])';
const updateMessages = `
  UPDATE messages m SET last_number = r.last_number, opened = r.opened, clicked = r.clicked
  FROM json_populate_recordset(NULL::messages, ?) r WHERE m.id = r.id AND m.id = ANY (?::bigint[])`;

export async function reportVisitsAll(
  transaction: Transaction,
  batch: VisitBatch,
): Promise<readonly ReportResult['kind'][]> {
  const { fresh, after } = untold(batch.visits, await takeJournal(transaction, batch));
  await saveTold(transaction, batch.journal, after);
  const reports = batch.visits.filter((_, index) => fresh[index]).map(({ report }) => report);
  const results = (await appendVisits(transaction, reports)).values();
  return fresh.map((isFresh) => (isFresh ? (results.next().value?.kind ?? 'unknown') : 'repeated'));
}

/** @returns of each what became of it */
export async function appendVisits(
  transaction: Transaction,
  reports: readonly VisitReport[],
): Promise<readonly ReportResult[]> {
  const ids = new Set(reports.map(({ messageId }) => messageId).filter((id) => Number.isSafeInteger(id)));
  const messages = new Map(
    (await transaction.all<MessageRow>(lockMessages, arrayOf(ids))).map((message) => [message.id, message]),
  );
  const submissionIds = new Set([...messages.values()].map((message) => message.submission_id));
  const submissions = new Map(
    (await transaction.all<SubmissionRow>(readSubmissions, arrayOf(submissionIds))).map((row) => [
      row.id,
      row,
    ]),
  );
  if (submissions.size === 0) return reports.map(() => ({ kind: 'unknown' }));
  const accountIds = new Set([...messages.values()].map((message) => message.account_id));
  await transaction.lockLogs(accountIds);
  const events: Row[] = [];
  const places: (number | undefined)[] = [];
  for (const report of reports) {
    const message = messages.get(report.messageId);
    const submission = submissions.get(message?.submission_id ?? 0);
    if (message === undefined || submission === undefined) {
      places.push(undefined);
      continue;
    }
    places.push(events.length);
    const first = isFirst(report, message);
    if (first) message[report.type] = 1;
    message.last_number++;
    events.push(eventRow(report, first, message, submission));
  }
  const eventIds = await transaction.appendEvents(events);
  await transaction.run(
    updateMessages,
    rowsJson(
      [...messages.values()].map(({ id, last_number, opened, clicked }) => ({
        id,
        last_number,
        opened,
        clicked,
      })),
    ),
    arrayOf(messages.keys()),
  );
  for (const accountId of accountIds) transaction.noteGrownLog(accountId);
  return places.map((place) => {
    const eventId = place === undefined ? undefined : eventIds[place];
    return eventId === undefined ? { kind: 'unknown' } : { kind: 'appended', eventId };
  });
}

function eventRow(
  report: VisitReport,
  first: boolean,
  message: MessageRow,
  { sender, subject, tags, metadata }: SubmissionRow,
): Row {
  const { type, atMs, url, visitor, detail } = visitEvent(report, first);
  return {
    account_id: message.account_id,
    message_id: message.id,
    number: message.last_number,
    type,
    time_ms: atMs,
    recipient: message.recipient,
    sender,
    subject,
    code: '',
    enhanced_code: '',
    response: '',
    url,
    first_refusal: 0,
    visitor,
    tags,
    metadata,
    detail: JSON.stringify(detail),
  };
}
