/** One text for both stores: what the whole service does on a data folder it does on PostgreSQL. */
import { test } from 'node:test';
import { freshDatabase } from './fresh-database.ts';
import { withoutPostgres } from './postgres.ts';

/** A secret that all processes of a test share. */
const secret = 'a secret of thirty-two characters or more';

/** Settings that say where the service keeps what it has. */
export type Place = Readonly<Record<string, string>> & { readonly AFTERSEND_SECRET_KEY: string };

/** @param skip why neither can run, false if they can */
export function onEachStore(
  name: string,
  run: (place: Place) => Promise<void>,
  skip: string | false = false,
): void {
  test(`${name} (data folder)`, { skip }, () => run({ AFTERSEND_SECRET_KEY: secret }));
  test(`${name} (PostgreSQL)`, { skip: skip || withoutPostgres }, async () =>
    run({ AFTERSEND_SECRET_KEY: secret, AFTERSEND_DATABASE_URL: await freshDatabase() }),
  );
}
