/** Looking at messages: one with its whole story, lists by filter, and the mail as it was taken in. */
import { type Static, Type } from '@fastify/type-provider-typebox';
import { eventTypes, type VisitorKind, visitorKinds } from '../../events/types.ts';
import { addressOf } from '../../mail/address.ts';
import { type Happening, type Message, messageStates } from '../../store/contract/messages.ts';
import type { AttemptRecord } from '../../store/contract/queue.ts';
import type { Store } from '../../store/contract/store.ts';
import type { App } from '../app.ts';
import { ApiError, notFound } from '../errors.ts';
import { EventShape, eventShape } from './event-shape.ts';
import { providerInside } from './provider-names.ts';
import {
  closed,
  Id,
  IdParams,
  isoTime,
  isoTimeOrNull,
  maxPageSize,
  NextCursor,
  nullable,
  PageQuery,
  Time,
  timeOf,
} from './shapes.ts';

const messageProperties = {
  id: Id,
  submission_id: Type.Integer({ description: 'Shared by the messages of one send call' }),
  state: Type.Enum(messageStates),
  recipient: Type.String(),
  role: Type.Enum(['to', 'cc', 'bcc']),
  sender: Type.String(),
  sender_name: Type.String(),
  subject: Type.String(),
  created_at: Time,
  finished_at: nullable(Time),
  next_attempt_at: nullable(Time),
  door: Type.Enum(['api', 'msndr', 'sendpulse', 'smtp']),
  envelope_sender: Type.String({ description: 'MAIL FROM of an SMTP submission' }),
  internet_message_id: Type.String({ description: 'The Message-ID header' }),
  tags: Type.Array(Type.String()),
  metadata: Type.Record(Type.String(), Type.Unknown()),
  stream: Type.String(),
  essential: Type.Boolean(),
  track: Type.Object({ opens: Type.Boolean(), clicks: Type.Boolean(), text: Type.Boolean() }),
  list_unsubscribe: Type.Boolean(),
  template_id: nullable(Id),
  template_version: nullable(Id),
  size_bytes: Type.Integer(),
};
const MessageShape = Type.Object(messageProperties);

const AttemptShape = Type.Object({
  number: Type.Integer(),
  started_at: Time,
  duration_ms: Type.Number(),
  outcome: Type.Enum(['delivered', 'deferred', 'bounced']),
  host: Type.String(),
  address: Type.String(),
  source_address: Type.String(),
  tls: Type.String({ description: "Protocol, cipher and what verified the server, '' without TLS" }),
  answer: Type.Object({ code: Type.String(), enhanced_code: Type.String(), text: Type.String() }),
  category: Type.String(),
  dialogue: Type.String({ description: 'The SMTP dialogue, without credentials and content' }),
});

const Story = Type.Object({
  ...messageProperties,
  attempts: Type.Array(AttemptShape),
  events: Type.Array(EventShape),
});

const ListQuery = closed({
  recipient: Type.Optional(Type.String({ description: 'Whole address' })),
  sender: Type.Optional(Type.String({ description: 'Whole address' })),
  state: Type.Optional(Type.Enum(messageStates)),
  tag: Type.Optional(Type.String()),
  subject: Type.Optional(Type.String({ maxLength: 1000, description: 'Part of the subject, in any case' })),
  from: Type.Optional(
    Type.String({
      description: 'Taken in at this time or later (ISO 8601); with `event`: when that happened',
    }),
  ),
  to: Type.Optional(Type.String({ description: 'Before this time' })),
  event: Type.Optional(
    Type.Enum(eventTypes, {
      description: 'To which this has happened, the latest first; a page may be short and not be the last',
    }),
  ),
  visitor: Type.Optional(
    Type.String({
      description: 'With `event` opened or clicked: by one of these, with commas between',
      examples: ['human,proxy'],
    }),
  ),
  first: Type.Optional(
    Type.Boolean({ description: 'With `event` opened or clicked: only where it was the first (by these)' }),
  ),
  domain: Type.Optional(Type.String({ maxLength: 253, description: 'Of the recipient' })),
  provider: Type.Optional(
    Type.String({ maxLength: 100, description: 'Of the recipient’s mailbox, as the statistics call it' }),
  ),
  ...PageQuery,
});

/** One call looks at so many events for those that match. */
const lookAt = 1500;
/** And at so many messages: some 30 ms for a subject, during which nothing else is read. */
const lookAtMessages = 10_000;

export function messageRoutes(app: App, store: Pick<Store, 'messages' | 'log' | 'queue'>): void {
  const { messages, log, queue } = store;

  app.get(
    '/api/messages',
    {
      schema: {
        operationId: 'listMessages',
        tags: ['messages'],
        summary: 'List messages, newest first',
        description: 'A search over much looks at a part at a time: a page may be short and not be the last.',
        querystring: ListQuery,
        response: { 200: Type.Object({ messages: Type.Array(MessageShape), next_cursor: NextCursor }) },
      },
    },
    async ({ query, account }) => {
      const { recipient, sender, state, tag, subject, from, to } = query;
      const filter = {
        accountId: account.id,
        // Addresses are kept in one form; what is none finds nothing.
        recipient: recipient && (addressOf(recipient)?.address ?? recipient),
        sender: sender && (addressOf(sender)?.address ?? sender),
        state,
        tag,
        subject,
      };
      const fromMs = from === undefined ? undefined : timeOf(from, 'from');
      const toMs = to === undefined ? undefined : timeOf(to, 'to');
      const happening = happeningOf(query, fromMs, toMs);
      if (happening !== undefined) {
        const range = { limit: query.limit ?? maxPageSize, beforeId: query.cursor, lookAt };
        const { messages: found, nextBeforeId } = await messages.happened(filter, happening, range);
        return { messages: found.map(messageShape), next_cursor: nextBeforeId ?? null };
      }
      const created = { ...filter, createdFromMs: fromMs, createdToMs: toMs };
      const range = { limit: query.limit ?? maxPageSize, beforeId: query.cursor, lookAt: lookAtMessages };
      const { messages: found, nextBeforeId } = await messages.search(created, range);
      return { messages: found.map(messageShape), next_cursor: nextBeforeId ?? null };
    },
  );

  app.get(
    '/api/messages/:id',
    {
      schema: {
        operationId: 'getMessage',
        tags: ['messages'],
        summary: 'Tell the whole story of a message',
        params: IdParams,
        response: { 200: Story },
      },
    },
    async ({ params: { id }, account }) => {
      const story = await storyOf({ messages, log }, account.id, id);
      if (story === undefined) throw notFound('message');
      return {
        ...messageShape(story.message),
        attempts: story.attempts.map(attemptShape),
        events: story.events.map(eventShape),
      };
    },
  );

  app.get(
    '/api/messages/:id/source',
    {
      // Mail holds secrets: links to set a password, for one.
      config: { role: 'developer' },
      schema: {
        operationId: 'getMessageSource',
        tags: ['messages'],
        summary: 'Give the mail as it was taken in (MIME)',
        params: IdParams,
        response: {
          200: { content: { 'message/rfc822': { schema: Type.Unsafe<Uint8Array>(Type.String()) } } },
        },
      },
    },
    async ({ params: { id }, account }, reply) => {
      const message = await messages.byId(account.id, id);
      if (message === undefined) throw notFound('message');
      const raw = await queue.readBody(message.submissionId);
      if (raw === undefined)
        throw new ApiError(410, 'body-gone', 'The body of this message is no longer kept');
      // What a stranger wrote must not be shown as a page of ours.
      reply.header('content-disposition', `attachment; filename="${id}.eml"`);
      return reply.type('message/rfc822').send(raw);
    },
  );
}

/** What has to have happened to a message; undefined if nothing is asked of that. @throws ApiError */
function happeningOf(
  { event, visitor, first, domain, provider }: Static<typeof ListQuery>,
  fromMs = 0,
  toMs = Number.MAX_SAFE_INTEGER,
): Happening | undefined {
  const asked = [event, visitor, first, domain, provider].some((given) => given !== undefined);
  if (!asked) return undefined;
  if ((visitor !== undefined || first !== undefined) && event !== 'opened' && event !== 'clicked') {
    const field = visitor === undefined ? 'first' : 'visitor';
    throw new ApiError(422, 'invalid', `'${field}' goes with 'event' opened or clicked`, field);
  }
  return {
    // Every message was taken in, once.
    type: event ?? 'accepted',
    fromMs,
    toMs,
    domain: domain?.toLowerCase(),
    provider: provider && providerInside(provider),
    visitors: visitor === undefined ? undefined : visitorsOf(visitor),
    first,
  };
}

/** @throws ApiError */
function visitorsOf(text: string): readonly VisitorKind[] {
  const kinds = new Set(text.split(',').map((name) => name.trim()));
  const known = visitorKinds.filter((kind) => kinds.has(kind));
  if (known.length === kinds.size) return known;
  throw new ApiError(422, 'invalid', `'visitor' holds none but ${visitorKinds.join(', ')}`, 'visitor');
}

/** A message that changes while it is read is read again; then it is shown as it was. */
const mostReads = 3;

/** A message as one moment shows it: its state and its events are told by several statements. */
async function storyOf(
  { messages, log }: Pick<Store, 'messages' | 'log'>,
  accountId: number,
  messageId: number,
) {
  for (let reads = 1; ; reads++) {
    const message = await messages.byId(accountId, messageId);
    if (message === undefined) return undefined;
    // An attempt is there no sooner than its event.
    const attempts = await messages.attempts(accountId, messageId);
    const told = await log.ofMessage(accountId, messageId);
    const events = told.filter(({ number }) => number <= message.lastEventNumber);
    if (events.length === told.length || reads === mostReads) return { message, attempts, events };
  }
}

function messageShape(message: Message): Static<typeof MessageShape> {
  return {
    id: message.id,
    submission_id: message.submissionId,
    state: message.state,
    recipient: message.recipient,
    role: message.role,
    sender: message.sender,
    sender_name: message.senderName,
    subject: message.subject,
    created_at: isoTime(message.createdAtMs),
    finished_at: isoTimeOrNull(message.finishedAtMs),
    next_attempt_at: isoTimeOrNull(message.nextAttemptAtMs),
    door: message.door,
    envelope_sender: message.envelopeSender,
    internet_message_id: message.internetMessageId,
    tags: JSON.parse(message.tagsJson) as string[],
    metadata: JSON.parse(message.metadataJson) as Record<string, unknown>,
    stream: message.stream,
    essential: message.essential,
    track: { opens: message.trackOpens, clicks: message.trackClicks, text: message.trackText },
    list_unsubscribe: message.listUnsubscribe,
    template_id: message.templateId ?? null,
    template_version: message.templateVersion ?? null,
    size_bytes: message.sizeBytes,
  };
}

function attemptShape(attempt: AttemptRecord): Static<typeof AttemptShape> {
  const { number, outcome, host, address, tls, category, dialogue } = attempt;
  const { code, enhancedCode, text } = attempt.answer;
  return {
    number,
    started_at: isoTime(attempt.startedAtMs),
    duration_ms: attempt.durationMs,
    outcome,
    host,
    address,
    source_address: attempt.sourceAddress,
    tls,
    answer: { code, enhanced_code: enhancedCode, text },
    category,
    dialogue,
  };
}
