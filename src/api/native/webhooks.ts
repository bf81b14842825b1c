/** `/api/webhooks`: endpoints with their dialect, event types and batches; what they are doing; trying them out. */
import { Type } from 'typebox';
import { type EventType, eventTypes } from '../../events/types.ts';
import type { EventLog } from '../../store/contract/log.ts';
import type { BatchLimits, Webhook, WebhookAttempt, WebhookStore } from '../../store/contract/webhooks.ts';
import { dialects } from '../../webhooks/dialects.ts';
import { batchBounds, EndpointRefusedError, type Endpoints } from '../../webhooks/endpoints.ts';
import type { App } from '../app.ts';
import { ApiError } from '../errors.ts';

export interface WebhookRouteDependencies {
  readonly endpoints: Endpoints;
  readonly webhooks: WebhookStore;
  readonly log: EventLog;
}

/** Beyond it, how many events wait is said as this number. */
const maxCountedEvents = 10_000;

const isoTime = Type.String({ format: 'date-time' });
const orNull = <T extends Parameters<typeof Type.Union>[0][number]>(schema: T) =>
  Type.Union([schema, Type.Null()]);

const types = Type.Array(Type.Union(eventTypes.map((type) => Type.Literal(type))), {
  minItems: 1,
  maxItems: 50,
  description:
    'Which events it gets, by their canonical names. All that its dialect can tell of when left out.',
  examples: [['delivered', 'bounced']],
});
const dialect = Type.String({
  maxLength: 50,
  description: [...dialects.values()].map(({ name, description }) => `\`${name}\`: ${description}`).join(' '),
  examples: ['sendpulse'],
});
const url = Type.String({
  maxLength: 2048,
  description:
    'http or https, ports 80, 443 and most from 1024 on; public addresses only, unless the operator allows more.',
  examples: ['https://example.com/webhook'],
});
const options = Type.Record(Type.String({ maxLength: 50 }), Type.Unknown(), {
  maxProperties: 20,
  description: 'Options of its dialect, see the dialect’s page.',
  examples: [{ unsubscribed_details: true }],
});
const batch = Type.Object(
  {
    count: Type.Optional(
      Type.Integer({ ...batchBounds.count, description: 'As soon as so many events wait.' }),
    ),
    age_seconds: Type.Optional(
      Type.Number({
        minimum: batchBounds.ageMs.minimum / 1000,
        maximum: batchBounds.ageMs.maximum / 1000,
        description: 'Or when the first of them has waited so long.',
      }),
    ),
    bytes: Type.Optional(
      Type.Integer({ ...batchBounds.bytes, description: 'Or when the body has grown to it.' }),
    ),
  },
  {
    additionalProperties: false,
    description: 'When a request is sent; the dialect’s own limits when left out.',
  },
);

const webhookFields = {
  id: Type.Integer(),
  url: Type.String(),
  dialect: Type.String(),
  types: Type.Array(Type.String()),
  options: Type.Record(Type.String(), Type.Unknown()),
  batch: Type.Object({ count: Type.Integer(), age_seconds: Type.Number(), bytes: Type.Integer() }),
  made_by: Type.String({ description: '`native`, or `msndr` for the one that /v1/email/webhook sets.' }),
  state: Type.String({
    description: '`active`, `failing` (what was sent last was not taken, it is tried again) or `paused`.',
  }),
  failing_since: orNull(isoTime),
  next_try_at: orNull(isoTime),
  last_accepted_at: orNull(isoTime),
  requests: Type.Object({ accepted: Type.Integer(), failed: Type.Integer() }),
  created_at: isoTime,
  changed_at: isoTime,
};
const webhookAnswer = Type.Object(webhookFields);
const createdAnswer = Type.Object({
  ...webhookFields,
  secret: Type.String({ description: 'Signs its requests (Standard Webhooks). Shown this once.' }),
});
const detailAnswer = Type.Object({
  ...webhookFields,
  cursor: Type.Integer({ description: 'Every event up to and with this id was taken.' }),
  waiting_events: Type.Integer({ description: `Events that wait, counted up to ${maxCountedEvents}.` }),
  last_requests: Type.Array(
    Type.Object({
      at: isoTime,
      duration_ms: Type.Integer(),
      batch_id: Type.String({ description: 'The request’s `webhook-id` header.' }),
      first_event: Type.Integer(),
      last_event: Type.Integer(),
      events: Type.Integer(),
      accepted: Type.Boolean(),
      status: Type.Integer({ description: '0 if no answer came.' }),
      answer: Type.String({ description: 'The beginning of its body, or why there was none.' }),
    }),
    { description: 'Newest first; the last hundred that were taken and the last hundred that were not.' },
  ),
});
const trialAnswer = Type.Object({
  requests: Type.Array(
    Type.Object({
      types: Type.Array(Type.String()),
      body: Type.String(),
      status: Type.Integer({ description: '0 if no answer came.' }),
      answer: Type.String(),
      duration_ms: Type.Integer(),
    }),
  ),
});
const params = Type.Object({ id: Type.Integer({ minimum: 1, maximum: Number.MAX_SAFE_INTEGER }) });
const tags = ['webhooks'];

export function webhookRoutes(app: App, { endpoints, webhooks, log }: WebhookRouteDependencies): void {
  app.post(
    '/api/webhooks',
    {
      schema: {
        tags,
        summary: 'Make a webhook',
        description: 'It gets the events that happen from now on.',
        body: Type.Object(
          {
            url,
            dialect,
            types: Type.Optional(types),
            options: Type.Optional(options),
            batch: Type.Optional(batch),
          },
          { additionalProperties: false },
        ),
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

  app.patch(
    '/api/webhooks/:id',
    {
      schema: {
        tags,
        summary: 'Change a webhook',
        description: 'What is left out stays. It goes on where it was; `options` are set as a whole.',
        params,
        body: Type.Object(
          {
            url: Type.Optional(url),
            dialect: Type.Optional(dialect),
            types: Type.Optional(types),
            options: Type.Optional(options),
            batch: Type.Optional(batch),
            paused: Type.Optional(
              Type.Boolean({ description: 'A paused webhook keeps its place and is sent nothing.' }),
            ),
          },
          { additionalProperties: false },
        ),
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
    types: webhook.types as EventType[],
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
