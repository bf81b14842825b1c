/** Digests: when one is due, and the request that carries it. Pure. */
import type { ClosedDigest, DigestState } from '../store/contract/webhook-progress.ts';
import type { DigestPeriod, Webhook } from '../store/contract/webhooks.ts';
import type { Batch, Recipe } from './collect.ts';
import { freshDigest } from './transitions.ts';

const periodMs: Readonly<Record<Exclude<DigestPeriod, 'off'>, number>> = {
  hour: 3_600_000,
  day: 24 * 3_600_000,
};

/** Periods begin with the hour or the day in UTC. */
export function nextDigestAtMs(digest: DigestState | undefined, period: DigestPeriod): number {
  if (period === 'off' || digest === undefined) return Infinity;
  const length = periodMs[period];
  return (Math.floor(digest.sinceMs / length) + 1) * length;
}

/** What goes on being counted, or begins now; undefined for an endpoint that is to have no digests. */
export function digestToBegin({ sending, progress }: Webhook, nowMs: number): DigestState | undefined {
  return sending.digest === 'off' ? undefined : (progress.digest ?? freshDigest(nowMs));
}

/** Closes the period at its end, or at the last one if several have gone by. */
export function closeDue(
  digest: DigestState | undefined,
  period: DigestPeriod,
  nowMs: number,
): DigestState | undefined {
  if (period === 'off' || digest === undefined) return digest;
  const untilMs = Math.floor(nowMs / periodMs[period]) * periodMs[period];
  const { due: _, ...counted } = digest;
  return { ...freshDigest(untilMs), due: { ...counted, untilMs } };
}

/** The request that carries it: it holds no event. */
export function digestBatch({ webhook, dialect, options }: Recipe, digest: ClosedDigest): Batch {
  const id = `${webhook.id}-digest-${digest.untilMs}`;
  const facts = { ...digest, id, accountId: webhook.accountId, webhookId: webhook.id };
  const body = Buffer.from(dialect.writeDigest?.(facts, options) ?? '');
  return { id, firstId: 0, lastId: 0, events: 0, firstNumber: 0, items: [], body };
}
