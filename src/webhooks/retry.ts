/** When a refused batch is tried again: a pure function, so that a test can ask it anything. */

const firstWaitMs = 5_000;
const longestWaitMs = 4 * 60 * 60 * 1000;
/** Waits are spread over this share of themselves, so that endpoints that failed together do not return together. */
const jitterShare = 0.2;

/**
 * The wait after a batch's `failures`-th failure in a row (1, 2, …), doubling from 5 s to at most 4 h.
 * @param unit a random number in [0, 1)
 */
export function retryWaitMs(failures: number, unit: number): number {
  const waitMs = Math.min(firstWaitMs * 2 ** (failures - 1), longestWaitMs);
  return Math.round(waitMs * (1 - jitterShare * unit));
}
