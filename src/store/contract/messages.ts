/** Looking at messages: one whole, or lists by filter. Read-only. */
import type { Door, EventType, VisitorKind } from '../../events/types.ts';
import type { RecipientRole } from './intake.ts';
import type { AttemptRecord } from './queue.ts';

export const messageStates = ['queued', 'delivered', 'bounced', 'skipped'] as const;
export type MessageState = (typeof messageStates)[number];

export interface Message {
  readonly id: number;
  readonly accountId: number;
  readonly submissionId: number;
  readonly recipient: string;
  readonly role: RecipientRole;
  readonly state: MessageState;
  readonly createdAtMs: number;
  /** When it left the queue, undefined while queued. */
  readonly finishedAtMs: number | undefined;
  /** Undefined unless queued. */
  readonly nextAttemptAtMs: number | undefined;
  readonly door: Door;
  readonly envelopeSender: string;
  readonly sender: string;
  readonly senderName: string;
  readonly subject: string;
  readonly internetMessageId: string;
  readonly tagsJson: string;
  readonly metadataJson: string;
  readonly stream: string;
  readonly essential: boolean;
  readonly trackOpens: boolean;
  readonly trackClicks: boolean;
  readonly trackText: boolean;
  readonly listUnsubscribe: boolean;
  readonly templateId: number | undefined;
  /** Of the template, when the message was made of it. */
  readonly templateVersion: number | undefined;
  readonly sizeBytes: number;
  /** Of its events, the number of the one that made it what it is here. */
  readonly lastEventNumber: number;
}

export interface MessageFilter {
  readonly accountId: number;
  readonly recipient?: string | undefined;
  readonly sender?: string | undefined;
  readonly state?: MessageState | undefined;
  readonly tag?: string | undefined;
  /** Part of the subject, in any case. */
  readonly subject?: string | undefined;
  readonly createdFromMs?: number | undefined;
  /** Exclusive. */
  readonly createdToMs?: number | undefined;
}

/** Something that happened to messages in a time. */
export interface Happening {
  readonly type: EventType;
  readonly fromMs: number;
  /** Exclusive. */
  readonly toMs: number;
  /** To recipients in this domain, or at this provider ('' for none that is known). */
  readonly domain?: string | undefined;
  readonly provider?: string | undefined;
  /** Of opens and clicks: by one of these. */
  readonly visitors?: readonly VisitorKind[] | undefined;
  /** Only where it was the message's first by one of these. */
  readonly first?: boolean | undefined;
}

export interface MessagesPage {
  readonly messages: readonly Message[];
  /** Where to look on; undefined when there is nothing more. A page may hold fewer than were asked for and not be the last. */
  readonly nextBeforeId: number | undefined;
}

export interface MessageStore {
  byId(accountId: number, messageId: number): Promise<Message | undefined>;
  /** Newest first, after the keyset cursor `beforeId`; `skip` passes over as many, at a cost that grows with it. */
  list(
    filter: MessageFilter,
    page: { limit: number; beforeId?: number | undefined; skip?: number },
  ): Promise<readonly Message[]>;
  /**
   * As `list`, for a search that may find little in much: one call looks at so many of the account's messages, the newest
   * first, so that no search holds up anybody else.
   */
  search(
    filter: MessageFilter,
    page: { limit: number; beforeId?: number | undefined; lookAt: number },
  ): Promise<MessagesPage>;
  /**
   * Messages to which it happened, the latest first, each where it happened to it last. Where in the log that is, is known
   * by the statistics; so a rare event of a long time is found at once.
   * @param page `beforeId`: an event's id, as `nextBeforeId` has it; `lookAt`: how many events one call looks at
   */
  happened(
    filter: MessageFilter,
    happening: Happening,
    page: { limit: number; beforeId?: number | undefined; lookAt: number },
  ): Promise<MessagesPage>;
  /** Number of matching messages, counted up to `cap`. */
  count(filter: MessageFilter, cap: number): Promise<number>;
  attempts(accountId: number, messageId: number): Promise<readonly AttemptRecord[]>;
}
