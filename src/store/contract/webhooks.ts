/** Webhook endpoints: what their owner set, and how far each has come in its account's log. */
import type { EventType } from '../../events/types.ts';
import type {
  AcceptedRange,
  NewNotice,
  NoticeKind,
  ProgressSave,
  ProgressSaved,
  SetAsideEvent,
  StreamProgress,
  WebhookAttempt,
} from './webhook-progress.ts';

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

export const signatureKinds = ['v1', 'v1a'] as const;
export type SignatureKind = (typeof signatureKinds)[number];
export const digestPeriods = ['off', 'hour', 'day'] as const;
export type DigestPeriod = (typeof digestPeriods)[number];

/** How requests are sent, whatever is in them. */
export interface SendingSettings {
  readonly gzip: boolean;
  /** How many may be under way at a time; more than one gives up the order. */
  readonly requests: number;
  /** Whether an answer may ask for some of the events again. */
  readonly partialAck: boolean;
  readonly signatures: readonly SignatureKind[];
  readonly digest: DigestPeriod;
}

/** A key that signs requests. */
export interface WebhookKey {
  /** The signature it makes: one of Standard Webhooks, or the dialect's own. */
  readonly kind: SignatureKind | 'ecdsa-p256';
  /** The secret, encrypted. */
  readonly sealed: string;
  /** For those who verify, '' for a shared secret. */
  readonly publicKey: string;
  readonly createdAtMs: number;
  /** It signs until then, beside the one that has followed it; undefined for the current one. */
  readonly expiresAtMs?: number | undefined;
}

/** Why an endpoint is off: its owner's wish, its receiver's 410, or days of failing. */
export type PausedBy = 'owner' | 'gone' | 'failing';

export interface Webhook extends BatchSettings {
  readonly id: number;
  readonly accountId: number;
  readonly origin: WebhookOrigin;
  readonly url: string;
  readonly keys: readonly WebhookKey[];
  readonly sending: SendingSettings;
  /** How it signs in at its receiver, encrypted; '' if it does not. */
  readonly sealedAccess: string;
  /** Set while it is off: it keeps its place and is sent nothing. */
  readonly pausedBy: PausedBy | undefined;
  /** Goes up with each change of `BatchSettings`, which closes the requests in flight. */
  readonly settingsVersion: number;
  readonly createdAtMs: number;
  readonly changedAtMs: number;
  readonly progress: StreamProgress;
  /** Requests so far. */
  readonly counts: { readonly accepted: number; readonly failed: number };
}

export interface NewWebhook extends BatchSettings {
  readonly accountId: number;
  readonly origin: WebhookOrigin;
  readonly url: string;
  readonly keys: readonly WebhookKey[];
  readonly sending: SendingSettings;
  readonly sealedAccess: string;
  readonly atMs: number;
}

export interface WebhookChange extends Partial<BatchSettings> {
  readonly accountId: number;
  readonly webhookId: number;
  readonly url?: string;
  readonly paused?: boolean;
  readonly keys?: readonly WebhookKey[];
  readonly sending?: SendingSettings;
  readonly sealedAccess?: string;
  readonly atMs: number;
}

/** `full`: the account has `limit` endpoints already. */
export type WebhookCreated =
  | { readonly kind: 'created'; readonly webhook: Webhook }
  | { readonly kind: 'full' };

export interface WebhookShare {
  /** Each with the number of its turn: another one after somebody else has had it meanwhile. */
  readonly held: ReadonlyMap<number, number>;
  /** Of those, what others should have instead. */
  readonly excess: ReadonlySet<number>;
  /** Something else for an endpoint each time that its owner has changed it, where notices of that may be lost. */
  readonly revisions: ReadonlyMap<number, string>;
}

/** How long a process that has gone silent keeps others from its endpoints. */
export const shareHoldsForMs = 20_000;

export interface WebhookStore {
  /** It begins with the event after the account's last one. */
  create(input: NewWebhook & { readonly limit: number }): Promise<WebhookCreated>;
  /** Sets the URL of the one endpoint of `origin`, or makes it. */
  createOrMove(input: NewWebhook): Promise<Webhook>;
  /**
   * A change of `BatchSettings` closes the requests in flight, of replays too; a new URL or way to sign in, or going on
   * after a pause, makes them due at once.
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
  /**
   * Looks at the next `limit` endpoints after an id, and finds those with an event of before a time that they may not have
   * had, whose owner was not told so since another time.
   * @returns `lookedTo`: the last one's id, undefined when there was none
   */
  expiring(input: {
    afterId: number;
    limit: number;
    eventsBeforeMs: number;
    notToldSinceMs: number;
  }): Promise<{ readonly webhooks: readonly Webhook[]; readonly lookedTo: number | undefined }>;
  /**
   * Which endpoints this process sends for: its share among all processes that ask. Nobody else sends for them until it
   * lets go of them, or does not ask for `shareHoldsForMs`; then nothing that it has sent for them can be saved any more.
   */
  takeShare(): Promise<WebhookShare>;
  /** Only when nothing is sent for them any more. */
  letGo(webhookIds: readonly number[]): Promise<void>;
  /** One commit for what was sent, where the cursor is, and what goes next. `gone` also when the turn is over. */
  saveProgress(input: ProgressSave): Promise<ProgressSaved>;
  /**
   * Calls `listener` with an endpoint's id after it, or a replay of it, was made, changed or removed: for this process
   * at once, for others when their notice comes. Progress is no change, except that it switched the endpoint off.
   * @returns stops it
   */
  subscribe(listener: (webhookId: number) => void): () => void;

  /** Newest first, the kept ones of both outcomes. */
  attempts(accountId: number, webhookId: number): Promise<readonly WebhookAttempt[]>;
  /** In the order of the log, after an event's id. */
  setAside(input: {
    accountId: number;
    webhookId: number;
    afterId: number;
    limit: number;
  }): Promise<readonly SetAsideEvent[]>;
  countSetAside(accountId: number, webhookId: number): Promise<number>;
  /** The stretches that hold an event's place in the log, under whatever settings, newest first and bounded. */
  rangesOver(accountId: number, eventId: number): Promise<readonly FoundRange[]>;
  /** Newest first and bounded. */
  notices(accountId: number, webhookId: number): Promise<readonly Notice[]>;
  /** For the service that mails them: the oldest that were not. */
  unmailedNotices(limit: number): Promise<readonly (Notice & { accountId: number; webhookId: number })[]>;
  markMailed(noticeIds: readonly number[]): Promise<void>;
  /** Notes that the owner was told, with the notice, unless that was done since `notSinceMs`. */
  tellExpiring(input: { webhookId: number; notice: NewNotice; notSinceMs: number }): Promise<boolean>;
}

export interface Notice extends Omit<NewNotice, 'kind'> {
  readonly id: number;
  readonly kind: NoticeKind;
}

export interface FoundRange extends AcceptedRange {
  readonly webhookId: number;
  readonly replayId: number;
  readonly settingsVersion: number;
  /** What the endpoint was sent under these settings; undefined if that is not known any more. */
  readonly settings: Pick<BatchSettings, 'dialect' | 'types' | 'optionsJson'> | undefined;
}

/** Which events a replay sends. Log ids are inclusive, times exact. */
export type ReplaySelection =
  | {
      readonly kind: 'log';
      readonly afterId: number;
      readonly lastId: number;
      readonly fromMs?: number | undefined;
      /** Exclusive. */
      readonly toMs?: number | undefined;
    }
  | { readonly kind: 'message'; readonly messageId: number; readonly lastId: number }
  | { readonly kind: 'set-aside'; readonly lastId: number };

export interface Replay {
  readonly id: number;
  readonly webhookId: number;
  readonly selection: ReplaySelection;
  readonly state: 'running' | 'done' | 'cancelled';
  readonly createdAtMs: number;
  readonly finishedAtMs: number | undefined;
  readonly progress: StreamProgress;
}

export interface ReplayStore {
  /** @returns undefined if the account has no such endpoint, or it has `limit` replays running */
  create(input: {
    accountId: number;
    webhookId: number;
    selection: ReplaySelection;
    limit: number;
    atMs: number;
  }): Promise<Replay | undefined>;
  cancel(input: { accountId: number; webhookId: number; replayId: number; atMs: number }): Promise<boolean>;
  /** Newest first and bounded. */
  list(accountId: number, webhookId: number): Promise<readonly Replay[]>;
  /** For the service that sends: those of an endpoint that run. */
  running(webhookId: number): Promise<readonly Replay[]>;
}
