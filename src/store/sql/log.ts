/**
 * What becomes known of messages outside delivery, but for opens and clicks, which come often: each store has its own way
 * for those. Reading the log is next door (`log-reads.ts`).
 */
import type { EventType, SuppressionReason } from '../../events/types.ts';
import type { Report, ReportResult, VisitReport } from '../contract/log.ts';
import { everyStream } from '../contract/suppressions.ts';
import type { Writer } from './statements.ts';
import { suppressBecause } from './suppressions.ts';
import { endOfIds, inside } from './windows.ts';

interface NewEvent {
  readonly type: EventType;
  readonly atMs: number;
  readonly code?: string;
  readonly enhancedCode?: string;
  readonly response?: string;
  readonly detail: object;
}

/** Whose story an event belongs to. */
interface Subject {
  readonly accountId: number;
  readonly messageId: number;
  readonly submissionId: number;
}

/**
 * Appends an event to its message's story: the message's facts are copied from its rows, its number is the next.
 * @returns the event's id
 */
async function appendEvent(
  database: Writer,
  { accountId, messageId, submissionId }: Subject,
  event: NewEvent,
): Promise<number> {
  const id = await database.nextIds('events');
  await database.run('UPDATE messages SET last_number = last_number + 1 WHERE id = ?', messageId);
  await database.run(
    `INSERT INTO events (id, account_id, message_id, number, type, time_ms, recipient, sender, subject,
       code, enhanced_code, response, url, first_refusal, visitor, tags, metadata, detail)
     SELECT ?, m.account_id, m.id, m.last_number, ?, ?, m.recipient, s.sender, s.subject,
       ?, ?, ?, '', 0, '', s.tags, s.metadata, ?
     FROM messages m JOIN submissions s ON s.id = ? WHERE m.id = ?`,
    id,
    event.type,
    event.atMs,
    event.code ?? '',
    event.enhancedCode ?? '',
    event.response ?? '',
    JSON.stringify(event.detail),
    submissionId,
    messageId,
  );
  database.noteGrownLog(accountId);
  return id;
}

interface ReportedMessage {
  id: number;
  submission_id: number;
  account_id: number;
  recipient: string;
  state: string;
  complained: number;
  attempts_made: number | null;
}

type ReportOf<Type extends Report['type']> = Extract<Report, { type: Type }>;

async function appendReport(
  database: Writer,
  message: ReportedMessage,
  event: NewEvent,
): Promise<{ readonly kind: 'appended'; readonly eventId: number }> {
  const { account_id: accountId, id: messageId, submission_id: submissionId } = message;
  const eventId = await appendEvent(database, { accountId, messageId, submissionId }, event);
  return { kind: 'appended', eventId };
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

/** Where unsubscribes fill no list, the message's own events say that its recipient has left. */
async function hasLeftUnlisted(database: Writer, message: ReportedMessage): Promise<boolean> {
  const unlisted = await database.get(
    'SELECT 1 FROM suppression_settings WHERE account_id = ? AND unsubscribes = 0',
    message.account_id,
  );
  if (unlisted === undefined) return false;
  const { fromId } = await database.windows.storyOf(database, message.id);
  const { clause, values } = inside('id', { fromId, toId: endOfIds });
  const left = await database.get(
    `SELECT 1 FROM events WHERE message_id = ? AND type = 'unsubscribed'${clause} LIMIT 1`,
    message.id,
    ...values,
  );
  return left !== undefined;
}

async function streamOf(database: Writer, { submission_id: id }: ReportedMessage): Promise<string> {
  const sql = 'SELECT stream FROM submissions WHERE id = ?';
  return (await database.get<{ stream: string }>(sql, id))?.stream ?? everyStream;
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
  const kept = isHeld && stream === everyStream ? await streamOf(database, message) : stream;
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

/** Opens and clicks left out. */
export type OtherReport = Exclude<Report, VisitReport>;

export async function reportOther(database: Writer, report: OtherReport): Promise<ReportResult> {
  const message = await database.get<ReportedMessage>(
    `SELECT m.id, m.submission_id, m.account_id, m.recipient, m.state, m.complained, q.attempts_made
     FROM messages m LEFT JOIN queue q ON q.message_id = m.id WHERE m.id = ?`,
    report.messageId,
  );
  if (message === undefined) return { kind: 'unknown' };
  switch (report.type) {
    case 'unsubscribed':
      return await unsubscribed(database, message, report);
    case 'complained':
      return await complained(database, message, report);
    case 'bounced':
      return await bouncedLate(database, message, report);
  }
}
