/**
 * The follower: reads what the log has that is not counted, and adds it up, account by account. It comes after everybody
 * else: a little at a time, with rests between, and a failure is tried again later. What it stores is exact whatever
 * becomes of it in between, because a batch is added in the commit that moves the cursor over it.
 */
import type { Logger } from 'pino';
import type { Clock } from '../platform/clock.ts';
import { Wake } from '../platform/wake.ts';
import type { EventLog } from '../store/contract/log.ts';
import type { StatisticsStore } from '../store/contract/statistics.ts';
import { countEvents } from './count.ts';
import { Providers } from './learn.ts';

/** Reading and adding up so many takes some milliseconds, in which the process does nothing else. */
const batchEvents = 500;
/** News are gathered for so long, so that a busy account's hundred events a second are one batch. */
const gatherMs = 1000;
/** The rest after a batch, as a multiple of what it took: a fifth of the time is the most that counting takes. */
const restShare = 4;
const shortestRestMs = 1;
/** While another process counts. */
const notMyTurnMs = 10_000;
const afterFailureMs = 5_000;

export interface FollowDependencies {
  readonly statistics: StatisticsStore;
  readonly log: Pick<EventLog, 'subscribe'>;
  readonly clock: Clock;
  readonly logger: Logger;
  /** Whether the host in an event is the recipient's own, not a smarthost's. */
  readonly hostsAreMx: boolean;
  /** Called with how many events were counted. */
  readonly onCounted: (events: number) => void;
}

/** Counts one batch of an account. @returns how many events were counted, and whether there may be more */
export async function countBatch(
  { statistics, clock }: Pick<FollowDependencies, 'statistics' | 'clock'>,
  providers: Providers,
  accountId: number,
  limit = batchEvents,
): Promise<{ readonly counted: number; readonly more: boolean }> {
  const { afterId, events } = await statistics.readUncounted({ accountId, limit });
  const last = events.at(-1);
  if (last === undefined) return { counted: 0, more: false };
  const known = await providers.of(events);
  const rows = countEvents(events, known.providers);
  const added = await statistics.add({
    accountId,
    afterId,
    lastId: last.id,
    rows,
    providers: known.news,
    atMs: clock.now(),
  });
  // What another process has counted meanwhile is not counted again; the next batch begins where that ended.
  if (added === 'stale') return { counted: 0, more: true };
  return { counted: events.length, more: events.length === limit };
}

export function startCounting(dependencies: FollowDependencies): AsyncDisposable {
  const { statistics, log, clock, logger, hostsAreMx, onCounted } = dependencies;
  const stop = new AbortController();
  const wake = new Wake();
  const providers = new Providers({ store: statistics, clock, hostsAreMx });
  /** Accounts that may have something to count, those that came first in front. */
  const waiting = new Set<number>();
  let isKnown = false;
  const unsubscribe = log.subscribe((accountIds) => {
    for (const id of accountIds) waiting.add(id);
    wake.wake();
  });

  /** A batch of the account that has waited longest; it waits again behind the others while it has more. */
  async function countNext(): Promise<void> {
    const [accountId] = waiting;
    if (accountId === undefined) return;
    const startedAtMs = clock.now();
    waiting.delete(accountId);
    try {
      const { counted, more } = await countBatch(dependencies, providers, accountId);
      onCounted(counted);
      if (more) waiting.add(accountId);
    } catch (error) {
      waiting.add(accountId);
      throw error;
    }
    await clock.sleep(Math.max(shortestRestMs, (clock.now() - startedAtMs) * restShare), stop.signal);
  }

  async function round(): Promise<void> {
    if (!isKnown) for (const id of await statistics.uncountedAccounts()) waiting.add(id);
    isKnown = true;
    while (waiting.size > 0 && !stop.signal.aborted) {
      if (!(await statistics.takeTurn())) await clock.sleep(notMyTurnMs, stop.signal);
      else await countNext();
    }
  }

  async function run(): Promise<void> {
    while (!stop.signal.aborted) {
      try {
        await round();
        await wake.wait(clock, Infinity, stop.signal);
        await clock.sleep(gatherMs, stop.signal);
      } catch (error) {
        logger.error({ err: error }, 'counting events failed, tried again soon');
        await clock.sleep(afterFailureMs, stop.signal);
      }
    }
  }

  const running = run();
  return {
    async [Symbol.asyncDispose]() {
      unsubscribe();
      stop.abort();
      await running;
    },
  };
}
