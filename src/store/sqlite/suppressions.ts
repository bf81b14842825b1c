/** The suppression list in SQLite. Addresses are compared in lower case. */
import type { SuppressionReason } from '../../events/types.ts';
import { everyStream, type Suppression, type SuppressionStore } from '../contract/suppressions.ts';
import type { Reader, Writer } from './database.ts';
import type { WriteVerbs } from './writer.ts';

interface SuppressionRow {
  id: number;
  account_id: number;
  recipient: string;
  stream: string;
  reason: SuppressionReason;
  event_id: number | null;
  created_at_ms: number;
}

const toSuppression = (row: SuppressionRow): Suppression => ({
  id: row.id,
  accountId: row.account_id,
  recipient: row.recipient,
  stream: row.stream,
  reason: row.reason,
  eventId: row.event_id ?? undefined,
  createdAtMs: row.created_at_ms,
});

interface NewSuppression {
  readonly accountId: number;
  readonly recipient: string;
  readonly stream: string;
  readonly reason: SuppressionReason;
  readonly eventId?: number;
  readonly atMs: number;
}

export function addSuppression(database: Writer, input: NewSuppression): Suppression {
  const recipient = input.recipient.toLowerCase();
  database.run(
    `INSERT INTO suppressions (account_id, recipient, stream, reason, event_id, created_at_ms)
     VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING`,
    input.accountId,
    recipient,
    input.stream,
    input.reason,
    input.eventId ?? null,
    input.atMs,
  );
  const row = database.get<SuppressionRow>(
    'SELECT * FROM suppressions WHERE account_id = ? AND recipient = ? AND stream = ?',
    input.accountId,
    recipient,
    input.stream,
  );
  if (row === undefined) throw new Error('a suppression just added is not there');
  return toSuppression(row);
}

/**
 * Why a message must not be sent, undefined if it may. What someone said of all mail (complaint, bounce, by hand)
 * weighs more than an unsubscribe; an essential message passes unsubscribes.
 */
export function suppressionFor(
  database: Reader,
  message: { accountId: number; recipient: string; stream: string; essential: boolean },
): SuppressionReason | undefined {
  return database.get<{ reason: SuppressionReason }>(
    `SELECT reason FROM suppressions WHERE account_id = ? AND recipient = ? AND stream IN (?, ?)
     AND NOT (reason = 'unsubscribed' AND ?) ORDER BY reason = 'unsubscribed' LIMIT 1`,
    message.accountId,
    message.recipient.toLowerCase(),
    message.stream,
    everyStream,
    message.essential ? 1 : 0,
  )?.reason;
}

export const suppressionWrites = {
  add: (database: Writer, input: Omit<NewSuppression, 'eventId'>): Suppression =>
    addSuppression(database, input),

  remove(
    database: Writer,
    { accountId, recipient, stream }: { accountId: number; recipient: string; stream?: string | undefined },
  ): number {
    const sql = 'DELETE FROM suppressions WHERE account_id = ? AND recipient = ?';
    return stream === undefined
      ? database.run(sql, accountId, recipient.toLowerCase())
      : database.run(`${sql} AND stream = ?`, accountId, recipient.toLowerCase(), stream);
  },
};

export function suppressionStore(reader: Reader, write: WriteVerbs['suppressions']): SuppressionStore {
  return {
    ...write,
    find: async (accountId, recipient) =>
      reader
        .all<SuppressionRow>(
          'SELECT * FROM suppressions WHERE account_id = ? AND recipient = ? ORDER BY id',
          accountId,
          recipient.toLowerCase(),
        )
        .map(toSuppression),
    async list({ accountId, search, limit, beforeId }) {
      const start = search?.toLowerCase();
      return reader
        .all<SuppressionRow>(
          `SELECT * FROM suppressions WHERE account_id = ? AND id < ?
           ${start === undefined ? '' : 'AND recipient >= ? AND recipient < ?'} ORDER BY id DESC LIMIT ?`,
          accountId,
          beforeId ?? Number.MAX_SAFE_INTEGER,
          ...(start === undefined ? [] : [start, `${start}\u{10FFFF}`]),
          limit,
        )
        .map(toSuppression);
    },
  };
}
