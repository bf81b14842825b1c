/** Whether a database holds anything: who only wants to play must not join what others live on. */
import { StoreBusyError, StoreUnusableError } from '../contract/store.ts';
import { Database, defaultDatabaseLimits } from './database.ts';

/** Tables and sequences, whoever made them. Views may be those of an extension that every database of the server has. */
const anyTableSql = `
  SELECT n.nspname || '.' || c.relname AS name FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
  WHERE c.relkind IN ('r', 'p', 'f', 'S') AND n.nspname <> 'information_schema' AND n.nspname !~ '^pg_'
  ORDER BY name LIMIT 1`;

/** @throws StoreUnusableError if there is anything in it; StoreBusyError when the server cannot be reached */
export async function requireEmpty(url: string): Promise<void> {
  const database = new Database(url, { ...defaultDatabaseLimits, connections: 1 });
  try {
    const found = await database.get<{ name: string }>(anyTableSql);
    if (found === undefined) return;
    throw new StoreUnusableError(
      `the database is not empty (there is ${found.name}): make one that has nothing in it, as by createdb`,
    );
  } catch (error) {
    if (error instanceof StoreBusyError || error instanceof StoreUnusableError) throw error;
    const message = `the database cannot be used: ${(error as Error).message}`;
    throw new StoreUnusableError(message, { cause: error });
  } finally {
    await database.close();
  }
}
