/** A message as msndr's clients read it: its parts as they were given, where it stands, and counts of what happened. */
import { type Static, Type } from '@fastify/type-provider-typebox';
import PostalMime from 'postal-mime';
import type { LoggedEvent } from '../../events/types.ts';
import { type Message, messageStates } from '../../store/contract/messages.ts';

const EventCounts = Type.Object({
  open: Type.Integer(),
  redirect: Type.Record(Type.String(), Type.Integer(), { description: 'Clicks by target' }),
  spam: Type.Integer(),
  unsubscribe: Type.Integer(),
});

const facts = {
  id: Type.Integer(),
  from_email: Type.String(),
  from_name: Type.String(),
  to: Type.String(),
  subject: Type.String(),
};
const standing = { status: Type.Enum(messageStates), events: EventCounts };
const parts = {
  text: Type.Union([Type.String(), Type.Null()]),
  html: Type.Union([Type.String(), Type.Null()]),
  attachments: Type.Array(Type.String(), { description: 'File names' }),
};

export const MessageEntry = Type.Object({ ...facts, ...standing });
export const MessageShape = Type.Object(
  { ...facts, ...parts, ...standing },
  { description: 'The message; text and html are null once its body is no longer kept' },
);

type Parts = Pick<Static<typeof MessageShape>, 'text' | 'html' | 'attachments'>;

/** Of a message that was accepted this moment. */
export const noEvents: Static<typeof EventCounts> = { open: 0, redirect: {}, spam: 0, unsubscribe: 0 };

export function messageEntry(message: Message, events: readonly LoggedEvent[]): Static<typeof MessageEntry> {
  const { id, sender, senderName, recipient, subject, state } = message;
  return {
    id,
    from_email: sender,
    from_name: senderName,
    to: recipient,
    subject,
    status: state,
    events: countsOf(events),
  };
}

export function messageShape(
  { status, events, ...entry }: Static<typeof MessageEntry>,
  parts: Parts,
): Static<typeof MessageShape> {
  // In the order of the vendor's own answers.
  return { ...entry, text: parts.text, html: parts.html, attachments: parts.attachments, status, events };
}

function countsOf(events: readonly LoggedEvent[]): Static<typeof EventCounts> {
  const count = (type: LoggedEvent['type']) => events.filter((event) => event.type === type).length;
  const redirect = new Map<string, number>();
  for (const { type, url } of events) {
    if (type === 'clicked') redirect.set(url, (redirect.get(url) ?? 0) + 1);
  }
  return {
    open: count('opened'),
    redirect: Object.fromEntries(redirect),
    spam: count('complained'),
    unsubscribe: count('unsubscribed'),
  };
}

/** The parts of a stored body; of one that is gone, or that is no MIME anybody can read, nothing. */
export async function partsOf(raw: Uint8Array | undefined): Promise<Parts> {
  if (raw === undefined) return { text: null, html: null, attachments: [] };
  const { text, html, attachments } = await PostalMime.parse(raw).catch(() => ({
    text: undefined,
    html: undefined,
    attachments: [],
  }));
  return {
    text: withoutFinalBreak(text),
    html: withoutFinalBreak(html),
    attachments: attachments.map(({ filename }) => filename ?? ''),
  };
}

/** MIME ends a part with a line break that its author need not have written. */
const withoutFinalBreak = (text: string | undefined): string | null => text?.replace(/\n$/, '') ?? null;
