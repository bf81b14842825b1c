/**
 * Replays: a stretch of the log, one message or what was set aside, sent to an endpoint again beside its live stream.
 * Says what a replay would send; sends nothing itself.
 */
import type { Clock } from '../platform/clock.ts';
import { turnOfTheLoop } from '../platform/turn.ts';
import type { EventLog } from '../store/contract/log.ts';
import type {
  Replay,
  ReplaySelection,
  ReplayStore,
  Webhook,
  WebhookStore,
} from '../store/contract/webhooks.ts';
import { Recipe } from './collect.ts';
import { EndpointRefusedError } from './settings.ts';
import { replaySource } from './sources.ts';

/** Running at a time for an endpoint. */
const maxRunning = 5;
/** Beyond it, how many events a replay would send is said as this number. */
export const maxCountedForReplay = 100_000;
/** Events are stored nearly in the order in which they happened: this far they may be off. */
const disorderMs = 3_600_000;

/** What an owner asks for. */
export type ReplayWish =
  | { readonly what: 'time'; readonly fromMs: number; readonly toMs?: number | undefined }
  | { readonly what: 'message'; readonly messageId: number }
  | { readonly what: 'set-aside' }
  | { readonly what: 'since-last-success' };

export interface Replays {
  /** @returns how many events it would send, counted up to `maxCountedForReplay` */
  count(webhook: Webhook, wish: ReplayWish): Promise<number>;
  /** @throws EndpointRefusedError when too many run */
  start(webhook: Webhook, wish: ReplayWish): Promise<Replay>;
}

interface ReplayDependencies {
  readonly log: EventLog;
  readonly webhooks: WebhookStore;
  readonly replays: ReplayStore;
  readonly clock: Clock;
}

export function createReplays(deps: ReplayDependencies): Replays {
  const { log, replays, clock } = deps;
  return {
    async count(webhook, wish) {
      const selection = await selectionOf(log, webhook, wish);
      const source = replaySource(deps, webhook, selection);
      const recipe = new Recipe(webhook);
      let count = 0;
      let afterId = selection.kind === 'log' ? selection.afterId : 0;
      for (;;) {
        const page = await source(afterId);
        count += page.events.filter((event) => recipe.write(event, 1) !== undefined).length;
        if (page.atEnd || count >= maxCountedForReplay) return Math.min(count, maxCountedForReplay);
        afterId = page.scannedTo;
        await turnOfTheLoop();
      }
    },

    async start(webhook, wish) {
      const { accountId, id: webhookId } = webhook;
      const selection = await selectionOf(log, webhook, wish);
      const replay = await replays.create({
        accountId,
        webhookId,
        selection,
        limit: maxRunning,
        atMs: clock.now(),
      });
      if (replay === undefined) {
        throw new EndpointRefusedError(
          '',
          `no more than ${maxRunning} replays of a webhook may run at a time`,
        );
      }
      return replay;
    },
  };
}

async function selectionOf(log: EventLog, webhook: Webhook, wish: ReplayWish): Promise<ReplaySelection> {
  const { accountId, progress, createdAtMs } = webhook;
  const lastId = await log.lastId(accountId);
  switch (wish.what) {
    case 'set-aside':
      return { kind: 'set-aside', lastId };
    case 'message':
      return { kind: 'message', messageId: wish.messageId, lastId };
    case 'since-last-success': {
      const fromMs = progress.lastAcceptedAtMs ?? createdAtMs;
      return { kind: 'log', afterId: await lastBefore(log, accountId, lastId, fromMs), lastId, fromMs };
    }
    case 'time': {
      const { fromMs, toMs } = wish;
      const afterId = await lastBefore(log, accountId, lastId, fromMs);
      const endId =
        toMs === undefined ? lastId : await lastBefore(log, accountId, lastId, toMs + 2 * disorderMs);
      return { kind: 'log', afterId, lastId: endId, fromMs, toMs };
    }
  }
}

/** An id with nothing after it that happened before the time, give or take the disorder; by halving the log. */
async function lastBefore(log: EventLog, accountId: number, lastId: number, timeMs: number): Promise<number> {
  let low = 0;
  let high = lastId;
  while (low < high) {
    const middle = Math.floor((low + high) / 2);
    const page = await log.readAfter({ accountId, afterId: middle, limit: 1, scanLimit: 1 });
    const [event] = page.events;
    if (event !== undefined && event.timeMs < timeMs - disorderMs) low = Math.max(event.id, middle + 1);
    else high = middle;
  }
  return low;
}
