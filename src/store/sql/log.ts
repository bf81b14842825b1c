/** The event log: appending an event to a message, reports from outside, reading after a cursor. */
import type { EventType, LoggedEvent, SuppressionReason, VisitorKind } from '../../events/types.ts';
import type { EventLog, Report, ReportResult } from '../contract/log.ts';
import { everyStream } from '../contract/suppressions.ts';
import type { Calls, Reader, Writer } from './statements.ts';
import { suppressBecause } from './suppressions.ts';

interface NewEvent {
  readonly type: EventType;
  readonly atMs: number;
  readonly code?: string;
  readonly enhancedCode?: string;
  readonly response?: string;
  readonly url?: string;
  readonly firstRefusal?: boolean;
  readonly visitor?: VisitorKind;
  readonly detail: object;
}

/**
 * Appends an event to its message's story: the message's facts are copied from its rows, its number is the next.
 * @returns the event's id
 */
export async function appendEvent(
  database: Writer,
  accountId: number,
  messageId: number,
  event: NewEvent,
): Promise<number> {
  const id = await database.nextIds('events');
  await database.run('UPDATE messages SET last_number = last_number + 1 WHERE id = ?', messageId);
  await database.run(
    `INSERT INTO events (id, account_id, message_id, number, type, time_ms, recipient, sender, subject,
       code, enhanced_code, response, url, first_refusal, visitor, tags, metadata, detail)
     SELECT ?, m.account_id, m.id, m.last_number, ?, ?, m.recipient, s.sender, s.subject,
       ?, ?, ?, ?, ?, ?, s.tags, s.metadata, ?
     FROM messages m JOIN submissions s ON s.id = m.submission_id WHERE m.id = ?`,
    id,
    event.type,
    event.atMs,
    event.code ?? '',
    event.enhancedCode ?? '',
    event.response ?? '',
    event.url ?? '',
    event.firstRefusal ? 1 : 0,
    event.visitor ?? '',
    JSON.stringify(event.detail),
    messageId,
  );
  database.noteGrownLog(accountId);
  return id;
}

interface ReportedMessage {
  id: number;
  account_id: number;
  recipient: string;
  state: string;
  opened: number;
  clicked: number;
  complained: number;
  stream: string;
  attempts_made: number | null;
}

type ReportOf<Type extends Report['type']> = Extract<Report, { type: Type }>;

async function appendReport(
  database: Writer,
  message: ReportedMessage,
  event: NewEvent,
): Promise<{ readonly kind: 'appended'; readonly eventId: number }> {
  return { kind: 'appended', eventId: await appendEvent(database, message.account_id, message.id, event) };
}

/** Appends the event and puts the recipient on the list because of it, if the account wants that. */
async function appendAndSuppress(
  database: Writer,
  message: ReportedMessage,
  event: NewEvent,
  { stream, reason }: { stream: string; reason: 'bounced' | 'complained' | 'unsubscribed' },
): Promise<ReportResult> {
  const result = await appendReport(database, message, event);
  const { account_id: accountId, recipient } = message;
  const { eventId } = result;
  await suppressBecause(database, { accountId, recipient, stream, reason, eventId, atMs: event.atMs });
  return result;
}

async function openedOrClicked(
  database: Writer,
  message: ReportedMessage,
  report: ReportOf<'opened' | 'clicked'>,
): Promise<ReportResult> {
  const { type, atMs, userAgent, address } = report;
  const { kind: visitor, confidence, reason } = report.visitor;
  const first = message[type] === 0;
  if (first) await database.run(`UPDATE messages SET ${type} = 1 WHERE id = ?`, message.id);
  const url = report.type === 'clicked' ? report.url : '';
  const detail = { userAgent, address, first, visitor, confidence, reason };
  return await appendReport(database, message, { type, atMs, url, visitor, detail });
}

/** Where unsubscribes fill no list, the message's own events say that its recipient has left. */
async function hasLeftUnlisted(database: Writer, message: ReportedMessage): Promise<boolean> {
  const row = await database.get(
    `SELECT 1 FROM suppression_settings WHERE account_id = ? AND unsubscribes = 0
     AND EXISTS (SELECT 1 FROM events WHERE message_id = ? AND type = 'unsubscribed')`,
    message.account_id,
    message.id,
  );
  return row !== undefined;
}

async function unsubscribed(
  database: Writer,
  message: ReportedMessage,
  { type, atMs, stream, how }: ReportOf<'unsubscribed'>,
): Promise<ReportResult> {
  const entries = await database.all<{ stream: string; reason: SuppressionReason }>(
    'SELECT stream, reason FROM suppressions WHERE account_id = ? AND recipient = ?',
    message.account_id,
    message.recipient.toLowerCase(),
  );
  // Where all mail is suppressed for another reason, the wish is kept for the message's own stream, so that it is not
  // forgotten when that reason goes.
  const isHeld = entries.some((entry) => entry.stream === stream && entry.reason !== 'unsubscribed');
  const kept = isHeld && stream === everyStream ? message.stream : stream;
  const isKnown = entries.some(
    (entry) => (entry.stream === kept || entry.stream === everyStream) && entry.reason === 'unsubscribed',
  );
  if (isKnown || (await hasLeftUnlisted(database, message))) return { kind: 'repeated' };
  const event = { type, atMs, detail: { stream, how } };
  return await appendAndSuppress(database, message, event, { stream: kept, reason: 'unsubscribed' });
}

async function complained(
  database: Writer,
  message: ReportedMessage,
  { type, atMs, feedbackType, source }: ReportOf<'complained'>,
): Promise<ReportResult> {
  if (message.complained !== 0) return { kind: 'repeated' };
  await database.run('UPDATE messages SET complained = 1 WHERE id = ?', message.id);
  const event = { type, atMs, detail: { feedbackType, source } };
  return await appendAndSuppress(database, message, event, { stream: everyStream, reason: 'complained' });
}

async function bouncedLate(
  database: Writer,
  message: ReportedMessage,
  report: ReportOf<'bounced'>,
): Promise<ReportResult> {
  if (message.state === 'bounced' || message.state === 'skipped') return { kind: 'repeated' };
  const { type, atMs, answer, host, category, recipientAtFault } = report;
  await database.run(
    "UPDATE messages SET state = 'bounced', finished_at_ms = coalesce(finished_at_ms, ?) WHERE id = ?",
    atMs,
    message.id,
  );
  await database.run('DELETE FROM queue WHERE message_id = ?', message.id);
  const attempt = message.attempts_made ?? 0;
  const event: NewEvent = {
    type,
    atMs,
    code: answer.code,
    enhancedCode: answer.enhancedCode,
    response: answer.text,
    detail: { attempt, host, address: '', stage: 'report', category, recipientAtFault, late: true },
  };
  return recipientAtFault
    ? await appendAndSuppress(database, message, event, { stream: everyStream, reason: 'bounced' })
    : await appendReport(database, message, event);
}

export const logWrites = {
  async report(database: Writer, report: Report): Promise<ReportResult> {
    const message = await database.get<ReportedMessage>(
      `SELECT m.id, m.account_id, m.recipient, m.state, m.opened, m.clicked, m.complained, s.stream, q.attempts_made
       FROM messages m JOIN submissions s ON s.id = m.submission_id LEFT JOIN queue q ON q.message_id = m.id WHERE m.id = ?`,
      report.messageId,
    );
    if (message === undefined) return { kind: 'unknown' };
    switch (report.type) {
      case 'opened':
      case 'clicked':
        return await openedOrClicked(database, message, report);
      case 'unsubscribed':
        return await unsubscribed(database, message, report);
      case 'complained':
        return await complained(database, message, report);
      case 'bounced':
        return await bouncedLate(database, message, report);
    }
  },
};

const eventColumns = `id, account_id, message_id, number, type, time_ms, recipient, sender, subject,
  code, enhanced_code, response, url, first_refusal, visitor, tags, metadata, detail`;

type EventTuple = [
  id: number,
  accountId: number,
  messageId: number,
  number: number,
  type: EventType,
  timeMs: number,
  recipient: string,
  sender: string,
  subject: string,
  code: string,
  enhancedCode: string,
  response: string,
  url: string,
  firstRefusal: number,
  visitor: VisitorKind | '',
  tagsJson: string,
  metadataJson: string,
  detailJson: string,
];

const toEvent = (row: EventTuple): LoggedEvent => ({
  id: row[0],
  accountId: row[1],
  messageId: row[2],
  number: row[3],
  type: row[4],
  timeMs: row[5],
  recipient: row[6],
  sender: row[7],
  subject: row[8],
  code: row[9],
  enhancedCode: row[10],
  response: row[11],
  url: row[12],
  firstRefusal: row[13] !== 0,
  visitor: row[14],
  tagsJson: row[15],
  metadataJson: row[16],
  detailJson: row[17],
});

export function eventLog(
  reader: Reader,
  write: Calls<typeof logWrites>,
  subscribe: EventLog['subscribe'],
): EventLog {
  const lastId = async (accountId: number) =>
    (
      await reader.get<{ id: number | null }>(
        'SELECT max(id) AS id FROM events WHERE account_id = ?',
        accountId,
      )
    )?.id ?? 0;
  return {
    ...write,
    subscribe,
    lastId,
    finishedAtMs: async (messageId) =>
      (
        await reader.get<{ at: number | null }>(
          'SELECT finished_at_ms AS at FROM messages WHERE id = ?',
          messageId,
        )
      )?.at ?? undefined,
    async readAfter({ accountId, afterId, types, limit, scanLimit }) {
      // Looks through the index alone for how far this read may go, then fetches what is wanted of that.
      const scan = await reader.get<{ seen: number; last: number | null }>(
        `SELECT count(*) AS seen, max(id) AS last
         FROM (SELECT id FROM events WHERE account_id = ? AND id > ? ORDER BY id LIMIT ?) ahead`,
        accountId,
        afterId,
        scanLimit,
      );
      if (!scan || scan.last === null) return { events: [], scannedTo: afterId, atEnd: true };
      const { clause, values } = typeFilter(types);
      const events = (
        await reader.tuples<EventTuple>(
          `SELECT ${eventColumns} FROM events WHERE account_id = ? AND id > ? AND id <= ?${clause} ORDER BY id LIMIT ?`,
          accountId,
          afterId,
          scan.last,
          ...values,
          limit,
        )
      ).map(toEvent);
      const full = events.length === limit;
      return {
        events,
        scannedTo: full ? (events.at(-1)?.id ?? scan.last) : scan.last,
        atEnd: !full && scan.seen < scanLimit,
      };
    },
    ofMessage: async (accountId, messageId) =>
      (
        await reader.tuples<EventTuple>(
          `SELECT ${eventColumns} FROM events WHERE message_id = ? AND account_id = ? ORDER BY number`,
          messageId,
          accountId,
        )
      ).map(toEvent),
    async byId(accountId, eventId) {
      const [row] = await reader.tuples<EventTuple>(
        `SELECT ${eventColumns} FROM events WHERE id = ? AND account_id = ?`,
        eventId,
        accountId,
      );
      return row === undefined ? undefined : toEvent(row);
    },
    async countAfter({ accountId, afterId, types, cap }) {
      const { clause, values } = typeFilter(types);
      const row = await reader.get<{ n: number }>(
        `SELECT count(*) AS n FROM
           (SELECT 1 FROM events WHERE account_id = ? AND id > ?${clause} LIMIT ?) counted`,
        accountId,
        afterId,
        ...values,
        cap,
      );
      return row?.n ?? 0;
    },
  };
}

function typeFilter(types: readonly EventType[] | undefined): { clause: string; values: readonly string[] } {
  if (types === undefined) return { clause: '', values: [] };
  return { clause: ` AND type IN (${types.map(() => '?').join(', ')})`, values: types };
}
