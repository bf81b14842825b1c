/**
 * What tells two tables with the same rows from two that differ: their number and the sum of the rows' hashes. A sum
 * does not depend on the order, and can be gone on with after a break.
 */
import { hash } from 'node:crypto';
import type { Parameter } from '../sql/statements.ts';

export interface Tally {
  readonly rows: number;
  /** Hexadecimal. */
  readonly sum: string;
}

export const emptyTally: Tally = { rows: 0, sum: '0' };

const sumBits = 128n;
const sumDigits = Number(sumBits) / 4;

/** A body by its hash: so it need not be read back. */
export const bodyHash = (body: Uint8Array): string => hash('sha256', body);

function hashOf(values: readonly Parameter[]): bigint {
  const plain = values.map((value) => (value instanceof Uint8Array ? bodyHash(value) : value));
  return BigInt(`0x${hash('sha256', JSON.stringify(plain)).slice(0, sumDigits)}`);
}

export function tally({ rows, sum }: Tally, added: readonly (readonly Parameter[])[]): Tally {
  let total = BigInt(`0x${sum}`);
  for (const values of added) total += hashOf(values);
  return { rows: rows + added.length, sum: BigInt.asUintN(Number(sumBits), total).toString(16) };
}

export const isSame = (one: Tally, other: Tally): boolean => one.rows === other.rows && one.sum === other.sum;
