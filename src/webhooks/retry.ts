/** When a refused batch is tried again: a pure function, so that a test can ask it anything. */

const firstWaitMs = 5_000;
export const longestWaitMs = 4 * 60 * 60 * 1000;
/** Waits are spread over this share of themselves, so that endpoints that failed together do not return together. */
const jitterShare = 0.2;
/** A `Retry-After` may call us earlier than we would come by ourselves, but not earlier than this. */
const soonestAskedMs = 60_000;

/**
 * The wait after the `failures`-th failure in a row (1, 2, …), doubling from 5 s to at most 4 h.
 * @param unit a random number in [0, 1)
 * @param retryAfterMs what the receiver asked for
 */
export function retryWaitMs(failures: number, unit: number, retryAfterMs?: number): number {
  const waitMs = Math.min(firstWaitMs * 2 ** (failures - 1), longestWaitMs);
  const ownMs = Math.round(waitMs * (1 - jitterShare * unit));
  if (retryAfterMs === undefined) return ownMs;
  return Math.max(Math.min(retryAfterMs, longestWaitMs), Math.min(ownMs, soonestAskedMs));
}

/** The header in either form (RFC 9110, section 10.2.3); undefined if it is neither. */
export function retryAfterMsOf(header: string, nowMs: number): number | undefined {
  if (/^\d{1,9}$/.test(header.trim())) return Number(header) * 1000;
  const atMs = Date.parse(header);
  return Number.isNaN(atMs) ? undefined : Math.max(0, atMs - nowMs);
}
