/** The delivery queue: claims, settling in batches, and what is asked of it besides. */
import type { QueueStore, Settlement } from '../contract/queue.ts';
import { claim, queuedAccounts } from './claim.ts';
import type { Database } from './database.ts';
import type { Presence } from './presence.ts';

export interface QueueParts {
  readonly processName: string;
  readonly presence: Presence;
  readonly settle: (settlement: Settlement) => Promise<boolean>;
  readonly subscribe: QueueStore['subscribe'];
}

const nextDueSql = `
  WITH RECURSIVE ${queuedAccounts}
  SELECT min((SELECT min(due_at_ms) FROM queue WHERE account_id = account.id)) AS due FROM account`;

export function queueStore(
  database: Database,
  { processName, presence, settle, subscribe }: QueueParts,
): QueueStore {
  return {
    settle,
    subscribe,
    heldUntilMs: () => presence.heldUntilMs,
    async claim(input) {
      await presence.assure();
      return claim(database, processName, input);
    },
    nextDueAtMs: async () => (await database.get<{ due: number | null }>(nextDueSql))?.due ?? undefined,
    freeLeases: ({ nowMs, longestWaitMs }) =>
      database.run(
        "UPDATE queue SET due_at_ms = ?, lease = 0, holder = '' WHERE lease > 0 OR due_at_ms > ?",
        nowMs,
        nowMs + longestWaitMs,
      ),
    readBody: async (submissionId) =>
      (await database.get<{ raw: Buffer }>('SELECT raw FROM bodies WHERE submission_id = ?', submissionId))
        ?.raw,
    depth: async () => (await database.get<{ n: number }>('SELECT count(*) AS n FROM queue'))?.n ?? 0,
  };
}
