/**
 * How far a stream of events to an endpoint has come: its live stream, or a replay beside it. A stream is a cursor and
 * the few requests after it that are not decided yet; there is no row for an event and an endpoint.
 */
import type { LoggedEvent } from '../../events/types.ts';

export interface StreamProgress {
  /** Every wanted event up to and with this id was taken or set aside. */
  readonly cursorId: number;
  /** How many events were numbered up to the cursor: the next one after it has this and one. */
  readonly number: number;
  /** Every wanted event up to and with this id is decided, in flight or suspected. Never before the cursor. */
  readonly readId: number;
  readonly readNumber: number;
  /** What is sent, and sent again, until it is decided; in the order of the log. */
  readonly inFlight: readonly InFlightBatch[];
  /** Set while it is looked for what the receiver cannot take. */
  readonly search: Search | undefined;
  /** Failures in a row. */
  readonly failures: number;
  /** Nothing is sent before. */
  readonly nextTryAtMs: number;
  /** When the first of the failures happened that no success has followed yet. */
  readonly failingSinceMs: number | undefined;
  readonly lastAcceptedAtMs: number | undefined;
  /** For how long it had been failing when its owner was last told, 0 if not told. */
  readonly noticedMs: number;
  /** Searches in a row in which nothing was accepted: the next one may look further. */
  readonly emptySearches: number;
  /** What a digest has counted since the last one, undefined if there is none. */
  readonly digest: DigestState | undefined;
}

/** The wanted events from the first to the last id, under the current settings. */
export interface InFlightBatch {
  readonly firstId: number;
  readonly lastId: number;
  readonly events: number;
  /** The number of the event with `firstId`, counted over the range, also where `only` leaves some out. */
  readonly firstNumber: number;
  /** Since when it was refused by answers alone, undefined if it was not or something else failed meanwhile. */
  readonly refusedSinceMs?: number | undefined;
  /** The receiver has taken the others of the range. */
  readonly only?: readonly number[] | undefined;
}

export interface Search {
  /** What it began with, for beginning again. */
  readonly roots: readonly InFlightBatch[];
  /** `content`: the answers speak of what is in the request; `slow`: the same request was refused for an hour. */
  readonly kind: 'content' | 'slow';
  /** Something was accepted in this search: what is refused alone is at fault. */
  readonly accepted: boolean;
  readonly suspects: readonly Suspect[];
}

/** An event that was refused when it stood alone. */
export interface Suspect {
  readonly batch: InFlightBatch;
  readonly batchId: string;
  readonly status: number;
  readonly answer: string;
}

/** Of the events that were taken since the last digest, in the order of their numbers. */
export interface DigestState {
  readonly sinceMs: number;
  /** Events by their canonical type. */
  readonly counts: Readonly<Record<string, number>>;
  /** 0 if there were none. */
  readonly firstNumber: number;
  readonly lastNumber: number;
  /** The chain: SHA-256, in hexadecimal, of the chain so far followed by the event's id; '' before the first. */
  readonly hash: string;
  readonly setAside: number;
  /** A period that is closed and not taken yet. */
  readonly due?: ClosedDigest | undefined;
}

export type ClosedDigest = Omit<DigestState, 'due'> & { readonly untilMs: number };

/** One request as it is kept for looking at. */
export interface WebhookAttempt {
  readonly atMs: number;
  readonly durationMs: number;
  readonly batchId: string;
  readonly firstId: number;
  readonly lastId: number;
  readonly events: number;
  readonly firstNumber: number;
  readonly only: readonly number[] | undefined;
  readonly accepted: boolean;
  /** 0 if no answer came. */
  readonly status: number;
  /** The beginning of the answer's body, or why there was none. */
  readonly answer: string;
  /** 0 for the live stream. */
  readonly replayId: number;
  readonly settingsVersion: number;
  /** Name and value in turn; what lets one in at the receiver is masked. */
  readonly headers: readonly string[];
  readonly timings: AttemptTimings;
}

/** Milliseconds; of a connection that was open already there are none but the last. */
export interface AttemptTimings {
  readonly dnsMs?: number | undefined;
  readonly connectMs?: number | undefined;
  readonly tlsMs?: number | undefined;
  readonly firstByteMs?: number | undefined;
}

/** How many attempts of each outcome are kept for an endpoint. */
export const keptAttempts = 100;

/** A stretch of the log that was taken: one request, or many of one event each that followed one another. */
export interface AcceptedRange {
  readonly firstId: number;
  readonly lastId: number;
  readonly events: number;
  readonly requests: number;
  readonly fromMs: number;
  readonly toMs: number;
  readonly only: readonly number[] | undefined;
  /** The receiver asked for these again. */
  readonly except: readonly number[] | undefined;
}

/** An event that the receiver cannot take, kept by copy. */
export interface SetAsideEvent {
  readonly event: LoggedEvent;
  readonly number: number;
  readonly atMs: number;
  readonly batchId: string;
  readonly status: number;
  readonly answer: string;
}

export const noticeKinds = ['failing', 'paused', 'expiring'] as const;
export type NoticeKind = (typeof noticeKinds)[number];

/** What the owner of an endpoint is to know. */
export interface NewNotice {
  readonly kind: NoticeKind;
  readonly atMs: number;
  readonly text: string;
}

/** What came of a stream since the last save: one commit. */
export interface ProgressSave {
  readonly webhookId: number;
  /** The turn in which it was sent (`WebhookShare.held`), begun with the progress that was stored in it. */
  readonly turn: number;
  /** 0 for the live stream. */
  readonly replayId: number;
  readonly settingsVersion: number;
  readonly progress: StreamProgress;
  /** Oldest first; of each outcome the last `keptAttempts` are enough. */
  readonly attempts: readonly WebhookAttempt[];
  /** All requests since the last call, also those that `attempts` leaves out. */
  readonly counts: { readonly accepted: number; readonly failed: number };
  readonly accepted: readonly AcceptedRange[];
  readonly setAside: readonly SetAsideEvent[];
  readonly notices: readonly NewNotice[];
  /** Switches the endpoint off. */
  readonly pause: 'gone' | 'failing' | undefined;
  /** Set when a replay has come to its end. */
  readonly finishedAtMs: number | undefined;
  /** Events of a replay of the set-aside ones that were taken now. */
  readonly takenAgain: readonly number[];
}

/**
 * `stale`: the settings have changed meanwhile. The cursor moved as far as the old settings reach, nothing else of the
 * progress was stored; what was sent, taken and set aside was. `gone`: there is no such endpoint or running replay any
 * more, or it is sent for by somebody else, or was meanwhile: nothing was stored.
 */
export type ProgressSaved = 'saved' | 'stale' | 'gone';

/** A stream that begins after this event. */
export const freshProgress = (cursorId: number): StreamProgress => ({
  cursorId,
  number: 0,
  readId: cursorId,
  readNumber: 0,
  inFlight: [],
  search: undefined,
  failures: 0,
  nextTryAtMs: 0,
  failingSinceMs: undefined,
  lastAcceptedAtMs: undefined,
  noticedMs: 0,
  emptySearches: 0,
  digest: undefined,
});
