/**
 * A lock on a folder: an exclusive transaction on a SQLite file of its own. It is the operating system's, so it is gone
 * with the process that has it, however that ends.
 */
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';

/** SQLite's own code for a lock that somebody else holds. */
const sqliteBusy = 5;

/** @returns undefined if another process has it @throws what the operating system says of the file */
export function lockFolder(folder: string, fileName: string): { close(): void } | undefined {
  const lock = new DatabaseSync(join(folder, fileName), { timeout: 0 });
  try {
    lock.exec('BEGIN EXCLUSIVE');
    return lock;
  } catch (error) {
    lock.close();
    if ((error as { errcode?: number }).errcode !== sqliteBusy) throw error;
    return undefined;
  }
}
