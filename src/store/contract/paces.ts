/** What is known of the destinations that mail goes to: how fast they take it, and who sends there. */

export interface KeptDestination {
  readonly name: string;
  /** JSON, as who delivers has written it. */
  readonly state: string;
}

/** @param state what is kept of each destination; those that nothing is kept of are left out */
export type DecidePaces<Result> = (
  state: ReadonlyMap<string, string>,
  /**
   * When a process last said that it lives. One that stands still has said so long ago, or not at all; Infinity for one
   * that is gone.
   */
  seenAtMs: (processName: string) => number,
) => { readonly state: ReadonlyMap<string, string>; readonly result: Result };

export interface PaceStore {
  /** This process among all that may deliver at the same time; undefined if no other one may. */
  readonly processName: string | undefined;
  /** What is kept, last changed first. */
  recent(limit: number): Promise<readonly KeptDestination[]>;
  /**
   * Reads what is kept of destinations, asks what shall be, and keeps that, with nobody else between for any of them.
   * `decide` may be asked again and must do nothing else.
   */
  change<Result>(
    input: { readonly names: readonly string[]; readonly nowMs: number },
    decide: DecidePaces<Result>,
  ): Promise<Result>;
}
