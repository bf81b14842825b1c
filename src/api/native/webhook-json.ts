/** Webhook endpoints, requests and replays as the native API shows them. */
import type { SetAsideEvent, WebhookAttempt } from '../../store/contract/webhook-progress.ts';
import type { Notice, Replay, Webhook } from '../../store/contract/webhooks.ts';
import type { Recipient } from '../../webhooks/look.ts';
import type { MaskedAccess } from '../../webhooks/vault.ts';
import { eventShape } from './event-shape.ts';
import { isoTime, isoTimeOrNull } from './shapes.ts';

export function webhookState({ pausedBy, progress }: Webhook): 'active' | 'failing' | 'paused' {
  if (pausedBy !== undefined) return 'paused';
  return progress.failingSinceMs === undefined ? 'active' : 'failing';
}

export function webhookJson(webhook: Webhook, access: MaskedAccess) {
  const { failingSinceMs, lastAcceptedAtMs, nextTryAtMs, failures } = webhook.progress;
  const { pausedBy, sending } = webhook;
  const isFailing = failingSinceMs !== undefined;
  return {
    id: webhook.id,
    url: webhook.url,
    dialect: webhook.dialect,
    types: [...webhook.types],
    options: JSON.parse(webhook.optionsJson) as Record<string, unknown>,
    batch: {
      count: webhook.limits.count,
      age_seconds: webhook.limits.ageMs / 1000,
      bytes: webhook.limits.bytes,
    },
    sending: {
      gzip: sending.gzip,
      requests_at_once: sending.requests,
      partial_acknowledgement: sending.partialAck,
      signatures: [...sending.signatures],
      digest: sending.digest,
    },
    authentication: access.authentication,
    headers: access.headers,
    mutual_tls: access.mutualTls && {
      subject: access.mutualTls.subject,
      valid_until: access.mutualTls.validUntil,
    },
    signing_keys: webhook.keys.map(({ kind, publicKey, createdAtMs, expiresAtMs }) => ({
      kind,
      public_key: publicKey === '' ? null : publicKey,
      created_at: isoTime(createdAtMs),
      expires_at: isoTimeOrNull(expiresAtMs),
    })),
    made_by: webhook.origin,
    state: webhookState(webhook),
    paused_by: pausedBy ?? null,
    failing_since: isoTimeOrNull(failingSinceMs),
    failures_in_a_row: failures,
    next_try_at: isoTimeOrNull(
      isFailing && pausedBy === undefined && nextTryAtMs > 0 ? nextTryAtMs : undefined,
    ),
    last_accepted_at: isoTimeOrNull(lastAcceptedAtMs),
    requests: webhook.counts,
    created_at: isoTime(webhook.createdAtMs),
    changed_at: isoTime(webhook.changedAtMs),
  };
}

export function attemptJson(attempt: WebhookAttempt) {
  const { timings } = attempt;
  return {
    at: isoTime(attempt.atMs),
    duration_ms: attempt.durationMs,
    timings: {
      dns_ms: timings.dnsMs ?? null,
      connect_ms: timings.connectMs ?? null,
      tls_ms: timings.tlsMs ?? null,
      first_byte_ms: timings.firstByteMs ?? null,
    },
    batch_id: attempt.batchId,
    replay: attempt.replayId === 0 ? null : attempt.replayId,
    first_event: attempt.firstId,
    last_event: attempt.lastId,
    events: attempt.events,
    accepted: attempt.accepted,
    status: attempt.status,
    answer: attempt.answer,
  };
}

/** Name and value in turn, as an object. */
export const headersJson = (headers: readonly string[]): Record<string, string> =>
  Object.fromEntries(
    headers.flatMap((name, index) => (index % 2 === 0 ? [[name, headers[index + 1] ?? '']] : [])),
  );

export const setAsideJson = ({ event, number, atMs, batchId, status, answer }: SetAsideEvent) => ({
  event: eventShape(event),
  number,
  at: isoTime(atMs),
  batch_id: batchId,
  status,
  answer,
});

export const replayJson = ({ id, selection, state, createdAtMs, finishedAtMs, progress }: Replay) => ({
  id,
  state,
  kind: selection.kind,
  events_sent: progress.number,
  failing_since: isoTimeOrNull(progress.failingSinceMs),
  created_at: isoTime(createdAtMs),
  finished_at: isoTimeOrNull(finishedAtMs),
});

export const noticeJson = ({ kind, atMs, text }: Notice) => ({ kind, at: isoTime(atMs), text });

export const recipientJson = ({ webhookId, replayId, batchId, fromMs, toMs }: Recipient) => ({
  webhook: webhookId,
  replay: replayId === 0 ? null : replayId,
  batch_id: batchId,
  taken_from: isoTime(fromMs),
  taken_to: isoTime(toMs),
});
