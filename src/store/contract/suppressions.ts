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

/** Which of the things that become known put an address on the list by themselves. */
export interface SuppressionSettings {
  /** The recipient is at fault, for good. */
  readonly bounces: boolean;
  readonly complaints: boolean;
  readonly unsubscribes: boolean;
}

export interface NewSuppression {
  readonly accountId: number;
  readonly recipient: string;
  readonly stream: string;
  readonly reason: SuppressionReason;
  readonly eventId?: number;
  readonly atMs: number;
}

export interface SuppressionStore {
  /**
   * Adding what is there already keeps the older entry, but an unsubscribe gives way to what weighs more: an essential
   * message passes it, and must not pass the other.
   */
  add(input: Omit<NewSuppression, 'eventId'>): Promise<Suppression>;
  /** In one commit. @returns how many were not there before */
  addAll(input: {
    accountId: number;
    entries: readonly Omit<NewSuppression, 'accountId' | 'eventId'>[];
  }): Promise<number>;
  /** @returns how many entries went; all streams when `stream` is undefined */
  remove(input: { accountId: number; recipient: string; stream?: string | undefined }): Promise<number>;
  find(accountId: number, recipient: string): Promise<readonly Suppression[]>;
  /** Newest first, after the keyset cursor `beforeId`; `search` is the beginning of an address. */
  list(input: {
    accountId: number;
    search?: string | undefined;
    reason?: SuppressionReason | undefined;
    stream?: string | undefined;
    limit: number;
    beforeId?: number | undefined;
  }): Promise<readonly Suppression[]>;
  /** All three unless the account said otherwise. */
  settings(accountId: number): Promise<SuppressionSettings>;
  configure(input: { accountId: number; settings: SuppressionSettings }): Promise<SuppressionSettings>;
}
