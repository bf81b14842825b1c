/** The store's identity, and the sign that it can be written. */
import type { Writer } from './statements.ts';

export const fingerprintName = 'secret fingerprint';
const setFact =
  'INSERT INTO facts (name, value) VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET value = excluded.value';

export const identityWrites = {
  async bindSecret(database: Writer, fingerprint: string): Promise<boolean> {
    await database.run(
      'INSERT INTO facts (name, value) VALUES (?, ?) ON CONFLICT DO NOTHING',
      fingerprintName,
      fingerprint,
    );
    return (
      (await database.get<{ value: string }>('SELECT value FROM facts WHERE name = ?', fingerprintName))
        ?.value === fingerprint
    );
  },

  async probe(database: Writer, nowMs: number): Promise<void> {
    await database.run(setFact, 'last probe', String(nowMs));
  },
};
