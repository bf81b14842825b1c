/**
 * Fills a stopped service's log with events that wait: copies of its last one, each about a message of its own. Rows are
 * written beside the store because a million of them by way of it would take longer than what is measured.
 */
import { DatabaseSync } from 'node:sqlite';

/** @returns the last event's id before */
export function addWaitingEvents(databaseFile: string, count: number): number {
  const database = new DatabaseSync(databaseFile);
  try {
    const { last } = database.prepare('SELECT max(id) AS last FROM events').get() as { last: number };
    const changed: Readonly<Record<string, string>> = { id: 'id + n', message_id: 'message_id + id + n' };
    const names = database
      .prepare("SELECT name FROM pragma_table_info('events')")
      .all()
      .map((column) => String(column['name']));
    const values = names.map((name) => changed[name] ?? name);
    database.exec(`
      BEGIN IMMEDIATE;
      WITH RECURSIVE numbers (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM numbers WHERE n < ${count})
      INSERT INTO events (${names.join(', ')}) SELECT ${values.join(', ')} FROM events, numbers WHERE id = ${last};
      UPDATE sequences SET last = ${last + count} WHERE name = 'events';
      COMMIT;
      PRAGMA wal_checkpoint(TRUNCATE)`);
    return last;
  } finally {
    database.close();
  }
}
