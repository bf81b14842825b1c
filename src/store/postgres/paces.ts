/**
 * What is known of destinations and who has what share of them, for processes that come one after the other: whoever
 * changes a destination holds its row.
 */
import type { DecidePaces, KeptDestination, PaceStore } from '../contract/paces.ts';
import { shareHoldsForMs } from '../contract/webhooks.ts';
import { recentDestinations } from '../sql/paces.ts';
import type { Database } from './database.ts';
import { listenerName } from './notices.ts';
import { rowsJson, type Transaction } from './transaction.ts';

/** Makes the rows that are missing, and holds all of them. In the order of names, so that no two wait for one another. */
const holdSql = `
  INSERT INTO destinations (name, state, changed_at_ms)
  SELECT name, '', ? FROM unnest(?::text[]) AS name ORDER BY name COLLATE "C"
  ON CONFLICT (name) DO UPDATE SET changed_at_ms = excluded.changed_at_ms RETURNING name, state`;

/**
 * The connections that listen tell which processes are there, also of those that say nothing. Read without the view
 * around it, which would look up the user of every connection.
 */
const presentSql = `
  SELECT a.application_name AS listener, p.alive_until_ms
  FROM pg_stat_get_activity(NULL) a LEFT JOIN processes p ON a.application_name = ? || p.name
  WHERE a.application_name LIKE ? || '%'`;

const keepSql = `
  UPDATE destinations d SET state = kept.state
  FROM json_to_recordset(?) AS kept (name text, state text) WHERE d.name = kept.name`;

interface Present {
  listener: string;
  alive_until_ms: number | null;
}

export interface PaceParts {
  readonly processName: string;
  readonly transact: <T>(work: (transaction: Transaction) => Promise<T>) => Promise<T>;
}

export function paceStore(database: Database, { processName, transact }: PaceParts): PaceStore {
  return {
    processName,
    recent: recentDestinations(database),
    change: (input, decide) => transact((transaction) => change(transaction, input, decide)),
  };
}

async function change<Result>(
  transaction: Transaction,
  { names, nowMs }: Parameters<PaceStore['change']>[0],
  decide: DecidePaces<Result>,
): Promise<Result> {
  const held = await transaction.all<KeptDestination>(holdSql, nowMs, textArray(names));
  const present = await transaction.all<Present>(presentSql, listenerName(''), listenerName(''));
  const seen = new Map(
    present.map(({ listener, alive_until_ms: untilMs }) => [
      listener,
      untilMs === null ? -Infinity : untilMs - shareHoldsForMs,
    ]),
  );
  const known = held.filter(({ state }) => state !== '').map(({ name, state }) => [name, state] as const);
  const { state, result } = decide(new Map(known), (process) => seen.get(listenerName(process)) ?? Infinity);
  await transaction.run(keepSql, rowsJson([...state].map(([name, state]) => ({ name, state }))));
  return result;
}

/** As PostgreSQL writes an array. */
const textArray = (texts: readonly string[]): string =>
  `{${texts.map((text) => `"${text.replaceAll(/["\\]/g, '\\$&')}"`).join(',')}}`;
