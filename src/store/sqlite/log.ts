/** The event log in SQLite: appending an event to a message, reports from outside, reading after a cursor. */
import type { EventType, LoggedEvent, SuppressionReason } from '../../events/types.ts';
import type { EventLog, Report, ReportResult } from '../contract/log.ts';
import { everyStream } from '../contract/suppressions.ts';
import type { Reader, Writer } from './database.ts';
import { addSuppression } from './suppressions.ts';
import type { WriteVerbs } from './writer.ts';

interface NewEvent {
  readonly type: EventType;
  readonly atMs: number;
  readonly code?: string;
  readonly enhancedCode?: string;
  readonly response?: string;
  readonly url?: string;
  readonly firstRefusal?: boolean;
  readonly detail: object;
}

/**
 * Appends an event to its message's story: the message's facts are copied from its rows, its number is the next.
 * @returns the event's id
 */
export function appendEvent(database: Writer, accountId: number, messageId: number, event: NewEvent): number {
  const id = database.nextIds('events');
  database.run('UPDATE messages SET last_number = last_number + 1 WHERE id = ?', messageId);
  database.run(
    `INSERT INTO events (id, account_id, message_id, number, type, time_ms, recipient, sender, subject,
       code, enhanced_code, response, url, first_refusal, tags, metadata, detail)
     SELECT ?, m.account_id, m.id, m.last_number, ?, ?, m.recipient, s.sender, s.subject,
       ?, ?, ?, ?, ?, s.tags, s.metadata, ?
     FROM messages m JOIN submissions s ON s.id = m.submission_id WHERE m.id = ?`,
    id,
    event.type,
    event.atMs,
    event.code ?? '',
    event.enhancedCode ?? '',
    event.response ?? '',
    event.url ?? '',
    event.firstRefusal ? 1 : 0,
    JSON.stringify(event.detail),
    messageId,
  );
  database.noteGrownLog(accountId);
  return id;
}

interface ReportedMessage {
  account_id: number;
  recipient: string;
  state: string;
  opened: number;
  clicked: number;
  complained: number;
  attempts_made: number | null;
}

export const logWrites = {
  report(database: Writer, report: Report): ReportResult {
    const { messageId, atMs, type } = report;
    const message = database.get<ReportedMessage>(
      `SELECT m.account_id, m.recipient, m.state, m.opened, m.clicked, m.complained, q.attempts_made
       FROM messages m LEFT JOIN queue q ON q.message_id = m.id WHERE m.id = ?`,
      messageId,
    );
    if (message === undefined) return { kind: 'unknown' };
    const append = (event: Omit<NewEvent, 'type' | 'atMs'>): ReportResult => ({
      kind: 'appended',
      eventId: appendEvent(database, message.account_id, messageId, { type, atMs, ...event }),
    });
    /** Suppresses the recipient and appends the event that says why. */
    const suppress = (stream: string, reason: SuppressionReason, detail: object): ReportResult => {
      const eventId = appendEvent(database, message.account_id, messageId, { type, atMs, detail });
      const { account_id: accountId, recipient } = message;
      addSuppression(database, { accountId, recipient, stream, reason, eventId, atMs });
      return { kind: 'appended', eventId };
    };

    switch (report.type) {
      case 'opened':
      case 'clicked': {
        const first = (report.type === 'opened' ? message.opened : message.clicked) === 0;
        if (first) database.run(`UPDATE messages SET ${report.type} = 1 WHERE id = ?`, messageId);
        return append({
          ...(report.type === 'clicked' && { url: report.url }),
          detail: { userAgent: report.userAgent, address: report.address, first },
        });
      }
      case 'unsubscribed': {
        const { stream, how } = report;
        const recipient = message.recipient.toLowerCase();
        const known = database.get(
          `SELECT 1 FROM suppressions WHERE account_id = ? AND recipient = ? AND stream IN (?, ?)
           AND reason = 'unsubscribed'`,
          message.account_id,
          recipient,
          stream,
          everyStream,
        );
        return known === undefined ? suppress(stream, 'unsubscribed', { stream, how }) : { kind: 'repeated' };
      }
      case 'complained': {
        if (message.complained !== 0) return { kind: 'repeated' };
        database.run('UPDATE messages SET complained = 1 WHERE id = ?', messageId);
        const { feedbackType, source } = report;
        return suppress(everyStream, 'complained', { feedbackType, source });
      }
      case 'bounced': {
        if (message.state === 'bounced' || message.state === 'skipped') return { kind: 'repeated' };
        const { answer, host, category, recipientAtFault } = report;
        database.run(
          "UPDATE messages SET state = 'bounced', finished_at_ms = coalesce(finished_at_ms, ?) WHERE id = ?",
          atMs,
          messageId,
        );
        database.run('DELETE FROM queue WHERE message_id = ?', messageId);
        const attempt = message.attempts_made ?? 0;
        const result = append({
          code: answer.code,
          enhancedCode: answer.enhancedCode,
          response: answer.text,
          detail: { attempt, host, address: '', stage: 'report', category, recipientAtFault, late: true },
        });
        if (recipientAtFault && result.kind === 'appended') {
          const { account_id: accountId, recipient } = message;
          const { eventId } = result;
          addSuppression(database, {
            accountId,
            recipient,
            stream: everyStream,
            reason: 'bounced',
            eventId,
            atMs,
          });
        }
        return result;
      }
    }
  },
};

interface EventRow {
  id: number;
  account_id: number;
  message_id: number;
  number: number;
  type: EventType;
  time_ms: number;
  recipient: string;
  sender: string;
  subject: string;
  code: string;
  enhanced_code: string;
  response: string;
  url: string;
  first_refusal: number;
  tags: string;
  metadata: string;
  detail: string;
}

const toEvent = (row: EventRow): LoggedEvent => ({
  id: row.id,
  accountId: row.account_id,
  messageId: row.message_id,
  number: row.number,
  type: row.type,
  timeMs: row.time_ms,
  recipient: row.recipient,
  sender: row.sender,
  subject: row.subject,
  code: row.code,
  enhancedCode: row.enhanced_code,
  response: row.response,
  url: row.url,
  firstRefusal: row.first_refusal !== 0,
  tagsJson: row.tags,
  metadataJson: row.metadata,
  detailJson: row.detail,
});

export type Subscribe = EventLog['subscribe'];

export function eventLog(reader: Reader, write: WriteVerbs['log'], subscribe: Subscribe): EventLog {
  const lastId = (accountId: number) =>
    reader.get<{ id: number | null }>('SELECT max(id) AS id FROM events WHERE account_id = ?', accountId)
      ?.id ?? 0;
  return {
    ...write,
    subscribe,
    lastId: async (accountId) => lastId(accountId),
    async readAfter({ accountId, afterId, types, limit, scanLimit }) {
      // Looks through the index alone for how far this read may go, then fetches what is wanted of that.
      const scan = reader.get<{ seen: number; last: number | null }>(
        `SELECT count(*) AS seen, max(id) AS last
         FROM (SELECT id FROM events WHERE account_id = ? AND id > ? ORDER BY id LIMIT ?)`,
        accountId,
        afterId,
        scanLimit,
      );
      if (!scan || scan.last === null) return { events: [], scannedTo: afterId, atEnd: true };
      const { clause, values } = typeFilter(types);
      const events = reader
        .all<EventRow>(
          `SELECT * FROM events WHERE account_id = ? AND id > ? AND id <= ?${clause} ORDER BY id LIMIT ?`,
          accountId,
          afterId,
          scan.last,
          ...values,
          limit,
        )
        .map(toEvent);
      const full = events.length === limit;
      return {
        events,
        scannedTo: full ? (events.at(-1)?.id ?? scan.last) : scan.last,
        atEnd: !full && scan.seen < scanLimit,
      };
    },
    ofMessage: async (accountId, messageId) =>
      reader
        .all<EventRow>(
          'SELECT * FROM events WHERE message_id = ? AND account_id = ? ORDER BY number',
          messageId,
          accountId,
        )
        .map(toEvent),
    async byId(accountId, eventId) {
      const row = reader.get<EventRow>(
        'SELECT * FROM events WHERE id = ? AND account_id = ?',
        eventId,
        accountId,
      );
      return row === undefined ? undefined : toEvent(row);
    },
    async countAfter({ accountId, afterId, types, cap }) {
      const { clause, values } = typeFilter(types);
      const row = reader.get<{ n: number }>(
        `SELECT count(*) AS n FROM
           (SELECT 1 FROM events WHERE account_id = ? AND id > ?${clause} LIMIT ?)`,
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
