/**
 * Counting the log: reading what is not counted, and adding a batch's counts in the transaction that moves the cursor. What
 * an event counts as is decided by who calls.
 */
import type { VisitorKind } from '../../events/types.ts';
import {
  type CountRow,
  measures,
  mostNamesInSlot,
  namesKeptInSlot,
  type NewCounts,
  type UncountedEvent,
  type VisitedBefore,
  visitsLookedAt,
} from '../contract/statistics.ts';
import type { Reader, Writer } from './statements.ts';
import { type IdWindows, inside } from './windows.ts';

/** The columns of the counts, in the order of `measures`. */
export const countColumns = measures.map((measure) =>
  measure.replaceAll(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`),
);

const added = [
  // Of a domain whose provider was not known at first.
  "provider = CASE WHEN excluded.provider = '' THEN statistics.provider ELSE excluded.provider END",
  'first_id = CASE WHEN excluded.first_id < statistics.first_id THEN excluded.first_id ELSE statistics.first_id END',
  'last_id = CASE WHEN excluded.last_id > statistics.last_id THEN excluded.last_id ELSE statistics.last_id END',
  ...countColumns.map((column) => `${column} = statistics.${column} + excluded.${column}`),
].join(', ');

const allColumns = `account_id, scope, slot_ms, name, provider, first_id, last_id, ${countColumns.join(', ')}`;
const onConflict = `ON CONFLICT (account_id, scope, slot_ms, name) DO UPDATE SET ${added}`;
const places = `(${Array.from({ length: 7 + countColumns.length }, () => '?').join(', ')})`;
/** Rows in one statement, where a statement is a way to a server and back: few sizes, so that there are few texts. */
const rowsAtOnce = [25, 5, 1] as const;
const addRowsSql = new Map(
  rowsAtOnce.map((rows) => {
    const values = Array.from({ length: rows }, () => places).join(', ');
    return [rows, `INSERT INTO statistics (${allColumns}) VALUES ${values} ${onConflict}`];
  }),
);

/** Every event of a row is in one of these. */
const eventsOfRow =
  'accepted + skipped + deferred + delivered + bounced + opened_human + opened_proxy + opened_machine + ' +
  'clicked_human + clicked_proxy + clicked_machine + unsubscribed + complained';

/** The names of a slot that give up their rows to those with more events. */
const smallNames = `
  SELECT name FROM (
    SELECT name, row_number() OVER (ORDER BY ${eventsOfRow} DESC, name) AS place
    FROM statistics WHERE account_id = ? AND scope = ? AND slot_ms = ?) ranked
  WHERE place > ?`;

const sumColumns = countColumns.map((column) => `CAST(sum(${column}) AS bigint)`).join(', ');

/** Where the small ones go: domains to their provider's, tags to one row. */
const restOf = {
  domain: { scope: 'rest', name: 'provider' },
  tag: { scope: 'other-tags', name: "''" },
} as const;

const foldSql = ({ scope, name }: (typeof restOf)['domain' | 'tag']): string => `
  INSERT INTO statistics (${allColumns})
  SELECT account_id, '${scope}', slot_ms, ${name}, provider, min(first_id), max(last_id), ${sumColumns}
  FROM statistics WHERE account_id = ? AND scope = ? AND slot_ms = ? AND name IN (${smallNames})
  GROUP BY account_id, slot_ms, provider ${onConflict}`;

const foldSqls = { domain: foldSql(restOf.domain), tag: foldSql(restOf.tag) };

/** @param rows each of another name, slot or scope */
async function addRows(database: Writer, accountId: number, rows: readonly CountRow[]): Promise<void> {
  let start = 0;
  for (const size of rowsAtOnce) {
    for (; start + size <= rows.length; start += size) {
      const values = rows
        .slice(start, start + size)
        .flatMap(({ scope, slotMs, name, provider, firstId, lastId, counts }) => [
          accountId,
          scope,
          slotMs,
          name,
          provider,
          firstId,
          lastId,
          ...counts,
        ]);
      await database.run(addRowsSql.get(size) ?? '', ...values);
    }
  }
}

async function fold(
  database: Writer,
  accountId: number,
  scope: 'domain' | 'tag',
  slotMs: number,
): Promise<void> {
  const slot = [accountId, scope, slotMs] as const;
  const row = await database.get<{ n: number }>(
    'SELECT count(*) AS n FROM statistics WHERE account_id = ? AND scope = ? AND slot_ms = ?',
    ...slot,
  );
  if ((row?.n ?? 0) <= mostNamesInSlot) return;
  await database.run(foldSqls[scope], ...slot, ...slot, namesKeptInSlot);
  await database.run(
    `DELETE FROM statistics WHERE account_id = ? AND scope = ? AND slot_ms = ? AND name IN (${smallNames})`,
    ...slot,
    ...slot,
    namesKeptInSlot,
  );
}

/** The slots in which domains or tags were counted, each once. */
function slotsOf(rows: readonly CountRow[], scope: 'domain' | 'tag'): ReadonlySet<number> {
  return new Set(rows.filter((row) => row.scope === scope).map(({ slotMs }) => slotMs));
}

export const statisticsWrites = {
  async add(
    database: Writer,
    { accountId, afterId, lastId, rows, providers, atMs }: NewCounts,
  ): Promise<'added' | 'stale'> {
    const oldestMs = rows.reduce((oldest, { slotMs }) => Math.min(oldest, slotMs), Number.MAX_SAFE_INTEGER);
    await database.run(
      'INSERT INTO statistics_cursors (account_id, event_id) VALUES (?, 0) ON CONFLICT (account_id) DO NOTHING',
      accountId,
    );
    const moved = await database.run(
      `UPDATE statistics_cursors SET event_id = ?,
         oldest_slot_ms = CASE WHEN oldest_slot_ms <= ? THEN oldest_slot_ms ELSE ? END
       WHERE account_id = ? AND event_id = ?`,
      lastId,
      oldestMs,
      oldestMs,
      accountId,
      afterId,
    );
    if (moved === 0) return 'stale';
    await addRows(database, accountId, rows);
    for (const scope of ['domain', 'tag'] as const) {
      for (const slotMs of slotsOf(rows, scope)) await fold(database, accountId, scope, slotMs);
    }
    for (const { domain, provider } of providers) {
      await database.run(
        `INSERT INTO domain_providers (domain, provider, seen_at_ms) VALUES (?, ?, ?)
         ON CONFLICT (domain) DO UPDATE SET provider = excluded.provider, seen_at_ms = excluded.seen_at_ms`,
        domain,
        provider,
        atMs,
      );
    }
    return 'added';
  },
};

/** By the number that stands for it in SQL. */
const visitedBefore: readonly VisitedBefore[] = ['nobody', 'machine', 'proxy', 'human'];

type UncountedTuple = [
  id: number,
  type: UncountedEvent['type'],
  timeMs: number,
  recipient: string,
  visitor: VisitorKind | '',
  tagsJson: string,
  detailJson: string,
  messageId: number,
  number: number,
];

/** The next events; of all that it passes over it sees one state. */
async function eventsAfter(
  reader: Reader,
  windows: IdWindows,
  { accountId, afterId, limit }: { accountId: number; afterId: number; limit: number },
): Promise<readonly UncountedTuple[]> {
  for (const toId of windows.eventsAfter(afterId)) {
    const { clause, values } = inside('id', { fromId: 0, toId });
    const rows = await reader.tuples<UncountedTuple>(
      `SELECT id, type, time_ms, recipient, visitor, tags,
         CASE WHEN type IN ('deferred', 'delivered', 'bounced')
           OR (type IN ('opened', 'clicked') AND detail LIKE '%"count":%') THEN detail ELSE '' END,
         message_id, number
       FROM events WHERE account_id = ? AND id > ?${clause} ORDER BY id LIMIT ?`,
      accountId,
      afterId,
      ...values,
      limit,
    );
    if (rows.length > 0) return rows;
  }
  return [];
}

const isVisit = (type: string): boolean => type === 'opened' || type === 'clicked';

/** Of visits among these events, by their ids: who had visited before, as the number that stands for it. */
async function visitorsBefore(
  reader: Reader,
  windows: IdWindows,
  { accountId, rows }: { accountId: number; rows: readonly UncountedTuple[] },
): Promise<ReadonlyMap<number, number>> {
  const visits = rows.filter(([, type, , , , , , , number]) => isVisit(type) && number <= visitsLookedAt);
  const [firstId, lastId] = [visits[0]?.[0], visits.at(-1)?.[0]];
  if (firstId === undefined || lastId === undefined) return new Map();
  const messageIds = new Set(visits.map(([, , , , , , , messageId]) => messageId));
  const { clause, values } = inside('p.id', await windows.storiesTo(reader, [...messageIds], lastId));
  return new Map(
    await reader.tuples<[id: number, before: number]>(
      `SELECT e.id, (SELECT coalesce(max(CASE p.visitor WHEN 'machine' THEN 1 WHEN 'proxy' THEN 2 ELSE 3 END), 0)
         FROM events p WHERE p.message_id = e.message_id AND p.number < e.number AND p.type = e.type${clause})
       FROM events e WHERE e.account_id = ? AND e.id >= ? AND e.id <= ? AND e.type IN ('opened', 'clicked')
         AND e.number <= ${visitsLookedAt}`,
      ...values,
      accountId,
      firstId,
      lastId,
    ),
  );
}

const cursorSql = 'SELECT event_id AS id FROM statistics_cursors WHERE account_id = ?';

export async function countedTo(reader: Reader, accountId: number): Promise<number> {
  return (await reader.get<{ id: number }>(cursorSql, accountId))?.id ?? 0;
}

export async function readUncounted(
  reader: Reader,
  windows: IdWindows,
  { accountId, limit }: { accountId: number; limit: number },
): Promise<{ readonly afterId: number; readonly events: readonly UncountedEvent[] }> {
  const afterId = await countedTo(reader, accountId);
  const rows = await eventsAfter(reader, windows, { accountId, afterId, limit });
  const before = await visitorsBefore(reader, windows, { accountId, rows });
  const events = rows.map(
    ([id, type, timeMs, recipient, visitor, tagsJson, detailJson]): UncountedEvent => ({
      id,
      type,
      timeMs,
      recipient,
      visitor,
      // So often visited that nobody looks through all of it: by people, too.
      visitedBefore: isVisit(type) ? (visitedBefore[before.get(id) ?? 3] ?? 'human') : 'nobody',
      tagsJson,
      detailJson,
    }),
  );
  return { afterId, events };
}

export async function uncountedAccounts(reader: Reader): Promise<readonly number[]> {
  const rows = await reader.all<{ id: number }>(
    `SELECT a.id FROM accounts a LEFT JOIN statistics_cursors c ON c.account_id = a.id
     WHERE EXISTS (SELECT 1 FROM events e WHERE e.account_id = a.id AND e.id > coalesce(c.event_id, 0))
     ORDER BY a.id`,
  );
  return rows.map(({ id }) => id);
}

/** Names in one statement: a fixed number, so that there is one text of it. */
const domainsAtOnce = 20;
const providersSql = `SELECT domain, provider FROM domain_providers WHERE domain IN (${Array.from({ length: domainsAtOnce }, () => '?').join(', ')})`;

export async function providersOf(
  reader: Reader,
  domains: readonly string[],
): Promise<ReadonlyMap<string, string>> {
  const found = new Map<string, string>();
  for (let start = 0; start < domains.length; start += domainsAtOnce) {
    const some = domains.slice(start, start + domainsAtOnce);
    const names = Array.from({ length: domainsAtOnce }, (_, index) => some[index] ?? '');
    const rows = await reader.all<{ domain: string; provider: string }>(providersSql, ...names);
    for (const { domain, provider } of rows) found.set(domain, provider);
  }
  return found;
}
