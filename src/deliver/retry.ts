/**
 * When a message that was not taken is tried again. A pure function: it reads no clock and asks nobody for chance.
 */

export interface RetrySettings {
  /** Wait after the first failed attempt. */
  readonly firstMs: number;
  /** How long after its acceptance a message is tried at all. */
  readonly totalMs: number;
}

/** Each wait is this many times the one before: 1, 2, 4, 8 … minutes by default, some 30 attempts in three days. */
const growth = 2;
/** No wait is longer, unless the first one was set longer: a receiver that comes back gets its mail within hours. */
const longestWaitMs = 3 * 60 * 60 * 1000;
/** A wait is made up to this share longer by chance, so that what failed together does not come back together. */
const jitterShare = 0.25;

/** No message is put off for longer than this. */
export const longestPutOffMs = ({ firstMs }: RetrySettings): number =>
  Math.max(longestWaitMs, firstMs) * (1 + jitterShare);

/**
 * @param attempt number of the attempt that just failed: 1, 2, 3 …
 * @param unit chance, uniform in [0, 1)
 * @returns when to try again (ms since the epoch); the last attempt is made when the time is up. `expired` after it.
 */
export function nextAttemptAtMs(
  {
    attempt,
    acceptedAtMs,
    nowMs,
    unit,
  }: { attempt: number; acceptedAtMs: number; nowMs: number; unit: number },
  { firstMs, totalMs }: RetrySettings,
): number | 'expired' {
  const endMs = acceptedAtMs + totalMs;
  if (nowMs >= endMs) return 'expired';
  const capMs = Math.max(longestWaitMs, firstMs);
  const waitMs = Math.min(capMs, firstMs * growth ** (attempt - 1));
  return Math.min(endMs, Math.round(nowMs + waitMs * (1 + jitterShare * unit)));
}
