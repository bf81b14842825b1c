/** `/api/receiver`: the account's built-in receiver, and what came to it. */
import { Type } from '@fastify/type-provider-typebox';
import type { BuiltInReceiver } from '../../webhooks/built-in-receiver.ts';
import type { App } from '../app.ts';
import { isoTime, Time } from './shapes.ts';

const ReceiverShape = Type.Object({
  url: Type.String({ description: 'What to set as a webhook’s `url`' }),
  requests: Type.Array(
    Type.Object({
      number: Type.Integer(),
      time: Time,
      headers: Type.Record(Type.String(), Type.String()),
      body: Type.String(),
    }),
    { description: 'Newest first, the last fifty' },
  ),
});

export function receiverRoute(app: App, receiver: BuiltInReceiver): void {
  app.get(
    '/api/receiver',
    {
      schema: {
        operationId: 'getReceiver',
        tags: ['webhooks'],
        summary: 'A receiver inside the service, to try webhooks out, and what it got',
        response: { 200: ReceiverShape },
      },
    },
    async ({ account }) => ({
      url: receiver.urlOf(account.id),
      requests: (await receiver.requests(account.id)).map(({ number, atMs, headers, body }) => ({
        number,
        time: isoTime(atMs),
        headers: { ...headers },
        body,
      })),
    }),
  );
}
