/**
 * Complaints that reach an account by another way than feedback mail: a provider's dashboard or API, a person who wrote
 * back. They do here what feedback mail does: an event, once a message, and no more mail to the address.
 */
import { type Static, Type } from '@fastify/type-provider-typebox';
import { addressOf } from '../../mail/address.ts';
import { complaintTypes } from '../../events/types.ts';
import type { Clock } from '../../platform/clock.ts';
import type { Store } from '../../store/contract/store.ts';
import { everyStream } from '../../store/contract/suppressions.ts';
import type { App } from '../app.ts';
import { ApiError, notFound } from '../errors.ts';
import { closed, Id, nullable } from './shapes.ts';

const ComplaintBody = closed(
  {
    message_id: Type.Optional(Id),
    recipient: Type.Optional(
      Type.String({ maxLength: 320, description: 'If the message is not known: who complained' }),
    ),
    feedback_type: Type.Optional(
      Type.Enum([...complaintTypes], {
        default: 'abuse',
        description: 'Those of RFC 5965 that are complaints',
      }),
    ),
  },
  {
    description: 'Either `message_id` or `recipient`, which stands for the last message to that address',
    examples: [{ recipient: 'ann@example.org', feedback_type: 'abuse' }],
  },
);

const ComplaintShape = Type.Object({
  message_id: nullable(Id),
  event_id: Type.Union([Id, Type.Null()], { description: 'Null if nothing new was told' }),
  result: Type.Enum(['told', 'known', 'suppressed'], {
    description:
      '`told`: there is a new event. `known`: the message was complained of before. `suppressed`: no message is kept ' +
      'any more, so there is no event, and the address gets no more mail.',
  }),
});

export interface ComplaintDependencies {
  readonly store: Pick<Store, 'messages' | 'log' | 'suppressions'>;
  readonly clock: Clock;
}

export function complaintRoute(app: App, { store, clock }: ComplaintDependencies): void {
  app.post(
    '/api/complaints',
    {
      schema: {
        operationId: 'reportComplaint',
        tags: ['suppressions'],
        summary: 'Report that a recipient complained of spam',
        description: 'The address is suppressed for all mail of the account, and `complained` is told.',
        body: ComplaintBody,
        response: { 200: ComplaintShape },
      },
    },
    async ({ body, account }): Promise<Static<typeof ComplaintShape>> => {
      const { feedback_type: feedbackType = 'abuse' } = body;
      const accountId = account.id;
      const { messageId, recipient } = await subjectOf(store, accountId, body);
      const atMs = clock.now();
      const result =
        messageId === undefined
          ? ({ kind: 'unknown' } as const)
          : await store.log.report({ type: 'complained', messageId, atMs, feedbackType, source: 'api' });
      switch (result.kind) {
        case 'appended':
          return { message_id: messageId ?? null, event_id: result.eventId, result: 'told' };
        case 'repeated':
          return { message_id: messageId ?? null, event_id: null, result: 'known' };
        case 'unknown':
          await store.suppressions.add({
            accountId,
            recipient,
            stream: everyStream,
            reason: 'complained',
            atMs,
          });
          return { message_id: null, event_id: null, result: 'suppressed' };
      }
    },
  );
}

async function subjectOf(
  { messages }: ComplaintDependencies['store'],
  accountId: number,
  { message_id: messageId, recipient }: Static<typeof ComplaintBody>,
): Promise<{ messageId: number | undefined; recipient: string }> {
  if ((messageId === undefined) === (recipient === undefined)) {
    throw new ApiError(422, 'invalid', "Either 'message_id' or 'recipient' is needed", 'message_id');
  }
  if (messageId !== undefined) {
    const message = await messages.byId(accountId, messageId);
    if (message === undefined) throw notFound('message');
    return { messageId, recipient: message.recipient };
  }
  const address = addressOf(recipient ?? '')?.address;
  if (address === undefined) {
    const message = `${JSON.stringify(recipient)} is not a mail address`;
    throw new ApiError(422, 'address-invalid', message, 'recipient');
  }
  const [last] = await messages.list({ accountId, recipient: address }, { limit: 1 });
  return { messageId: last?.id, recipient: address };
}
