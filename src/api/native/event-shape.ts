/** Events as the native API tells them: the facts in JSON, and the same in words for whoever asks what happened. */
import { type Static, Type } from '@fastify/type-provider-typebox';
import {
  type EventDetails,
  type EventType,
  eventTypes,
  type LoggedEvent,
  type SuppressionReason,
  type VisitorKind,
} from '../../events/types.ts';
import { nativeNames } from '../../events/native-names.ts';
import { Id, isoTime, nullable, Time } from './shapes.ts';

const Answer = Type.Object(
  {
    code: Type.String({ description: 'SMTP reply code' }),
    enhanced_code: Type.String({ description: "Enhanced status code (RFC 3463), '' if none was given" }),
    text: Type.String({ description: "The answer's text; begins with `Aftersend:` if no server answered" }),
  },
  { examples: [{ code: '250', enhanced_code: '2.0.0', text: 'queued as 4XmT2v' }] },
);

export const EventShape = Type.Object({
  id: Id,
  type: Type.Enum(eventTypes),
  time: Time,
  message_id: Id,
  number: Type.Integer({ description: '1, 2, 3 … within the message' }),
  recipient: Type.String(),
  sender: Type.String(),
  subject: Type.String(),
  tags: Type.Array(Type.String()),
  metadata: Type.Record(Type.String(), Type.Unknown()),
  answer: nullable(Answer),
  url: nullable(Type.String({ description: 'The target of a click' })),
  detail: Type.Record(Type.String(), Type.Unknown(), { description: 'Further facts, by type' }),
  text: Type.String({
    description: 'The event in words',
    examples: ['mx.example.org took it: 250 2.0.0 OK'],
  }),
});

export function eventShape(event: LoggedEvent): Static<typeof EventShape> {
  const { id, type, timeMs, messageId, number, recipient, sender, subject, url } = event;
  return {
    id,
    type,
    time: isoTime(timeMs),
    message_id: messageId,
    number,
    recipient,
    sender,
    subject,
    tags: JSON.parse(event.tagsJson) as string[],
    metadata: JSON.parse(event.metadataJson) as Record<string, unknown>,
    answer:
      event.code === ''
        ? null
        : { code: event.code, enhanced_code: event.enhancedCode, text: event.response },
    url: url === '' ? null : url,
    detail: nativeNames(JSON.parse(event.detailJson) as Record<string, unknown>),
    text: inWords(event),
  };
}

const whySuppressed: Readonly<Record<SuppressionReason, string>> = {
  unsubscribed: 'the recipient unsubscribed',
  complained: 'the recipient complained of an earlier message',
  bounced: 'an earlier message to this address bounced',
  manual: 'the address was put on the suppression list',
};

const visitorsInWords: Readonly<Record<VisitorKind, string>> = {
  human: 'a person',
  proxy: 'a mailbox provider’s proxy',
  machine: 'a machine',
};

const byWhom = ({ visitor, confidence, reason }: EventDetails['opened']): string =>
  `, by ${visitorsInWords[visitor]} (${Math.round(confidence * 100)} % sure: ${reason})`;

function opened({ first, visitor, count = 1 }: EventDetails['opened']): string {
  if (count > 1) return `Opened ${count} times more, counted together`;
  if (first) return 'Opened for the first time';
  return visitor === 'machine' ? 'Opened' : 'Opened again';
}

const followed = ({ count = 1 }: EventDetails['clicked']): string =>
  count > 1 ? `A link was followed ${count} times more, counted together` : 'A link was followed';

/** One sentence for each type. */
const sentences: {
  readonly [Type in EventType]: (detail: EventDetails[Type], event: LoggedEvent, answer: string) => string;
} = {
  accepted: ({ door }) => `Taken in by ${door === 'smtp' ? 'SMTP' : 'HTTP'} and stored`,
  skipped: ({ reason, stream }) =>
    `Not sent: ${whySuppressed[reason]}${reason === 'unsubscribed' ? ` from '${stream}'` : ''}`,
  deferred: ({ host, refused, attempt, nextAttemptAtMs }, _event, answer) =>
    `Attempt ${attempt}: ${refused ? `${host} refused it for now` : 'it could not be handed over'}: ${answer}. ` +
    `Next attempt at ${isoTime(nextAttemptAtMs)}`,
  delivered: ({ host }, _event, answer) => `${host} took it: ${answer}`,
  bounced: ({ host, late }, _event, answer) =>
    late
      ? `${host || 'A server'} had taken it and then sent it back: ${answer}`
      : `Given up: ${host === '' ? '' : `${host}: `}${answer}`,
  opened: (visit) => `${opened(visit)}${byWhom(visit)}`,
  clicked: (visit, { url }) => `${followed(visit)}: ${url}${byWhom(visit)}`,
  unsubscribed: ({ stream }) => `The recipient unsubscribed from '${stream}'`,
  complained: () => 'The recipient complained of it as spam',
};

function inWords(event: LoggedEvent): string {
  const answer = [event.code, event.enhancedCode, event.response].filter((part) => part !== '').join(' ');
  const sentence = sentences[event.type] as (detail: unknown, event: LoggedEvent, answer: string) => string;
  return sentence(JSON.parse(event.detailJson), event, answer);
}
