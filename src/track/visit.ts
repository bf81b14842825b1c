/** An open or a click as it was asked for, before anybody has judged who asked; and as a row of the journal. */

export interface Visit {
  readonly type: 'opened' | 'clicked';
  readonly messageId: number;
  readonly atMs: number;
  /** A click's target, '' for an open. */
  readonly url: string;
  readonly userAgent: string;
  readonly address: string;
  /** Only the headers were asked for. */
  readonly isHead: boolean;
  /** The request says of itself that nobody has asked for it yet. */
  readonly isPrefetch: boolean;
}

/** One that was given its place. */
export interface Recorded {
  /** Grows from visit to visit, also over the end of a process; 0 for a count that is not told yet. */
  readonly number: number;
  readonly visit: Visit;
  /** How many visits it stands for, itself the last of them. */
  readonly count: number;
  /** Of visits that are counted, when that was begun; 0 for one that stands for itself. */
  readonly sinceMs: number;
}

/** As it stands in the journal: short, for a flood is written down as well. */
export type Row = readonly [
  number: number,
  isClick: 0 | 1,
  messageId: number,
  atMs: number,
  url: string,
  userAgent: string,
  address: string,
  /** 1: HEAD, 2: prefetch. */
  flags: number,
  ...counted: readonly [] | readonly [count: number, sinceMs: number],
];

export function rowOf({ number, visit, count, sinceMs }: Recorded): Row {
  const { type, messageId, atMs, url, userAgent, address, isHead, isPrefetch } = visit;
  const isClick = type === 'clicked' ? 1 : 0;
  const flags = (isHead ? 1 : 0) + (isPrefetch ? 2 : 0);
  return sinceMs === 0
    ? [number, isClick, messageId, atMs, url, userAgent, address, flags]
    : [number, isClick, messageId, atMs, url, userAgent, address, flags, count, sinceMs];
}

/** @returns undefined for what is none: a store would refuse it, and all that waits behind it would wait for ever */
export function ofRow(row: unknown): Recorded | undefined {
  if (!Array.isArray(row)) return undefined;
  const [number, isClick, messageId, atMs, url, userAgent, address, flags, count = 1, sinceMs = 0] = row as
    | unknown[]
    | Row;
  const numbers = [number, isClick, messageId, atMs, flags, count, sinceMs];
  if (!numbers.every((value) => Number.isSafeInteger(value) && (value as number) >= 0)) return undefined;
  if (![url, userAgent, address].every((text) => typeof text === 'string')) return undefined;
  const visit = {
    type: isClick === 1 ? 'clicked' : 'opened',
    messageId,
    atMs,
    url,
    userAgent,
    address,
    isHead: ((flags as number) & 1) !== 0,
    isPrefetch: ((flags as number) & 2) !== 0,
  } as Visit;
  return { number, visit, count, sinceMs } as Recorded;
}
