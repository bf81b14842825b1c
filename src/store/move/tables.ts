/**
 * Which tables are moved, and by which columns: every table of a data folder but those named here. A test holds the lists
 * of both stores to this one, so that no new table is forgotten.
 */
import type { Parameter } from '../sql/statements.ts';

/** A table by the columns that it has in the database. */
export interface Table {
  readonly name: string;
  readonly columns: readonly string[];
  readonly key: readonly string[];
  readonly hasBodies: boolean;
}

export type Values = readonly Parameter[];

/** Not moved row by row, or not at all, because: */
export const notMoved: Readonly<Record<string, string>> = {
  sequences: 'numbers go on after the last one that the folder has given',
  facts: 'the fingerprint of the secret is taken over; a move notes here how far it has come',
  schema_steps: 'says how the database was made',
  id_ranges: 'made for the folder’s rows (plan-ranges.ts)',
  processes: 'those of the database alone: there is none as long as a move runs',
  webhook_holders: 'endpoints belong to processes, and there is none',
  statistics_turn: 'whose turn it is to count, and there is nobody',
};

/**
 * What the database keeps beside a folder's columns, or in another way, as SQL over a row `t`. A lease is nobody's any
 * more: what was claimed is due as of the time when it would have fallen due to others at the earliest.
 */
export const computed: Readonly<Record<string, Readonly<Record<string, string>>>> = {
  messages: {
    events_from_id: 'coalesce((SELECT id FROM events WHERE message_id = t.id ORDER BY number LIMIT 1), 0)',
  },
  queue: {
    due_at_ms: 'CASE WHEN lease > 0 THEN 0 ELSE due_at_ms END',
    lease: '0',
    submission_id: '(SELECT submission_id FROM messages WHERE id = t.message_id)',
    holder: "''",
  },
  // Only asked of a new use of the key.
  idempotency_keys: { used_at_ms: '0' },
};

export const keyOf = ({ columns, key }: Table, row: Values): Values =>
  key.map((name) => row[columns.indexOf(name)] ?? null);
