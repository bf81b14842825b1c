/** Webhook endpoints, their cursors and their last requests, in SQLite. */
import type { EventType } from '../../events/types.ts';
import {
  keptAttempts,
  type NewWebhook,
  type ProgressSaved,
  type Webhook,
  type WebhookAttempt,
  type WebhookChange,
  type WebhookCreated,
  type WebhookOrigin,
  type WebhookProgress,
  type WebhookStore,
} from '../contract/webhooks.ts';
import type { Reader, Writer } from './database.ts';
import type { WriteVerbs } from './writer.ts';

interface WebhookRow {
  id: number;
  account_id: number;
  origin: WebhookOrigin;
  url: string;
  dialect: string;
  types: string;
  options: string;
  limit_count: number;
  limit_age_ms: number;
  limit_bytes: number;
  sealed_secret: string;
  paused: number;
  settings_version: number;
  settings_since_id: number;
  created_at_ms: number;
  changed_at_ms: number;
  cursor_id: number;
  failing_since_ms: number | null;
  last_accepted_at_ms: number | null;
  accepted_count: number;
  failed_count: number;
  batch_first_id: number | null;
  batch_last_id: number | null;
  batch_events: number | null;
  batch_failures: number | null;
  batch_next_try_at_ms: number | null;
}

interface AttemptRow {
  accepted: number;
  at_ms: number;
  duration_ms: number;
  batch_id: string;
  first_id: number;
  last_id: number;
  events: number;
  status: number;
  answer: string;
}

function toProgress(row: WebhookRow): WebhookProgress {
  const { batch_first_id: firstId, batch_last_id: lastId } = row;
  return {
    cursorId: row.cursor_id,
    inFlight:
      firstId === null || lastId === null
        ? undefined
        : {
            firstId,
            lastId,
            events: row.batch_events ?? 0,
            failures: row.batch_failures ?? 0,
            nextTryAtMs: row.batch_next_try_at_ms ?? 0,
          },
    failingSinceMs: row.failing_since_ms ?? undefined,
    lastAcceptedAtMs: row.last_accepted_at_ms ?? undefined,
  };
}

const toWebhook = (row: WebhookRow): Webhook => ({
  id: row.id,
  accountId: row.account_id,
  origin: row.origin,
  url: row.url,
  dialect: row.dialect,
  types: JSON.parse(row.types) as EventType[],
  optionsJson: row.options,
  limits: { count: row.limit_count, ageMs: row.limit_age_ms, bytes: row.limit_bytes },
  sealedSecret: row.sealed_secret,
  paused: row.paused !== 0,
  settingsVersion: row.settings_version,
  createdAtMs: row.created_at_ms,
  changedAtMs: row.changed_at_ms,
  progress: toProgress(row),
  counts: { accepted: row.accepted_count, failed: row.failed_count },
});

const byIdSql = 'SELECT * FROM webhooks WHERE id = ?';
const ofAccountSql = 'SELECT * FROM webhooks WHERE id = ? AND account_id = ?';
const ofOriginSql = 'SELECT * FROM webhooks WHERE account_id = ? AND origin = ? ORDER BY id LIMIT 1';

function written(database: Reader, webhookId: number): Webhook {
  const row = database.get<WebhookRow>(byIdSql, webhookId);
  if (row === undefined) throw new Error('an endpoint just written is not there');
  return toWebhook(row);
}

function lastEventId(database: Reader, accountId: number): number {
  const sql = 'SELECT max(id) AS id FROM events WHERE account_id = ?';
  return database.get<{ id: number | null }>(sql, accountId)?.id ?? 0;
}

function insert(database: Writer, input: NewWebhook): Webhook {
  const lastId = lastEventId(database, input.accountId);
  const id = database.nextIds('webhooks');
  database.run(
    `INSERT INTO webhooks (id, account_id, origin, url, dialect, types, options, limit_count, limit_age_ms,
       limit_bytes, sealed_secret, settings_since_id, created_at_ms, changed_at_ms, cursor_id)
     VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
    id,
    input.accountId,
    input.origin,
    input.url,
    input.dialect,
    JSON.stringify(input.types),
    input.optionsJson,
    input.limits.count,
    input.limits.ageMs,
    input.limits.bytes,
    input.sealedSecret,
    lastId,
    input.atMs,
    input.atMs,
    lastId,
  );
  return written(database, id);
}

/** Puts an attempt in the place of the oldest of its outcome. */
function keepAttempt(database: Writer, webhookId: number, attempt: WebhookAttempt, ordinal: number): void {
  database.run(
    'INSERT OR REPLACE INTO webhook_attempts VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)',
    webhookId,
    attempt.accepted ? 1 : 0,
    ordinal % keptAttempts,
    attempt.atMs,
    attempt.durationMs,
    attempt.batchId,
    attempt.firstId,
    attempt.lastId,
    attempt.events,
    attempt.status,
    attempt.answer,
  );
}

function keepAttempts(database: Writer, row: WebhookRow, input: Parameters<WebhookStore['saveProgress']>[0]) {
  const accepted = input.attempts.filter((attempt) => attempt.accepted);
  const failed = input.attempts.filter((attempt) => !attempt.accepted);
  const acceptedCount = row.accepted_count + input.counts.accepted;
  const failedCount = row.failed_count + input.counts.failed;
  // The last of each list has the number of the count, whatever the list leaves out before.
  for (const [list, count] of [
    [accepted, acceptedCount],
    [failed, failedCount],
  ] as const) {
    for (const [index, attempt] of list.entries()) {
      keepAttempt(database, row.id, attempt, count - list.length + index);
    }
  }
  database.run(
    'UPDATE webhooks SET accepted_count = ?, failed_count = ? WHERE id = ?',
    acceptedCount,
    failedCount,
    row.id,
  );
}

export const webhookWrites = {
  create(database: Writer, input: NewWebhook & { limit: number }): WebhookCreated {
    const sql = 'SELECT count(*) AS n FROM webhooks WHERE account_id = ?';
    const count = database.get<{ n: number }>(sql, input.accountId)?.n ?? 0;
    return count >= input.limit ? { kind: 'full' } : { kind: 'created', webhook: insert(database, input) };
  },

  createOrMove(database: Writer, input: NewWebhook): Webhook {
    const row = database.get<WebhookRow>(ofOriginSql, input.accountId, input.origin);
    if (row === undefined) return insert(database, input);
    const { accountId, url, atMs } = input;
    webhookWrites.change(database, { accountId, webhookId: row.id, url, atMs });
    return written(database, row.id);
  },

  change(database: Writer, input: WebhookChange): Webhook | undefined {
    const row = database.get<WebhookRow>(ofAccountSql, input.webhookId, input.accountId);
    if (row === undefined) return undefined;
    const before = toWebhook(row);
    const after = { ...before, ...input };
    const settings = ({ dialect, types, optionsJson, limits }: typeof after | Webhook) =>
      JSON.stringify([dialect, types, optionsJson, limits.count, limits.ageMs, limits.bytes]);
    database.run(
      `UPDATE webhooks SET url = ?, dialect = ?, types = ?, options = ?, limit_count = ?, limit_age_ms = ?,
         limit_bytes = ?, paused = ?, changed_at_ms = ? WHERE id = ?`,
      after.url,
      after.dialect,
      JSON.stringify(after.types),
      after.optionsJson,
      after.limits.count,
      after.limits.ageMs,
      after.limits.bytes,
      after.paused ? 1 : 0,
      input.atMs,
      row.id,
    );
    if (settings(before) !== settings(after)) {
      database.run(
        `UPDATE webhooks SET settings_version = settings_version + 1, settings_since_id = ?, batch_first_id = NULL,
           batch_last_id = NULL, batch_events = NULL, batch_failures = NULL, batch_next_try_at_ms = NULL WHERE id = ?`,
        lastEventId(database, row.account_id),
        row.id,
      );
    }
    if (before.url !== after.url || (before.paused && !after.paused)) {
      database.run(
        `UPDATE webhooks SET failing_since_ms = NULL, batch_failures = iif(batch_first_id IS NULL, NULL, 0),
           batch_next_try_at_ms = iif(batch_first_id IS NULL, NULL, ?) WHERE id = ?`,
        input.atMs,
        row.id,
      );
    }
    return written(database, row.id);
  },

  remove(database: Writer, { accountId, webhookId }: { accountId: number; webhookId: number }): boolean {
    if (database.run('DELETE FROM webhooks WHERE id = ? AND account_id = ?', webhookId, accountId) === 0) {
      return false;
    }
    database.run('DELETE FROM webhook_attempts WHERE webhook_id = ?', webhookId);
    return true;
  },

  saveProgress(database: Writer, input: Parameters<WebhookStore['saveProgress']>[0]): ProgressSaved {
    const row = database.get<WebhookRow>(byIdSql, input.webhookId);
    if (row === undefined) return 'gone';
    keepAttempts(database, row, input);
    const { cursorId, inFlight, failingSinceMs, lastAcceptedAtMs } = input.progress;
    if (row.settings_version !== input.settingsVersion) {
      // What the older settings did not want of the events after the change, these ones may.
      database.run(
        'UPDATE webhooks SET cursor_id = max(cursor_id, min(?, settings_since_id)) WHERE id = ?',
        cursorId,
        row.id,
      );
      return 'stale';
    }
    database.run(
      `UPDATE webhooks SET cursor_id = ?, failing_since_ms = ?, last_accepted_at_ms = ?, batch_first_id = ?,
         batch_last_id = ?, batch_events = ?, batch_failures = ?, batch_next_try_at_ms = ? WHERE id = ?`,
      cursorId,
      failingSinceMs ?? null,
      lastAcceptedAtMs ?? null,
      inFlight?.firstId ?? null,
      inFlight?.lastId ?? null,
      inFlight?.events ?? null,
      inFlight?.failures ?? null,
      inFlight?.nextTryAtMs ?? null,
      row.id,
    );
    return 'saved';
  },
};

export function webhookStore(reader: Reader, write: WriteVerbs['webhooks']): WebhookStore {
  const listeners = new Set<(webhookId: number) => void>();
  const tell = (webhookId: number) => {
    for (const listener of listeners) listener(webhookId);
  };
  const webhook = (row: WebhookRow | undefined) => (row === undefined ? undefined : toWebhook(row));
  return {
    async create(input) {
      const result = await write.create(input);
      if (result.kind === 'created') tell(result.webhook.id);
      return result;
    },
    async createOrMove(input) {
      const result = await write.createOrMove(input);
      tell(result.id);
      return result;
    },
    async change(input) {
      const result = await write.change(input);
      if (result !== undefined) tell(result.id);
      return result;
    },
    async remove(input) {
      const removed = await write.remove(input);
      if (removed) tell(input.webhookId);
      return removed;
    },
    saveProgress: (input) => write.saveProgress(input),
    byId: async (accountId, webhookId) => webhook(reader.get<WebhookRow>(ofAccountSql, webhookId, accountId)),
    list: async (accountId) =>
      reader
        .all<WebhookRow>('SELECT * FROM webhooks WHERE account_id = ? ORDER BY id', accountId)
        .map(toWebhook),
    ofOrigin: async (accountId, origin) => webhook(reader.get<WebhookRow>(ofOriginSql, accountId, origin)),
    load: async (webhookId) => webhook(reader.get<WebhookRow>(byIdSql, webhookId)),
    loadIds: async () =>
      reader.all<{ id: number }>('SELECT id FROM webhooks ORDER BY id').map(({ id }) => id),
    attempts: async (accountId, webhookId) =>
      reader
        .all<AttemptRow>(
          `SELECT a.* FROM webhook_attempts a JOIN webhooks w ON w.id = a.webhook_id
           WHERE a.webhook_id = ? AND w.account_id = ? ORDER BY a.at_ms DESC, a.last_id DESC`,
          webhookId,
          accountId,
        )
        .map((row) => ({
          atMs: row.at_ms,
          durationMs: row.duration_ms,
          batchId: row.batch_id,
          firstId: row.first_id,
          lastId: row.last_id,
          events: row.events,
          accepted: row.accepted !== 0,
          status: row.status,
          answer: row.answer,
        })),
    subscribe(listener) {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
  };
}
