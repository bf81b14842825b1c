/**
 * How many of what happened: the log counted into slots of a quarter of an hour, by recipient domain, provider and tag, so
 * that a question costs the same whatever the log holds. `docs/statistics.md` says what is counted and what bounds it.
 */
import type { EventType, VisitorKind } from '../../events/types.ts';

/** Every time zone in use is a multiple of it away from UTC: hours and days of all of them are made of whole slots. */
export const slotMs = 15 * 60_000;

/** What is counted, in the order in which a row holds it. */
export const measures = [
  'accepted',
  'skipped',
  'deferred',
  'delivered',
  'bounced',
  /** Of the bounced: the recipient is at fault for good. */
  'bouncedAtFault',
  /** Of the bounced: told of after a server had taken it. */
  'bouncedLate',
  'openedHuman',
  'openedProxy',
  'openedMachine',
  /** Messages at their first open by anybody or anything, by anybody but a machine, by a person. */
  'openedFirst',
  'openedFirstSeen',
  'openedFirstHuman',
  'clickedHuman',
  'clickedProxy',
  'clickedMachine',
  'clickedFirst',
  'clickedFirstSeen',
  'clickedFirstHuman',
  'unsubscribed',
  'complained',
] as const;

export type Measure = (typeof measures)[number];
export type Counts = Readonly<Record<Measure, number>>;

export const noCounts: Counts = Object.freeze(
  Object.fromEntries(measures.map((measure) => [measure, 0])) as Record<Measure, number>,
);

/** Which counts are asked for. */
export type Counted =
  | { readonly kind: 'all' }
  | { readonly kind: 'domain'; readonly domain: string }
  /** '' for those of no known provider. */
  | { readonly kind: 'provider'; readonly provider: string }
  | { readonly kind: 'tag'; readonly tag: string };

/** Who had opened or clicked a message before, by this type: the one who counts most. */
export type VisitedBefore = 'nobody' | VisitorKind;

/** An event with what counting needs of it. */
export interface UncountedEvent {
  readonly id: number;
  readonly type: EventType;
  readonly timeMs: number;
  readonly recipient: string;
  /** '' where nobody was judged. */
  readonly visitor: VisitorKind | '';
  readonly visitedBefore: VisitedBefore;
  readonly tagsJson: string;
  /** Of what a server answered to, and of visits that are told together; '' of others. */
  readonly detailJson: string;
}

/**
 * Among so many events of a message it is looked for who had opened it before; a later event is no first one. It bounds
 * what a message costs that is opened over and over.
 */
export const visitsLookedAt = 100;

/** What a batch adds to a row. */
export interface CountRow {
  readonly slotMs: number;
  readonly scope: 'all' | 'domain' | 'tag';
  /** The domain or the tag, '' of all. */
  readonly name: string;
  /** Of a domain, '' if none is known. */
  readonly provider: string;
  /** The first and the last event that is counted. */
  readonly firstId: number;
  readonly lastId: number;
  /** In the order of `measures`. */
  readonly counts: readonly number[];
}

/** A slot has rows for so many domains, and for so many tags; beyond it only the largest keep theirs. */
export const mostNamesInSlot = 100;
export const namesKeptInSlot = 50;

export interface NewCounts {
  readonly accountId: number;
  /** Where reading began, and the last event that was read. */
  readonly afterId: number;
  readonly lastId: number;
  readonly rows: readonly CountRow[];
  /** Whose servers take mail for a domain, where that has become known. */
  readonly providers: readonly { readonly domain: string; readonly provider: string }[];
  readonly atMs: number;
}

/** A domain or a provider with its sum; domains without a row of their own come as one for each provider, named ''. */
export interface NamedCounts {
  readonly name: string;
  readonly provider: string;
  readonly counts: Counts;
}

/** Messages that wait, by what for. */
export interface Waiting {
  /** Counted up to the cap, the first to fall due. */
  readonly messages: number;
  /** When the oldest of them was taken in; undefined if none waits. */
  readonly oldestAtMs: number | undefined;
  /** When the next one falls due. */
  readonly nextAttemptAtMs: number | undefined;
  /** Of the first of them to fall due, as many as were looked at. */
  readonly reasons: readonly WaitingReason[];
}

export interface WaitingReason {
  /** `new`: not tried yet. `under-way`: being delivered. Else the category of the last failure. */
  readonly reason: string;
  readonly messages: number;
  readonly oldestAtMs: number;
}

export interface StatisticsStore {
  /** Accounts that have events which are not counted. */
  uncountedAccounts(): Promise<readonly number[]>;
  /** The account's events after what is counted, in the order of the log. */
  readUncounted(input: {
    accountId: number;
    limit: number;
  }): Promise<{ readonly afterId: number; readonly events: readonly UncountedEvent[] }>;
  /** Whose servers take mail for these domains, as far as it has become known. */
  providersOf(domains: readonly string[]): Promise<ReadonlyMap<string, string>>;
  /** One commit for counts and cursor. `stale`: something after `afterId` was counted before, nothing was stored. */
  add(input: NewCounts): Promise<'added' | 'stale'>;
  /**
   * Whether this process may count, so that no two do the same work: the turn lasts until it was not asked for
   * `turnHoldsForMs`. Whoever counts without it wastes work and does no harm.
   */
  takeTurn(): Promise<boolean>;
  /** The last event that is counted, 0 if none is. */
  countedTo(accountId: number): Promise<number>;

  /** Sums of `intervals` stretches of `lengthMs` from `fromMs` on, those without any left out. */
  sums(input: {
    accountId: number;
    of: Counted;
    fromMs: number;
    lengthMs: number;
    intervals: number;
  }): Promise<readonly { readonly index: number; readonly counts: Counts }[]>;
  /** Sums by name, in no order. Meant for a day at a time: a day's rows are read. */
  sumsByName(input: {
    accountId: number;
    by: 'domain' | 'provider';
    fromMs: number;
    toMs: number;
  }): Promise<readonly NamedCounts[]>;
  /** Whether there were more domains (tags) in one of the slots than have rows: then a sum by name may be too small. */
  leavesOut(input: {
    accountId: number;
    what: 'domains' | 'tags';
    fromMs: number;
    toMs: number;
  }): Promise<boolean>;

  /** @param lookAt how many are looked at for what they wait for */
  waiting(input: { accountId: number; cap: number; lookAt: number }): Promise<Waiting>;
}

export const turnHoldsForMs = 20_000;
