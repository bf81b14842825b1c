/**
 * Webhook endpoints: what their owner set, and how far each has come in its account's log. An endpoint is a cursor:
 * there is no row for an event and an endpoint, neither while it waits nor when it was taken.
 */
import type { EventType } from '../../events/types.ts';

/** By which API an endpoint was made: the `msndr` one owns a single endpoint of an account and sees no other. */
export type WebhookOrigin = 'native' | 'msndr';

/** A batch leaves when one of these is reached. */
export interface BatchLimits {
  readonly count: number;
  /** Since the first event of the batch waits; 0 to send at once. */
  readonly ageMs: number;
  /** Of the body. A single event that is larger goes alone. */
  readonly bytes: number;
}

/** What decides which events an endpoint gets and which bytes they are. */
export interface BatchSettings {
  readonly dialect: string;
  readonly types: readonly EventType[];
  /** The dialect's own options, a JSON object as text. */
  readonly optionsJson: string;
  readonly limits: BatchLimits;
}

export interface Webhook extends BatchSettings {
  readonly id: number;
  readonly accountId: number;
  readonly origin: WebhookOrigin;
  readonly url: string;
  /** The signing secret, encrypted. */
  readonly sealedSecret: string;
  /** Its owner has switched it off: it keeps its place and is sent nothing. */
  readonly paused: boolean;
  /** Goes up with each change of `BatchSettings`, which closes the batch in flight. */
  readonly settingsVersion: number;
  readonly createdAtMs: number;
  readonly changedAtMs: number;
  readonly progress: WebhookProgress;
  /** Requests so far. */
  readonly counts: { readonly accepted: number; readonly failed: number };
}

export interface WebhookProgress {
  /** Every wanted event up to and with this id was taken. */
  readonly cursorId: number;
  /** What is sent after the cursor, and sent again, the same, until it is taken. */
  readonly inFlight: InFlightBatch | undefined;
  /** When the first of the failures happened that no success has followed yet. */
  readonly failingSinceMs: number | undefined;
  readonly lastAcceptedAtMs: number | undefined;
}

/** The wanted events from the first to the last id, under the current settings. */
export interface InFlightBatch {
  readonly firstId: number;
  readonly lastId: number;
  readonly events: number;
  /** How often it has failed. */
  readonly failures: number;
  readonly nextTryAtMs: number;
}

/** One request as it is kept for looking at. */
export interface WebhookAttempt {
  readonly atMs: number;
  readonly durationMs: number;
  readonly batchId: string;
  readonly firstId: number;
  readonly lastId: number;
  readonly events: number;
  readonly accepted: boolean;
  /** 0 if no answer came. */
  readonly status: number;
  /** The beginning of the answer's body, or why there was none. */
  readonly answer: string;
}

/** How many attempts of each outcome are kept for an endpoint. */
export const keptAttempts = 100;

export interface NewWebhook extends BatchSettings {
  readonly accountId: number;
  readonly origin: WebhookOrigin;
  readonly url: string;
  readonly sealedSecret: string;
  readonly atMs: number;
}

export interface WebhookChange extends Partial<BatchSettings> {
  readonly accountId: number;
  readonly webhookId: number;
  readonly url?: string;
  readonly paused?: boolean;
  readonly atMs: number;
}

/** `full`: the account has `limit` endpoints already. */
export type WebhookCreated =
  | { readonly kind: 'created'; readonly webhook: Webhook }
  | { readonly kind: 'full' };

/**
 * `stale`: the settings have changed meanwhile. The cursor moved as far as the old settings reach, nothing else of the
 * progress was stored. `gone`: there is no such endpoint any more.
 */
export type ProgressSaved = 'saved' | 'stale' | 'gone';

export interface WebhookStore {
  /** It begins with the event after the account's last one. */
  create(input: NewWebhook & { readonly limit: number }): Promise<WebhookCreated>;
  /** Sets the URL of the one endpoint of `origin`, or makes it. */
  createOrMove(input: NewWebhook): Promise<Webhook>;
  /**
   * A change of settings closes the batch in flight; a new URL, or going on after a pause, makes it due at once.
   * @returns undefined if the account has no such endpoint
   */
  change(input: WebhookChange): Promise<Webhook | undefined>;
  remove(input: { accountId: number; webhookId: number }): Promise<boolean>;
  byId(accountId: number, webhookId: number): Promise<Webhook | undefined>;
  /** Oldest first; at most as many as an account may have. */
  list(accountId: number): Promise<readonly Webhook[]>;
  /** The one endpoint of an origin that owns a single one. */
  ofOrigin(accountId: number, origin: WebhookOrigin): Promise<Webhook | undefined>;

  /** For the service that sends, which serves all accounts. */
  load(webhookId: number): Promise<Webhook | undefined>;
  loadIds(): Promise<readonly number[]>;
  /** One commit for what was sent, where the cursor is, and the batch that goes next. */
  saveProgress(input: {
    webhookId: number;
    settingsVersion: number;
    progress: WebhookProgress;
    /** What came since the last call, oldest first; of each outcome the last `keptAttempts` are enough. */
    attempts: readonly WebhookAttempt[];
    /** All requests since the last call, also those that `attempts` leaves out. */
    counts: { readonly accepted: number; readonly failed: number };
  }): Promise<ProgressSaved>;
  /** Newest first, the kept ones of both outcomes. */
  attempts(accountId: number, webhookId: number): Promise<readonly WebhookAttempt[]>;
  /**
   * Calls `listener` with an endpoint's id after it was made, changed or removed: for this process at once, for others
   * when their notice comes. Progress is no change.
   * @returns stops it
   */
  subscribe(listener: (webhookId: number) => void): () => void;
}
