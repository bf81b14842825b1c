/**
 * Claiming due messages: one statement picks and leases them, one more says all that delivery needs. Rows that another
 * process is claiming are passed over, so claims never wait for one another. The second statement names the messages by
 * their ids, so that it opens their partitions alone: one statement for both would have to open all.
 */
import type { SuppressionReason } from '../../events/types.ts';
import type { ClaimedMessage, QueueStore } from '../contract/queue.ts';
import { everyStream } from '../contract/suppressions.ts';
import { type Database, Statements } from './database.ts';
import { arrayOf } from './transaction.ts';

export interface ClaimParts {
  readonly database: Database;
  /** Who has the lease. */
  readonly processName: string;
}

interface LeasedRow {
  account_id: number;
  message_id: number;
  submission_id: number;
  attempts_made: number;
  lease: number;
  was_due_at_ms: number;
  /** Of the account that it is of: what each may have of this claim. */
  share: number;
}

interface MessageRow {
  id: number;
  account_id: number;
  account: string;
  tags: string;
  recipient: string;
  created_at_ms: number;
  size_bytes: number;
  suppressed: SuppressionReason | null;
  sender: string;
  subject: string;
  stream: string;
  track_opens: number;
  track_clicks: number;
  track_text: number;
  list_unsubscribe: number;
  tracking_host: string;
}

/** The accounts in the queue, by hopping from one to the next in the index: one look-up an account, however long it is. */
export const queuedAccounts = `
  account(id) AS (
    (SELECT account_id FROM queue ORDER BY account_id LIMIT 1)
    UNION ALL
    SELECT (SELECT account_id FROM queue WHERE account_id > account.id ORDER BY account_id LIMIT 1)
    FROM account WHERE account.id IS NOT NULL
  )`;

/** Parameters: now, limit, now, limit, lease's end, process, '*'. Every account with something due gives the same share of the limit. */
const leaseSql = `
  WITH RECURSIVE ${queuedAccounts},
  with_due AS MATERIALIZED (
    SELECT id FROM account
    WHERE EXISTS (SELECT 1 FROM queue WHERE account_id = account.id AND due_at_ms <= ?)
  ),
  fair AS MATERIALIZED (SELECT ceil(?::numeric / greatest(1, count(*)))::bigint AS share FROM with_due),
  due AS MATERIALIZED (
    SELECT picked.* FROM with_due CROSS JOIN LATERAL (
      SELECT message_id, due_at_ms FROM queue WHERE account_id = with_due.id AND due_at_ms <= ?
      ORDER BY due_at_ms, message_id
      LIMIT (SELECT share FROM fair)
      FOR UPDATE SKIP LOCKED
    ) picked
    LIMIT ?
  )
  UPDATE queue SET due_at_ms = ?, lease = nextval('lease_numbers'), holder = ?
  FROM due WHERE queue.message_id = due.message_id
  RETURNING queue.message_id, queue.submission_id, queue.attempts_made, queue.lease, due.due_at_ms AS was_due_at_ms,
    queue.account_id, (SELECT share FROM fair) AS share`;

/** Parameters: '*', the messages' ids, those of their submissions. */
const describeSql = `
  SELECT m.id, m.account_id, m.recipient, m.created_at_ms, s.size_bytes, s.sender, s.subject, s.stream,
    s.tags, (SELECT name FROM accounts WHERE id = m.account_id) AS account, s.track_opens, s.track_clicks, s.track_text,
    s.list_unsubscribe, s.tracking_host,
    (SELECT reason FROM suppressions
     WHERE account_id = m.account_id AND recipient = fold_case(m.recipient) AND stream IN (s.stream, ?)
       AND NOT (reason = 'unsubscribed' AND s.essential = 1)
     ORDER BY reason = 'unsubscribed' LIMIT 1) AS suppressed
  FROM messages m JOIN submissions s ON s.id = m.submission_id
  WHERE m.id = ANY (?::bigint[]) AND s.id = ANY (?::bigint[])`;

const toClaimed = (leased: LeasedRow, row: MessageRow): ClaimedMessage => ({
  messageId: row.id,
  submissionId: leased.submission_id,
  accountId: row.account_id,
  account: row.account,
  recipient: row.recipient,
  attemptsMade: leased.attempts_made,
  lease: leased.lease,
  acceptedAtMs: row.created_at_ms,
  sizeBytes: row.size_bytes,
  suppressed: row.suppressed ?? undefined,
  sender: row.sender,
  subject: row.subject,
  stream: row.stream,
  tags: JSON.parse(row.tags) as string[],
  trackOpens: row.track_opens !== 0,
  trackClicks: row.track_clicks !== 0,
  trackText: row.track_text !== 0,
  listUnsubscribe: row.list_unsubscribe !== 0,
  trackingHost: row.tracking_host,
});

/** What accounts leave of their shares is shared out again, as long as there is any. */
async function leaseDue(
  statements: Statements,
  processName: string,
  { nowMs, leaseMs, limit }: Parameters<QueueStore['claim']>[0],
): Promise<readonly LeasedRow[]> {
  const leased: LeasedRow[] = [];
  while (leased.length < limit) {
    const left = limit - leased.length;
    const rows = await statements.all<LeasedRow>(
      leaseSql,
      nowMs,
      left,
      nowMs,
      left,
      nowMs + leaseMs,
      processName,
    );
    leased.push(...rows);
    if (!someMayHaveMore(rows)) break;
  }
  return leased.sort((a, b) => a.was_due_at_ms - b.was_due_at_ms || a.message_id - b.message_id);
}

/** Whether an account gave all that it was asked for. */
function someMayHaveMore(rows: readonly LeasedRow[]): boolean {
  const given = new Map<number, number>();
  return rows.some(({ account_id: account, share }) => {
    const count = (given.get(account) ?? 0) + 1;
    given.set(account, count);
    return count >= share;
  });
}

/** Both in one transaction: what is leased is told of, or not leased. */
export function claim(
  { database, processName }: ClaimParts,
  input: Parameters<QueueStore['claim']>[0],
): Promise<readonly ClaimedMessage[]> {
  return database.transaction(async (sender) => {
    const statements = new Statements(sender);
    const leased = await leaseDue(statements, processName, input);
    if (leased.length === 0) return [];
    const messages = await statements.all<MessageRow>(
      describeSql,
      everyStream,
      arrayOf(leased.map((row) => row.message_id)),
      arrayOf(new Set(leased.map((row) => row.submission_id))),
    );
    const byId = new Map(messages.map((message) => [message.id, message]));
    return leased.flatMap((row) => {
      const message = byId.get(row.message_id);
      return message === undefined ? [] : [toClaimed(row, message)];
    });
  });
}
