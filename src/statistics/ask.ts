/**
 * Questions to the counts: sums by hour or day, tables by domain or provider, and rates. Long stretches are asked for in
 * parts, so that no question keeps the process from its other work.
 */
import { turnOfTheLoop } from '../platform/turn.ts';
import {
  type Counted,
  type Counts,
  type Measure,
  measures,
  type NamedCounts,
  noCounts,
  type StatisticsStore,
} from '../store/contract/statistics.ts';
import { runsOf } from './intervals.ts';

/** A part's rows of all counts are some thousands. */
const intervalsAtOnce = 31;
const dayMs = 86_400_000;
/** Names that a table is made of; what comes beyond is summed with its provider's others. */
const mostNames = 10_000;

function plus(a: Counts, b: Counts): Counts {
  const sum: Record<Measure, number> = { ...a };
  for (const measure of measures) sum[measure] += b[measure];
  return sum;
}

export interface Series {
  /** One for each interval. */
  readonly intervals: readonly { readonly fromMs: number; readonly counts: Counts }[];
  readonly total: Counts;
}

/** @param bounds where the intervals begin, and where the last one ends */
export async function seriesOf(
  statistics: Pick<StatisticsStore, 'sums'>,
  { accountId, of, bounds }: { accountId: number; of: Counted; bounds: readonly number[] },
): Promise<Series> {
  const intervals = bounds.slice(0, -1).map((fromMs) => ({ fromMs, counts: noCounts }));
  let total = noCounts;
  for (const { first, ...run } of runsOf(bounds, intervalsAtOnce)) {
    for (const { index, counts } of await statistics.sums({ accountId, of, ...run })) {
      const interval = intervals[first + index];
      if (interval !== undefined) interval.counts = counts;
      total = plus(total, counts);
    }
    await turnOfTheLoop();
  }
  return { intervals, total };
}

export interface Table {
  /** The largest first. */
  readonly entries: readonly NamedCounts[];
  /** All others together. */
  readonly others: Counts;
}

export async function tableOf(
  statistics: Pick<StatisticsStore, 'sumsByName'>,
  input: {
    accountId: number;
    by: 'domain' | 'provider';
    fromMs: number;
    toMs: number;
    /** Of domains: of this provider alone. */
    provider?: string | undefined;
    limit: number;
  },
): Promise<Table> {
  const { accountId, by, provider, limit } = input;
  const sums = new Map<string, NamedCounts>();
  let others = noCounts;
  for (let fromMs = input.fromMs; fromMs < input.toMs; fromMs += dayMs) {
    const toMs = Math.min(fromMs + dayMs, input.toMs);
    for (const sum of await statistics.sumsByName({ accountId, by, fromMs, toMs })) {
      if (provider !== undefined && sum.provider !== provider) continue;
      const known = sums.get(sum.name);
      const isRest = by === 'domain' && (sum.name === '' || (known === undefined && sums.size >= mostNames));
      if (isRest) others = plus(others, sum.counts);
      else
        sums.set(sum.name, {
          ...sum,
          counts: known === undefined ? sum.counts : plus(known.counts, sum.counts),
        });
    }
    await turnOfTheLoop();
  }
  const sorted = [...sums.values()].sort(bySize);
  for (const { counts } of sorted.slice(limit)) others = plus(others, counts);
  return { entries: sorted.slice(0, limit), others };
}

/** By what was sent, then by what became of it. */
function bySize(a: NamedCounts, b: NamedCounts): number {
  return (
    b.counts.accepted - a.counts.accepted ||
    b.counts.delivered - a.counts.delivered ||
    b.counts.bounced - a.counts.bounced ||
    (a.name < b.name ? -1 : 1)
  );
}

/** Shares from 0 to 1, undefined where there is nothing that they would be a share of. */
export interface Rates {
  readonly delivery: number | undefined;
  readonly bounce: number | undefined;
  readonly open: number | undefined;
  readonly click: number | undefined;
  readonly unsubscribe: number | undefined;
  readonly complaint: number | undefined;
}

export function ratesOf(counts: Counts): Rates {
  const { delivered, bounced, bouncedLate } = counts;
  const stayed = Math.max(0, delivered - bouncedLate);
  const ended = stayed + bounced;
  const share = (part: number, whole: number) => (whole === 0 ? undefined : part / whole);
  return {
    delivery: share(stayed, ended),
    bounce: share(bounced, ended),
    open: share(counts.openedFirstSeen, delivered),
    click: share(counts.clickedFirstSeen, delivered),
    unsubscribe: share(counts.unsubscribed, delivered),
    complaint: share(counts.complained, delivered),
  };
}
