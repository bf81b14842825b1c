/** `/api/webhooks`: endpoints with their dialect, event types and batches; what they are doing; trying them out. */
import { type Static, Type } from 'typebox';
import type { Clock } from '../../platform/clock.ts';
import type { EventLog } from '../../store/contract/log.ts';
import type { BatchLimits, SendingSettings, Webhook, WebhookStore } from '../../store/contract/webhooks.ts';
import type { Access } from '../../webhooks/access.ts';
import type { Endpoints } from '../../webhooks/endpoints.ts';
import { lagOf, performanceOf } from '../../webhooks/look.ts';
import { type EndpointInput, EndpointRefusedError } from '../../webhooks/settings.ts';
import type { App } from '../app.ts';
import { ApiError } from '../errors.ts';
import { attemptJson, noticeJson, webhookJson } from './webhook-json.ts';
import {
  createdAnswer,
  detailAnswer,
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
  readonly clock: Clock;
}

const tags = ['webhooks'];

export function webhookRoutes(app: App, dependencies: WebhookRouteDependencies): void {
  settingRoutes(app, dependencies);
  lookingRoutes(app, dependencies);
  trialRoute(app, dependencies);
}

function settingRoutes(app: App, { endpoints, webhooks }: WebhookRouteDependencies): void {
  const toJson = (webhook: Webhook) => webhookJson(webhook, endpoints.maskedAccess(webhook));
  app.post(
    '/api/webhooks',
    {
      schema: {
        tags,
        operationId: 'createWebhook',
        summary: 'Make a webhook',
        description: 'It gets the events that happen from now on.',
        body: newWebhook,
        response: { 201: createdAnswer },
      },
    },
    async (request, reply) => {
      const { url, dialect } = request.body;
      const { webhook, secret } = await refused(
        endpoints.create(request.account.id, { ...toInput(request.body), url, dialect }),
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
        operationId: 'changeWebhook',
        summary: 'Change a webhook',
        description: 'What is left out stays. It goes on where it was; `options` are set as a whole.',
        params,
        body: webhookChange,
        response: { 200: webhookAnswer },
      },
    },
    async (request) => {
      const { paused } = request.body;
      const input = { ...toInput(request.body), paused };
      const change = endpoints.change(request.account.id, request.params.id, input);
      return toJson(found(await refused(change)));
    },
  );

  app.delete(
    '/api/webhooks/:id',
    {
      schema: {
        tags,
        operationId: 'deleteWebhook',
        summary: 'Delete a webhook',
        params,
        response: { 204: Type.Null() },
      },
    },
    async (request, reply) => {
      const removed = await webhooks.remove({ accountId: request.account.id, webhookId: request.params.id });
      if (!removed) throw noSuchWebhook();
      return reply.code(204).send(null);
    },
  );
}

function lookingRoutes(app: App, { endpoints, webhooks, log, clock }: WebhookRouteDependencies): void {
  const toJson = (webhook: Webhook) => webhookJson(webhook, endpoints.maskedAccess(webhook));
  app.get(
    '/api/webhooks',
    {
      schema: {
        tags,
        operationId: 'listWebhooks',
        summary: 'List webhooks',
        response: { 200: Type.Object({ webhooks: Type.Array(webhookAnswer) }) },
      },
    },
    async (request) => ({ webhooks: (await webhooks.list(request.account.id)).map(toJson) }),
  );

  app.get(
    '/api/webhooks/:id',
    {
      schema: {
        tags,
        operationId: 'getWebhook',
        summary: 'A webhook, and what it is doing',
        params,
        response: { 200: detailAnswer },
      },
    },
    async (request) => {
      const accountId = request.account.id;
      const webhook = found(await webhooks.byId(accountId, request.params.id));
      const { cursorId, number } = webhook.progress;
      const [{ waitingEvents, lagMs }, attempts, setAside, notices] = await Promise.all([
        lagOf(log, webhook, clock.now()),
        webhooks.attempts(accountId, webhook.id),
        webhooks.countSetAside(accountId, webhook.id),
        webhooks.notices(accountId, webhook.id),
      ]);
      const { successRate, latency } = performanceOf(webhook, attempts);
      return {
        ...toJson(webhook),
        cursor: cursorId,
        number,
        waiting_events: waitingEvents,
        lag_seconds: lagMs / 1000,
        success_rate: successRate ?? null,
        latency_ms: latency ?? null,
        set_aside_events: setAside,
        notices: notices.map(noticeJson),
        last_requests: attempts.map(attemptJson),
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
        operationId: 'testWebhook',
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
export async function refused<T>(work: Promise<T>): Promise<T> {
  try {
    return await work;
  } catch (error) {
    if (!(error instanceof EndpointRefusedError)) throw error;
    throw new ApiError(422, 'invalid', error.message, error.field);
  }
}

type Body = Static<typeof webhookChange>;

function toInput({
  batch,
  sending,
  authentication,
  headers,
  mutual_tls: mutualTls,
  ...input
}: Body): EndpointInput {
  const setsAccess = authentication !== undefined || headers !== undefined || mutualTls !== undefined;
  return {
    url: input.url,
    dialect: input.dialect,
    types: input.types,
    options: input.options,
    batch: batch && toLimits(batch),
    sending: sending && toSending(sending),
    access: setsAccess ? toAccess({ authentication, headers, mutualTls }) : undefined,
  };
}

function toLimits({
  count,
  age_seconds: ageSeconds,
  bytes,
}: NonNullable<Body['batch']>): Partial<BatchLimits> {
  return {
    ...(count !== undefined && { count }),
    ...(ageSeconds !== undefined && { ageMs: Math.round(ageSeconds * 1000) }),
    ...(bytes !== undefined && { bytes }),
  };
}

function toSending(sending: NonNullable<Body['sending']>): Partial<SendingSettings> {
  const {
    gzip,
    requests_at_once: requests,
    partial_acknowledgement: partialAck,
    signatures,
    digest,
  } = sending;
  return {
    ...(gzip !== undefined && { gzip }),
    ...(requests !== undefined && { requests }),
    ...(partialAck !== undefined && { partialAck }),
    ...(signatures !== undefined && { signatures }),
    ...(digest !== undefined && { digest }),
  };
}

function toAccess({
  authentication,
  headers = {},
  mutualTls,
}: {
  authentication: Body['authentication'];
  headers: Body['headers'];
  mutualTls: Body['mutual_tls'];
}): Access {
  return {
    headers,
    authentication: authentication && toAuthentication(authentication),
    mutualTls: mutualTls && {
      certificate: mutualTls.certificate,
      privateKey: mutualTls.private_key,
      serverCa: mutualTls.server_ca ?? '',
    },
  };
}

function toAuthentication(given: NonNullable<Body['authentication']>): Access['authentication'] {
  switch (given.kind) {
    case 'none':
      return undefined;
    case 'basic':
    case 'bearer':
      return given;
    case 'oauth2': {
      const { token_url: tokenUrl, client_id: clientId, client_secret: clientSecret, scope = '' } = given;
      return { kind: 'oauth2', tokenUrl, clientId, clientSecret, scope };
    }
  }
}
