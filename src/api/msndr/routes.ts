/**
 * The send API of msndr (NotiSend, Cloud4Y) under `/v1/email`, for programs that were written against it: unknown
 * fields are ignored, shapes and statuses are the vendor's (`../shared/contract/send-apis.md`).
 */
import { type Static, Type } from '@fastify/type-provider-typebox';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { type Accept, type Draft, noOptions, RefusedError } from '../../accept/draft.ts';
import type { Store } from '../../store/contract/store.ts';
import type { Template } from '../../store/contract/templates.ts';
import type { App } from '../app.ts';
import { ApiError, notFound } from '../errors.ts';
import { fillTemplate } from '../template-content.ts';
import {
  MessageEntry,
  MessageShape,
  messageEntry,
  messageShape,
  noEvents,
  partsOf,
} from './message-shape.ts';
import { readMultipart } from './multipart.ts';

const maxPageSize = 100;
/** Messages that page numbers reach; beyond it the native API's cursor goes on. */
const maxCounted = 100_000;

const optionalText = Type.Optional(Type.Union([Type.String(), Type.Null()]));
const IdParams = Type.Object({ id: Type.Integer({ minimum: 1, maximum: Number.MAX_SAFE_INTEGER }) });

const SendBody = Type.Object(
  {
    from_email: Type.String(),
    from_name: optionalText,
    to: Type.String({ description: 'One address' }),
    subject: Type.String(),
    text: optionalText,
    html: optionalText,
    smtp_headers: Type.Optional(
      Type.Union([
        Type.Record(Type.String(), Type.Union([Type.String(), Type.Number(), Type.Boolean()])),
        Type.Null(),
      ]),
    ),
    payment: Type.Optional(Type.Unknown({ description: 'Ignored' })),
  },
  {
    description:
      '`text` or `html` is needed. As `multipart/form-data`, files come as `attachments[]` and headers as ' +
      '`smtp_headers[NAME]`.',
    examples: [
      { from_email: 'shop@example.com', to: 'opened@simulator.test', subject: 'Your order', text: 'Hello' },
    ],
  },
);

const TemplateSendBody = Type.Object(
  {
    to: Type.String({ description: 'One address' }),
    params: Type.Optional(Type.Union([Type.Record(Type.String(), Type.Unknown()), Type.Null()])),
    from_email: optionalText,
    from_name: optionalText,
    subject: optionalText,
    payment: Type.Optional(Type.Unknown({ description: 'Ignored' })),
  },
  { examples: [{ to: 'opened@simulator.test', from_email: 'shop@example.com', params: { number: 42 } }] },
);

const PageQuery = Type.Object({
  page_number: Type.Optional(Type.Integer({ minimum: 1, default: 1 })),
  page_size: Type.Optional(Type.Integer({ minimum: 1, default: maxPageSize, description: '100 at most' })),
});

const MessagePage = Type.Object({
  total_count: Type.Integer(),
  total_pages: Type.Integer(),
  page_number: Type.Integer(),
  page_size: Type.Integer(),
  collection: Type.Array(MessageEntry),
});

export interface MsndrDependencies {
  readonly accept: Accept;
  readonly store: Pick<Store, 'messages' | 'log' | 'queue' | 'templates'>;
  /** Of a whole message, in JSON or multipart. */
  readonly messageBodyBytes: number;
}

export async function msndrRoutes(app: App, dependencies: MsndrDependencies): Promise<void> {
  await readMultipart(app, dependencies.messageBodyBytes);
  sendRoute(app, dependencies);
  templateSendRoute(app, dependencies);
  messageRoute(app, dependencies);
  messagesRoute(app, dependencies);
}

function sendRoute(app: App, { accept, messageBodyBytes }: MsndrDependencies): void {
  app.post(
    '/v1/email/messages',
    {
      bodyLimit: messageBodyBytes,
      schema: {
        operationId: 'msndrSendMessage',
        tags: ['msndr'],
        summary: 'Send a message',
        consumes: ['application/json', 'multipart/form-data'],
        body: SendBody,
        response: { 201: MessageShape },
      },
    },
    async ({ body, uploads, account }, reply) => {
      const headers = Object.entries(body.smtp_headers ?? {}).map(([name, value]) => [name, String(value)]);
      const draft = draftOf(account, body.to, undefined, {
        from: { address: body.from_email, name: body.from_name ?? '' },
        subject: body.subject,
        text: body.text ?? undefined,
        html: body.html ?? undefined,
        headers: Object.fromEntries(headers) as Record<string, string>,
        attachments: uploads.map((upload) => ({ ...upload, contentId: undefined })),
      });
      return answerAccepted(accept, draft, reply);
    },
  );
}

function templateSendRoute(app: App, { accept, store }: MsndrDependencies): void {
  app.post(
    '/v1/email/templates/:id/messages',
    {
      schema: {
        operationId: 'msndrSendTemplate',
        tags: ['msndr'],
        summary: 'Send a message made of a template',
        params: IdParams,
        body: TemplateSendBody,
        response: { 201: MessageShape },
      },
    },
    async ({ params: { id }, body, account }, reply) => {
      const { template, parts } = await fillTemplate(
        store.templates,
        account.id,
        { id },
        body.params ?? {},
        body.subject ?? undefined,
      );
      // A sender named by the call comes with the call's name only.
      const { fromAddress, fromName } = template;
      const from = body.from_email
        ? { address: body.from_email, name: body.from_name ?? '' }
        : { address: fromAddress, name: body.from_name ?? fromName };
      const draft = draftOf(account, body.to, template, {
        ...parts,
        from,
        headers: {},
        attachments: [],
      });
      return answerAccepted(accept, draft, reply);
    },
  );
}

function messageRoute(app: App, { store }: MsndrDependencies): void {
  app.get(
    '/v1/email/messages/:id',
    {
      schema: {
        operationId: 'msndrGetMessage',
        tags: ['msndr'],
        summary: 'Show a message and what happened to it',
        params: IdParams,
        response: { 200: MessageShape },
      },
    },
    async ({ params: { id }, account }) => {
      const message = await store.messages.byId(account.id, id);
      if (message === undefined) throw notFound('message');
      const [events, raw] = await Promise.all([
        store.log.ofMessage(account.id, id),
        store.queue.readBody(message.submissionId),
      ]);
      return messageShape(messageEntry(message, events), await partsOf(raw));
    },
  );
}

function messagesRoute(app: App, { store }: MsndrDependencies): void {
  app.get(
    '/v1/email/messages',
    {
      schema: {
        operationId: 'msndrListMessages',
        tags: ['msndr'],
        summary: 'List messages, newest first, without their parts',
        querystring: PageQuery,
        response: { 200: MessagePage },
      },
    },
    async ({ query, account }): Promise<Static<typeof MessagePage>> => {
      const { page_number = 1, page_size = maxPageSize } = query;
      if (page_size > maxPageSize) {
        const message = `Page size is too big. Max value is ${maxPageSize}`;
        throw new ApiError(412, 'page-too-large', message);
      }
      const filter = { accountId: account.id };
      const total_count = await store.messages.count(filter, maxCounted);
      const skip = (page_number - 1) * page_size;
      const messages =
        skip < total_count ? await store.messages.list(filter, { limit: page_size, skip }) : [];
      const collection = await Promise.all(
        messages.map(async (message) =>
          messageEntry(message, await store.log.ofMessage(account.id, message.id)),
        ),
      );
      return {
        total_count,
        total_pages: Math.ceil(total_count / page_size),
        page_number,
        page_size,
        collection,
      };
    },
  );
}

type Content = Omit<Extract<Draft['mail'], { content: unknown }>['content'], 'to' | 'cc' | 'replyTo'>;

function draftOf(
  account: FastifyRequest['account'],
  to: string,
  template: Template | undefined,
  content: Content,
): Draft & { readonly mail: { readonly content: Content } } {
  return {
    account,
    door: 'msndr',
    envelopeSender: '',
    recipients: [{ address: to, role: 'to' }],
    // Clients send an empty text where there is none.
    mail: {
      content: {
        ...content,
        text: content.text || undefined,
        html: content.html || undefined,
        to: [{ address: to, name: '' }],
        cc: [],
        replyTo: [],
      },
    },
    options: { ...noOptions, listUnsubscribe: template?.listUnsubscribe },
    template,
    idempotency: undefined,
  };
}

/** Where a draft's part stood in the request. */
const fieldNames: Readonly<Record<string, string>> = {
  'recipients[0]': 'to',
  'to[0]': 'to',
  from: 'from_email',
  'from.name': 'from_name',
};

async function answerAccepted(
  accept: Accept,
  draft: ReturnType<typeof draftOf>,
  reply: FastifyReply,
): Promise<Static<typeof MessageShape>> {
  const { messageIds, recipients } = await accept(draft).catch((error: unknown) => {
    if (!(error instanceof RefusedError)) throw error;
    const field = fieldNames[error.field] ?? error.field.replace(/^headers\./, 'smtp_headers.');
    throw new RefusedError(error.reason, field, error.message);
  });
  const { from, subject, text = null, html = null, attachments } = draft.mail.content;
  reply.code(201);
  return messageShape(
    {
      id: messageIds[0] ?? 0,
      from_email: from.address,
      from_name: from.name,
      to: recipients[0] ?? '',
      subject,
      status: 'queued',
      events: noEvents,
    },
    { text, html, attachments: attachments.map(({ filename }) => filename) },
  );
}
