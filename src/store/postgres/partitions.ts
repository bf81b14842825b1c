/**
 * The partitions of a range of ids, as SQL: what makes them and what drops them. Who runs it holds the lock `ranges`.
 *
 * A partition is made as a table of its own and attached then, which takes no lock that reading or writing would wait
 * for (`CREATE TABLE … PARTITION OF` would).
 */
import { DatabaseError } from 'pg';
import type { IdWindow } from '../sql/windows.ts';

export type RangeKind = 'messages' | 'events';

/** What a range's partitions are made for. */
export interface RangeIds extends IdWindow {
  readonly kind: RangeKind;
  /** The same as the messages' unless they came from a data folder. */
  readonly submissions: IdWindow;
}

interface Divided {
  readonly table: string;
  readonly by: 'own' | 'submission';
  readonly storage?: string;
}

const bodies: Divided = { table: 'bodies', by: 'submission' };
const divided: Readonly<Record<RangeKind, readonly Divided[]>> = {
  messages: [
    // Room in each page for the row's next version: a message is updated by each of its events.
    { table: 'messages', by: 'own', storage: 'WITH (fillfactor = 85)' },
    { table: 'message_tags', by: 'own' },
    { table: 'attempts', by: 'own' },
    { table: 'submissions', by: 'submission' },
    bodies,
  ],
  events: [{ table: 'events', by: 'own' }],
};

const idsOf = (range: RangeIds, { by }: Divided): IdWindow => (by === 'own' ? range : range.submissions);
const partition = (range: RangeIds, one: Divided): string => `${one.table}_${idsOf(range, one).fromId}`;

/** Several statements; their numbers are ours. */
export function makePartitions(range: RangeIds): string {
  return divided[range.kind]
    .map((one) => {
      const name = partition(range, one);
      const { fromId, toId } = idsOf(range, one);
      return `CREATE TABLE ${name} (LIKE ${one.table} INCLUDING DEFAULTS INCLUDING STORAGE) ${one.storage ?? ''};
        ALTER TABLE ${one.table} ATTACH PARTITION ${name} FOR VALUES FROM (${fromId}) TO (${toId});`;
    })
    .join('\n');
}

/** The names of a range's partitions, or of those of its bodies alone. */
export function partitionsOf(range: RangeIds, which: 'all' | 'bodies', hasBodies: boolean): string[] {
  const tables = which === 'bodies' ? [bodies] : divided[range.kind];
  return tables.filter((one) => hasBodies || one !== bodies).map((one) => partition(range, one));
}

/** Whether the server says that a row's id lies beyond all ranges: the tables have no other checks. */
export function isBeyondRanges(error: unknown): boolean {
  const tables: (string | undefined)[] = Object.values(divided).flatMap((list) =>
    list.map((one) => one.table),
  );
  return error instanceof DatabaseError && error.code === checkViolation && tables.includes(error.table);
}

const checkViolation = '23514';
