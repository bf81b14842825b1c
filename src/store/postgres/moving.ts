/**
 * The fact by which a database says that a data folder is being moved into it (`store/move/` writes it), or was. As long
 * as something is missing, nobody serves it.
 */
import { StoreUnusableError } from '../contract/store.ts';
import type { Reader } from '../sql/statements.ts';

export const movingFact = 'move';

export interface Moving {
  /** Of the folder's state. */
  readonly id: string;
  readonly doneAtMs: number | null;
}

/** @returns the fact as it stands, undefined if there is none */
export async function readMoving(reader: Reader): Promise<{ text: string; moving: Moving } | undefined> {
  const row = await reader.get<{ value: string }>('SELECT value FROM facts WHERE name = ?', movingFact);
  return row && { text: row.value, moving: JSON.parse(row.value) as Moving };
}

/** @throws StoreUnusableError as long as something is missing */
export async function refuseHalfMoved(reader: Reader): Promise<void> {
  const found = await readMoving(reader);
  if (found === undefined || found.moving.doneAtMs !== null) return;
  throw new StoreUnusableError(
    "a data folder is being moved into the database: run 'aftersend move' to its end before anything is started on it",
  );
}
