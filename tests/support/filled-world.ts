/** What the steps that fill a store (`filled-store.ts`) know of it and of one another. */
import type { Store } from '../../src/store/contract/store.ts';

export interface World {
  readonly store: Store;
  nowMs: number;
  /** Makes names that nobody has yet. */
  count: number;
  readonly accountIds: number[];
  readonly messageIds: number[];
  readonly webhookIds: number[];
}

/** What is done is told by its name, on what by `pick`. */
export interface Step {
  readonly pick: number;
  readonly text: string;
}

export const at = <T>(list: readonly T[], pick: number): T | undefined =>
  list[pick % Math.max(1, list.length)];
