/**
 * The numbered files of `migrations/`, applied once each, forward only, by whichever process comes first; the others
 * wait for it. A schema may be one step newer than a process: then a newer process runs beside it, and a step keeps
 * what the version before it uses.
 */
import { readdirSync, readFileSync } from 'node:fs';
import { type Database, Statements } from './database.ts';
import { lockSql } from './transaction.ts';

const folder = new URL('./migrations/', import.meta.url);

/** @throws Error if the database was written by a version that is more than one step newer */
export async function migrate(database: Database): Promise<void> {
  const files = readdirSync(folder)
    .filter((name) => /^\d{4}-.*\.sql$/.test(name))
    .sort();
  await database.transaction(async (sender) => {
    const statements = new Statements(sender);
    await statements.run(lockSql('migration'));
    await statements.run('CREATE TABLE IF NOT EXISTS schema_steps (number integer PRIMARY KEY)');
    const row = await statements.get<{ last: number | null }>('SELECT max(number) AS last FROM schema_steps');
    const applied = row?.last ?? 0;
    if (applied > files.length + 1) {
      throw new Error(
        `the database was written by a newer version (schema ${applied}, this one knows ${files.length})`,
      );
    }
    for (const [index, file] of files.entries()) {
      if (index < applied) continue;
      await sender.query({ text: readFileSync(new URL(file, folder), 'utf8'), values: [] });
      await statements.run('INSERT INTO schema_steps (number) VALUES (?)', index + 1);
    }
  });
}
