/** What the simulated world remembers, for all processes alike: what came to the built-in receiver, who bounced softly. */

export interface ReceivedRequest {
  /** Goes up with each request of any account. */
  readonly number: number;
  readonly atMs: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
}

/** Requests that are kept: of an account, and of all. */
export const keptRequestsOfAccount = 50;
export const keptRequests = 5_000;
/** Envelopes whose soft bounce is remembered; of the oldest, one may bounce once more. */
export const keptSoftBounces = 10_000;

export interface SimulatorStore {
  /** Keeps a request to the account's built-in receiver; the oldest go. */
  receive(input: Omit<ReceivedRequest, 'number'> & { readonly accountId: number }): Promise<void>;
  /** What was kept of the account's, newest first. */
  received(accountId: number): Promise<readonly ReceivedRequest[]>;
  /** @returns true when the envelope is named for the first time, by whichever process */
  softBounce(envelope: string): Promise<boolean>;
}
