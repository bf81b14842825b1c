/** Opens the store that the operator chose: the data folder's own, or the PostgreSQL that several processes share. */
import type { Clock } from '../platform/clock.ts';
import type { BodyPlace } from './contract/bodies.ts';
import type { Store } from './contract/store.ts';
import { openSqliteStore } from './sqlite/open.ts';

/** Where the PostgreSQL is, and how many connections a process may have to it. */
export interface SharedDatabase {
  readonly url: string;
  /** For the connection that listens, where `url` leads to a pooler. */
  readonly listenUrl: string | undefined;
  readonly connections: number;
}

export interface StorePlace {
  readonly dataFolder: string;
  /** Undefined for the data folder's own store. */
  readonly database: SharedDatabase | undefined;
}

export interface StoreUser {
  /** A `command` is a short guest beside services. */
  readonly purpose: 'serve' | 'command';
  /** Tells this process from all that share the database. */
  readonly processName: string;
  readonly clock: Clock;
  /** Where bodies are that are not in the database; the store does not dispose of it. */
  readonly bodies?: BodyPlace | undefined;
}

/** @throws FolderLockedError, FolderUnusableError, StoreUnusableError, StoreBusyError when the database cannot be reached */
export async function openStore(
  { dataFolder, database }: StorePlace,
  { purpose, processName, clock, bodies }: StoreUser,
): Promise<Store> {
  if (database === undefined) return openSqliteStore(dataFolder, purpose, bodies);
  // Loaded when it is asked for: most installations never do.
  const { defaultDatabaseLimits } = await import('./postgres/database.ts');
  const { openPostgresStore } = await import('./postgres/open.ts');
  const { url, listenUrl, connections } = database;
  const limits = { ...defaultDatabaseLimits, connections };
  return openPostgresStore({ url, listenUrl, clock, processName, limits, bodies });
}

/** @throws StoreUnusableError if there is anything in the database; StoreBusyError when it cannot be reached */
export async function requireEmptyDatabase(url: string): Promise<void> {
  const { requireEmpty } = await import('./postgres/empty.ts');
  await requireEmpty(url);
}
