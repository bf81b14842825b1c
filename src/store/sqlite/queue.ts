/** The delivery queue in SQLite. */
import type { ServerAnswer } from '../../events/types.ts';
import type { BodyPlace } from '../contract/bodies.ts';
import type { ClaimedMessage, QueueStore, Settlement } from '../contract/queue.ts';
import { everyStream } from '../contract/suppressions.ts';
import { type BodyRow, bodyReader } from '../sql/bodies.ts';
import type { Awaitable } from '../sql/statements.ts';
import { suppressBecause, suppressionFor } from '../sql/suppressions.ts';
import type { Reader, Writer } from './database.ts';
import { insertEvent } from './events.ts';
import type { WriteVerbs } from './writer.ts';

interface DueRow {
  message_id: number;
  submission_id: number;
  account_id: number;
  account: string;
  tags: string;
  recipient: string;
  attempts_made: number;
  created_at_ms: number;
  size_bytes: number;
  sender: string;
  subject: string;
  stream: string;
  essential: number;
  track_opens: number;
  track_clicks: number;
  track_text: number;
  list_unsubscribe: number;
  tracking_host: string;
}

/**
 * The accounts that have something due, by hopping from one to the next in the index (a loose index scan): the cost
 * is one look-up an account, whatever each has waiting.
 */
const accountsWithDue = `
  WITH RECURSIVE account(id) AS (
    SELECT min(account_id) FROM queue
    UNION ALL
    SELECT (SELECT min(account_id) FROM queue WHERE account_id > account.id) FROM account WHERE account.id IS NOT NULL
  )
  SELECT id FROM account WHERE id IS NOT NULL
    AND EXISTS (SELECT 1 FROM queue WHERE account_id = account.id AND due_at_ms <= ?)`;

const dueOfAccount = `
  SELECT q.message_id, m.submission_id, q.account_id, m.recipient, q.attempts_made, m.created_at_ms, s.size_bytes,
    s.sender, s.subject, s.stream, s.tags, (SELECT name FROM accounts WHERE id = q.account_id) AS account,
    s.essential, s.track_opens, s.track_clicks, s.track_text, s.list_unsubscribe, s.tracking_host
  FROM queue q JOIN messages m ON m.id = q.message_id JOIN submissions s ON s.id = m.submission_id
  WHERE q.account_id = ? AND q.due_at_ms <= ? ORDER BY q.due_at_ms, q.message_id LIMIT ?`;

async function lease(database: Writer, row: DueRow, leaseUntilMs: number): Promise<ClaimedMessage> {
  const number = database.nextIds('leases');
  database.run(
    'UPDATE queue SET due_at_ms = ?, lease = ? WHERE message_id = ?',
    leaseUntilMs,
    number,
    row.message_id,
  );
  const suppressed = await suppressionFor(database, {
    accountId: row.account_id,
    recipient: row.recipient,
    stream: row.stream,
    essential: row.essential !== 0,
  });
  return {
    messageId: row.message_id,
    submissionId: row.submission_id,
    accountId: row.account_id,
    account: row.account,
    recipient: row.recipient,
    attemptsMade: row.attempts_made,
    lease: number,
    acceptedAtMs: row.created_at_ms,
    sizeBytes: row.size_bytes,
    suppressed,
    sender: row.sender,
    subject: row.subject,
    stream: row.stream,
    tags: JSON.parse(row.tags) as string[],
    trackOpens: row.track_opens !== 0,
    trackClicks: row.track_clicks !== 0,
    trackText: row.track_text !== 0,
    listUnsubscribe: row.list_unsubscribe !== 0,
    trackingHost: row.tracking_host,
  };
}

const noAnswer: ServerAnswer = { code: '', enhancedCode: '', text: '' };

/** What settling has to know of the message. */
type Held = readonly [
  accountId: number,
  recipient: string,
  refused: number,
  lastNumber: number,
  sender: string,
  subject: string,
  tags: string,
  metadata: string,
];

export const queueWrites = {
  async claim(
    database: Writer,
    { nowMs, leaseMs, limit }: { nowMs: number; leaseMs: number; limit: number },
  ): Promise<ClaimedMessage[]> {
    let accounts = database.all<{ id: number }>(accountsWithDue, nowMs);
    const claimed: ClaimedMessage[] = [];
    // Each round gives every account the same share; what one leaves unused is shared out among the others.
    while (accounts.length > 0 && claimed.length < limit) {
      const share = Math.ceil((limit - claimed.length) / accounts.length);
      const withMore: typeof accounts = [];
      for (const account of accounts) {
        const take = Math.min(share, limit - claimed.length);
        if (take === 0) break;
        const rows = database.all<DueRow>(dueOfAccount, account.id, nowMs, take);
        for (const row of rows) claimed.push(await lease(database, row, nowMs + leaseMs));
        if (rows.length === take) withMore.push(account);
      }
      accounts = withMore;
    }
    return claimed;
  },

  settle(database: Writer, settlement: Settlement): Awaitable<boolean> {
    const { messageId, lease: number, atMs } = settlement;
    const held = database.tuple<Held>(
      `SELECT q.account_id, m.recipient, m.refused, m.last_number, s.sender, s.subject, s.tags, s.metadata
       FROM queue q JOIN messages m ON m.id = q.message_id JOIN submissions s ON s.id = m.submission_id
       WHERE q.message_id = ? AND q.lease = ?`,
      messageId,
      number,
    );
    if (held === undefined) return false;
    if (settlement.outcome === 'released') {
      putBack(database, messageId, settlement.dueAtMs, 0);
      return true;
    }
    if ('attempt' in settlement && settlement.attempt !== undefined) {
      insertAttempt(database, messageId, settlement.attempt);
    }
    if (settlement.outcome === 'deferred') {
      defer(database, settlement, held);
      return true;
    }
    const eventId = finish(database, settlement, held);
    if (settlement.outcome !== 'bounced' || !settlement.detail.recipientAtFault) return true;
    const [accountId, recipient] = held;
    const entry = { accountId, recipient, stream: everyStream, reason: 'bounced', eventId, atMs } as const;
    return suppressBecause(database, entry).then(() => true);
  },

  freeLeases(database: Writer, { nowMs, longestWaitMs }: { nowMs: number; longestWaitMs: number }): number {
    return database.run(
      'UPDATE queue SET due_at_ms = ?, lease = 0 WHERE lease > 0 OR due_at_ms > ?',
      nowMs,
      nowMs + longestWaitMs,
    );
  },
};

type Told = Exclude<Settlement, { outcome: 'released' }>;

/** @returns the event's id */
function tell(
  database: Writer,
  settlement: Told,
  [accountId, recipient, , lastNumber, sender, subject, tags, metadata]: Held,
  firstRefusal = false,
): number {
  const { messageId, outcome: type, atMs, detail } = settlement;
  const { code, enhancedCode, text: response } = 'answer' in settlement ? settlement.answer : noAnswer;
  const facts = { accountId, messageId, number: lastNumber + 1, recipient, sender, subject, tags, metadata };
  return insertEvent(database, { ...facts, type, atMs, code, enhancedCode, response, firstRefusal, detail });
}

function defer(database: Writer, settlement: Extract<Told, { outcome: 'deferred' }>, held: Held): void {
  const { messageId, detail } = settlement;
  const [, , refused, lastNumber] = held;
  const firstRefusal = detail.refused && refused === 0;
  database.run(
    'UPDATE messages SET refused = ?, last_number = ? WHERE id = ?',
    firstRefusal ? 1 : refused,
    lastNumber + 1,
    messageId,
  );
  putBack(database, messageId, detail.nextAttemptAtMs, 1);
  tell(database, settlement, held, firstRefusal);
}

/** @returns the event's id */
function finish(database: Writer, settlement: Exclude<Told, { outcome: 'deferred' }>, held: Held): number {
  const { messageId, outcome, atMs } = settlement;
  const [, , , lastNumber] = held;
  database.run('DELETE FROM queue WHERE message_id = ?', messageId);
  database.run(
    'UPDATE messages SET state = ?, finished_at_ms = ?, last_number = ? WHERE id = ?',
    outcome,
    atMs,
    lastNumber + 1,
    messageId,
  );
  return tell(database, settlement, held);
}

function putBack(database: Writer, messageId: number, dueAtMs: number, attempts: 0 | 1): void {
  database.run(
    'UPDATE queue SET due_at_ms = ?, lease = 0, attempts_made = attempts_made + ? WHERE message_id = ?',
    dueAtMs,
    attempts,
    messageId,
  );
}

function insertAttempt(
  database: Writer,
  messageId: number,
  attempt: NonNullable<Extract<Settlement, { outcome: 'bounced' }>['attempt']>,
): void {
  database.run(
    'INSERT OR REPLACE INTO attempts VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)',
    messageId,
    attempt.number,
    attempt.startedAtMs,
    attempt.durationMs,
    attempt.outcome,
    attempt.host,
    attempt.address,
    attempt.sourceAddress,
    attempt.tls,
    attempt.answer.code,
    attempt.answer.enhancedCode,
    attempt.answer.text,
    attempt.category,
    attempt.dialogue,
  );
}

export function queueStore(
  reader: Reader,
  write: WriteVerbs['queue'],
  { subscribe, bodies }: Pick<QueueStore, 'subscribe'> & { readonly bodies: BodyPlace | undefined },
): QueueStore {
  return {
    ...write,
    subscribe,
    // One process has the folder.
    heldUntilMs: () => Infinity,
    nextDueAtMs: async () =>
      reader.get<{ due: number | null }>(
        `WITH RECURSIVE account(id) AS (
           SELECT min(account_id) FROM queue
           UNION ALL
           SELECT (SELECT min(account_id) FROM queue WHERE account_id > account.id) FROM account
           WHERE account.id IS NOT NULL
         )
         SELECT min((SELECT min(due_at_ms) FROM queue WHERE account_id = account.id)) AS due FROM account`,
      )?.due ?? undefined,
    readBody: bodyReader(
      async (id) => reader.get<BodyRow>('SELECT raw, object_key FROM bodies WHERE submission_id = ?', id),
      bodies,
    ),
    depth: async () => reader.get<{ n: number }>('SELECT count(*) AS n FROM queue')?.n ?? 0,
  };
}
