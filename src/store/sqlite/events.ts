/**
 * Appending to the event log in SQLite, where everything about the message is at hand: whoever appends has read it, to know
 * what to do. Statements answer at once here, so nothing of this awaits. What comes seldom goes by `sql/log.ts`.
 */
import type { EventType, VisitorKind } from '../../events/types.ts';
import type { Writer } from './database.ts';

/** The message's facts are copied in, so that the log outlives messages. */
interface NewEvent {
  readonly accountId: number;
  readonly messageId: number;
  /** Its place in the message's story. */
  readonly number: number;
  readonly type: EventType;
  readonly atMs: number;
  readonly recipient: string;
  readonly sender: string;
  readonly subject: string;
  /** JSON, as the submission has it. */
  readonly tags: string;
  readonly metadata: string;
  readonly code?: string;
  readonly enhancedCode?: string;
  readonly response?: string;
  readonly url?: string;
  readonly firstRefusal?: boolean;
  readonly visitor?: VisitorKind;
  readonly detail: object;
}

/** @returns the event's id */
export function insertEvent(database: Writer, event: NewEvent): number {
  const id = database.nextIds('events');
  database.run(
    `INSERT INTO events (id, account_id, message_id, number, type, time_ms, recipient, sender, subject,
       code, enhanced_code, response, url, first_refusal, visitor, tags, metadata, detail)
     VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
    id,
    event.accountId,
    event.messageId,
    event.number,
    event.type,
    event.atMs,
    event.recipient,
    event.sender,
    event.subject,
    event.code ?? '',
    event.enhancedCode ?? '',
    event.response ?? '',
    event.url ?? '',
    event.firstRefusal ? 1 : 0,
    event.visitor ?? '',
    event.tags,
    event.metadata,
    JSON.stringify(event.detail),
  );
  database.noteGrownLog(event.accountId);
  return id;
}
