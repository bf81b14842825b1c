/** Forgetting what is old, a little at a time. */

export interface RetentionStore {
  /**
   * Removes up to `limit` rows of each kind that are older than their cutoff, oldest first. Nothing that is still
   * queued goes, nor its body.
   * @returns how many rows went; 0 when nothing is left to remove
   */
  prune(input: {
    /** Events, finished messages and reports from before this go. */
    eventsBeforeMs: number;
    /** Bodies of finished submissions from before this go. */
    bodiesBeforeMs: number;
    nowMs: number;
    limit: number;
  }): Promise<number>;
}
