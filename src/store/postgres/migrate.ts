/**
 * The numbered files of `migrations/`, applied once each, forward only, by whichever process comes first; the others
 * wait for it, however long it takes.
 *
 * Processes are replaced one by one: a new one comes while those of the version before still run. So a file says in a
 * line `-- Beside: 0007` that processes which know the schema up to that step go on with this one, too: it leaves what
 * they use as they use it. A file without that line is not applied while any process runs, and none that does not know
 * it starts after it.
 */
import { readdirSync, readFileSync } from 'node:fs';
import type { Clock } from '../../platform/clock.ts';
import { type Database, Statements } from './database.ts';
import { lockSql } from './transaction.ts';

const ownFolder = new URL('./migrations/', import.meta.url);

/** For a table that others use: whoever comes after us waits behind us. Then it is given up, and tried again. */
const waitForTableMs = 2_000;

interface Step {
  readonly number: number;
  readonly text: string;
  /** Who knows the schema up to this number goes on beside the step. */
  readonly beside: number;
}

function stepsIn(folder: URL): readonly Step[] {
  return readdirSync(folder)
    .filter((name) => /^\d{4}-.*\.sql$/.test(name))
    .sort()
    .map((name) => {
      const number = Number(name.slice(0, 4));
      const text = readFileSync(new URL(name, folder), 'utf8');
      return { number, text, beside: Number(/^-- Beside: (\d{4})$/m.exec(text)?.[1] ?? number) };
    });
}

/**
 * @throws Error if a newer version has made the database what this one cannot use, or this one would do so to others
 *   that run; StoreBusyError if a table was in use for too long
 */
export async function migrate(database: Database, clock: Clock, folder = ownFolder): Promise<void> {
  const steps = stepsIn(folder);
  const known = steps.at(-1)?.number ?? 0;
  await database.unhurried(async (sender) => {
    const statements = new Statements(sender);
    await statements.run(lockSql('migration'));
    await sender.query({ text: `SET LOCAL lock_timeout = ${waitForTableMs}`, values: [] });
    await statements.run('CREATE TABLE IF NOT EXISTS schema_steps (number integer PRIMARY KEY)');
    const done = await statements.all<Pick<Step, 'number' | 'beside'>>(
      'SELECT * FROM schema_steps ORDER BY number',
    );
    const newest = done.findLast(({ beside }) => beside > known);
    if (newest !== undefined) {
      throw new Error(
        `a newer version has changed it (schema ${newest.number}), and this one, which knows ${known}, cannot go on beside that`,
      );
    }
    const missing = steps.filter(({ number }) => !done.some((step) => step.number === number));
    if (done.length > 0) await requireNobody(statements, clock, missing);
    for (const { text } of missing) await sender.query({ text, values: [] });
    for (const { number, beside } of missing) {
      await statements.run('INSERT INTO schema_steps (number, beside) VALUES (?, ?)', number, beside);
    }
  });
}

/** Whoever runs does not know what is missing: who knows it has applied it as it started. */
async function requireNobody(statements: Statements, clock: Clock, missing: readonly Step[]): Promise<void> {
  const breaking = missing.find(({ number, beside }) => beside === number);
  if (breaking === undefined) return;
  const row = await statements.get<{ running: number }>(
    'SELECT count(*) AS running FROM processes WHERE alive_until_ms > ?',
    clock.now(),
  );
  if (row === undefined || row.running === 0) return;
  throw new Error(
    `${row.running} of an older version run on it, which cannot go on with what this one needs (schema ${breaking.number}): stop them first`,
  );
}
