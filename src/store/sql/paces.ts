/** What is known of destinations, as both engines keep it. */
import type { KeptDestination, PaceStore } from '../contract/paces.ts';
import type { Reader, Writer } from './statements.ts';

interface KeptStates {
  readonly states: readonly KeptDestination[];
  readonly nowMs: number;
}

export const paceWrites = {
  async keep(database: Writer, { states, nowMs }: KeptStates): Promise<void> {
    for (const { name, state } of states) {
      await database.run(
        `INSERT INTO destinations (name, state, changed_at_ms) VALUES (?, ?, ?)
         ON CONFLICT (name) DO UPDATE SET state = excluded.state, changed_at_ms = excluded.changed_at_ms`,
        name,
        state,
        nowMs,
      );
    }
  },
};

export const recentDestinations =
  (reader: Reader): PaceStore['recent'] =>
  async (limit) => {
    const rows = await reader.all<KeptDestination>(
      "SELECT name, state FROM destinations WHERE state <> '' ORDER BY changed_at_ms DESC, name LIMIT ?",
      limit,
    );
    return rows.map(({ name, state }) => ({ name, state }));
  };
