/** What `/api/webhooks` takes and answers, as schemas: they check requests, and are the API's documentation. */
import { Type } from 'typebox';
import { eventTypes } from '../../events/types.ts';
import { dialects } from '../../webhooks/dialects.ts';
import { digestPeriods, signatureKinds } from '../../store/contract/webhooks.ts';
import { maxCountedEvents } from '../../webhooks/look.ts';
import { maxCountedForReplay } from '../../webhooks/replays.ts';
import { batchBounds } from '../../webhooks/settings.ts';
import { EventShape } from './event-shape.ts';
import { closed, Id, Time } from './shapes.ts';

const isoTime = Type.String({ format: 'date-time' });
const orNull = <T extends Parameters<typeof Type.Union>[0][number]>(schema: T) =>
  Type.Union([schema, Type.Null()]);

const types = Type.Array(Type.String({ maxLength: 50 }), {
  minItems: 1,
  maxItems: 50,
  description: `Which events it gets, by the dialect’s names or the canonical ones: ${eventTypes.join(', ')}. All that its dialect can tell of when left out.`,
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

const sending = Type.Object(
  {
    gzip: Type.Optional(
      Type.Boolean({ description: 'Compresses bodies; what is signed is the plain body.' }),
    ),
    requests_at_once: Type.Optional(
      Type.Integer({ minimum: 1, maximum: 16, description: 'More than one gives up the order of events.' }),
    ),
    partial_acknowledgement: Type.Optional(
      Type.Boolean({ description: 'A 2xx answer `{"retry": [ids]}` gets just those events again.' }),
    ),
    signatures: Type.Optional(
      Type.Array(Type.Enum(signatureKinds), {
        minItems: 1,
        maxItems: 2,
        description:
          'Standard Webhooks: `v1` with a shared secret, `v1a` with a key whose public half is shown.',
      }),
    ),
    digest: Type.Optional(
      Type.Enum(digestPeriods, {
        description:
          'Counts and a hash over what was taken, each hour or day, where the dialect has a word for it.',
      }),
    ),
  },
  { additionalProperties: false },
);
const secretText = Type.String({ minLength: 1, maxLength: 4_000 });
const authentication = Type.Union(
  [
    Type.Object({ kind: Type.Literal('none') }, { additionalProperties: false }),
    Type.Object(
      { kind: Type.Literal('basic'), username: Type.String({ maxLength: 500 }), password: secretText },
      { additionalProperties: false },
    ),
    Type.Object({ kind: Type.Literal('bearer'), token: secretText }, { additionalProperties: false }),
    Type.Object(
      {
        kind: Type.Literal('oauth2'),
        token_url: Type.String({ maxLength: 2048 }),
        client_id: Type.String({ minLength: 1, maxLength: 500 }),
        client_secret: secretText,
        scope: Type.Optional(Type.String({ maxLength: 1_000 })),
      },
      { additionalProperties: false },
    ),
  ],
  {
    description:
      'How it signs in at its receiver. `authentication`, `headers` and `mutual_tls` are set together, as a whole: ' +
      'what is left out of the three is removed.',
  },
);
const headers = Type.Record(Type.String({ maxLength: 100 }), Type.String({ maxLength: 2_000 }), {
  maxProperties: 20,
  description: 'Further headers of its requests. Their values are never shown again.',
});
const pem = Type.String({ minLength: 1, maxLength: 20_000 });
const mutualTls = Type.Object(
  { certificate: pem, private_key: pem, server_ca: Type.Optional(pem) },
  {
    additionalProperties: false,
    description: 'A client certificate, and an authority to believe beside the public ones.',
  },
);

const webhookFields = {
  id: Type.Integer(),
  url: Type.String(),
  dialect: Type.String(),
  types: Type.Array(Type.String()),
  options: Type.Record(Type.String(), Type.Unknown()),
  batch: Type.Object({ count: Type.Integer(), age_seconds: Type.Number(), bytes: Type.Integer() }),
  sending: Type.Object({
    gzip: Type.Boolean(),
    requests_at_once: Type.Integer(),
    partial_acknowledgement: Type.Boolean(),
    signatures: Type.Array(Type.String()),
    digest: Type.String(),
  }),
  authentication: orNull(Type.Record(Type.String(), Type.String(), { description: 'Masked.' })),
  headers: Type.Record(Type.String(), Type.String(), { description: 'Masked.' }),
  mutual_tls: orNull(Type.Object({ subject: Type.String(), valid_until: Type.String() })),
  signing_keys: Type.Array(
    Type.Object({
      kind: Type.String({ description: '`v1`, `v1a`, or the dialect’s own.' }),
      public_key: orNull(Type.String()),
      created_at: isoTime,
      expires_at: orNull(isoTime),
    }),
  ),
  made_by: Type.String({ description: '`native`, or `msndr` for the one that /v1/email/webhook sets.' }),
  state: Type.String({
    description: '`active`, `failing` (what was sent last was not taken, it is tried again) or `paused`.',
  }),
  paused_by: orNull(
    Type.String({ description: '`owner`, `gone` (the receiver answered 410) or `failing` (for five days).' }),
  ),
  failing_since: orNull(isoTime),
  failures_in_a_row: Type.Integer(),
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
const attempt = {
  at: isoTime,
  duration_ms: Type.Integer(),
  timings: Type.Object(
    {
      dns_ms: orNull(Type.Integer()),
      connect_ms: orNull(Type.Integer()),
      tls_ms: orNull(Type.Integer()),
      first_byte_ms: orNull(Type.Integer()),
    },
    { description: 'Null for what was not needed: the connection was open already.' },
  ),
  batch_id: Type.String({ description: 'The request’s `webhook-id` header.' }),
  replay: orNull(Type.Integer()),
  first_event: Type.Integer(),
  last_event: Type.Integer(),
  events: Type.Integer(),
  accepted: Type.Boolean(),
  status: Type.Integer({ description: '0 if no answer came.' }),
  answer: Type.String({ description: 'The beginning of its body, or why there was none.' }),
};
export const detailAnswer = Type.Object({
  ...webhookFields,
  cursor: Type.Integer({ description: 'Every event up to and with this id was taken or set aside.' }),
  number: Type.Integer({ description: 'How many events that were.' }),
  waiting_events: Type.Integer({ description: `Events that wait, counted up to ${maxCountedEvents}.` }),
  lag_seconds: Type.Number({ description: 'The age of the oldest of them.' }),
  success_rate: orNull(Type.Number({ description: 'Of all requests, from 0 to 1.' })),
  latency_ms: orNull(
    Type.Object(
      { p50: Type.Integer(), p90: Type.Integer(), p99: Type.Integer() },
      { description: 'Percentiles of the kept requests that were answered.' },
    ),
  ),
  set_aside_events: Type.Integer(),
  notices: Type.Array(
    Type.Object({
      kind: Type.String({ description: '`failing`, `paused` or `expiring`.' }),
      at: isoTime,
      text: Type.String(),
    }),
    { description: 'What its owner was told, newest first.' },
  ),
  last_requests: Type.Array(Type.Object(attempt), {
    description: 'Newest first; the last hundred that were taken and the last hundred that were not.',
  }),
});
export const requestParams = closed({ id: Id, batch: Type.String({ maxLength: 100 }) });
export const requestsAnswer = Type.Object({
  batch_id: Type.String(),
  body: orNull(Type.String()),
  attempts: Type.Array(
    Type.Object({
      ...attempt,
      request: Type.Object({
        method: Type.String(),
        url: Type.String(),
        headers: Type.Record(Type.String(), Type.String(), { description: 'What lets one in is masked.' }),
      }),
    }),
  ),
});
export const recipientsAnswer = Type.Object({
  webhooks: Type.Array(
    Type.Object({
      webhook: Id,
      replay: orNull(Id),
      batch_id: Type.String(),
      taken_from: isoTime,
      taken_to: isoTime,
    }),
    {
      description:
        'Newest first. Requests of one event each are kept as stretches: it was taken between the two.',
    },
  ),
});
export const setAsideQuery = closed({
  after: Type.Optional(
    Type.Integer({ minimum: 0, default: 0, description: '`next_after` of the call before' }),
  ),
  limit: Type.Optional(Type.Integer({ minimum: 1, maximum: 1000, default: 100 })),
});
export const setAsideAnswer = Type.Object({
  events: Type.Array(
    Type.Object({
      event: EventShape,
      number: Type.Integer({ description: 'Within the webhook.' }),
      at: isoTime,
      batch_id: Type.String(),
      status: Type.Integer(),
      answer: Type.String(),
    }),
  ),
  next_after: Type.Integer(),
  at_end: Type.Boolean(),
});
export const rotation = closed({
  overlap_hours: Type.Optional(
    Type.Number({
      minimum: 0,
      maximum: 168,
      default: 24,
      description: '0 if the old secret is known to others',
    }),
  ),
});
export const newReplay = closed({
  what: Type.Enum(['time', 'message', 'set-aside', 'since-last-success']),
  from: Type.Optional(Time),
  to: Type.Optional(Time),
  message_id: Type.Optional(Id),
  dry_run: Type.Optional(Type.Boolean()),
});
export const replayParams = closed({ id: Id, replay: Id });
export const replayAnswer = Type.Object({
  events: Type.Integer({ description: `Counted up to ${maxCountedForReplay}.` }),
  replay: Type.Optional(
    Type.Object({
      id: Id,
      state: Type.String(),
      kind: Type.String(),
      events_sent: Type.Integer(),
      failing_since: orNull(isoTime),
      created_at: isoTime,
      finished_at: orNull(isoTime),
    }),
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
const settable = {
  types: Type.Optional(types),
  options: Type.Optional(options),
  batch: Type.Optional(batch),
  sending: Type.Optional(sending),
  authentication: Type.Optional(authentication),
  headers: Type.Optional(headers),
  mutual_tls: Type.Optional(mutualTls),
};
export const newWebhook = closed({ url, dialect, ...settable });
export const webhookChange = Type.Object(
  {
    url: Type.Optional(url),
    dialect: Type.Optional(dialect),
    ...settable,
    paused: Type.Optional(
      Type.Boolean({ description: 'A paused webhook keeps its place and is sent nothing.' }),
    ),
  },
  { additionalProperties: false },
);
