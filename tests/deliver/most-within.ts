/** How many messages the busiest stretch of time had, wherever one begins to count. */

/** @param atMs in ascending order */
export function mostWithin(stretchMs: number, atMs: readonly number[]): number {
  let most = 0;
  let first = 0;
  for (const [index, time] of atMs.entries()) {
    while (time - (atMs[first] ?? 0) >= stretchMs) first++;
    most = Math.max(most, index - first + 1);
  }
  return most;
}
