/** `/api/statistics`: counts by hour and day, by domain and provider; what waits in the queue; how far webhooks are behind. */
import type { Clock } from '../../platform/clock.ts';
import { isTimeZone } from '../../platform/time-zone.ts';
import { ratesOf, seriesOf, tableOf } from '../../statistics/ask.ts';
import {
  boundsOf,
  type IntervalKind,
  mostIntervals,
  startOfDayMs,
  TooManyIntervalsError,
} from '../../statistics/intervals.ts';
import type { Account } from '../../store/contract/accounts.ts';
import type { Counted, Counts } from '../../store/contract/statistics.ts';
import type { Store } from '../../store/contract/store.ts';
import { lagOf } from '../../webhooks/look.ts';
import type { App } from '../app.ts';
import { ApiError } from '../errors.ts';
import { providerInside, providerOutside } from './provider-names.ts';
import { isoTime, isoTimeOrNull, timeOf } from './shapes.ts';
import {
  countsShape,
  DomainsQuery,
  DomainsShape,
  LagShape,
  ProvidersQuery,
  ProvidersShape,
  QueueShape,
  ratesShape,
  SeriesQuery,
  SeriesShape,
} from './statistics-shapes.ts';
import { webhookState } from './webhook-json.ts';

export interface StatisticsDependencies {
  readonly statistics: Store['statistics'];
  readonly log: Store['log'];
  readonly webhooks: Store['webhooks'];
  readonly clock: Clock;
}

/** What is said of how far counting is behind. */
const mostUncounted = 10_000;
const queueCap = 100_000;
const queueLookAt = 5_000;

const tags = ['statistics'];

export function statisticsRoutes(app: App, dependencies: StatisticsDependencies): void {
  seriesRoute(app, dependencies);
  tableRoutes(app, dependencies);
  nowRoutes(app, dependencies);
}

interface Range {
  readonly kind: IntervalKind;
  readonly timeZone: string;
  readonly bounds: readonly number[];
  readonly fromMs: number;
  readonly toMs: number;
}

const defaultSpanMs: Readonly<Record<IntervalKind, number>> = { hour: 24 * 3_600_000, day: 29 * 86_400_000 };

/** @throws ApiError */
function rangeOf(
  query: { interval?: IntervalKind; from?: string; to?: string; time_zone?: string },
  account: Account,
  nowMs: number,
): Range {
  const { interval: kind = 'day', time_zone: timeZone = account.timeZone } = query;
  if (!isTimeZone(timeZone)) {
    throw new ApiError(422, 'invalid', `'${timeZone}' is no time zone, as in Europe/Moscow`, 'time_zone');
  }
  const untilMs = query.to === undefined ? nowMs : dayOrTime(query.to, 'to', timeZone);
  const sinceMs =
    query.from === undefined ? untilMs - defaultSpanMs[kind] : dayOrTime(query.from, 'from', timeZone);
  if (sinceMs >= untilMs) throw new ApiError(422, 'invalid', "'from' must be before 'to'", 'from');
  try {
    const bounds = boundsOf({ kind, fromMs: sinceMs, toMs: untilMs, timeZone });
    return { kind, timeZone, bounds, fromMs: bounds[0] ?? sinceMs, toMs: bounds.at(-1) ?? untilMs };
  } catch (error) {
    if (!(error instanceof TooManyIntervalsError)) throw error;
    throw new ApiError(422, 'invalid', `These are more than ${mostIntervals} ${kind}s`, 'from');
  }
}

/** A day begins in the time zone that is asked for. */
function dayOrTime(text: string, field: string, timeZone: string): number {
  const atMs = timeOf(text, field);
  return /^\d{4}-\d{2}-\d{2}$/.test(text) ? startOfDayMs(text, timeZone) : atMs;
}

const rangeShape = ({ kind, timeZone, fromMs, toMs }: Range) => ({
  interval: kind,
  time_zone: timeZone,
  from: isoTime(fromMs),
  to: isoTime(toMs),
});

const sumShape = (counts: Counts) => ({ ...countsShape(counts), rates: ratesShape(ratesOf(counts)) });

/** @throws ApiError */
function countedOf({ domain, provider, tag }: { domain?: string; provider?: string; tag?: string }): Counted {
  if ([domain, provider, tag].filter((named) => named !== undefined).length > 1) {
    throw new ApiError(
      422,
      'invalid',
      'Counts are of a domain, a provider or a tag, not of several together',
    );
  }
  if (domain !== undefined) return { kind: 'domain', domain: domain.toLowerCase() };
  if (provider !== undefined) return { kind: 'provider', provider: providerInside(provider) };
  return tag === undefined ? { kind: 'all' } : { kind: 'tag', tag };
}

function seriesRoute(app: App, { statistics, log, clock }: StatisticsDependencies): void {
  app.get(
    '/api/statistics',
    {
      schema: {
        tags,
        operationId: 'getStatistics',
        summary: 'Count what happened, by hour or day',
        querystring: SeriesQuery,
        response: { 200: SeriesShape },
      },
    },
    async ({ query, account }) => {
      const { id: accountId } = account;
      const range = rangeOf(query, account, clock.now());
      const of = countedOf(query);
      const { bounds, fromMs, toMs } = range;
      const { intervals, total } = await seriesOf(statistics, { accountId, of, bounds });
      const isOfOne = of.kind === 'domain' || of.kind === 'tag';
      const what = of.kind === 'tag' ? 'tags' : 'domains';
      const countedTo = await statistics.countedTo(accountId);
      return {
        ...rangeShape(range),
        uncounted_events: await log.countAfter({ accountId, afterId: countedTo, cap: mostUncounted }),
        partial: isOfOne && (await statistics.leavesOut({ accountId, what, fromMs, toMs })),
        total: sumShape(total),
        intervals: intervals.map(({ fromMs, counts }) => ({
          start: isoTime(fromMs),
          ...countsShape(counts),
        })),
      };
    },
  );
}

function tableRoutes(app: App, { statistics, clock }: StatisticsDependencies): void {
  app.get(
    '/api/statistics/domains',
    {
      schema: {
        tags,
        operationId: 'getStatisticsByDomain',
        summary: 'Count what happened, by recipient domain',
        querystring: DomainsQuery,
        response: { 200: DomainsShape },
      },
    },
    async ({ query, account }) => {
      const { id: accountId } = account;
      const range = rangeOf(query, account, clock.now());
      const { fromMs, toMs } = range;
      const provider = query.provider === undefined ? undefined : providerInside(query.provider);
      const { limit = 20 } = query;
      const table = await tableOf(statistics, { accountId, by: 'domain', fromMs, toMs, provider, limit });
      return {
        ...rangeShape(range),
        partial: await statistics.leavesOut({ accountId, what: 'domains', fromMs, toMs }),
        domains: table.entries.map(({ name, provider, counts }) => ({
          domain: name,
          provider: providerOutside(provider),
          ...sumShape(counts),
        })),
        others: sumShape(table.others),
      };
    },
  );

  app.get(
    '/api/statistics/providers',
    {
      schema: {
        tags,
        operationId: 'getStatisticsByProvider',
        summary: 'Count what happened, by mailbox provider',
        querystring: ProvidersQuery,
        response: { 200: ProvidersShape },
      },
    },
    async ({ query, account }) => {
      const range = rangeOf(query, account, clock.now());
      const { fromMs, toMs } = range;
      const { limit = 20 } = query;
      const ask = { accountId: account.id, by: 'provider', fromMs, toMs, limit } as const;
      const table = await tableOf(statistics, ask);
      return {
        ...rangeShape(range),
        providers: table.entries.map(({ name, counts }) => ({
          provider: providerOutside(name),
          ...sumShape(counts),
        })),
        others: sumShape(table.others),
      };
    },
  );
}

/** What is so now, whatever the time asked for. */
function nowRoutes(app: App, { statistics, log, webhooks, clock }: StatisticsDependencies): void {
  app.get(
    '/api/statistics/queue',
    {
      schema: {
        tags,
        operationId: 'getQueue',
        summary: 'Tell how many messages wait, since when and what for',
        response: { 200: QueueShape },
      },
    },
    async ({ account }) => {
      const ask = { accountId: account.id, cap: queueCap, lookAt: queueLookAt };
      const { messages, oldestAtMs, nextAttemptAtMs, reasons } = await statistics.waiting(ask);
      return {
        waiting: messages,
        oldest_at: isoTimeOrNull(oldestAtMs),
        next_attempt_at: isoTimeOrNull(nextAttemptAtMs),
        looked_at: Math.min(messages, queueLookAt),
        reasons: reasons.map(({ reason, messages, oldestAtMs }) => ({
          reason,
          messages,
          oldest_at: isoTime(oldestAtMs),
        })),
      };
    },
  );

  app.get(
    '/api/statistics/webhooks',
    {
      schema: {
        tags,
        operationId: 'getWebhookLag',
        summary: 'Tell how far each webhook is behind',
        response: { 200: LagShape },
      },
    },
    async ({ account }) => {
      const all = await webhooks.list(account.id);
      const entries = [];
      for (const webhook of all) {
        const [{ waitingEvents, lagMs }, setAside] = await Promise.all([
          lagOf(log, webhook, clock.now()),
          webhooks.countSetAside(account.id, webhook.id),
        ]);
        entries.push({
          id: webhook.id,
          url: webhook.url,
          state: webhookState(webhook),
          waiting_events: waitingEvents,
          lag_seconds: lagMs / 1000,
          set_aside_events: setAside,
        });
      }
      return { webhooks: entries };
    },
  );
}
