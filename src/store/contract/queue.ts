/** The delivery queue: claims with leases, and settling an attempt together with its event. */
import type { EventDetails, ServerAnswer, SuppressionReason } from '../../events/types.ts';

export interface ClaimedMessage {
  readonly messageId: number;
  readonly submissionId: number;
  readonly accountId: number;
  /** The account's name. */
  readonly account: string;
  readonly recipient: string;
  /** Attempts made before this claim. */
  readonly attemptsMade: number;
  /** What proves, at settling, that the claim still holds. */
  readonly lease: number;
  readonly acceptedAtMs: number;
  /** Of the body that was accepted. */
  readonly sizeBytes: number;
  /** Set if the recipient is on the account's suppression list for this message: it must not be tried. */
  readonly suppressed: SuppressionReason | undefined;
  readonly sender: string;
  readonly subject: string;
  readonly stream: string;
  readonly tags: readonly string[];
  readonly trackOpens: boolean;
  readonly trackClicks: boolean;
  readonly trackText: boolean;
  readonly listUnsubscribe: boolean;
  /** '' for the service's own. */
  readonly trackingHost: string;
}

/** One delivery attempt as it is kept for looking at. */
export interface AttemptRecord {
  /** 1, 2, 3 … within the message. */
  readonly number: number;
  readonly startedAtMs: number;
  readonly durationMs: number;
  readonly outcome: 'delivered' | 'deferred' | 'bounced';
  readonly host: string;
  readonly address: string;
  readonly sourceAddress: string;
  /** Protocol, cipher and, in brackets, what verified the server; '' without TLS. */
  readonly tls: string;
  readonly answer: ServerAnswer;
  readonly category: string;
  /** The SMTP dialogue, one line a command or answer, without credentials and content; '' if there was none. */
  readonly dialogue: string;
}

/** How a claimed message goes on. */
export type Settlement = {
  readonly messageId: number;
  readonly lease: number;
  readonly atMs: number;
} & (
  | {
      readonly outcome: 'delivered';
      readonly answer: ServerAnswer;
      readonly attempt: AttemptRecord;
      readonly detail: EventDetails['delivered'];
    }
  | {
      readonly outcome: 'deferred';
      readonly answer: ServerAnswer;
      readonly attempt: AttemptRecord;
      /** `detail.nextAttemptAtMs` is when it is due again. */
      readonly detail: EventDetails['deferred'];
    }
  | {
      readonly outcome: 'bounced';
      readonly answer: ServerAnswer;
      /** Undefined when it expired without one more attempt. */
      readonly attempt: AttemptRecord | undefined;
      /** With `recipientAtFault` the recipient goes on the account's suppression list in the same commit. */
      readonly detail: EventDetails['bounced'];
    }
  | { readonly outcome: 'skipped'; readonly detail: EventDetails['skipped'] }
  /** Given back unattempted, due again at `dueAtMs`; no event. */
  | { readonly outcome: 'released'; readonly dueAtMs: number }
);

export interface QueueStore {
  /**
   * Leases up to `limit` due messages until `nowMs + leaseMs`, taking accounts in turn, so that one with a million
   * waiting does not hold up one with a single message. The longest due of an account come first.
   */
  claim(input: { nowMs: number; leaseMs: number; limit: number }): Promise<readonly ClaimedMessage[]>;
  /**
   * Until when others surely leave alone what this process has claimed; it moves on as long as the process is seen, and
   * never again for a lease that it has lost by not being seen. What was claimed and not begun by then may be another's,
   * whatever its lease's end says.
   */
  heldUntilMs(lease: number): number;
  /** When the next message falls due (ms), undefined when the queue is empty. A lease counts as due at its end. */
  nextDueAtMs(): Promise<number | undefined>;
  /**
   * One commit for outcome, event, attempt record and queue entry.
   * @returns false if the lease was lost (it ran out and another took the message): nothing was stored
   */
  settle(settlement: Settlement): Promise<boolean>;
  /**
   * Makes every leased message due now, and every one that is put off for longer than `longestWaitMs`: a clock that was
   * ahead and is right again must not hold mail up by its error. Only for a store that this process alone serves.
   * @returns how many
   */
  freeLeases(input: { nowMs: number; longestWaitMs: number }): Promise<number>;
  /**
   * The MIME message of a submission, undefined once it is no longer kept.
   * @throws StoreBusyError when its place cannot be reached; BodyMissingError when that should have it and has not
   */
  readBody(submissionId: number): Promise<Uint8Array | undefined>;
  /**
   * Calls `listener` when there may be something due that was not before: after commits of this process at once, for
   * others when their notice comes, and now and then without a reason.
   * @returns stops it
   */
  subscribe(listener: () => void): () => void;
  /** Waiting and leased, for metrics. */
  depth(): Promise<number>;
}
