/**
 * Forgetting: small chunks, so that no transaction makes the others wait. Ids grow with time, so the oldest
 * rows are the first by id and no index on time is needed.
 */
import type { Writer } from './statements.ts';

interface PruneInput {
  readonly eventsBeforeMs: number;
  readonly bodiesBeforeMs: number;
  readonly nowMs: number;
  readonly limit: number;
}

async function pruneEvents(database: Writer, { eventsBeforeMs, limit }: PruneInput): Promise<number> {
  return await database.run(
    'DELETE FROM events WHERE id IN (SELECT id FROM events ORDER BY id LIMIT ?) AND time_ms < ?',
    limit,
    eventsBeforeMs,
  );
}

async function pruneMessages(database: Writer, { eventsBeforeMs, limit }: PruneInput): Promise<number> {
  const old = await database.all<{ id: number; submission_id: number }>(
    `SELECT id, submission_id FROM (SELECT * FROM messages ORDER BY id LIMIT ?) oldest
     WHERE created_at_ms < ? AND state <> 'queued'`,
    limit,
    eventsBeforeMs,
  );
  for (const { id } of old) {
    await database.run('DELETE FROM attempts WHERE message_id = ?', id);
    await database.run('DELETE FROM message_tags WHERE message_id = ?', id);
    await database.run('DELETE FROM messages WHERE id = ?', id);
  }
  for (const submissionId of new Set(old.map((row) => row.submission_id))) {
    if ((await database.get('SELECT 1 FROM messages WHERE submission_id = ?', submissionId)) !== undefined)
      continue;
    await database.run('DELETE FROM submissions WHERE id = ?', submissionId);
    await database.run('DELETE FROM bodies WHERE submission_id = ?', submissionId);
  }
  return old.length;
}

async function pruneBodies(database: Writer, { bodiesBeforeMs, limit }: PruneInput): Promise<number> {
  return await database.run(
    `DELETE FROM bodies WHERE submission_id IN (
       SELECT s.id FROM (SELECT submission_id FROM bodies ORDER BY submission_id LIMIT ?) b
       JOIN submissions s ON s.id = b.submission_id
       WHERE s.created_at_ms < ?
         AND NOT EXISTS (SELECT 1 FROM messages m WHERE m.submission_id = s.id AND m.state = 'queued'))`,
    limit,
    bodiesBeforeMs,
  );
}

async function pruneKeys(database: Writer, { nowMs, limit }: PruneInput): Promise<number> {
  return await database.run(
    `DELETE FROM idempotency_keys WHERE (account_id, key) IN
       (SELECT account_id, key FROM idempotency_keys WHERE expires_at_ms <= ? ORDER BY expires_at_ms LIMIT ?)`,
    nowMs,
    limit,
  );
}

async function pruneReports(database: Writer, { eventsBeforeMs, limit }: PruneInput): Promise<number> {
  return await database.run(
    'DELETE FROM reports WHERE id IN (SELECT id FROM reports ORDER BY id LIMIT ?) AND at_ms < ?',
    limit,
    eventsBeforeMs,
  );
}

/** Who had which events is known as long as the events are. */
async function pruneRanges(database: Writer, { eventsBeforeMs, limit }: PruneInput): Promise<number> {
  return await database.run(
    'DELETE FROM webhook_ranges WHERE id IN (SELECT id FROM webhook_ranges ORDER BY id LIMIT ?) AND to_ms < ?',
    limit,
    eventsBeforeMs,
  );
}

/** What was learnt of a destination is worth nothing after so long. */
async function pruneDestinations(database: Writer, { eventsBeforeMs, limit }: PruneInput): Promise<number> {
  return await database.run(
    `DELETE FROM destinations WHERE name IN (SELECT name FROM destinations WHERE changed_at_ms < ? ORDER BY name LIMIT ?)
       AND changed_at_ms < ?`,
    eventsBeforeMs,
    limit,
    eventsBeforeMs,
  );
}

export const retentionWrites = {
  async prune(database: Writer, input: PruneInput): Promise<number> {
    const kinds = [
      pruneEvents,
      pruneMessages,
      pruneBodies,
      pruneKeys,
      pruneReports,
      pruneRanges,
      pruneDestinations,
    ];
    let total = 0;
    for (const prune of kinds) total += await prune(database, input);
    return total;
  },
};
