/** What `/api/webhooks` takes and answers, as schemas: they check requests, and are the API's documentation. */
import { Type } from 'typebox';
import { eventTypes } from '../../events/types.ts';
import { dialects } from '../../webhooks/dialects.ts';
import { batchBounds } from '../../webhooks/endpoints.ts';

/** Beyond it, how many events wait is said as this number. */
export const maxCountedEvents = 10_000;

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
export const webhookAnswer = Type.Object(webhookFields);
export const createdAnswer = Type.Object({
  ...webhookFields,
  secret: Type.String({ description: 'Signs its requests (Standard Webhooks). Shown this once.' }),
});
export const detailAnswer = Type.Object({
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
export const trialAnswer = Type.Object({
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
export const webhookParams = Type.Object({
  id: Type.Integer({ minimum: 1, maximum: Number.MAX_SAFE_INTEGER }),
});
export const newWebhook = Type.Object(
  { url, dialect, types: Type.Optional(types), options: Type.Optional(options), batch: Type.Optional(batch) },
  { additionalProperties: false },
);
export const webhookChange = Type.Object(
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
);
