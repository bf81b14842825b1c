/** What the simulated world remembers. */
import {
  keptRequests,
  keptRequestsOfAccount,
  keptSoftBounces,
  type ReceivedRequest,
  type SimulatorStore,
} from '../contract/simulator.ts';
import type { Calls, Reader, Writer } from './statements.ts';

interface RequestRow {
  id: number;
  at_ms: number;
  headers: string;
  body: string;
}

export const simulatorWrites = {
  async receive(
    database: Writer,
    { accountId, atMs, headers, body }: Parameters<SimulatorStore['receive']>[0],
  ): Promise<void> {
    const id = await database.insert(
      'INSERT INTO received_requests (account_id, at_ms, headers, body) VALUES (?, ?, ?, ?)',
      accountId,
      atMs,
      JSON.stringify(headers),
      body,
    );
    await database.run(
      `DELETE FROM received_requests WHERE account_id = ? AND id <= (
         SELECT id FROM received_requests WHERE account_id = ? ORDER BY id DESC LIMIT 1 OFFSET ?)`,
      accountId,
      accountId,
      keptRequestsOfAccount,
    );
    await database.run('DELETE FROM received_requests WHERE id <= ?', id - keptRequests);
  },

  async softBounce(database: Writer, envelope: string): Promise<boolean> {
    const isFirst =
      (await database.run(
        'INSERT INTO soft_bounces (envelope) VALUES (?) ON CONFLICT (envelope) DO NOTHING',
        envelope,
      )) > 0;
    if (isFirst) {
      await database.run(
        'DELETE FROM soft_bounces WHERE id <= (SELECT max(id) FROM soft_bounces) - ?',
        keptSoftBounces,
      );
    }
    return isFirst;
  },
};

export function simulatorStore(reader: Reader, write: Calls<typeof simulatorWrites>): SimulatorStore {
  return {
    ...write,
    async received(accountId) {
      const rows = await reader.all<RequestRow>(
        'SELECT id, at_ms, headers, body FROM received_requests WHERE account_id = ? ORDER BY id DESC',
        accountId,
      );
      return rows.map((row) => ({
        number: row.id,
        atMs: row.at_ms,
        headers: JSON.parse(row.headers) as ReceivedRequest['headers'],
        body: row.body,
      }));
    },
  };
}
