/** The delivery queue: claims, settling in batches, and what is asked of it besides. */
import type { BodyPlace } from '../contract/bodies.ts';
import type { QueueStore, Settlement } from '../contract/queue.ts';
import { bodyReader } from '../sql/bodies.ts';
import { claim, type ClaimParts, queuedAccounts } from './claim.ts';
import type { Presence } from './presence.ts';

export interface QueueParts extends ClaimParts {
  readonly presence: Presence;
  readonly settle: (settlement: Settlement) => Promise<boolean>;
  readonly subscribe: QueueStore['subscribe'];
  readonly bodies: BodyPlace | undefined;
}

const nextDueSql = `
  WITH RECURSIVE ${queuedAccounts}
  SELECT min((SELECT min(due_at_ms) FROM queue WHERE account_id = account.id)) AS due FROM account`;

export function queueStore(parts: QueueParts): QueueStore {
  const { database, presence, settle, subscribe, bodies } = parts;
  return {
    settle,
    subscribe,
    heldUntilMs: (lease) => presence.heldUntilMs(lease),
    async claim(input) {
      await presence.assure();
      return claim(parts, input);
    },
    nextDueAtMs: async () => (await database.get<{ due: number | null }>(nextDueSql))?.due ?? undefined,
    freeLeases: ({ nowMs, longestWaitMs }) =>
      database.run(
        "UPDATE queue SET due_at_ms = ?, lease = 0, holder = '' WHERE lease > 0 OR due_at_ms > ?",
        nowMs,
        nowMs + longestWaitMs,
      ),
    readBody: bodyReader(database, bodies),
    depth: async () => (await database.get<{ n: number }>('SELECT count(*) AS n FROM queue'))?.n ?? 0,
  };
}
