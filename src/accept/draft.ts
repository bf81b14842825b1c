/** What a door hands to `accept`, and how `accept` refuses. */
import type { Account } from '../store/contract/accounts.ts';
import type { RecipientRole } from '../store/contract/intake.ts';
import type { Door } from '../events/types.ts';

export interface Mailbox {
  readonly address: string;
  /** Display name, '' if none. */
  readonly name: string;
}

export interface Attachment {
  readonly filename: string;
  /** Media type; guessed from the file name when undefined. */
  readonly contentType: string | undefined;
  readonly content: Uint8Array;
  /** Content-ID without angle brackets, for pictures that the HTML shows. */
  readonly contentId: string | undefined;
}

/** A message as the HTTP doors give it: parts, from which the MIME message is made. */
export interface MailContent {
  readonly from: Mailbox;
  readonly replyTo: readonly Mailbox[];
  /** As shown in the header; who gets the message stands in the draft's recipients. */
  readonly to: readonly Mailbox[];
  readonly cc: readonly Mailbox[];
  readonly subject: string;
  readonly text: string | undefined;
  readonly html: string | undefined;
  /** Further headers by name; those that the service sets itself are refused. */
  readonly headers: Readonly<Record<string, string>>;
  readonly attachments: readonly Attachment[];
}

/** What every door may say about a message; undefined takes what the stream, the domain or the account says. */
export interface DraftOptions {
  readonly tags: readonly string[];
  readonly metadata: Readonly<Record<string, unknown>>;
  readonly stream: string;
  readonly essential: boolean;
  readonly trackOpens: boolean | undefined;
  readonly trackClicks: boolean | undefined;
  readonly trackText: boolean | undefined;
  readonly listUnsubscribe: boolean | undefined;
}

export const noOptions: DraftOptions = {
  tags: [],
  metadata: {},
  stream: 'default',
  essential: false,
  trackOpens: undefined,
  trackClicks: undefined,
  trackText: undefined,
  listUnsubscribe: undefined,
};

export interface Draft {
  readonly account: Account;
  readonly door: Door;
  /** MAIL FROM of an SMTP submission, '' otherwise. */
  readonly envelopeSender: string;
  readonly recipients: readonly { readonly address: string; readonly role: RecipientRole }[];
  /** `raw`: a MIME message as it came by SMTP (CRLF line ends). */
  readonly mail: { readonly raw: Uint8Array } | { readonly content: MailContent };
  readonly options: DraftOptions;
  /** What it was made of. */
  readonly template: { readonly id: number; readonly version: number | undefined } | undefined;
  readonly idempotency: { readonly key: string; readonly fingerprint: string } | undefined;
}

export type RefusalReason =
  | 'address-invalid'
  | 'recipients-missing'
  | 'recipients-too-many'
  | 'from-missing'
  | 'sender-unverified'
  | 'header-invalid'
  | 'body-missing'
  | 'options-invalid'
  | 'message-too-large'
  | 'message-malformed'
  | 'idempotency-conflict';

/** The submission is at fault. Nothing of it was stored. `message` is for the submitter to read. */
export class RefusedError extends Error {
  override readonly name = 'RefusedError';
  readonly reason: RefusalReason;
  /** Which part of the draft is at fault, as in `recipients[2]`, `headers.X-Thing`; '' for the whole. */
  readonly field: string;

  constructor(reason: RefusalReason, field: string, message: string) {
    super(message);
    this.reason = reason;
    this.field = field;
  }
}

export interface Acceptance {
  readonly submissionId: number;
  /** One a recipient, consecutive, in the order to, cc, bcc; an address that was given twice has one message. */
  readonly messageIds: readonly number[];
  /** The address of each id. */
  readonly recipients: readonly string[];
  /** An idempotency key was repeated: this is the first answer again, nothing was stored. */
  readonly repeated: boolean;
}

/**
 * The end of every door: checks the draft, makes or completes the MIME message, and stores it in one durable commit.
 * @throws RefusedError the draft is at fault
 * @throws StoreBusyError come back later
 */
export type Accept = (draft: Draft) => Promise<Acceptance>;
