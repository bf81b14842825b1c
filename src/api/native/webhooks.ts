/** `/api/webhooks`: endpoints with their dialect, event types and batches; what they are doing; trying them out. */
import { Type } from 'typebox';
import type { EventLog } from '../../store/contract/log.ts';
import type { BatchLimits, Webhook, WebhookAttempt, WebhookStore } from '../../store/contract/webhooks.ts';
import { EndpointRefusedError, type Endpoints } from '../../webhooks/endpoints.ts';
import type { App } from '../app.ts';
import { ApiError } from '../errors.ts';
import {
  createdAnswer,
  detailAnswer,
  maxCountedEvents,
  newWebhook,
  trialAnswer,
  webhookAnswer,
  webhookChange,
  webhookParams as params,
} from './webhook-schemas.ts';

export interface WebhookRouteDependencies {
  readonly endpoints: Endpoints;
  readonly webhooks: WebhookStore;
  readonly log: EventLog;
}

const tags = ['webhooks'];

export function webhookRoutes(app: App, dependencies: WebhookRouteDependencies): void {
  settingRoutes(app, dependencies);
  lookingRoutes(app, dependencies);
  trialRoute(app, dependencies);
}

function settingRoutes(app: App, { endpoints, webhooks }: WebhookRouteDependencies): void {
  app.post(
    '/api/webhooks',
    {
      schema: {
        tags,
        summary: 'Make a webhook',
        description: 'It gets the events that happen from now on.',
        body: newWebhook,
        response: { 201: createdAnswer },
      },
    },
    async (request, reply) => {
      const { batch, ...input } = request.body;
      const { webhook, secret } = await refused(
        endpoints.create(request.account.id, { ...input, batch: toLimits(batch) }),
      );
      reply.code(201);
      return { ...toJson(webhook), secret };
    },
  );

  app.patch(
    '/api/webhooks/:id',
    {
      schema: {
        tags,
        summary: 'Change a webhook',
        description: 'What is left out stays. It goes on where it was; `options` are set as a whole.',
        params,
        body: webhookChange,
        response: { 200: webhookAnswer },
      },
    },
    async (request) => {
      const { batch, ...input } = request.body;
      const change = endpoints.change(request.account.id, request.params.id, {
        ...input,
        batch: toLimits(batch),
      });
      return toJson(found(await refused(change)));
    },
  );

  app.delete(
    '/api/webhooks/:id',
    { schema: { tags, summary: 'Delete a webhook', params, response: { 204: Type.Null() } } },
    async (request, reply) => {
      const removed = await webhooks.remove({ accountId: request.account.id, webhookId: request.params.id });
      if (!removed) throw noSuchWebhook();
      return reply.code(204).send(null);
    },
  );
}

function lookingRoutes(app: App, { webhooks, log }: WebhookRouteDependencies): void {
  app.get(
    '/api/webhooks',
    {
      schema: {
        tags,
        summary: 'List webhooks',
        response: { 200: Type.Object({ webhooks: Type.Array(webhookAnswer) }) },
      },
    },
    async (request) => ({ webhooks: (await webhooks.list(request.account.id)).map(toJson) }),
  );

  app.get(
    '/api/webhooks/:id',
    { schema: { tags, summary: 'A webhook, and what it is doing', params, response: { 200: detailAnswer } } },
    async (request) => {
      const accountId = request.account.id;
      const webhook = found(await webhooks.byId(accountId, request.params.id));
      const { cursorId } = webhook.progress;
      const [waiting, attempts] = await Promise.all([
        log.countAfter({ accountId, afterId: cursorId, types: webhook.types, cap: maxCountedEvents }),
        webhooks.attempts(accountId, webhook.id),
      ]);
      return {
        ...toJson(webhook),
        cursor: cursorId,
        waiting_events: waiting,
        last_requests: attempts.map(attemptToJson),
      };
    },
  );
}

function trialRoute(app: App, { endpoints, webhooks }: WebhookRouteDependencies): void {
  app.post(
    '/api/webhooks/:id/test',
    {
      schema: {
        tags,
        summary: 'Try a webhook out',
        description:
          'Sends a sample of each of its event types to its URL now, with the header `aftersend-test: true`, and says what came back.',
        params,
        response: { 200: trialAnswer },
      },
    },
    async (request) => {
      const webhook = found(await webhooks.byId(request.account.id, request.params.id));
      const gone = new AbortController();
      const abort = () => gone.abort();
      request.raw.socket.once('close', abort);
      const results = await endpoints.test(webhook, gone.signal);
      request.raw.socket.off('close', abort);
      return {
        requests: results.map(({ types, body, status, answer, durationMs }) => ({
          types: [...types],
          body,
          status,
          answer,
          duration_ms: durationMs,
        })),
      };
    },
  );
}

const noSuchWebhook = (): ApiError => new ApiError(404, 'not-found', 'no such webhook');

function found<T>(webhook: T | undefined): T {
  if (webhook === undefined) throw noSuchWebhook();
  return webhook;
}

/** What an endpoint was refused for, as the API says it. */
async function refused<T>(work: Promise<T>): Promise<T> {
  try {
    return await work;
  } catch (error) {
    if (!(error instanceof EndpointRefusedError)) throw error;
    throw new ApiError(422, 'invalid', error.message, error.field);
  }
}

function toLimits(
  batch: { count?: number; age_seconds?: number; bytes?: number } | undefined,
): Partial<BatchLimits> | undefined {
  if (batch === undefined) return undefined;
  const { count, age_seconds: ageSeconds, bytes } = batch;
  return {
    ...(count !== undefined && { count }),
    ...(ageSeconds !== undefined && { ageMs: Math.round(ageSeconds * 1000) }),
    ...(bytes !== undefined && { bytes }),
  };
}

const iso = (ms: number): string => new Date(ms).toISOString();
const isoOrNull = (ms: number | undefined): string | null => (ms === undefined ? null : iso(ms));

function toJson(webhook: Webhook) {
  const { failingSinceMs, lastAcceptedAtMs, inFlight } = webhook.progress;
  const failing = failingSinceMs !== undefined;
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
    made_by: webhook.origin,
    state: webhook.paused ? 'paused' : failing ? 'failing' : 'active',
    failing_since: isoOrNull(failingSinceMs),
    next_try_at: isoOrNull(failing && !webhook.paused ? inFlight?.nextTryAtMs : undefined),
    last_accepted_at: isoOrNull(lastAcceptedAtMs),
    requests: webhook.counts,
    created_at: iso(webhook.createdAtMs),
    changed_at: iso(webhook.changedAtMs),
  };
}

function attemptToJson(attempt: WebhookAttempt) {
  return {
    at: iso(attempt.atMs),
    duration_ms: attempt.durationMs,
    batch_id: attempt.batchId,
    first_event: attempt.firstId,
    last_event: attempt.lastId,
    events: attempt.events,
    accepted: attempt.accepted,
    status: attempt.status,
    answer: attempt.answer,
  };
}
