/** The store's identity in SQLite: one fact, written once. */
import type { Writer } from './database.ts';

const name = 'secret fingerprint';

export const identityWrites = {
  bindSecret(database: Writer, fingerprint: string): boolean {
    database.run('INSERT INTO facts (name, value) VALUES (?, ?) ON CONFLICT DO NOTHING', name, fingerprint);
    return (
      database.get<{ value: string }>('SELECT value FROM facts WHERE name = ?', name)?.value === fingerprint
    );
  },
};
