/**
 * Before any event that an endpoint has not had is dropped, its owner is told. A round is run before old events are
 * removed; it looks further ahead than the owner is told again, so that nothing goes untold.
 */
import type { Clock } from '../platform/clock.ts';
import type { EventLog } from '../store/contract/log.ts';
import type { WebhookStore } from '../store/contract/webhooks.ts';
import { oldestWaiting } from './look.ts';
import { expiringNotice } from './notices.ts';

const dayMs = 86_400_000;
/** How long before it goes the owner is told of an event; and how often, while that goes on. */
const tellAheadMs = 2 * dayMs;
const tellEveryMs = dayMs;
/** Endpoints that one statement looks at. */
const lookedAtOnce = 1000;

interface ExpiryDependencies {
  readonly webhooks: Pick<WebhookStore, 'expiring' | 'tellExpiring'>;
  readonly log: EventLog;
  readonly clock: Clock;
}

/** @param keepMs how long events are kept; with less than twice the warning, half of it is warning */
export async function tellOfExpiring(
  { webhooks, log, clock }: ExpiryDependencies,
  keepMs: number,
): Promise<void> {
  const nowMs = clock.now();
  const aheadMs = Math.min(tellAheadMs, keepMs / 2);
  const everyMs = Math.min(tellEveryMs, aheadMs / 2);
  const notSinceMs = nowMs - everyMs;
  const which = { limit: lookedAtOnce, eventsBeforeMs: nowMs + aheadMs - keepMs, notToldSinceMs: notSinceMs };
  for (let afterId: number | undefined = 0; afterId !== undefined; ) {
    const found = await webhooks.expiring({ afterId, ...which });
    for (const webhook of found.webhooks) {
      // What it does not want may go.
      const oldest = await oldestWaiting(log, webhook);
      if (oldest === undefined || oldest.timeMs > which.eventsBeforeMs) continue;
      const dropsAtMs = oldest.timeMs + keepMs;
      const notice = expiringNotice(webhook, { oldestMs: oldest.timeMs, dropsAtMs, atMs: nowMs });
      await webhooks.tellExpiring({ webhookId: webhook.id, notice, notSinceMs });
    }
    afterId = found.lookedTo;
  }
}
