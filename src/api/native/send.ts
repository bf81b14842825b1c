/** `POST /api/messages`: the native way to hand mail in. */
import { createHash } from 'node:crypto';
import { type Static, Type } from '@fastify/type-provider-typebox';
import {
  type Accept,
  type Attachment,
  type Draft,
  type Mailbox,
  type MailContent,
  RefusedError,
} from '../../accept/draft.ts';
import { parseMailboxes } from '../../mail/address.ts';
import type { Account } from '../../store/contract/accounts.ts';
import type { RecipientRole } from '../../store/contract/intake.ts';
import type { Store } from '../../store/contract/store.ts';
import type { Template, TemplateStore } from '../../store/contract/templates.ts';
import type { Clock } from '../../platform/clock.ts';
import type { App } from '../app.ts';
import { ApiError } from '../errors.ts';
import { fillTemplate } from '../template-content.ts';
import { TrackSwitches } from './mail-settings.ts';
import { closed, Id } from './shapes.ts';

/** Bounds of lists in a request; how many recipients a message may have is a setting. */
const maxListed = 10_000;
const maxAttachments = 100;
const maxHeaders = 100;
const maxKeyChars = 255;

const MailboxText = Type.String({
  minLength: 1,
  maxLength: 1000,
  description: 'An address, with or without a name',
  examples: ['ann@example.org', 'Ann <ann@example.org>'],
});
const MailboxTexts = Type.Array(MailboxText, { maxItems: maxListed });

const AttachmentBody = closed({
  filename: Type.String({ minLength: 1, maxLength: 255 }),
  content: Type.String({ contentEncoding: 'base64', description: 'Base64' }),
  content_type: Type.Optional(Type.String({ description: 'Guessed from the file name if left out' })),
  content_id: Type.Optional(
    Type.String({ minLength: 1, description: 'For pictures that the HTML shows as `cid:CONTENT_ID`' }),
  ),
});

const TemplateBody = closed(
  {
    id: Type.Optional(Id),
    name: Type.Optional(Type.String({ minLength: 1 })),
    params: Type.Optional(Type.Record(Type.String(), Type.Unknown())),
  },
  { description: 'A template, by its id or its name; instead of `text` and `html`' },
);

const SendBody = closed(
  {
    from: Type.Optional(
      Type.String({ ...MailboxText, description: 'Required unless the template has a sender' }),
    ),
    to: Type.Optional(MailboxTexts),
    cc: Type.Optional(MailboxTexts),
    bcc: Type.Optional(MailboxTexts),
    reply_to: Type.Optional(MailboxTexts),
    subject: Type.Optional(Type.String({ description: 'Required unless a template gives it' })),
    text: Type.Optional(Type.String()),
    html: Type.Optional(Type.String()),
    headers: Type.Optional(
      Type.Record(Type.String(), Type.String(), {
        maxProperties: maxHeaders,
        description: 'Further headers; those that the service writes itself are refused',
      }),
    ),
    attachments: Type.Optional(Type.Array(AttachmentBody, { maxItems: maxAttachments })),
    tags: Type.Optional(Type.Array(Type.String(), { description: 'Up to 10, of up to 64 characters' })),
    metadata: Type.Optional(
      Type.Record(Type.String(), Type.Unknown(), {
        description: 'Comes back in events and webhooks; up to 2 KiB of JSON',
      }),
    ),
    stream: Type.Optional(
      Type.String({
        default: 'default',
        description: 'What kind of mail this is to its recipients: what they unsubscribe from',
      }),
    ),
    essential: Type.Optional(
      Type.Boolean({ default: false, description: 'Goes also to those who unsubscribed (a password reset)' }),
    ),
    track: Type.Optional(
      closed(TrackSwitches, {
        description: 'What is left out is as the stream, the sending domain or the account has it',
      }),
    ),
    list_unsubscribe: Type.Optional(
      Type.Boolean({
        description:
          'Adds one-click unsubscribe headers; as the template, the stream, the sending domain or the account has it if left out',
      }),
    ),
    template: Type.Optional(TemplateBody),
  },
  {
    examples: [
      {
        from: 'Shop <shop@example.com>',
        to: ['opened@simulator.test'],
        subject: 'Your order',
        html: '<p>It is on its way.</p>',
        tags: ['order'],
        metadata: { order: 42 },
      },
    ],
  },
);
type SendBody = Static<typeof SendBody>;

const SendAnswer = Type.Object(
  {
    id: Type.Integer({ description: 'The first message' }),
    messages: Type.Array(Type.Object({ id: Id, recipient: Type.String() }), {
      description: 'One a recipient, in the order to, cc, bcc; an address given twice is one',
    }),
  },
  {
    description: 'Stored durably; it will be delivered, or its failure told',
    examples: [{ id: 17, messages: [{ id: 17, recipient: 'opened@simulator.test' }] }],
  },
);

export interface SendDependencies {
  readonly accept: Accept;
  readonly store: Pick<Store, 'intake' | 'messages' | 'templates'>;
  readonly clock: Clock;
  /** Of a whole message in JSON. */
  readonly bodyBytes: number;
}

export function sendRoute(app: App, dependencies: SendDependencies): void {
  const { accept, store, bodyBytes } = dependencies;
  app.post(
    '/api/messages',
    {
      bodyLimit: bodyBytes,
      schema: {
        operationId: 'sendMessage',
        tags: ['messages'],
        summary: 'Send a message',
        description:
          'Answers once the message is stored durably. With an `Idempotency-Key`, the same request may be sent ' +
          'again within 24 hours: it gets the first answer, with the header `Idempotent-Replayed: true`. The same ' +
          'key with another body is refused (409).',
        headers: Type.Object({
          'idempotency-key': Type.Optional(Type.String({ minLength: 1, maxLength: maxKeyChars })),
        }),
        body: SendBody,
        response: { 201: SendAnswer },
      },
    },
    async ({ body, headers, account }, reply) => {
      const key = headers['idempotency-key'];
      const idempotency = key === undefined ? undefined : { key, fingerprint: fingerprintOf(body) };
      const replayed = idempotency && (await firstAnswer(dependencies, account.id, idempotency));
      if (replayed !== undefined) return reply.code(201).header(replayedHeader, 'true').send(replayed);
      const { mail, template } = await contentOf(store.templates, account, body);
      const bcc = mailboxesOf(body.bcc, 'bcc');
      const draft: Draft = {
        account,
        door: 'api',
        envelopeSender: '',
        recipients: recipientsOf({ ...mail, bcc }),
        mail: { content: mail },
        options: {
          tags: body.tags ?? [],
          metadata: body.metadata ?? {},
          stream: body.stream ?? 'default',
          essential: body.essential ?? false,
          trackOpens: body.track?.opens,
          trackClicks: body.track?.clicks,
          trackText: body.track?.text,
          listUnsubscribe: body.list_unsubscribe ?? template?.listUnsubscribe,
        },
        template,
        idempotency,
      };
      const { messageIds, recipients, repeated } = await accept(draft).catch((error: unknown) => {
        throw naming(error, body);
      });
      if (repeated) reply.header(replayedHeader, 'true');
      reply.code(201);
      return {
        id: messageIds[0] ?? 0,
        messages: messageIds.map((id, index) => ({ id, recipient: recipients[index] ?? '' })),
      };
    },
  );
}

const replayedHeader = 'idempotent-replayed';

/**
 * What the same request was answered before. It is looked up first, so that a template changed since, or gone, cannot
 * turn the answer into another. Two at the same moment both pass here, and `accept` tells them apart.
 */
async function firstAnswer(
  { store, clock }: SendDependencies,
  accountId: number,
  idempotency: { key: string; fingerprint: string },
): Promise<Static<typeof SendAnswer> | undefined> {
  const earlier = await store.intake.earlier({ accountId, ...idempotency, atMs: clock.now() });
  if (earlier?.kind !== 'repeated') return undefined;
  const messages = await Promise.all(
    earlier.messageIds.map(async (id) => {
      const message = await store.messages.byId(accountId, id);
      return { id, recipient: message?.recipient ?? '' };
    }),
  );
  return { id: earlier.messageIds[0] ?? 0, messages };
}

/** Two requests are the same if their JSON says the same in the same order, whatever the spaces. */
const fingerprintOf = (body: SendBody): string =>
  createHash('sha256').update(JSON.stringify(body)).digest('hex');

const roles: readonly RecipientRole[] = ['to', 'cc', 'bcc'];

const recipientsOf = (mailboxes: Readonly<Record<RecipientRole, readonly Mailbox[]>>): Draft['recipients'] =>
  roles.flatMap((role) => mailboxes[role].map(({ address }) => ({ address, role })));

/** `recipients[2]` of a draft is some place in to, cc or bcc of the request. */
function naming(error: unknown, body: SendBody): unknown {
  if (!(error instanceof RefusedError)) return error;
  if (error.reason === 'recipients-missing') return new RefusedError(error.reason, 'to', error.message);
  const index = /^recipients\[(\d+)\]$/.exec(error.field)?.[1];
  if (index === undefined) return error;
  const places = roles.flatMap((role) => (body[role] ?? []).map((_, place) => `${role}[${place}]`));
  return new RefusedError(error.reason, places[Number(index)] ?? 'to', error.message);
}

async function contentOf(
  templates: TemplateStore,
  account: Account,
  body: SendBody,
): Promise<{ mail: MailContent; template: Template | undefined }> {
  const filled = await filledTemplate(templates, account, body);
  const { subject, text, html } = filled === undefined ? body : filled.parts;
  if (subject === undefined) throw new ApiError(422, 'invalid', "'subject' is missing", 'subject');
  const mail: MailContent = {
    from: senderOf(body, filled?.template),
    replyTo: mailboxesOf(body.reply_to, 'reply_to'),
    to: mailboxesOf(body.to, 'to'),
    cc: mailboxesOf(body.cc, 'cc'),
    subject,
    text,
    html,
    headers: body.headers ?? {},
    attachments: (body.attachments ?? []).map(attachmentOf),
  };
  return { mail, template: filled?.template };
}

async function filledTemplate(templates: TemplateStore, account: Account, body: SendBody) {
  if (body.template === undefined) return undefined;
  const { id, name, params = {} } = body.template;
  if ((id === undefined) === (name === undefined)) {
    throw new ApiError(422, 'invalid', "'template' needs either an id or a name", 'template');
  }
  if (body.text !== undefined || body.html !== undefined) {
    throw new ApiError(422, 'invalid', 'A message has a template, or text and html, not both', 'template');
  }
  const wanted = id === undefined ? { name: name ?? '' } : { id };
  return fillTemplate(templates, account.id, wanted, params, body.subject);
}

function senderOf(
  { from }: SendBody,
  template: { fromAddress: string; fromName: string } | undefined,
): Mailbox {
  if (from !== undefined) return mailboxOf(from, 'from');
  if (template !== undefined && template.fromAddress !== '') {
    return { address: template.fromAddress, name: template.fromName };
  }
  throw new ApiError(422, 'from-missing', "'from' is missing", 'from');
}

const mailboxesOf = (texts: readonly string[] | undefined, field: string): readonly Mailbox[] =>
  (texts ?? []).map((text, index) => mailboxOf(text, `${field}[${index}]`));

function mailboxOf(text: string, field: string): Mailbox {
  // Reading a mailbox joins its lines; one that was given with line breaks is an attempt at something else.
  if (/[\r\n\0]/.test(text)) {
    throw new RefusedError('header-invalid', field, `'${field}' holds a line break or a NUL`);
  }
  const { mailboxes, invalid } = parseMailboxes(text);
  const [mailbox, ...others] = mailboxes;
  if (mailbox === undefined || others.length > 0 || invalid.length > 0) {
    const message = `${JSON.stringify(text)} is not one mail address, with or without a name`;
    throw new RefusedError('address-invalid', field, message);
  }
  return mailbox;
}

function attachmentOf(
  { filename, content, content_type: contentType, content_id: contentId }: Static<typeof AttachmentBody>,
  index: number,
): Attachment {
  const bytes = Buffer.from(content, 'base64');
  // Node reads over what is no base64; a wrong attachment must not go out as a mangled one.
  const digits = content.replaceAll(/[\s=]/g, '').length;
  if (Math.floor((digits * 3) / 4) !== bytes.byteLength || /[^A-Za-z0-9+/=\s]/.test(content)) {
    const field = `attachments[${index}].content`;
    throw new ApiError(422, 'invalid', `'${field}' is not base64`, field);
  }
  return { filename, contentType, contentId, content: bytes };
}
