/**
 * A message's content for people: read into parts, shown as a page that can do nothing, sent once more. What a stranger
 * wrote must never run in the console's origin, however its address is opened.
 */
import { Type } from '@fastify/type-provider-typebox';
import type { Accept } from '../../accept/draft.ts';
import { readHeaders } from '../../mail/header-fields.ts';
import { rebuild } from '../../mail/headers.ts';
import { readContent } from '../../mail/read-content.ts';
import type { Message } from '../../store/contract/messages.ts';
import type { Store } from '../../store/contract/store.ts';
import type { App } from '../app.ts';
import { ApiError, notFound } from '../errors.ts';
import { strangerPage } from '../stranger-page.ts';
import { Id, IdParams, nullable } from './shapes.ts';

interface ContentDependencies {
  readonly accept: Accept;
  readonly store: Pick<Store, 'messages' | 'queue'>;
}

const Content = Type.Object({
  headers: Type.Array(Type.Object({ name: Type.String(), value: Type.String() })),
  text: nullable(Type.String()),
  has_html: Type.Boolean(),
  attachments: Type.Array(
    Type.Object({ filename: Type.String(), content_type: Type.String(), size_bytes: Type.Integer() }),
  ),
});

// Mail holds secrets: links to set a password, for one.
const config = { role: 'developer' } as const;
const tags = ['messages'];

export function messageContentRoutes(app: App, { accept, store }: ContentDependencies): void {
  const found = async (accountId: number, id: number): Promise<{ message: Message; raw: Uint8Array }> => {
    const message = await store.messages.byId(accountId, id);
    if (message === undefined) throw notFound('message');
    const raw = await store.queue.readBody(message.submissionId);
    if (raw === undefined) throw new ApiError(410, 'body-gone', 'The body of this message is no longer kept');
    return { message, raw };
  };

  app.get(
    '/api/messages/:id/content',
    {
      config,
      schema: {
        operationId: 'getMessageContent',
        tags,
        summary: 'Tell what is in a message: headers, text, attachments',
        params: IdParams,
        response: { 200: Content },
      },
    },
    async ({ params: { id }, account }) => {
      const { raw } = await found(account.id, id);
      const { headers, text, html, attachments } = await readContent(raw);
      return {
        headers: [...headers],
        text: text ?? null,
        has_html: html !== undefined,
        attachments: attachments.map(({ filename, contentType, sizeBytes }) => ({
          filename,
          content_type: contentType,
          size_bytes: sizeBytes,
        })),
      };
    },
  );

  app.get(
    '/api/messages/:id/html',
    {
      config,
      schema: {
        operationId: 'getMessageHtml',
        tags,
        summary: 'Show a message’s HTML part as a page that can do and load nothing',
        params: IdParams,
        response: { 200: { content: { 'text/html': { schema: Type.String() } } } },
      },
    },
    async ({ params: { id }, account }, reply) => {
      const { raw } = await found(account.id, id);
      const { html } = await readContent(raw);
      if (html === undefined) throw notFound('HTML part of this message');
      return strangerPage(reply, html);
    },
  );

  app.post(
    '/api/messages/:id/send-again',
    {
      schema: {
        operationId: 'sendAgain',
        tags,
        summary: 'Send a message once more to its recipient, as a new message',
        params: IdParams,
        response: { 201: Type.Object({ id: Id }) },
      },
    },
    async ({ params, account }, reply) => {
      const { message, raw } = await found(account.id, params.id);
      const { messageIds } = await accept({
        account,
        door: 'api',
        envelopeSender: '',
        recipients: [{ address: message.recipient, role: message.role }],
        mail: { raw: withoutIdentity(raw) },
        options: {
          tags: JSON.parse(message.tagsJson) as string[],
          metadata: JSON.parse(message.metadataJson) as Record<string, unknown>,
          stream: message.stream,
          essential: message.essential,
          trackOpens: message.trackOpens,
          trackClicks: message.trackClicks,
          listUnsubscribe: message.listUnsubscribe,
          trackText: message.trackText,
        },
        template: templateOf(message),
        idempotency: undefined,
      });
      reply.code(201);
      return { id: messageIds[0] ?? 0 };
    },
  );
}

const templateOf = ({ templateId, templateVersion }: Message) =>
  templateId === undefined ? undefined : { id: templateId, version: templateVersion };

/** Without Message-ID and Date, which are made anew: many receivers throw away what has an id that they have seen. */
function withoutIdentity(raw: Uint8Array): Uint8Array {
  return rebuild(raw, readHeaders(raw), ({ name }) => name === 'message-id' || name === 'date');
}
