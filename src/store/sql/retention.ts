/**
 * Forgetting what is small, in the same way on both engines: a chunk at a time, so that no transaction makes the others
 * wait. Ids grow with time, so the oldest rows are the first by id and no index on time is needed. How messages, bodies
 * and events go is each store's own.
 */
import type { Writer } from './statements.ts';

export interface PruneInput {
  readonly eventsBeforeMs: number;
  readonly bodiesBeforeMs: number;
  readonly statisticsBeforeMs: number;
  readonly nowMs: number;
  readonly limit: number;
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

/** So much of an account's counts goes at a time: a quarter of a day has no more than some thousand rows. */
const slotsAtOnceMs = 6 * 3_600_000;
const statisticsScopes = ['all', 'domain', 'rest', 'tag', 'other-tags'];

/** The oldest slots of the account that has the oldest. */
async function pruneStatistics(database: Writer, { statisticsBeforeMs }: PruneInput): Promise<number> {
  const account = await database.get<{ id: number; oldest: number }>(
    `SELECT account_id AS id, oldest_slot_ms AS oldest FROM statistics_cursors WHERE oldest_slot_ms < ?
     ORDER BY oldest_slot_ms LIMIT 1`,
    statisticsBeforeMs,
  );
  if (account === undefined) return 0;
  const beforeMs = Math.min(statisticsBeforeMs, account.oldest + slotsAtOnceMs);
  let total = 0;
  for (const scope of statisticsScopes) {
    total += await database.run(
      'DELETE FROM statistics WHERE account_id = ? AND scope = ? AND slot_ms < ?',
      account.id,
      scope,
      beforeMs,
    );
  }
  await database.run(
    `UPDATE statistics_cursors SET oldest_slot_ms =
       (SELECT min(slot_ms) FROM statistics WHERE account_id = ? AND scope = 'all') WHERE account_id = ?`,
    account.id,
    account.id,
  );
  return total;
}

async function pruneProviders(database: Writer, { statisticsBeforeMs, limit }: PruneInput): Promise<number> {
  return await database.run(
    `DELETE FROM domain_providers WHERE domain IN
       (SELECT domain FROM domain_providers WHERE seen_at_ms < ? ORDER BY seen_at_ms LIMIT ?)`,
    statisticsBeforeMs,
    limit,
  );
}

/** @returns how many rows went */
export async function pruneSmall(database: Writer, input: PruneInput): Promise<number> {
  return (
    (await pruneKeys(database, input)) +
    (await pruneReports(database, input)) +
    (await pruneRanges(database, input)) +
    (await pruneDestinations(database, input)) +
    (await pruneStatistics(database, input)) +
    (await pruneProviders(database, input))
  );
}
