/** The delivery queue: claims, settling in batches, and what is asked of it besides. */
import type { BodyPlace } from '../contract/bodies.ts';
import type { QueueStore, Settlement } from '../contract/queue.ts';
import { bodyReader, type BodyRow } from '../sql/bodies.ts';
import { Batches } from './batch.ts';
import { claim, type ClaimParts, queuedAccounts } from './claim.ts';
import type { Database } from './database.ts';
import type { Presence } from './presence.ts';
import { arrayOf } from './transaction.ts';

export interface QueueParts extends ClaimParts {
  readonly presence: Presence;
  readonly settle: (settlement: Settlement) => Promise<boolean>;
  readonly subscribe: QueueStore['subscribe'];
  readonly bodies: BodyPlace | undefined;
}

/** Who sends bounds how many bodies are read at once, by their sizes as well. */
const bodyLimits = {
  calls: 50,
  bytes: Infinity,
  waitingCalls: Infinity,
  waitingBytes: Infinity,
  bytesOf: () => 0,
};

const nextDueSql = `
  WITH RECURSIVE ${queuedAccounts}
  SELECT min((SELECT min(due_at_ms) FROM queue WHERE account_id = account.id)) AS due FROM account`;

/** Those that are asked for at once are read by one statement. */
function bodyRows(database: Database): (submissionId: number) => Promise<BodyRow | undefined> {
  const read = async (ids: readonly number[]): Promise<readonly (BodyRow | undefined)[]> => {
    const rows = await database.all<BodyRow & { submission_id: number }>(
      'SELECT submission_id, raw, object_key FROM bodies WHERE submission_id = ANY (?::bigint[])',
      arrayOf(ids),
    );
    const byId = new Map(rows.map((row) => [row.submission_id, row]));
    return ids.map((id) => byId.get(id));
  };
  return new Batches(read, bodyLimits).call;
}

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
    readBody: bodyReader(bodyRows(database), bodies),
    depth: async () => (await database.get<{ n: number }>('SELECT count(*) AS n FROM queue'))?.n ?? 0,
  };
}
