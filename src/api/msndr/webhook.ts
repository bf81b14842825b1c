/**
 * `/v1/email/webhook`: the one URL of an account that msndr's clients set, with that vendor's shapes exactly. It owns a
 * single endpoint and neither shows nor touches those of the native API.
 */
import { Type } from 'typebox';
import type { WebhookStore } from '../../store/contract/webhooks.ts';
import type { Endpoints } from '../../webhooks/endpoints.ts';
import { EndpointRefusedError } from '../../webhooks/settings.ts';
import type { App } from '../app.ts';
import { ApiError } from '../errors.ts';

export interface MsndrWebhookDependencies {
  readonly endpoints: Endpoints;
  readonly webhooks: WebhookStore;
}

const urlAnswer = Type.Object({ url: Type.String({ examples: ['https://example.com/some/path'] }) });
const tags = ['msndr'];

export function msndrWebhookRoutes(app: App, { endpoints, webhooks }: MsndrWebhookDependencies): void {
  // In a scope of their own, for these routes read a body whatever its Content-Type says: the vendor's documentation
  // shows a DELETE with one, without one, and with a Content-Type for one that is not there.
  app.register(async (scope) => {
    scope.addContentTypeParser('*', { parseAs: 'string' }, (_request, body, done) => done(null, body));
    scope.get(
      '/v1/email/webhook',
      { schema: { tags, summary: 'The webhook that is set', response: { 200: urlAnswer } } },
      async (request) => {
        const webhook = await webhooks.ofOrigin(request.account.id, 'msndr');
        if (webhook === undefined) throw noWebhook();
        return { url: webhook.url };
      },
    );
    scope.post(
      '/v1/email/webhook',
      { schema: { tags, summary: 'Set the webhook', response: { 201: urlAnswer } } },
      async (request, reply) => {
        const url = urlOf(request.body);
        if (url === undefined) throw new ApiError(422, 'invalid', 'url is missing', 'url');
        try {
          const webhook = await endpoints.setMsndr(request.account.id, url);
          reply.code(201);
          return { url: webhook.url };
        } catch (error) {
          if (!(error instanceof EndpointRefusedError)) throw error;
          throw new ApiError(422, 'invalid', `url is invalid: ${error.message}`, 'url');
        }
      },
    );
    scope.delete(
      '/v1/email/webhook',
      { schema: { tags, summary: 'Remove the webhook', response: { 204: Type.Null() } } },
      async (request, reply) => {
        const accountId = request.account.id;
        const url = urlOf(request.body);
        const webhook = await webhooks.ofOrigin(accountId, 'msndr');
        if (webhook === undefined || (url !== undefined && url !== webhook.url)) throw noWebhook();
        await webhooks.remove({ accountId, webhookId: webhook.id });
        return reply.code(204).send(null);
      },
    );
  });
}

const noWebhook = (): ApiError => new ApiError(404, 'not-found', 'Webhook not found');

/** The `url` of a body that is JSON, parsed by its Content-Type or not; undefined if there is no body. */
function urlOf(body: unknown): string | undefined {
  const value = typeof body === 'string' ? parse(body) : body;
  if (value === undefined || value === null) return undefined;
  const url = typeof value === 'object' ? (value as { url?: unknown }).url : undefined;
  if (url !== undefined && typeof url !== 'string')
    throw new ApiError(422, 'invalid', 'url is not a string', 'url');
  return url?.trim();
}

function parse(text: string): unknown {
  if (text.trim() === '') return undefined;
  try {
    return JSON.parse(text);
  } catch {
    throw new ApiError(400, 'malformed', 'The body is not JSON');
  }
}
