/** Where a stream reads its events: the log as it grows, or what a replay chose of it. */
import type { EventType } from '../events/types.ts';
import type { EventLog, LogPage } from '../store/contract/log.ts';
import type { StreamProgress } from '../store/contract/webhook-progress.ts';
import type { ReplaySelection, Webhook, WebhookStore } from '../store/contract/webhooks.ts';

/**
 * How many events one read may return: a batch, within these. Where each event is a request of its own, more would lie in
 * memory for long, and what grows old there is what the garbage collector works on.
 */
const leastPageEvents = 100;
const mostPageEvents = 1000;
/** How many it may look over for them. */
const pageScan = 5000;

/** The wanted events after an id, in the order of the log, at most a page of them. */
export type Source = (afterId: number) => Promise<LogPage>;

/** What a sender sends. */
export interface Stream {
  readonly webhook: Webhook;
  /** In which the progress was read. */
  readonly turn: number;
  readonly progress: StreamProgress;
  readonly source: Source;
  /** Undefined for the live stream, which has no end. */
  readonly replay: { readonly id: number; readonly isOfSetAside: boolean } | undefined;
}

export function liveSource(
  log: Pick<EventLog, 'readAfter'>,
  { accountId, types, limits }: Pick<Webhook, 'accountId' | 'types' | 'limits'>,
): Source {
  const limit = Math.min(Math.max(limits.count, leastPageEvents), mostPageEvents);
  return (afterId) => log.readAfter({ accountId, afterId, types, limit, scanLimit: pageScan });
}

export function replaySource(
  stores: { readonly log: EventLog; readonly webhooks: WebhookStore },
  webhook: Webhook,
  selection: ReplaySelection,
): Source {
  switch (selection.kind) {
    case 'log': {
      const read = liveSource(stores.log, webhook);
      const { lastId, fromMs = -Infinity, toMs = Infinity } = selection;
      return async (afterId) => {
        const page = await read(afterId);
        const within = page.events.filter(
          ({ id, timeMs }) => id <= lastId && timeMs >= fromMs && timeMs < toMs,
        );
        return { events: within, scannedTo: page.scannedTo, atEnd: page.atEnd || page.scannedTo >= lastId };
      };
    }
    case 'message':
      return async (afterId) => {
        const story = await stores.log.ofMessage(webhook.accountId, selection.messageId);
        const wanted = new Set<EventType>(webhook.types);
        const events = story
          .filter(({ id, type }) => id > afterId && id <= selection.lastId && wanted.has(type))
          .toSorted((a, b) => a.id - b.id);
        return { events, scannedTo: selection.lastId, atEnd: true };
      };
    case 'set-aside':
      return async (afterId) => {
        const kept = await stores.webhooks.setAside({
          accountId: webhook.accountId,
          webhookId: webhook.id,
          afterId,
          limit: mostPageEvents,
        });
        const events = kept.map(({ event }) => event).filter(({ id }) => id <= selection.lastId);
        const scannedTo = events.at(-1)?.id ?? selection.lastId;
        return { events, scannedTo, atEnd: kept.length < mostPageEvents || events.length < kept.length };
      };
  }
}
