/** Replays: bounded streams beside an endpoint's live one. */
import { freshProgress } from '../contract/webhook-progress.ts';
import type { Replay, ReplaySelection, ReplayStore } from '../contract/webhooks.ts';
import type { Calls, Reader, Writer } from './statements.ts';
import { keptAsJson, type ProgressColumns, toProgress } from './webhook-progress.ts';
import type { WebhookChanges } from './webhooks.ts';

interface ReplayRow extends ProgressColumns {
  id: number;
  webhook_id: number;
  selection: string;
  state: Replay['state'];
  created_at_ms: number;
  finished_at_ms: number | null;
}

const toReplay = (row: ReplayRow): Replay => ({
  id: row.id,
  webhookId: row.webhook_id,
  selection: JSON.parse(row.selection) as ReplaySelection,
  state: row.state,
  createdAtMs: row.created_at_ms,
  finishedAtMs: row.finished_at_ms ?? undefined,
  progress: toProgress(row),
});

const listedReplays = 100;

export const replayWrites = {
  async create(database: Writer, input: Parameters<ReplayStore['create']>[0]): Promise<Replay | undefined> {
    const { accountId, webhookId, selection, limit, atMs } = input;
    const owner = await database.get<{ running: number }>(
      `SELECT (SELECT count(*) FROM webhook_replays WHERE webhook_id = w.id AND state = 'running') AS running
       FROM webhooks w WHERE id = ? AND account_id = ?`,
      webhookId,
      accountId,
    );
    if (owner === undefined || owner.running >= limit) return undefined;
    const id = await database.nextIds('webhook replays');
    const cursorId = selection.kind === 'log' ? selection.afterId : 0;
    await database.run(
      `INSERT INTO webhook_replays (id, webhook_id, account_id, selection, state, created_at_ms, cursor_id, progress)
       VALUES (?, ?, ?, ?, 'running', ?, ?, ?)`,
      id,
      webhookId,
      accountId,
      JSON.stringify(selection),
      atMs,
      cursorId,
      keptAsJson(freshProgress(cursorId)),
    );
    const row = await database.get<ReplayRow>('SELECT * FROM webhook_replays WHERE id = ?', id);
    return row && toReplay(row);
  },

  async cancel(database: Writer, input: Parameters<ReplayStore['cancel']>[0]): Promise<boolean> {
    const changed = await database.run(
      `UPDATE webhook_replays SET state = 'cancelled', finished_at_ms = ?
       WHERE id = ? AND webhook_id = ? AND account_id = ? AND state = 'running'`,
      input.atMs,
      input.replayId,
      input.webhookId,
      input.accountId,
    );
    return changed > 0;
  },
};

export function replayStore(
  reader: Reader,
  write: Calls<typeof replayWrites>,
  changes: WebhookChanges,
): ReplayStore {
  return {
    async create(input) {
      const replay = await write.create(input);
      if (replay !== undefined) changes.tell(replay.webhookId);
      return replay;
    },
    async cancel(input) {
      const cancelled = await write.cancel(input);
      if (cancelled) changes.tell(input.webhookId);
      return cancelled;
    },
    list: async (accountId, webhookId) =>
      (
        await reader.all<ReplayRow>(
          'SELECT * FROM webhook_replays WHERE webhook_id = ? AND account_id = ? ORDER BY id DESC LIMIT ?',
          webhookId,
          accountId,
          listedReplays,
        )
      ).map(toReplay),
    running: async (webhookId) =>
      (
        await reader.all<ReplayRow>(
          "SELECT * FROM webhook_replays WHERE webhook_id = ? AND state = 'running' ORDER BY id",
          webhookId,
        )
      ).map(toReplay),
  };
}
