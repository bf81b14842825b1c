/** What whoever tells of visits asks of their messages: when they were delivered. */
import type { Reader } from './statements.ts';

export async function finishedAtMs(
  reader: Reader,
  messageIds: readonly number[],
): Promise<ReadonlyMap<number, number>> {
  if (messageIds.length === 0) return new Map();
  const ids = padded(messageIds);
  const rows = await reader.tuples<[id: number, atMs: number]>(
    `SELECT id, finished_at_ms FROM messages
     WHERE id IN (${ids.map(() => '?').join(', ')}) AND finished_at_ms IS NOT NULL`,
    ...ids,
  );
  return new Map(rows);
}

/** To a power of two, by the last one again and again: so few statements serve lists of all lengths. */
function padded(ids: readonly number[]): readonly number[] {
  const length = 2 ** Math.ceil(Math.log2(ids.length));
  return [...ids, ...Array<number>(length - ids.length).fill(ids.at(-1) ?? 0)];
}
