/** The event log: what comes after delivery is appended here, and everybody who tells of events reads it. */
import type { EventType, LoggedEvent, ServerAnswer, Visitor } from '../../events/types.ts';

/** Of an open or a click. */
interface Visit {
  readonly userAgent: string;
  readonly address: string;
  readonly visitor: Visitor;
  /** How many visits of the same kind it stands for; one if undefined. */
  readonly count?: number;
}

/** Something that became known of a message outside a delivery attempt. */
export type Report = { readonly messageId: number; readonly atMs: number } & (
  | ({ readonly type: 'opened' } & Visit)
  | ({ readonly type: 'clicked'; readonly url: string } & Visit)
  /**
   * Puts the recipient on the account's list for `stream`; `repeated` while it is there. Which reports fill the list is
   * the account's setting; without it, `repeated` is the second one of the message.
   */
  | {
      readonly type: 'unsubscribed';
      readonly stream: string;
      readonly how: 'one-click' | 'page' | 'mail' | 'api';
    }
  /** Puts the recipient on the account's list, for every stream; told once for a message. */
  | { readonly type: 'complained'; readonly feedbackType: string; readonly source: 'mail' | 'api' }
  /** A bounce message about a message that was delivered (or is still queued, then it is queued no more). */
  | {
      readonly type: 'bounced';
      readonly answer: ServerAnswer;
      readonly host: string;
      readonly category: string;
      readonly recipientAtFault: boolean;
    }
);

export type VisitReport = Extract<Report, { type: 'opened' | 'clicked' }>;

/** A visit with its place in the journal of the process that took it: each type's numbers grow. */
export interface NumberedVisit {
  readonly number: number;
  readonly report: VisitReport;
}

export interface VisitBatch {
  /** Names the journal among those of all processes. */
  readonly journal: string;
  readonly visits: readonly NumberedVisit[];
  readonly atMs: number;
}

/** The greatest number that was told of each type, 0 for none. */
export interface VisitsTold {
  readonly opened: number;
  readonly clicked: number;
}

/**
 * `appended`: with the event's id. `repeated`: it was known, nothing was stored. `unknown`: no such message (any more).
 */
export type ReportResult =
  | { readonly kind: 'appended'; readonly eventId: number }
  | { readonly kind: 'repeated' }
  | { readonly kind: 'unknown' };

export interface LogPage {
  readonly events: readonly LoggedEvent[];
  /**
   * Where to read on: every wanted event up to and with this id is in `events` or before the cursor. Moves over
   * unwanted events too, so that the next read does not pass them again.
   */
  readonly scannedTo: number;
  /** False if there may be more beyond `scannedTo`. */
  readonly atEnd: boolean;
}

export interface EventLog {
  /** Resolves after the commit is durable. */
  report(report: Report): Promise<ReportResult>;
  /**
   * Many visits, all of them or none. One whose number is not greater than what the journal has told of its type is passed
   * over: told again because nobody learnt what became of it, it counts once.
   * @returns of each what became of it; `repeated`: it was told before
   */
  reportVisits(batch: VisitBatch): Promise<readonly ReportResult['kind'][]>;
  /** To be asked before a journal goes on: what a process that had it before was about to tell is told, or never will be. */
  visitsTold(input: Pick<VisitBatch, 'journal' | 'atMs'>): Promise<VisitsTold>;
  /**
   * When the messages left the queue; those that wait there or are not kept any more are left out. For whoever holds
   * tokens of them, which name no account.
   */
  finishedAtMs(messageIds: readonly number[]): Promise<ReadonlyMap<number, number>>;
  /**
   * The account's events after a cursor, in the order of the log; at most `limit` events, at most `scanLimit` looked
   * over (both bound the work of one call).
   */
  readAfter(input: {
    accountId: number;
    /** 0 from the beginning. */
    afterId: number;
    /** Which types are wanted; all when undefined. */
    types?: readonly EventType[] | undefined;
    limit: number;
    scanLimit: number;
  }): Promise<LogPage>;
  /** The highest id of the account's events, 0 if it has none. */
  lastId(accountId: number): Promise<number>;
  ofMessage(accountId: number, messageId: number): Promise<readonly LoggedEvent[]>;
  byId(accountId: number, eventId: number): Promise<LoggedEvent | undefined>;
  /** Number of the account's events after a cursor, counted up to `cap`. */
  countAfter(input: {
    accountId: number;
    afterId: number;
    types?: readonly EventType[] | undefined;
    cap: number;
  }): Promise<number>;
  /**
   * Calls `listener` after commits that appended events, with the accounts that have new ones. For the events of this
   * process at once, for those of others when their notice comes.
   * @returns stops it
   */
  subscribe(listener: (accountIds: ReadonlySet<number>) => void): () => void;
}
