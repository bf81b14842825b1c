/** Which process counts the log: one at a time, until it has not asked for a while. */
import { turnHoldsForMs } from '../contract/statistics.ts';
import type { Database } from './database.ts';

const takeSql = `
  INSERT INTO statistics_turn (id, holder, until_ms) VALUES (1, ?, ?)
  ON CONFLICT (id) DO UPDATE SET holder = excluded.holder, until_ms = excluded.until_ms
  WHERE statistics_turn.holder = excluded.holder OR statistics_turn.until_ms < ?`;

export async function takeTurn(database: Database, processName: string, nowMs: number): Promise<boolean> {
  return (await database.run(takeSql, processName, nowMs + turnHoldsForMs, nowMs)) > 0;
}
