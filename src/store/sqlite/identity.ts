/** The store's identity in SQLite, and the sign that it can be written. */
import type { Writer } from './database.ts';

const fingerprintName = 'secret fingerprint';
const setFact =
  'INSERT INTO facts (name, value) VALUES (?, ?) ON CONFLICT DO UPDATE SET value = excluded.value';

export const identityWrites = {
  bindSecret(database: Writer, fingerprint: string): boolean {
    database.run(
      'INSERT INTO facts (name, value) VALUES (?, ?) ON CONFLICT DO NOTHING',
      fingerprintName,
      fingerprint,
    );
    return (
      database.get<{ value: string }>('SELECT value FROM facts WHERE name = ?', fingerprintName)?.value ===
      fingerprint
    );
  },

  probe(database: Writer, nowMs: number): void {
    database.run(setFact, 'last probe', String(nowMs));
  },
};
