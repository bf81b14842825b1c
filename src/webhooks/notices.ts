/** What an endpoint's owner is told of its trouble, and when: pure, in words for a person. */
import type { NewNotice } from '../store/contract/webhook-progress.ts';
import type { Webhook } from '../store/contract/webhooks.ts';

const hourMs = 3_600_000;

/** After so long of failing the owner is told, and after the last of them the endpoint is switched off. */
const toldAfterMs = [6 * hourMs, 24 * hourMs] as const;
const pausedAfterMs = 5 * 24 * hourMs;

/** What comes next for an endpoint that goes on failing, undefined if nothing does. */
export function nextNotice(
  failingSinceMs: number | undefined,
  noticedMs: number,
): { readonly atMs: number; readonly afterMs: number; readonly pauses: boolean } | undefined {
  if (failingSinceMs === undefined) return undefined;
  const afterMs = [...toldAfterMs, pausedAfterMs].find((step) => step > noticedMs);
  if (afterMs === undefined) return undefined;
  return { atMs: failingSinceMs + afterMs, afterMs, pauses: afterMs === pausedAfterMs };
}

const named = ({ id, url }: Pick<Webhook, 'id' | 'url'>): string => {
  // A query may hold a secret.
  const { origin, pathname } = new URL(url);
  return `Webhook ${id} (${origin}${pathname})`;
};
const time = (ms: number): string => new Date(ms).toISOString();
const goesOn = 'Nothing is lost: switched on again, it goes on from where it stopped.';

export function failingNotice(webhook: Webhook, sinceMs: number, afterMs: number, atMs: number): NewNotice {
  const hours = Math.round(afterMs / hourMs);
  const text =
    `${named(webhook)} has been failing for ${hours} hours, since ${time(sinceMs)}. Its events wait and are sent in ` +
    `order when it takes them again. After ${pausedAfterMs / 24 / hourMs} days it is switched off.`;
  return { kind: 'failing', atMs, text };
}

export function pausedNotice(webhook: Webhook, sinceMs: number, atMs: number): NewNotice {
  const text = `${named(webhook)} has been failing since ${time(sinceMs)} and was switched off. ${goesOn}`;
  return { kind: 'paused', atMs, text };
}

export function goneNotice(webhook: Webhook, atMs: number): NewNotice {
  return {
    kind: 'paused',
    atMs,
    text: `${named(webhook)} answered 410 Gone and was switched off. ${goesOn}`,
  };
}

export function expiringNotice(
  webhook: Webhook,
  facts: { readonly oldestMs: number; readonly dropsAtMs: number; readonly atMs: number },
): NewNotice {
  const text =
    `${named(webhook)} has not had events from ${time(facts.oldestMs)} on. They are kept until ` +
    `${time(facts.dropsAtMs)}; after that they go, and younger ones follow as they reach that age.`;
  return { kind: 'expiring', atMs: facts.atMs, text };
}
