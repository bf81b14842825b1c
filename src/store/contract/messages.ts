/** Looking at messages: one whole, or lists by filter. Read-only. */
import type { Door } from '../../events/types.ts';
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

export interface MessageStore {
  byId(accountId: number, messageId: number): Promise<Message | undefined>;
  /** Newest first, after the keyset cursor `beforeId`; `skip` passes over as many, at a cost that grows with it. */
  list(
    filter: MessageFilter,
    page: { limit: number; beforeId?: number | undefined; skip?: number },
  ): Promise<readonly Message[]>;
  /** Number of matching messages, counted up to `cap`. */
  count(filter: MessageFilter, cap: number): Promise<number>;
  attempts(accountId: number, messageId: number): Promise<readonly AttemptRecord[]>;
}
