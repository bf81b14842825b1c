/** Forgetting what is old, a little at a time. */

export interface RetentionStore {
  /**
   * Removes some of what is older than its cutoff, oldest first: up to `limit` rows of each kind, or a stretch of rows
   * that are about equally old at once. Nothing younger goes, and nothing that is still queued, nor its body; what shares
   * a stretch with it waits until it goes as well (a stretch is a day, or a 400th of what is kept longest).
   * @returns how many went, rows or stretches; 0 when nothing can be removed now
   */
  prune(input: {
    /** Events, finished messages and reports from before this go. */
    eventsBeforeMs: number;
    /** Bodies of finished submissions from before this go. */
    bodiesBeforeMs: number;
    /** Counts of slots from before this go. */
    statisticsBeforeMs: number;
    nowMs: number;
    limit: number;
  }): Promise<number>;
}
