/** The schema of the shared store: made by one of many, however long it takes, and never under who cannot use it. */
import assert from 'node:assert/strict';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { pathToFileURL } from 'node:url';
import { startMs } from '../../src/store/conformance/fixtures.ts';
import { Database, defaultDatabaseLimits } from '../../src/store/postgres/database.ts';
import { migrate } from '../../src/store/postgres/migrate.ts';
import { freshDatabase } from '../support/fresh-database.ts';
import { ManualClock } from '../support/manual-clock.ts';
import { withoutPostgres } from '../support/postgres.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';

/** What every schema has that migrating itself uses. */
const core = `
  CREATE TABLE processes (name text PRIMARY KEY, alive_until_ms bigint NOT NULL);
  ALTER TABLE schema_steps ADD COLUMN beside integer NOT NULL DEFAULT 0;`;
const hasty = { ...defaultDatabaseLimits, statementMs: 300, lockMs: 300 };

/** The migrations of a version. @param steps without the first one, which is the same for all */
async function version(folder: string, name: string, steps: readonly string[]): Promise<URL> {
  const own = join(folder, name);
  await mkdir(own);
  for (const [index, text] of [core, ...steps].entries()) {
    await writeFile(join(own, `${String(index + 1).padStart(4, '0')}-step.sql`), text);
  }
  return pathToFileURL(`${own}/`);
}

describe('the schema on PostgreSQL', { skip: withoutPostgres }, () => {
  test('a step that takes longer than any statement may is applied once, and all who start wait for it', async () => {
    await using folder = await temporaryFolder();
    const url = await freshDatabase();
    const slow = 'SELECT pg_sleep(1); CREATE TABLE made (); COMMENT ON TABLE made IS NULL';
    const steps = await version(folder.path, 'slow', [slow]);
    const databases = [1, 2, 3].map(() => new Database(url, hasty));
    // As an operator may have it for everybody.
    await databases[0]?.run(
      `ALTER DATABASE ${new URL(url).pathname.slice(1)} SET statement_timeout = '400ms'`,
    );
    await Promise.all(databases.map((database) => migrate(database, new ManualClock(startMs), steps)));
    const rows = await databases[0]?.all('SELECT number FROM schema_steps ORDER BY number');
    assert.deepEqual(rows, [{ number: 1 }, { number: 2 }]);
    for (const database of databases) await database.close();
  });

  test('a version starts beside a newer one that says so, whatever the number of its steps, and beside no other', async () => {
    await using folder = await temporaryFolder();
    const first = await version(folder.path, 'first', []);
    const besides = ['-- Beside: 0001\nCREATE TABLE a ()', '-- Beside: 0001\nCREATE TABLE b ()'];
    const second = await version(folder.path, 'second', besides);
    const third = await version(folder.path, 'third', [...besides, 'DROP TABLE a']);
    const database = new Database(await freshDatabase(), defaultDatabaseLimits);
    const clock = new ManualClock(startMs);

    await migrate(database, clock, first);
    await database.run('INSERT INTO processes VALUES (?, ?)', 'of the first version', startMs + 1000);
    await migrate(database, clock, second);
    await migrate(database, clock, first);

    await assert.rejects(
      migrate(database, clock, third),
      /1 of an older version run on it.* stop them first/,
    );
    await migrate(database, clock, second);
    await clock.advance(1000);
    await migrate(database, clock, third);
    for (const older of [first, second]) {
      await assert.rejects(migrate(database, clock, older), /a newer version has changed it \(schema 4\)/);
    }
    await migrate(database, clock, third);
    await database.close();
  });
});
