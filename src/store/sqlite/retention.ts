/**
 * Forgetting, in SQLite: small chunks of the oldest rows, so that no transaction makes the others wait. Ids grow with
 * time, so the oldest are the first by id.
 */
import { type PruneInput, pruneSmall } from '../sql/retention.ts';
import type { Writer } from './database.ts';

function pruneEvents(database: Writer, { eventsBeforeMs, limit }: PruneInput): number {
  return database.run(
    'DELETE FROM events WHERE id IN (SELECT id FROM events ORDER BY id LIMIT ?) AND time_ms < ?',
    limit,
    eventsBeforeMs,
  );
}

function pruneMessages(database: Writer, { eventsBeforeMs, limit }: PruneInput): number {
  const old = database.all<{ id: number; submission_id: number }>(
    `SELECT id, submission_id FROM (SELECT * FROM messages ORDER BY id LIMIT ?) oldest
     WHERE created_at_ms < ? AND state <> 'queued'`,
    limit,
    eventsBeforeMs,
  );
  for (const { id } of old) {
    database.run('DELETE FROM attempts WHERE message_id = ?', id);
    database.run('DELETE FROM message_tags WHERE message_id = ?', id);
    database.run('DELETE FROM messages WHERE id = ?', id);
  }
  for (const submissionId of new Set(old.map((row) => row.submission_id))) {
    if (database.get('SELECT 1 FROM messages WHERE submission_id = ?', submissionId) !== undefined) continue;
    database.run('DELETE FROM submissions WHERE id = ?', submissionId);
    database.run('DELETE FROM bodies WHERE submission_id = ?', submissionId);
  }
  return old.length;
}

function pruneBodies(database: Writer, { bodiesBeforeMs, limit }: PruneInput): number {
  return database.run(
    `DELETE FROM bodies WHERE submission_id IN (
       SELECT s.id FROM (SELECT submission_id FROM bodies ORDER BY submission_id LIMIT ?) b
       JOIN submissions s ON s.id = b.submission_id
       WHERE s.created_at_ms < ?
         AND NOT EXISTS (SELECT 1 FROM messages m WHERE m.submission_id = s.id AND m.state = 'queued'))`,
    limit,
    bodiesBeforeMs,
  );
}

export const retentionWrites = {
  async prune(database: Writer, input: PruneInput): Promise<number> {
    const large =
      pruneEvents(database, input) + pruneMessages(database, input) + pruneBodies(database, input);
    return large + (await pruneSmall(database, input));
  },
};
