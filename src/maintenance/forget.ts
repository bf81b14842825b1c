/** The loop that lets go of old events, messages and bodies: in small chunks, so that nobody waits for it. */
import type { Logger } from 'pino';
import type { Clock } from '../platform/clock.ts';
import type { RetentionStore } from '../store/contract/retention.ts';

/** How often it looks for old rows. What is kept is measured in days, so an hour's delay is nothing. */
const roundEveryMs = 3_600_000;
const chunkRows = 500;
/** Between chunks, so that the writer serves others most of the time. */
const restMs = 50;

export interface ForgetDependencies {
  readonly retention: RetentionStore;
  readonly clock: Clock;
  readonly keep: { readonly eventsMs: number; readonly bodiesMs: number; readonly statisticsMs: number };
  readonly logger: Logger;
  /** Runs before each round: who waits for old events is told that they go. */
  readonly tellOfExpiring: () => Promise<void>;
}

/** One round: removes until nothing old is left. @returns how much went */
export async function forgetOld(dependencies: ForgetDependencies, signal: AbortSignal): Promise<number> {
  const { retention, clock, keep } = dependencies;
  let total = 0;
  while (!signal.aborted) {
    const nowMs = clock.now();
    const removed = await retention.prune({
      eventsBeforeMs: nowMs - keep.eventsMs,
      bodiesBeforeMs: nowMs - keep.bodiesMs,
      statisticsBeforeMs: nowMs - keep.statisticsMs,
      nowMs,
      limit: chunkRows,
    });
    if (removed === 0) break;
    total += removed;
    await clock.sleep(restMs, signal);
  }
  return total;
}

export function startForgetting(dependencies: ForgetDependencies): AsyncDisposable {
  const stop = new AbortController();
  const run = async () => {
    while (!stop.signal.aborted) {
      try {
        await dependencies.tellOfExpiring();
        const removed = await forgetOld(dependencies, stop.signal);
        if (removed > 0) dependencies.logger.info({ removed }, 'what was old is removed');
      } catch (error) {
        dependencies.logger.error({ err: error }, 'removing old rows failed, tried again in the next round');
      }
      await dependencies.clock.sleep(roundEveryMs, stop.signal);
    }
  };
  const running = run();
  return {
    async [Symbol.asyncDispose]() {
      stop.abort();
      await running;
    },
  };
}
