/** The suppression list as its account sees it: whom mail is not sent to, and why. */
import { type Static, Type } from '@fastify/type-provider-typebox';
import { addressOf } from '../../mail/address.ts';
import type { Clock } from '../../platform/clock.ts';
import { everyStream, type Suppression, type SuppressionStore } from '../../store/contract/suppressions.ts';
import type { App } from '../app.ts';
import { ApiError, notFound } from '../errors.ts';
import { closed, Id, isoTime, NextCursor, nullable, page, PageQuery, Time } from './shapes.ts';

const longestStreamChars = 64;
const streamPattern = '^([*]|[a-z0-9]+([-_.][a-z0-9]+)*)$';
const Stream = Type.String({
  maxLength: longestStreamChars,
  pattern: streamPattern,
  description: "The stream it holds for, '*' for all mail",
});

export function isStream(text: string): boolean {
  return text.length <= longestStreamChars && new RegExp(streamPattern).test(text);
}

const Reason = Type.Enum(['unsubscribed', 'complained', 'bounced', 'manual']);

const Settings = {
  bounces: Type.Boolean({ description: 'The address is unknown, has moved, or its domain takes no mail' }),
  complaints: Type.Boolean(),
  unsubscribes: Type.Boolean({ description: 'For the stream of the message' }),
};
const SettingsShape = Type.Object(Settings);
const SettingsBody = closed(
  {
    bounces: Type.Optional(Settings.bounces),
    complaints: Type.Optional(Settings.complaints),
    unsubscribes: Type.Optional(Settings.unsubscribes),
  },
  { description: 'What is left out stays as it is', examples: [{ unsubscribes: false }] },
);

const SuppressionShape = Type.Object({
  id: Id,
  recipient: Type.String(),
  stream: Stream,
  reason: Reason,
  event_id: nullable(Id),
  created_at: Time,
});

export interface SuppressionDependencies {
  readonly suppressions: SuppressionStore;
  readonly clock: Clock;
}

export function suppressionRoutes(app: App, { suppressions, clock }: SuppressionDependencies): void {
  app.get(
    '/api/suppressions',
    {
      schema: {
        operationId: 'listSuppressions',
        tags: ['suppressions'],
        summary: 'List suppressed addresses, newest first',
        querystring: closed({
          search: Type.Optional(Type.String({ maxLength: 254, description: 'Beginning of an address' })),
          reason: Type.Optional(Reason),
          stream: Type.Optional(Stream),
          ...PageQuery,
        }),
        response: {
          200: Type.Object({ suppressions: Type.Array(SuppressionShape), next_cursor: NextCursor }),
        },
      },
    },
    async ({ query, account }) => {
      const { entries, next_cursor } = await page(query, (range) =>
        suppressions.list({
          accountId: account.id,
          search: query.search,
          reason: query.reason,
          stream: query.stream,
          ...range,
        }),
      );
      return { suppressions: entries.map(suppressionShape), next_cursor };
    },
  );

  app.post(
    '/api/suppressions',
    {
      schema: {
        operationId: 'addSuppression',
        tags: ['suppressions'],
        summary: 'Suppress an address',
        description: 'An entry that is there already stays as it is and is answered.',
        body: closed(
          { recipient: Type.String(), stream: Type.Optional(Stream) },
          { examples: [{ recipient: 'ann@example.org' }] },
        ),
        response: { 201: SuppressionShape },
      },
    },
    async ({ body: { recipient, stream = everyStream }, account }, reply) => {
      const added = await suppressions.add({
        accountId: account.id,
        recipient: wholeAddress(recipient),
        stream,
        reason: 'manual',
        atMs: clock.now(),
      });
      reply.code(201);
      return suppressionShape(added);
    },
  );

  app.delete(
    '/api/suppressions/:recipient',
    {
      schema: {
        operationId: 'removeSuppression',
        tags: ['suppressions'],
        summary: 'Write to an address again',
        params: closed({ recipient: Type.String() }),
        querystring: closed({ stream: Type.Optional(Stream) }),
        response: { 204: Type.Null({ description: 'Gone' }) },
      },
    },
    async ({ params: { recipient }, query: { stream }, account }, reply) => {
      const removed = await suppressions.remove({
        accountId: account.id,
        recipient: wholeAddress(recipient),
        stream,
      });
      if (removed === 0) throw notFound('suppression');
      return reply.code(204).send(null);
    },
  );

  app.get(
    '/api/suppressions/settings',
    {
      schema: {
        operationId: 'getSuppressionSettings',
        tags: ['suppressions'],
        summary: 'Tell what puts an address on the list by itself',
        response: { 200: SettingsShape },
      },
    },
    async ({ account }) => suppressions.settings(account.id),
  );

  app.patch(
    '/api/suppressions/settings',
    {
      schema: {
        operationId: 'changeSuppressionSettings',
        tags: ['suppressions'],
        summary: 'Change what puts an address on the list by itself',
        body: SettingsBody,
        response: { 200: SettingsShape },
      },
    },
    async ({ body, account }) => {
      const settings = { ...(await suppressions.settings(account.id)), ...body };
      return suppressions.configure({ accountId: account.id, settings });
    },
  );
}

function wholeAddress(text: string): string {
  const address = addressOf(text)?.address;
  if (address === undefined) {
    const message = `${JSON.stringify(text)} is not a mail address`;
    throw new ApiError(422, 'address-invalid', message, 'recipient');
  }
  return address;
}

function suppressionShape(entry: Suppression): Static<typeof SuppressionShape> {
  const { id, recipient, stream, reason, eventId, createdAtMs } = entry;
  return { id, recipient, stream, reason, event_id: eventId ?? null, created_at: isoTime(createdAtMs) };
}
