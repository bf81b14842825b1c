/**
 * Fills a stopped service's store with what waits: events of its log and messages of its queue, copies of the last one.
 * Rows are written beside the store because millions of them by way of it would take longer than what is measured.
 */
import { DatabaseSync } from 'node:sqlite';

/** Each about a message of its own. @returns the last event's id before */
export function addWaitingEvents(databaseFile: string, count: number): number {
  return filling(databaseFile, (database) => {
    const last = lastId(database, 'events', 'id');
    copyRow(database, 'events', { id: last }, { id: 'id + n', message_id: 'message_id + id + n' }, count);
    noteLast(database, 'events', last + count);
    // Messages that are accepted later are not those that these events are about.
    noteLast(database, 'messages', lastId(database, 'events', 'message_id'));
    return last;
  });
}

/** Each due at once, all of one submission. */
export function addQueuedMessages(databaseFile: string, count: number): void {
  filling(databaseFile, (database) => {
    const last = lastId(database, 'queue', 'message_id');
    copyRow(database, 'messages', { id: last }, { id: 'id + n' }, count);
    copyRow(database, 'queue', { message_id: last }, { message_id: 'message_id + n', lease: '0' }, count);
    const told = lastId(database, 'events', 'message_id');
    noteLast(database, 'messages', Math.max(told, last + count));
  });
}

function filling<T>(databaseFile: string, fill: (database: DatabaseSync) => T): T {
  const database = new DatabaseSync(databaseFile);
  try {
    database.exec('BEGIN IMMEDIATE');
    const result = fill(database);
    database.exec('COMMIT; PRAGMA wal_checkpoint(TRUNCATE)');
    return result;
  } finally {
    database.close();
  }
}

function lastId(database: DatabaseSync, table: string, column: string): number {
  const row = database.prepare(`SELECT max(${column}) AS last FROM ${table}`).get();
  return Number(row?.['last']);
}

/** @param changed expressions for columns that a copy does not take over; `n` counts the copies from 1 */
function copyRow(
  database: DatabaseSync,
  table: string,
  key: Readonly<Record<string, number>>,
  changed: Readonly<Record<string, string>>,
  count: number,
): void {
  const names = database
    .prepare(`SELECT name FROM pragma_table_info('${table}')`)
    .all()
    .map((column) => String(column['name']));
  const values = names.map((name) => changed[name] ?? name);
  const [[column, id] = ['id', 0]] = Object.entries(key);
  database.exec(`
    WITH RECURSIVE numbers (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM numbers WHERE n < ${count})
    INSERT INTO ${table} (${names.join(', ')}) SELECT ${values.join(', ')} FROM ${table}, numbers WHERE ${column} = ${id}`);
}

function noteLast(database: DatabaseSync, sequence: string, last: number): void {
  database.prepare('UPDATE sequences SET last = ? WHERE name = ?').run(last, sequence);
}
