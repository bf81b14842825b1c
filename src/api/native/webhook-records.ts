/** What was sent to a webhook and what became of it: requests, set-aside events, replays, new secrets. */
import { Type } from 'typebox';
import type { Clock } from '../../platform/clock.ts';
import type { EventLog } from '../../store/contract/log.ts';
import type { ReplayStore, Webhook, WebhookStore } from '../../store/contract/webhooks.ts';
import { type Endpoints, maxRotationOverlapMs, rotationOverlapMs } from '../../webhooks/endpoints.ts';
import { bodyAgain, whoHad } from '../../webhooks/look.ts';
import type { Replays, ReplayWish } from '../../webhooks/replays.ts';
import type { App } from '../app.ts';
import { ApiError, notFound } from '../errors.ts';
import { IdParams, timeOf } from './shapes.ts';
import {
  attemptJson,
  headersJson,
  recipientJson,
  replayJson,
  setAsideJson,
  webhookJson,
} from './webhook-json.ts';
import {
  createdAnswer,
  newReplay,
  recipientsAnswer,
  replayAnswer,
  replayParams,
  requestParams,
  requestsAnswer,
  rotation,
  setAsideAnswer,
  setAsideQuery,
  webhookParams as params,
} from './webhook-schemas.ts';
import { refused } from './webhooks.ts';

export interface WebhookRecordDependencies {
  readonly endpoints: Endpoints;
  readonly webhooks: WebhookStore;
  readonly log: EventLog;
  readonly replays: ReplayStore;
  readonly newReplays: Replays;
  readonly clock: Clock;
}

const tags = ['webhooks'];

export function webhookRecordRoutes(app: App, dependencies: WebhookRecordDependencies): void {
  secretRoute(app, dependencies);
  requestRoutes(app, dependencies);
  setAsideRoute(app, dependencies);
  replayRoutes(app, dependencies);
}

async function webhookOf(
  { webhooks }: Pick<WebhookRecordDependencies, 'webhooks'>,
  accountId: number,
  webhookId: number,
): Promise<Webhook> {
  const webhook = await webhooks.byId(accountId, webhookId);
  if (webhook === undefined) throw notFound('webhook');
  return webhook;
}

function secretRoute(app: App, { endpoints }: WebhookRecordDependencies): void {
  app.post(
    '/api/webhooks/:id/secret',
    {
      schema: {
        tags,
        operationId: 'rotateSecret',
        summary: 'Make new signing keys',
        description: 'The old ones sign beside them for a day, or for `overlap_hours`.',
        params,
        body: rotation,
        response: { 200: createdAnswer },
      },
      // It may come without a body.
      preValidation: async (request: { body?: unknown }) => {
        request.body ??= {};
      },
    },
    async (request) => {
      const overlapMs = (request.body.overlap_hours ?? rotationOverlapMs / 3_600_000) * 3_600_000;
      const rotated = await endpoints.rotate(
        request.account.id,
        request.params.id,
        Math.min(overlapMs, maxRotationOverlapMs),
      );
      if (rotated === undefined) throw notFound('webhook');
      const { webhook, secret } = rotated;
      return { ...webhookJson(webhook, endpoints.maskedAccess(webhook)), secret };
    },
  );
}

function requestRoutes(app: App, dependencies: WebhookRecordDependencies): void {
  app.get(
    '/api/webhooks/:id/requests/:batch',
    {
      schema: {
        tags,
        operationId: 'getWebhookRequest',
        summary: 'A kept request: what was sent and answered',
        description:
          'Each time that the batch was sent, of those that are kept. The body is made again from the log; it is ' +
          'null if the webhook’s settings have changed since.',
        params: requestParams,
        response: { 200: requestsAnswer },
      },
    },
    async ({ account, params: { id, batch } }) => {
      const webhook = await webhookOf(dependencies, account.id, id);
      const kept = await dependencies.webhooks.attempts(account.id, id);
      const attempts = kept.filter(({ batchId }) => batchId === batch);
      const [newest] = attempts;
      if (newest === undefined) throw notFound('request');
      return {
        batch_id: batch,
        body: (await bodyAgain(dependencies, webhook, newest)) ?? null,
        attempts: attempts.map((attempt) => ({
          ...attemptJson(attempt),
          request: { method: 'POST', url: webhook.url, headers: headersJson(attempt.headers) },
        })),
      };
    },
  );

  app.get(
    '/api/events/:id/webhooks',
    {
      schema: {
        tags: ['events'],
        operationId: 'listEventWebhooks',
        summary: 'Which webhooks had an event',
        params: IdParams,
        response: { 200: recipientsAnswer },
      },
    },
    async ({ account, params: { id } }) => {
      const event = await dependencies.log.byId(account.id, id);
      if (event === undefined) throw notFound('event');
      return { webhooks: (await whoHad(dependencies, event)).map(recipientJson) };
    },
  );
}

function setAsideRoute(app: App, dependencies: WebhookRecordDependencies): void {
  app.get(
    '/api/webhooks/:id/set-aside',
    {
      schema: {
        tags,
        operationId: 'listSetAside',
        summary: 'Events that the receiver cannot take',
        description: 'Each with the answer that it got. A replay of `set-aside` sends them again.',
        params,
        querystring: setAsideQuery,
        response: { 200: setAsideAnswer },
      },
    },
    async ({ account, params: { id: webhookId }, query: { after = 0, limit = 100 } }) => {
      await webhookOf(dependencies, account.id, webhookId);
      const input = { accountId: account.id, webhookId, afterId: after, limit };
      const found = await dependencies.webhooks.setAside(input);
      return {
        events: found.map(setAsideJson),
        next_after: found.at(-1)?.event.id ?? after,
        at_end: found.length < limit,
      };
    },
  );
}

function replayRoutes(app: App, dependencies: WebhookRecordDependencies): void {
  const { replays, newReplays, clock } = dependencies;
  app.post(
    '/api/webhooks/:id/replays',
    {
      schema: {
        tags,
        operationId: 'startReplay',
        summary: 'Send events again',
        description:
          'Beside the live stream, with the header `aftersend-replay`. With `dry_run` it says how many events there ' +
          'are, and sends none.',
        params,
        body: newReplay,
        response: { 200: replayAnswer, 201: replayAnswer },
      },
    },
    async ({ account, params: { id }, body }, reply) => {
      const webhook = await webhookOf(dependencies, account.id, id);
      const wish = wishOf(body);
      const events = await newReplays.count(webhook, wish);
      if (body.dry_run === true) return { events };
      const replay = await refused(newReplays.start(webhook, wish));
      reply.code(201);
      return { events, replay: replayJson(replay) };
    },
  );

  app.get(
    '/api/webhooks/:id/replays',
    {
      schema: {
        tags,
        operationId: 'listReplays',
        summary: 'List replays, newest first',
        params,
        response: { 200: Type.Object({ replays: Type.Array(Type.Unknown()) }) },
      },
    },
    async ({ account, params: { id } }) => {
      await webhookOf(dependencies, account.id, id);
      return { replays: (await replays.list(account.id, id)).map(replayJson) };
    },
  );

  app.delete(
    '/api/webhooks/:id/replays/:replay',
    {
      schema: {
        tags,
        operationId: 'stopReplay',
        summary: 'Stop a replay',
        params: replayParams,
        response: { 204: Type.Null() },
      },
    },
    async ({ account, params: { id: webhookId, replay: replayId } }, reply) => {
      const atMs = clock.now();
      const cancelled = await replays.cancel({ accountId: account.id, webhookId, replayId, atMs });
      if (!cancelled) throw notFound('running replay');
      return reply.code(204).send(null);
    },
  );
}

function wishOf(body: {
  readonly what: ReplayWish['what'];
  readonly from?: string;
  readonly to?: string;
  readonly message_id?: number;
}): ReplayWish {
  switch (body.what) {
    case 'time': {
      if (body.from === undefined) throw new ApiError(422, 'invalid', "'from' is missing", 'from');
      const fromMs = timeOf(body.from, 'from');
      const toMs = body.to === undefined ? undefined : timeOf(body.to, 'to');
      if (toMs !== undefined && toMs <= fromMs) {
        throw new ApiError(422, 'invalid', "'to' is not after 'from'", 'to');
      }
      return { what: 'time', fromMs, toMs };
    }
    case 'message':
      if (body.message_id === undefined) {
        throw new ApiError(422, 'invalid', "'message_id' is missing", 'message_id');
      }
      return { what: 'message', messageId: body.message_id };
    case 'set-aside':
    case 'since-last-success':
      return { what: body.what };
  }
}
