/** Taking a submission in: one durable commit of body, messages, queue entries and `accepted` events. */
import type { Door } from '../../events/types.ts';

export type RecipientRole = 'to' | 'cc' | 'bcc';

/** A submission that has been checked: nothing in it can be refused by the store but its idempotency key. */
export interface NewSubmission {
  readonly accountId: number;
  readonly door: Door;
  /** MAIL FROM as the submitter gave it; '' from the HTTP doors. Kept for looking at: delivery uses our return path. */
  readonly envelopeSender: string;
  /** The address in From. */
  readonly sender: string;
  readonly senderName: string;
  /** Decoded (RFC 2047), '' if none. */
  readonly subject: string;
  /** Message-ID header with its angle brackets. */
  readonly internetMessageId: string;
  /** In the order their ids shall have: to, cc, bcc. At least one. */
  readonly recipients: readonly { readonly address: string; readonly role: RecipientRole }[];
  /** The MIME message with CRLF line ends, without Bcc. */
  readonly raw: Uint8Array;
  readonly tags: readonly string[];
  /** JSON object as text. */
  readonly metadataJson: string;
  /** What kind of mail this is for its recipients: what one unsubscribes from. */
  readonly stream: string;
  /** Passes unsubscribes (a password reset, a receipt). */
  readonly essential: boolean;
  readonly trackOpens: boolean;
  readonly trackClicks: boolean;
  readonly trackText: boolean;
  readonly listUnsubscribe: boolean;
  /** Under which name its tracked links stand, '' for the service's own. */
  readonly trackingHost: string;
  readonly templateId: number | undefined;
  readonly templateVersion: number | undefined;
  readonly idempotency:
    | {
        readonly key: string;
        /** SHA-256 of the request, to tell a repetition from another request under the same key. */
        readonly fingerprint: string;
        readonly expiresAtMs: number;
      }
    | undefined;
  readonly atMs: number;
}

export type IntakeResult =
  | {
      /** `repeated`: the key was used for the same request before; nothing was stored, the ids are the first ones. */
      readonly kind: 'accepted' | 'repeated';
      readonly submissionId: number;
      /** One a recipient, consecutive, in the order given. */
      readonly messageIds: readonly number[];
    }
  /** The key was used for another request. */
  | { readonly kind: 'conflict' };

export interface IntakeStore {
  /**
   * Resolves after the commit is durable, and the body with it.
   * @throws StoreBusyError when too much waits to be written, or what keeps it cannot be reached
   */
  accept(submission: NewSubmission): Promise<IntakeResult>;
  /**
   * What a submission under this key would come to, undefined if the key is free. It saves making a message whose
   * parts may be gone by now; only `accept` decides.
   */
  earlier(input: {
    accountId: number;
    key: string;
    fingerprint: string;
    atMs: number;
  }): Promise<Exclude<IntakeResult, { kind: 'accepted' }> | undefined>;
}
