/**
 * Forgetting, in PostgreSQL: messages, bodies and events go by whole ranges of ids, which is dropping partitions; small
 * things go row by row. Dropping needs the tables for itself for a moment: it asks for them with a short timeout, and
 * comes back later rather than let those wait who accept mail.
 */
import { DatabaseError } from 'pg';
import { StoreBusyError } from '../contract/store.ts';
import { type PruneInput, pruneSmall } from '../sql/retention.ts';
import type { Database, Sender, Statements } from './database.ts';
import { partitionsOf } from './partitions.ts';
import { type IdRange, type Ranges, readRanges } from './ranges.ts';
import { Transaction } from './transaction.ts';

const hourMs = 3_600_000;
const dayMs = 24 * hourMs;
/** Of what is kept shortest, a range is this part; of what is kept longest, there are no more of them than that. */
const [shortestParts, longestParts] = [4, 400];

/** Clocks of the machines may differ by this much. */
const clocksDifferMs = 60_000;

/** For who is not in a hurry: a vacuum of an old partition gives way after a second. */
const waitForOldMs = 2_000;
/** For each of the tables, and for all of them together: so long those wait who accept mail, at most. */
const [waitForTableMs, dropWithinMs] = [100, 300];
const dropTries = 3;

/** How long a range is in use. */
export function spanOf({ nowMs, eventsBeforeMs, bodiesBeforeMs }: PruneInput): number {
  const keptMs = [nowMs - eventsBeforeMs, nowMs - bodiesBeforeMs];
  const span = Math.max(hourMs, Math.min(dayMs, Math.min(...keptMs) / shortestParts));
  return Math.max(span, Math.max(...keptMs) / longestParts);
}

/** A kind of thing that goes at its own time. */
interface Drop {
  readonly kind: IdRange['kind'];
  readonly which: 'all' | 'bodies';
  readonly beforeMs: number;
}

const dropsOf = ({ eventsBeforeMs, bodiesBeforeMs }: PruneInput): readonly Drop[] => [
  { kind: 'events', which: 'all', beforeMs: eventsBeforeMs },
  { kind: 'messages', which: 'all', beforeMs: eventsBeforeMs },
  { kind: 'messages', which: 'bodies', beforeMs: bodiesBeforeMs },
];

/** One round of forgetting. @returns how much went: ranges and rows */
export async function prune(
  { database, ranges }: { readonly database: Database; readonly ranges: Ranges },
  input: PruneInput,
): Promise<number> {
  await ranges.turn(input.nowMs, spanOf(input));
  let removed = 0;
  for (const drop of dropsOf(input)) removed += await dropOne(database, drop);
  // One process at a time: others have nothing to add.
  removed += await database.transaction(async (sender) => {
    const transaction = new Transaction(sender, ranges);
    return (await transaction.tryLock('retention')) ? pruneSmall(transaction, input) : 0;
  });
  return removed;
}

/** Drops the oldest range of a kind that is old enough. @returns how many were dropped: none, or one */
async function dropOne(database: Database, drop: Drop): Promise<0 | 1> {
  for (let tries = 0; tries < dropTries; tries++) {
    try {
      return await database.transaction((sender) => tryToDrop(sender, drop));
    } catch (error) {
      if (!isInTheWay(error)) throw error;
    }
  }
  return 0;
}

async function tryToDrop(sender: Sender, { kind, which, beforeMs }: Drop): Promise<0 | 1> {
  const transaction = new Transaction(sender);
  if (!(await transaction.tryLock('ranges'))) return 0;
  const old = (await readRanges(transaction))[kind].filter(
    ({ toMs = Infinity, hasBodies }) => toMs + clocksDifferMs < beforeMs && (which === 'all' || hasBodies),
  );
  const range = await firstSettled(transaction, old);
  if (range === undefined) return 0;
  const names = partitionsOf(range, which, range.hasBodies).join(', ');
  await transaction.run(`SET LOCAL lock_timeout = ${waitForOldMs}`);
  await transaction.run(`LOCK TABLE ${names} IN SHARE UPDATE EXCLUSIVE MODE`);
  await transaction.run(`SET LOCAL lock_timeout = ${waitForTableMs}`);
  await transaction.run(`SET LOCAL statement_timeout = ${dropWithinMs}`);
  await transaction.run(`DROP TABLE ${names}`);
  await transaction.run(
    which === 'all'
      ? 'DELETE FROM id_ranges WHERE kind = ? AND from_id = ?'
      : 'UPDATE id_ranges SET has_bodies = 0 WHERE kind = ? AND from_id = ?',
    kind,
    range.fromId,
  );
  return 1;
}

/** The first range of which nothing is queued any more. */
async function firstSettled(
  statements: Statements,
  ranges: readonly IdRange[],
): Promise<IdRange | undefined> {
  for (const range of ranges) {
    const sql = 'SELECT 1 FROM queue WHERE message_id >= ? AND message_id < ? LIMIT 1';
    const isQueued =
      range.kind === 'messages' && (await statements.get(sql, range.fromId, range.toId)) !== undefined;
    if (!isQueued) return range;
  }
  return undefined;
}

/** Somebody holds a table for longer than we may wait for it. */
function isInTheWay(error: unknown): boolean {
  return error instanceof StoreBusyError
    ? error.cause instanceof DatabaseError && error.cause.code === '55P03'
    : error instanceof DatabaseError && error.code === '57014';
}
