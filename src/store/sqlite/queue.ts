/** The delivery queue in SQLite. */
import type { ServerAnswer, SuppressionReason } from '../../events/types.ts';
import type { BodyPlace } from '../contract/bodies.ts';
import type { ClaimedMessage, QueueStore, Settlement } from '../contract/queue.ts';
import { everyStream } from '../contract/suppressions.ts';
import { type BodyRow, bodyReader } from '../sql/bodies.ts';
import type { Awaitable } from '../sql/statements.ts';
import { suppressBecause } from '../sql/suppressions.ts';
import type { Reader, Writer } from './database.ts';
import { insertEvent } from './events.ts';
import type { WriteVerbs } from './writer.ts';

/** Who has something due. */
type DueAccount = readonly [id: number, name: string, hasSuppressions: number];

/** What a claim tells of a message. */
type Due = readonly [
  messageId: number,
  submissionId: number,
  recipient: string,
  attemptsMade: number,
  acceptedAtMs: number,
  sizeBytes: number,
  sender: string,
  subject: string,
  stream: string,
  tags: string,
  essential: number,
  trackOpens: number,
  trackClicks: number,
  trackText: number,
  listUnsubscribe: number,
  trackingHost: string,
];

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
  SELECT id, (SELECT name FROM accounts WHERE accounts.id = account.id),
    EXISTS (SELECT 1 FROM suppressions WHERE account_id = account.id)
  FROM account WHERE id IS NOT NULL
    AND EXISTS (SELECT 1 FROM queue WHERE account_id = account.id AND due_at_ms <= ?)`;

const dueOfAccount = `
  SELECT q.message_id, m.submission_id, m.recipient, q.attempts_made, m.created_at_ms, s.size_bytes, s.sender,
    s.subject, s.stream, s.tags, s.essential, s.track_opens, s.track_clicks, s.track_text, s.list_unsubscribe,
    s.tracking_host
  FROM queue q JOIN messages m ON m.id = q.message_id JOIN submissions s ON s.id = m.submission_id
  WHERE q.account_id = ? AND q.due_at_ms <= ? ORDER BY q.due_at_ms, q.message_id LIMIT ?`;

/**
 * Why a message must not be sent, undefined if it may. What someone said of all mail (complaint, bounce, by hand)
 * weighs more than an unsubscribe; an essential message passes unsubscribes.
 */
function suppressionFor(
  database: Writer,
  message: { accountId: number; recipient: string; stream: string; essential: number },
): SuppressionReason | undefined {
  return database.tuple<[SuppressionReason]>(
    `SELECT reason FROM suppressions WHERE account_id = ? AND recipient = ? AND stream IN (?, ?)
     AND NOT (reason = 'unsubscribed' AND ? = 1) ORDER BY reason = 'unsubscribed' LIMIT 1`,
    message.accountId,
    message.recipient.toLowerCase(),
    message.stream,
    everyStream,
    message.essential,
  )?.[0];
}

function lease(
  database: Writer,
  [accountId, account, hasSuppressions]: DueAccount,
  due: Due,
  { number, untilMs }: { number: number; untilMs: number },
): ClaimedMessage {
  const [messageId, submissionId, recipient, attemptsMade, acceptedAtMs, sizeBytes, ...of] = due;
  const [sender, subject, stream, tags, essential, opens, clicks, text, unsubscribe, trackingHost] = of;
  database.run('UPDATE queue SET due_at_ms = ?, lease = ? WHERE message_id = ?', untilMs, number, messageId);
  return {
    messageId,
    submissionId,
    accountId,
    account,
    recipient,
    attemptsMade,
    lease: number,
    acceptedAtMs,
    sizeBytes,
    suppressed:
      hasSuppressions === 0
        ? undefined
        : suppressionFor(database, { accountId, recipient, stream, essential }),
    sender,
    subject,
    stream,
    tags: JSON.parse(tags) as string[],
    trackOpens: opens !== 0,
    trackClicks: clicks !== 0,
    trackText: text !== 0,
    listUnsubscribe: unsubscribe !== 0,
    trackingHost,
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
  claim(
    database: Writer,
    { nowMs, leaseMs, limit }: { nowMs: number; leaseMs: number; limit: number },
  ): ClaimedMessage[] {
    let accounts = database.tuples<DueAccount>(accountsWithDue, nowMs);
    if (accounts.length === 0) return [];
    // One number for all of them: settling names the message as well.
    const held = { number: database.nextIds('leases'), untilMs: nowMs + leaseMs };
    const claimed: ClaimedMessage[] = [];
    // Each round gives every account the same share; what one leaves unused is shared out among the others.
    while (accounts.length > 0 && claimed.length < limit) {
      const share = Math.ceil((limit - claimed.length) / accounts.length);
      const withMore: typeof accounts = [];
      for (const account of accounts) {
        const take = Math.min(share, limit - claimed.length);
        if (take === 0) break;
        const rows = database.tuples<Due>(dueOfAccount, account[0], nowMs, take);
        for (const row of rows) claimed.push(lease(database, account, row, held));
        if (rows.length === take) withMore.push(account);
      }
      accounts = withMore;
    }
    return claimed;
  },

  settle(database: Writer, settlement: Settlement): Awaitable<boolean> {
    if (settlement.outcome === 'released') return release(database, settlement);
    const { messageId, lease: number, atMs } = settlement;
    const held = database.tuple<Held>(
      `SELECT q.account_id, m.recipient, m.refused, m.last_number, s.sender, s.subject, s.tags, s.metadata
       FROM queue q JOIN messages m ON m.id = q.message_id JOIN submissions s ON s.id = m.submission_id
       WHERE q.message_id = ? AND q.lease = ?`,
      messageId,
      number,
    );
    if (held === undefined) return false;
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
  database.run(
    'UPDATE queue SET due_at_ms = ?, lease = 0, attempts_made = attempts_made + 1 WHERE message_id = ?',
    detail.nextAttemptAtMs,
    messageId,
  );
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

/** @returns whether the lease still held */
function release(
  database: Writer,
  { messageId, lease: number, dueAtMs }: Extract<Settlement, { outcome: 'released' }>,
): boolean {
  const sql = 'UPDATE queue SET due_at_ms = ?, lease = 0 WHERE message_id = ? AND lease = ?';
  return database.run(sql, dueAtMs, messageId, number) > 0;
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
