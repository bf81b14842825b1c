/** What owners look at: how far behind an endpoint is, how it does, what was in a request, who had an event. */
import type { LoggedEvent } from '../events/types.ts';
import { turnOfTheLoop } from '../platform/turn.ts';
import type { EventLog } from '../store/contract/log.ts';
import type { WebhookAttempt } from '../store/contract/webhook-progress.ts';
import type { FoundRange, ReplayStore, Webhook, WebhookStore } from '../store/contract/webhooks.ts';
import { collectAgain, Recipe } from './collect.ts';
import { dialects } from './dialects.ts';
import { liveSource, replaySource } from './sources.ts';

export interface LookStores {
  readonly log: EventLog;
  readonly webhooks: WebhookStore;
  readonly replays: ReplayStore;
}

/** The oldest event that an endpoint wants and has not had, undefined if it has had all. */
export async function oldestWaiting(log: EventLog, webhook: Webhook): Promise<LoggedEvent | undefined> {
  const { accountId, types, progress } = webhook;
  for (let afterId = progress.cursorId; ; ) {
    const page = await log.readAfter({ accountId, afterId, types, limit: 1, scanLimit: 5_000 });
    if (page.events[0] !== undefined || page.atEnd) return page.events[0];
    afterId = page.scannedTo;
    await turnOfTheLoop();
  }
}

/** Beyond it, how many events wait is said as this number. */
export const maxCountedEvents = 10_000;

/** How far an endpoint is behind: events that it wants and has not had, and the age of the oldest. */
export async function lagOf(
  log: EventLog,
  webhook: Webhook,
  nowMs: number,
): Promise<{ readonly waitingEvents: number; readonly lagMs: number }> {
  const { accountId, types, progress } = webhook;
  const [waitingEvents, oldest] = await Promise.all([
    log.countAfter({ accountId, afterId: progress.cursorId, types, cap: maxCountedEvents }),
    oldestWaiting(log, webhook),
  ]);
  return { waitingEvents, lagMs: oldest === undefined ? 0 : Math.max(0, nowMs - oldest.timeMs) };
}

export interface Performance {
  /** Of the requests since the endpoint was made, undefined if there were none. */
  readonly successRate: number | undefined;
  /** Of the kept requests that were answered, in milliseconds. */
  readonly latency: { readonly p50: number; readonly p90: number; readonly p99: number } | undefined;
}

export function performanceOf({ counts }: Webhook, attempts: readonly WebhookAttempt[]): Performance {
  const total = counts.accepted + counts.failed;
  const durations = attempts
    .filter(({ status }) => status > 0)
    .map(({ durationMs }) => durationMs)
    .toSorted((a, b) => a - b);
  const at = (share: number) =>
    durations[Math.min(durations.length - 1, Math.ceil(share * durations.length) - 1)] ?? 0;
  return {
    successRate: total === 0 ? undefined : counts.accepted / total,
    latency: durations.length === 0 ? undefined : { p50: at(0.5), p90: at(0.9), p99: at(0.99) },
  };
}

/** The body of a kept request, made again; undefined if the settings have changed since or its events are gone. */
export async function bodyAgain(
  stores: LookStores,
  webhook: Webhook,
  attempt: WebhookAttempt,
): Promise<string | undefined> {
  if (attempt.settingsVersion !== webhook.settingsVersion || attempt.firstId === 0) return undefined;
  const { replayId, firstId, lastId, events, firstNumber, only } = attempt;
  const replays = replayId === 0 ? [] : await stores.replays.list(webhook.accountId, webhook.id);
  const replay = replays.find(({ id }) => id === replayId);
  if (replayId !== 0 && replay === undefined) return undefined;
  const source =
    replay === undefined ? liveSource(stores.log, webhook) : replaySource(stores, webhook, replay.selection);
  const range = { firstId, lastId, events, firstNumber, only };
  const batch = await collectAgain(source, new Recipe(webhook, replayId), range);
  return batch?.body.toString('utf8');
}

/** An endpoint that had an event. */
export interface Recipient {
  readonly webhookId: number;
  readonly replayId: number;
  readonly batchId: string;
  /** When its request was taken; of single events that followed one another, between these two. */
  readonly fromMs: number;
  readonly toMs: number;
}

export async function whoHad(stores: LookStores, event: LoggedEvent): Promise<readonly Recipient[]> {
  const ranges = await stores.webhooks.rangesOver(event.accountId, event.id);
  const replays = new Map<number, ReadonlySet<number>>();
  const found: Recipient[] = [];
  for (const range of ranges) {
    if (!wasIn(range, event)) continue;
    if (range.replayId !== 0 && !(await wasReplayed(stores, range, event, replays))) continue;
    const { webhookId, replayId, fromMs, toMs } = range;
    found.push({ webhookId, replayId, batchId: batchIdOf(range, event), fromMs, toMs });
  }
  return found;
}

function wasIn({ settings, only, except }: FoundRange, event: LoggedEvent): boolean {
  if (only !== undefined && !only.includes(event.id)) return false;
  if (except?.includes(event.id) === true) return false;
  if (settings === undefined) return false;
  const dialect = dialects.get(settings.dialect);
  if (dialect === undefined || !settings.types.includes(event.type)) return false;
  const options = JSON.parse(settings.optionsJson) as Record<string, unknown>;
  return dialect.write(event, options, { webhookId: 0, number: 1, replayId: 0 }) !== undefined;
}

/** A replay of a message, a time or the set-aside ones passes over others that lie between. */
async function wasReplayed(
  stores: LookStores,
  { webhookId, replayId, firstId, lastId, events }: FoundRange,
  event: LoggedEvent,
  known: Map<number, ReadonlySet<number>>,
): Promise<boolean> {
  if (firstId === lastId && events === 1) return true;
  let messages = known.get(replayId);
  if (messages === undefined) {
    const all = await stores.replays.list(event.accountId, webhookId);
    const selection = all.find(({ id }) => id === replayId)?.selection;
    messages = new Set(selection?.kind === 'message' ? [selection.messageId] : []);
    known.set(replayId, messages);
    if (selection?.kind === 'log') {
      const { fromMs = -Infinity, toMs = Infinity } = selection;
      return event.timeMs >= fromMs && event.timeMs < toMs;
    }
  }
  return messages.size === 0 || messages.has(event.messageId);
}

function batchIdOf(range: FoundRange, event: LoggedEvent): string {
  const { webhookId, replayId, settingsVersion, requests, firstId, lastId } = range;
  const stream = replayId === 0 ? `${webhookId}` : `${webhookId}r${replayId}`;
  const [first, last] = requests === 1 ? [firstId, lastId] : [event.id, event.id];
  return `${stream}-${settingsVersion}-${first}-${last}`;
}
