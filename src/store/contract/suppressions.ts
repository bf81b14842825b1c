/** The suppression list of an account: whom it must not write to, and why. */
import type { SuppressionReason } from '../../events/types.ts';

export interface Suppression {
  readonly id: number;
  readonly accountId: number;
  /** Lower case. */
  readonly recipient: string;
  /** The stream it holds for, '*' for all of the account's mail. */
  readonly stream: string;
  readonly reason: SuppressionReason;
  /** The event that put it there, undefined if it was set by hand. */
  readonly eventId: number | undefined;
  readonly createdAtMs: number;
}

/** Stands for every stream in a suppression. */
export const everyStream = '*';

export interface SuppressionStore {
  /** Adding what is there already keeps the older entry. */
  add(input: {
    accountId: number;
    recipient: string;
    stream: string;
    reason: SuppressionReason;
    atMs: number;
  }): Promise<Suppression>;
  /** @returns how many entries went; all streams when `stream` is undefined */
  remove(input: { accountId: number; recipient: string; stream?: string | undefined }): Promise<number>;
  find(accountId: number, recipient: string): Promise<readonly Suppression[]>;
  /** Newest first, after the keyset cursor `beforeId`; `search` is the beginning of an address. */
  list(input: {
    accountId: number;
    search?: string | undefined;
    limit: number;
    beforeId?: number | undefined;
  }): Promise<readonly Suppression[]>;
}
