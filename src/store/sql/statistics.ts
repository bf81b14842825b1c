/** Asking for counts: sums over stretches of time, by domain, by provider, by tag; and what waits in the queue. */
import {
  type Counted,
  type Counts,
  type Measure,
  measures,
  type NamedCounts,
  noCounts,
  type StatisticsStore,
  type Waiting,
} from '../contract/statistics.ts';
import type { Calls, Parameter, Reader } from './statements.ts';
import type { IdWindows } from './windows.ts';
import {
  countColumns,
  countedTo,
  providersOf,
  readUncounted,
  type statisticsWrites,
  uncountedAccounts,
} from './statistics-counting.ts';

const sumColumns = countColumns.map((column) => `CAST(sum(${column}) AS bigint)`).join(', ');

/** Copied and filled, not built: a table of a month's domains makes tens of thousands of them. */
function toCounts(values: readonly number[]): Counts {
  const counts: Record<Measure, number> = { ...noCounts };
  for (let index = 0; index < measures.length; index++) {
    counts[measures[index] as Measure] = values[index] ?? 0;
  }
  return counts;
}

/** The rows of an account that hold the counts. */
function rowsOf(of: Counted): { readonly clause: string; readonly values: readonly Parameter[] } {
  switch (of.kind) {
    case 'all':
      return { clause: "scope = 'all'", values: [] };
    case 'domain':
      return { clause: "scope = 'domain' AND name = ?", values: [of.domain] };
    case 'provider':
      return { clause: "scope IN ('domain', 'rest') AND provider = ?", values: [of.provider] };
    case 'tag':
      return { clause: "scope = 'tag' AND name = ?", values: [of.tag] };
  }
}

/** What stores do in ways of their own. */
export type StatisticsParts = Pick<StatisticsStore, 'takeTurn'> & { readonly windows: IdWindows };

export function statisticsStore(
  reader: Reader,
  write: Calls<typeof statisticsWrites>,
  { takeTurn, windows }: StatisticsParts,
): StatisticsStore {
  return {
    ...write,
    takeTurn,
    uncountedAccounts: async () => await uncountedAccounts(reader),
    readUncounted: async (input) => await readUncounted(reader, windows, input),
    providersOf: async (domains) => await providersOf(reader, domains),
    countedTo: async (accountId) => await countedTo(reader, accountId),
    async sums({ accountId, of, fromMs, lengthMs, intervals }) {
      const { clause, values } = rowsOf(of);
      const rows = await reader.tuples<number[]>(
        `SELECT (slot_ms - CAST(? AS bigint)) / CAST(? AS bigint), ${sumColumns}
         FROM statistics WHERE account_id = ? AND ${clause} AND slot_ms >= ? AND slot_ms < ? GROUP BY 1`,
        fromMs,
        lengthMs,
        accountId,
        ...values,
        fromMs,
        fromMs + intervals * lengthMs,
      );
      return rows.map(([index = 0, ...counts]) => ({ index, counts: toCounts(counts) }));
    },
    async sumsByName({ accountId, by, fromMs, toMs }) {
      const name = by === 'provider' ? 'provider' : "CASE scope WHEN 'domain' THEN name ELSE '' END";
      const rows = await reader.tuples<[string, string, ...number[]]>(
        `SELECT ${name}, provider, ${sumColumns} FROM statistics
         WHERE account_id = ? AND scope IN ('domain', 'rest') AND slot_ms >= ? AND slot_ms < ? GROUP BY 1, 2`,
        accountId,
        fromMs,
        toMs,
      );
      return rows.map(
        ([name, provider, ...counts]): NamedCounts => ({ name, provider, counts: toCounts(counts) }),
      );
    },
    async leavesOut({ accountId, what, fromMs, toMs }) {
      const row = await reader.get(
        'SELECT 1 FROM statistics WHERE account_id = ? AND scope = ? AND slot_ms >= ? AND slot_ms < ? LIMIT 1',
        accountId,
        what === 'domains' ? 'rest' : 'other-tags',
        fromMs,
        toMs,
      );
      return row !== undefined;
    },
    waiting: async (input) => await waiting(reader, input),
  };
}

/** What the first of the queue wait for, by the category of the last attempt. */
const reasonsSql = `
  SELECT reason, count(*) AS messages, min(created_at_ms) AS oldest FROM (
    SELECT CASE WHEN q.lease > 0 THEN 'under-way' WHEN q.attempts_made = 0 THEN 'new'
        ELSE coalesce(a.category, 'unknown') END AS reason, m.created_at_ms
    FROM (SELECT message_id, lease, attempts_made FROM queue WHERE account_id = ? ORDER BY due_at_ms LIMIT ?) q
    JOIN messages m ON m.id = q.message_id
    LEFT JOIN attempts a ON a.message_id = q.message_id AND a.number = q.attempts_made) waiting
  GROUP BY reason ORDER BY messages DESC, reason`;

interface Depth {
  n: number;
  due: number | null;
  oldest: number | null;
}

/** The oldest is the one with the lowest id. */
const depthSql = `
  SELECT n, due, (SELECT created_at_ms FROM messages WHERE id = lowest_id) AS oldest FROM (
    SELECT count(*) AS n, min(due_at_ms) AS due, min(message_id) AS lowest_id
    FROM (SELECT message_id, due_at_ms FROM queue WHERE account_id = ? ORDER BY due_at_ms LIMIT ?) counted) depth`;

async function waiting(
  reader: Reader,
  { accountId, cap, lookAt }: { accountId: number; cap: number; lookAt: number },
): Promise<Waiting> {
  const depth = await reader.get<Depth>(depthSql, accountId, cap);
  const reasons = await reader.all<{ reason: string; messages: number; oldest: number }>(
    reasonsSql,
    accountId,
    lookAt,
  );
  return {
    messages: depth?.n ?? 0,
    oldestAtMs: depth?.oldest ?? undefined,
    nextAttemptAtMs: depth?.due ?? undefined,
    reasons: reasons.map(({ reason, messages, oldest }) => ({ reason, messages, oldestAtMs: oldest })),
  };
}
