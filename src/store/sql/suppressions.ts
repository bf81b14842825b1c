/** The suppression list. Addresses are compared in lower case. */
import type { SuppressionReason } from '../../events/types.ts';
import {
  type NewSuppression,
  type Suppression,
  type SuppressionSettings,
  type SuppressionStore,
} from '../contract/suppressions.ts';
import type { Calls, Reader, Writer } from './statements.ts';

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

/** @returns how many were added: none, where an entry that weighs as much was there */
async function insertSuppression(database: Writer, input: NewSuppression): Promise<number> {
  const recipient = input.recipient.toLowerCase();
  const known = await database.get(
    'SELECT 1 FROM suppressions WHERE account_id = ? AND recipient = ? AND stream = ?',
    input.accountId,
    recipient,
    input.stream,
  );
  await database.run(
    `INSERT INTO suppressions (account_id, recipient, stream, reason, event_id, created_at_ms)
     VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT (account_id, recipient, stream) DO UPDATE SET
       reason = excluded.reason, event_id = excluded.event_id, created_at_ms = excluded.created_at_ms
     WHERE suppressions.reason = 'unsubscribed' AND excluded.reason <> 'unsubscribed'`,
    input.accountId,
    recipient,
    input.stream,
    input.reason,
    input.eventId ?? null,
    input.atMs,
  );
  return known === undefined ? 1 : 0;
}

async function addSuppression(database: Writer, input: NewSuppression): Promise<Suppression> {
  await insertSuppression(database, input);
  const row = await database.get<SuppressionRow>(
    'SELECT * FROM suppressions WHERE account_id = ? AND recipient = ? AND stream = ?',
    input.accountId,
    input.recipient.toLowerCase(),
    input.stream,
  );
  if (row === undefined) throw new Error('a suppression just added is not there');
  return toSuppression(row);
}

interface SettingsRow {
  bounces: number;
  complaints: number;
  unsubscribes: number;
}

async function settingsOf(database: Reader, accountId: number): Promise<SuppressionSettings> {
  const row = await database.get<SettingsRow>(
    'SELECT bounces, complaints, unsubscribes FROM suppression_settings WHERE account_id = ?',
    accountId,
  );
  if (row === undefined) return { bounces: true, complaints: true, unsubscribes: true };
  return {
    bounces: row.bounces !== 0,
    complaints: row.complaints !== 0,
    unsubscribes: row.unsubscribes !== 0,
  };
}

const settingOf = {
  bounced: 'bounces',
  complained: 'complaints',
  unsubscribed: 'unsubscribes',
} as const satisfies Partial<Record<SuppressionReason, keyof SuppressionSettings>>;

/** Adds the entry that an event asks for, if the account wants such events to. */
export async function suppressBecause(
  database: Writer,
  input: NewSuppression & { readonly reason: keyof typeof settingOf },
): Promise<void> {
  const settings = await settingsOf(database, input.accountId);
  if (settings[settingOf[input.reason]]) await insertSuppression(database, input);
}

export const suppressionWrites = {
  add: (database: Writer, input: Omit<NewSuppression, 'eventId'>): Promise<Suppression> =>
    addSuppression(database, input),

  async addAll(
    database: Writer,
    { accountId, entries }: Parameters<SuppressionStore['addAll']>[0],
  ): Promise<number> {
    let added = 0;
    for (const entry of entries) added += await insertSuppression(database, { ...entry, accountId });
    return added;
  },

  async configure(
    database: Writer,
    { accountId, settings }: { accountId: number; settings: SuppressionSettings },
  ): Promise<SuppressionSettings> {
    await database.run(
      `INSERT INTO suppression_settings (account_id, bounces, complaints, unsubscribes) VALUES (?, ?, ?, ?)
       ON CONFLICT (account_id) DO UPDATE SET bounces = excluded.bounces, complaints = excluded.complaints,
         unsubscribes = excluded.unsubscribes`,
      accountId,
      settings.bounces ? 1 : 0,
      settings.complaints ? 1 : 0,
      settings.unsubscribes ? 1 : 0,
    );
    return settings;
  },

  async remove(
    database: Writer,
    { accountId, recipient, stream }: { accountId: number; recipient: string; stream?: string | undefined },
  ): Promise<number> {
    const sql = 'DELETE FROM suppressions WHERE account_id = ? AND recipient = ?';
    return stream === undefined
      ? await database.run(sql, accountId, recipient.toLowerCase())
      : await database.run(`${sql} AND stream = ?`, accountId, recipient.toLowerCase(), stream);
  },
};

export function suppressionStore(reader: Reader, write: Calls<typeof suppressionWrites>): SuppressionStore {
  return {
    ...write,
    find: async (accountId, recipient) =>
      (
        await reader.all<SuppressionRow>(
          'SELECT * FROM suppressions WHERE account_id = ? AND recipient = ? ORDER BY id',
          accountId,
          recipient.toLowerCase(),
        )
      ).map(toSuppression),
    async list({ accountId, search, reason, stream, limit, beforeId }) {
      const start = search?.toLowerCase();
      const filters: (readonly [sql: string, values: readonly (string | undefined)[]])[] = [
        ['recipient >= ? AND recipient < ?', [start, start && `${start}\u{10FFFF}`]],
        ['reason = ?', [reason]],
        ['stream = ?', [stream]],
      ];
      const wanted = filters.filter(([, [value]]) => value !== undefined);
      return (
        await reader.all<SuppressionRow>(
          `SELECT * FROM suppressions WHERE account_id = ? AND id < ?
           ${wanted.map(([sql]) => `AND ${sql}`).join(' ')} ORDER BY id DESC LIMIT ?`,
          accountId,
          beforeId ?? Number.MAX_SAFE_INTEGER,
          ...wanted.flatMap(([, values]) => values.map((value) => value ?? '')),
          limit,
        )
      ).map(toSuppression);
    },
    settings: async (accountId) => await settingsOf(reader, accountId),
  };
}
