/** Webhook endpoints: what their owners set. What comes of sending is next door (`webhook-progress.ts`). */
import type { EventType } from '../../events/types.ts';
import { freshProgress, type NewNotice } from '../contract/webhook-progress.ts';
import type {
  NewWebhook,
  PausedBy,
  SendingSettings,
  Webhook,
  WebhookChange,
  WebhookCreated,
  WebhookKey,
  WebhookOrigin,
  WebhookStore,
} from '../contract/webhooks.ts';
import { lastEventId } from './log-reads.ts';
import type { Calls, Reader, Writer } from './statements.ts';
import {
  closed,
  keepNotice,
  keptAsJson,
  type ProgressColumns,
  readAttempts,
  readNotices,
  readRangesOver,
  readSetAside,
  readUnmailed,
  saveProgress,
  saveStream,
  toProgress,
} from './webhook-progress.ts';

interface WebhookRow extends ProgressColumns {
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
  keys: string;
  sending: string;
  sealed_access: string;
  paused_by: PausedBy | '';
  settings_version: number;
  settings_since_id: number;
  created_at_ms: number;
  changed_at_ms: number;
  accepted_count: number;
  failed_count: number;
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
  keys: JSON.parse(row.keys) as WebhookKey[],
  sending: JSON.parse(row.sending) as SendingSettings,
  sealedAccess: row.sealed_access,
  pausedBy: row.paused_by === '' ? undefined : row.paused_by,
  settingsVersion: row.settings_version,
  createdAtMs: row.created_at_ms,
  changedAtMs: row.changed_at_ms,
  progress: toProgress(row),
  counts: { accepted: row.accepted_count, failed: row.failed_count },
});

const byIdSql = 'SELECT * FROM webhooks WHERE id = ?';
const ofAccountSql = 'SELECT * FROM webhooks WHERE id = ? AND account_id = ?';
const ofOriginSql = 'SELECT * FROM webhooks WHERE account_id = ? AND origin = ? ORDER BY id LIMIT 1';

async function written(database: Reader, webhookId: number): Promise<Webhook> {
  const row = await database.get<WebhookRow>(byIdSql, webhookId);
  if (row === undefined) throw new Error('an endpoint just written is not there');
  return toWebhook(row);
}

async function insert(database: Writer, input: NewWebhook): Promise<Webhook> {
  const lastId = await lastEventId(database, database.windows, input.accountId);
  const id = await database.nextIds('webhooks');
  await database.run(
    `INSERT INTO webhooks (id, account_id, origin, url, dialect, types, options, limit_count, limit_age_ms,
       limit_bytes, keys, sending, sealed_access, settings_since_id, created_at_ms, changed_at_ms, cursor_id, progress)
     VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
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
    JSON.stringify(input.keys),
    JSON.stringify(input.sending),
    input.sealedAccess,
    lastId,
    input.atMs,
    input.atMs,
    lastId,
    keptAsJson(freshProgress(lastId)),
  );
  await noteVersion(database, id);
  return await written(database, id);
}

async function noteVersion(database: Writer, webhookId: number): Promise<void> {
  await database.run(
    `INSERT INTO webhook_versions (webhook_id, version, dialect, types, options)
     SELECT id, settings_version, dialect, types, options FROM webhooks WHERE id = ?`,
    webhookId,
  );
}

/** Closes what is in flight of the live stream and of replays: the next requests are of the new settings. */
async function beginVersion(database: Writer, before: Webhook): Promise<void> {
  await database.run(
    'UPDATE webhooks SET settings_version = settings_version + 1, settings_since_id = ? WHERE id = ?',
    await lastEventId(database, database.windows, before.accountId),
    before.id,
  );
  await noteVersion(database, before.id);
  await saveStream(database, 'webhooks', before.id, closed((await written(database, before.id)).progress));
  const replays = await database.all<ProgressColumns & { id: number }>(
    "SELECT * FROM webhook_replays WHERE webhook_id = ? AND state = 'running'",
    before.id,
  );
  for (const row of replays) await saveStream(database, 'webhook_replays', row.id, closed(toProgress(row)));
}

/** What has failed so far says nothing of what comes now. */
async function beginAnew(database: Writer, webhookId: number): Promise<void> {
  const { progress } = await written(database, webhookId);
  const anew = { failures: 0, nextTryAtMs: 0, failingSinceMs: undefined, noticedMs: 0, emptySearches: 0 };
  await saveStream(database, 'webhooks', webhookId, { ...progress, ...anew });
}

export const webhookWrites = {
  async create(database: Writer, input: NewWebhook & { limit: number }): Promise<WebhookCreated> {
    const sql = 'SELECT count(*) AS n FROM webhooks WHERE account_id = ?';
    const count = (await database.get<{ n: number }>(sql, input.accountId))?.n ?? 0;
    return count >= input.limit
      ? { kind: 'full' }
      : { kind: 'created', webhook: await insert(database, input) };
  },

  async createOrMove(database: Writer, input: NewWebhook): Promise<Webhook> {
    const row = await database.get<WebhookRow>(ofOriginSql, input.accountId, input.origin);
    if (row === undefined) return await insert(database, input);
    const { accountId, url, atMs } = input;
    await webhookWrites.change(database, { accountId, webhookId: row.id, url, atMs });
    return await written(database, row.id);
  },

  async change(database: Writer, input: WebhookChange): Promise<Webhook | undefined> {
    const row = await database.get<WebhookRow>(ofAccountSql, input.webhookId, input.accountId);
    if (row === undefined) return undefined;
    const before = toWebhook(row);
    const after = { ...before, ...input };
    const settings = ({ dialect, types, optionsJson, limits }: typeof after | Webhook) =>
      JSON.stringify([dialect, types, optionsJson, limits.count, limits.ageMs, limits.bytes]);
    const pausedBy = input.paused === undefined ? row.paused_by : input.paused ? 'owner' : '';
    await database.run(
      `UPDATE webhooks SET url = ?, dialect = ?, types = ?, options = ?, limit_count = ?, limit_age_ms = ?,
         limit_bytes = ?, keys = ?, sending = ?, sealed_access = ?, paused_by = ?, changed_at_ms = ? WHERE id = ?`,
      after.url,
      after.dialect,
      JSON.stringify(after.types),
      after.optionsJson,
      after.limits.count,
      after.limits.ageMs,
      after.limits.bytes,
      JSON.stringify(after.keys),
      JSON.stringify(after.sending),
      after.sealedAccess,
      pausedBy,
      input.atMs,
      row.id,
    );
    if (settings(before) !== settings(after)) await beginVersion(database, before);
    const wentOn = row.paused_by !== '' && pausedBy === '';
    if (before.url !== after.url || before.sealedAccess !== after.sealedAccess || wentOn) {
      await beginAnew(database, row.id);
    }
    return await written(database, row.id);
  },

  async remove(
    database: Writer,
    { accountId, webhookId }: { accountId: number; webhookId: number },
  ): Promise<boolean> {
    if (
      (await database.run('DELETE FROM webhooks WHERE id = ? AND account_id = ?', webhookId, accountId)) === 0
    ) {
      return false;
    }
    for (const table of ['attempts', 'ranges', 'set_aside', 'replays', 'versions']) {
      await database.run(`DELETE FROM webhook_${table} WHERE webhook_id = ?`, webhookId);
    }
    await database.run('DELETE FROM notices WHERE webhook_id = ?', webhookId);
    return true;
  },

  saveProgress,

  async markMailed(database: Writer, noticeIds: readonly number[]): Promise<void> {
    for (const id of noticeIds) await database.run('UPDATE notices SET mailed = 1 WHERE id = ?', id);
  },

  async tellExpiring(
    database: Writer,
    { webhookId, notice, notSinceMs }: { webhookId: number; notice: NewNotice; notSinceMs: number },
  ): Promise<boolean> {
    const changed = await database.run(
      'UPDATE webhooks SET expiry_told_at_ms = ? WHERE id = ? AND coalesce(expiry_told_at_ms, 0) < ?',
      notice.atMs,
      webhookId,
      notSinceMs,
    );
    if (changed === 0) return false;
    await keepNotice(database, webhookId, notice);
    return true;
  },
};

async function expiring(
  reader: Reader,
  { afterId, limit, eventsBeforeMs, notToldSinceMs }: Parameters<WebhookStore['expiring']>[0],
): Promise<Awaited<ReturnType<WebhookStore['expiring']>>> {
  const next = 'SELECT * FROM webhooks WHERE id > ? ORDER BY id LIMIT ?';
  const last = await reader.get<{ id: number | null }>(
    `SELECT max(id) AS id FROM (${next}) w`,
    afterId,
    limit,
  );
  if (typeof last?.id !== 'number') return { webhooks: [], lookedTo: undefined };
  // Events are about as old as their ids say: the first one after the cursor tells.
  const rows = await reader.all<WebhookRow>(
    `SELECT * FROM (${next}) w WHERE coalesce(expiry_told_at_ms, 0) < ? AND
       (SELECT time_ms FROM events WHERE account_id = w.account_id AND id > w.cursor_id ORDER BY id LIMIT 1) <= ?`,
    afterId,
    limit,
    notToldSinceMs,
    eventsBeforeMs,
  );
  return { webhooks: rows.map(toWebhook), lookedTo: last.id };
}

/** What stores do in ways of their own: telling others of changes, sharing endpoints among processes. */
export type WebhookParts = Pick<WebhookStore, 'takeShare' | 'letGo' | 'saveProgress'> & {
  readonly changes: WebhookChanges;
};

/** Who wants to know that an endpoint was made, changed or removed. */
export interface WebhookChanges {
  readonly tell: (webhookId: number) => void;
  readonly subscribe: WebhookStore['subscribe'];
}

export function webhookStore(
  reader: Reader,
  write: Calls<typeof webhookWrites>,
  { changes: { tell, subscribe }, saveProgress, takeShare, letGo }: WebhookParts,
): WebhookStore {
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
    async saveProgress(input) {
      const saved = await saveProgress(input);
      if (input.pause !== undefined) tell(input.webhookId);
      return saved;
    },
    markMailed: write.markMailed,
    tellExpiring: write.tellExpiring,
    subscribe,
    takeShare,
    letGo,
    byId: async (accountId, webhookId) =>
      webhook(await reader.get<WebhookRow>(ofAccountSql, webhookId, accountId)),
    list: async (accountId) =>
      (
        await reader.all<WebhookRow>('SELECT * FROM webhooks WHERE account_id = ? ORDER BY id', accountId)
      ).map(toWebhook),
    ofOrigin: async (accountId, origin) =>
      webhook(await reader.get<WebhookRow>(ofOriginSql, accountId, origin)),
    load: async (webhookId) => webhook(await reader.get<WebhookRow>(byIdSql, webhookId)),
    expiring: (input) => expiring(reader, input),
    attempts: async (accountId, webhookId) => await readAttempts(reader, accountId, webhookId),
    setAside: async (input) => await readSetAside(reader, input),
    countSetAside: async (accountId, webhookId) =>
      (
        await reader.get<{ n: number }>(
          `SELECT count(*) AS n FROM webhook_set_aside s JOIN webhooks w ON w.id = s.webhook_id
         WHERE s.webhook_id = ? AND w.account_id = ?`,
          webhookId,
          accountId,
        )
      )?.n ?? 0,
    rangesOver: async (accountId, eventId) => await readRangesOver(reader, accountId, eventId),
    notices: async (accountId, webhookId) => await readNotices(reader, accountId, webhookId),
    unmailedNotices: async (limit) => await readUnmailed(reader, limit),
  };
}
