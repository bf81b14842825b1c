/**
 * A transaction as the SQL of store/sql/ wants it, and the locks that take the place of SQLite's single writer:
 *
 * - The lock of an account's log. Event ids are taken under it and it is held to the commit, so within an account a
 *   smaller id is never seen later than a greater one, and whoever reads "id > cursor" misses nothing.
 * - The lock of an account's settings. What looks first and writes then (a limit, a name that must be free) holds it.
 *   For names that must be free in all accounts there is one lock, and one for people, who are in many.
 *
 * They are taken in this order, each kind once a transaction and in the order of its numbers: settings, rows of
 * messages by id, logs. So no two wait for one another.
 */
import type { Parameter, Writer } from '../sql/statements.ts';
import { type IdWindows, wholeTables } from '../sql/windows.ts';
import { type Sender, Statements, storable } from './database.ts';

/** The first of the two numbers that name an advisory lock. */
const lockClasses = {
  migration: 7301,
  settings: 7302,
  log: 7303,
  retention: 7304,
  shares: 7305,
  ranges: 7306,
  names: 7307,
  people: 7308,
} as const;
export type LockClass = keyof typeof lockClasses;

/** Locks live in shared memory of a fixed size: accounts share so many of them. */
const stripes = 1024;

export const lockSql = (kind: LockClass): string => `SELECT pg_advisory_xact_lock(${lockClasses[kind]}, 0)`;

export class Transaction extends Statements implements Writer {
  readonly grownLogs = new Set<number>();
  readonly windows: IdWindows;
  /** 0 if none was taken. */
  lastEventId = 0;
  #logsLocked = false;

  constructor(sender: Sender, windows: IdWindows = wholeTables) {
    super(sender);
    this.windows = windows;
  }

  /** @param accountIds all whose log will grow in this transaction */
  async lockLogs(accountIds: Iterable<number>): Promise<void> {
    await this.#lock('log', accountIds);
    this.#logsLocked = true;
  }

  async lockAlone(kind: LockClass): Promise<void> {
    await this.run(lockSql(kind));
  }

  lockSettings(accountId: number): Promise<void> {
    return this.#lock('settings', [accountId]);
  }

  /** @returns false at once if another transaction holds it */
  async tryLock(kind: LockClass): Promise<boolean> {
    const row = await this.get<{ taken: boolean }>(
      `SELECT pg_try_advisory_xact_lock(${lockClasses[kind]}, 0) AS taken`,
    );
    return row?.taken === true;
  }

  async insert(sql: string, ...parameters: Parameter[]): Promise<number> {
    const row = await this.get<{ id: number }>(`${sql} RETURNING id`, ...parameters);
    if (row === undefined) throw new Error('an insert made no row');
    return row.id;
  }

  async nextIds(sequence: string, count = 1): Promise<number> {
    if (sequence === 'events') return this.#nextEventId(count);
    const row = await this.get<{ last: number }>(
      `INSERT INTO sequences (name, last) VALUES (?, ?)
       ON CONFLICT (name) DO UPDATE SET last = sequences.last + excluded.last RETURNING last`,
      sequence,
      count,
    );
    return (row?.last ?? 0) - count + 1;
  }

  noteGrownLog(accountId: number): void {
    this.grownLogs.add(accountId);
  }

  /** Inserts rows that are given by the names of their columns, in their order. */
  async insertRows(table: string, rows: readonly Row[]): Promise<void> {
    if (rows.length > 0) await this.run(insertRowsSql(table, rows), rowsJson(rows));
  }

  /** Appends events, under the locks of their logs. @returns their ids, in order */
  async appendEvents(events: readonly Row[]): Promise<number[]> {
    if (!this.#logsLocked) throw new Error('events are appended under the locks of their logs');
    const columns = Object.keys(events[0] ?? {}).join(', ');
    const rows = await this.all<{ id: number }>(
      `INSERT INTO events (id, ${columns})
       SELECT nextval('event_ids'), ${columns} FROM json_populate_recordset(NULL::events, ?) RETURNING id`,
      rowsJson(events),
    );
    const ids = rows.map(({ id }) => id);
    this.lastEventId = Math.max(this.lastEventId, ids.at(-1) ?? 0);
    return ids;
  }

  async #nextEventId(count: number): Promise<number> {
    if (!this.#logsLocked || count !== 1)
      throw new Error('an event id is taken alone, under the lock of its log');
    const row = await this.get<{ id: number }>("SELECT nextval('event_ids') AS id");
    this.lastEventId = row?.id ?? 0;
    return this.lastEventId;
  }

  async #lock(kind: LockClass, accountIds: Iterable<number>): Promise<void> {
    const numbers = new Set([...accountIds].map((id) => id % stripes));
    const ordered = [...numbers].sort((a, b) => a - b).join(',');
    // The ids are numbers of ours. The snapshot of the statement after this one is taken when the locks are held.
    await this.run(
      `SELECT pg_advisory_xact_lock(${lockClasses[kind]}, stripe) FROM unnest('{${ordered}}'::int[]) AS stripe`,
    );
  }
}

/** A row of a table, by the names of its columns. */
export type Row = Readonly<Record<string, string | number | null>>;

/** One statement for any number of rows: they come as one JSON text, which the server takes apart by column. */
export function insertRowsSql(table: string, rows: readonly Row[]): string {
  const columns = Object.keys(rows[0] ?? {}).join(', ');
  return `INSERT INTO ${table} (${columns}) SELECT ${columns} FROM json_populate_recordset(NULL::${table}, ?)`;
}

/** @param rows all with the same columns */
export function rowsJson(rows: readonly Row[]): string {
  return JSON.stringify(rows, (_, value: unknown) => (typeof value === 'string' ? storable(value) : value));
}

/** For `ANY (?::bigint[])`. */
export const arrayOf = (ids: Iterable<number>): string => `{${[...ids].join(',')}}`;
