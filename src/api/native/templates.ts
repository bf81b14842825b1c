/** Templates: made, looked at, changed, taken back, tried out and removed by their account. None is stored that cannot be parsed. */
import { type Static, Type } from '@fastify/type-provider-typebox';
import { checkTemplate, maxPartChars, renderTemplate } from '../../accept/templates/render.ts';
import { addressOf } from '../../mail/address.ts';
import type { Clock } from '../../platform/clock.ts';
import type { Template, TemplateContent, TemplateStore } from '../../store/contract/templates.ts';
import type { App } from '../app.ts';
import { ApiError, notFound } from '../errors.ts';
import { strangerPage } from '../stranger-page.ts';
import { closed, IdParams, NextCursor, nullable, page, PageQuery } from './shapes.ts';
import {
  authorOf,
  changed,
  ListUnsubscribe,
  MissingVariablesRule,
  nameTaken,
  templateShape,
  TemplateShape,
} from './template-shapes.ts';
import { templateVersionRoutes } from './template-versions.ts';

const Name = Type.String({ minLength: 1, maxLength: 100, description: 'Unique in the account' });
const Part = Type.String({ maxLength: maxPartChars });
const FromEmail = Type.String({
  maxLength: 254,
  description: "The sender if a send call names none; '' for none",
});
const FromName = Type.String({ maxLength: 200 });
const Subject = Type.String({ maxLength: 1000, description: 'Liquid' });
const TemplateBody = closed(
  {
    name: Name,
    from_email: Type.Optional(FromEmail),
    from_name: Type.Optional(FromName),
    subject: Subject,
    html: Type.Optional(nullable(Part)),
    text: Type.Optional(nullable(Part)),
    missing_variables: Type.Optional(MissingVariablesRule),
    list_unsubscribe: Type.Optional(ListUnsubscribe),
  },
  {
    description: '`html`, `text` or both are needed. In `html` values are escaped unless they say `| raw`.',
    examples: [
      { name: 'order', subject: 'Order {{ number }}', html: '<p>Dear {{ name }}, it is on its way.</p>' },
    ],
  },
);
const TemplateChanges = closed(
  {
    name: Type.Optional(Name),
    from_email: Type.Optional(FromEmail),
    from_name: Type.Optional(FromName),
    subject: Type.Optional(Subject),
    html: Type.Optional(nullable(Part)),
    text: Type.Optional(nullable(Part)),
    missing_variables: Type.Optional(MissingVariablesRule),
    list_unsubscribe: Type.Optional(ListUnsubscribe),
  },
  { description: 'What is left out stays as it is' },
);
type TemplateChanges = Static<typeof TemplateChanges>;

const Preview = Type.Object({
  subject: Type.String(),
  html: nullable(Type.String()),
  text: nullable(Type.String()),
});

export interface TemplateDependencies {
  readonly templates: TemplateStore;
  readonly clock: Clock;
}

const tags = ['templates'];

type Find = (accountId: number, id: number) => Promise<Template>;

export function templateRoutes(app: App, dependencies: TemplateDependencies): void {
  const find: Find = async (accountId, id) => {
    const template = await dependencies.templates.byId(accountId, id);
    if (template === undefined) throw notFound('template');
    return template;
  };
  collectionRoutes(app, dependencies);
  templateRoute(app, dependencies, find);
  templateVersionRoutes(app, dependencies);
  previewRoute(app, find);
}

function collectionRoutes(app: App, { templates, clock }: TemplateDependencies): void {
  app.post(
    '/api/templates',
    {
      schema: {
        operationId: 'createTemplate',
        tags,
        summary: 'Make a template',
        body: TemplateBody,
        response: { 201: TemplateShape },
      },
    },
    async ({ body, account, person }, reply) => {
      const content = changedContent(emptyContent, body);
      const input = { accountId: account.id, content, author: authorOf(person), atMs: clock.now() };
      const created = await templates.create(input);
      if (created.kind === 'taken') throw nameTaken();
      reply.code(201);
      return templateShape(created.value);
    },
  );

  app.get(
    '/api/templates',
    {
      schema: {
        operationId: 'listTemplates',
        tags,
        summary: 'List templates, newest first',
        querystring: closed(PageQuery),
        response: { 200: Type.Object({ templates: Type.Array(TemplateShape), next_cursor: NextCursor }) },
      },
    },
    async ({ query, account }) => {
      const { entries, next_cursor } = await page(query, (range) =>
        templates.list({ accountId: account.id, ...range }),
      );
      return { templates: entries.map(templateShape), next_cursor };
    },
  );
}

function templateRoute(app: App, { templates, clock }: TemplateDependencies, find: Find): void {
  app.get(
    '/api/templates/:id',
    {
      schema: {
        operationId: 'getTemplate',
        tags,
        summary: 'Show a template',
        params: IdParams,
        response: { 200: TemplateShape },
      },
    },
    async ({ params: { id }, account }) => templateShape(await find(account.id, id)),
  );

  app.patch(
    '/api/templates/:id',
    {
      schema: {
        operationId: 'changeTemplate',
        tags,
        summary: 'Change a template',
        description: 'A change makes a new version; what changes nothing makes none.',
        params: IdParams,
        body: TemplateChanges,
        response: { 200: TemplateShape },
      },
    },
    async ({ params: { id: templateId }, body, account, person }) => {
      const content = changedContent(await find(account.id, templateId), body);
      const input = { accountId: account.id, templateId, content, author: authorOf(person) };
      return templateShape(changed(await templates.change({ ...input, atMs: clock.now() }), 'template'));
    },
  );

  app.delete(
    '/api/templates/:id',
    {
      schema: {
        operationId: 'removeTemplate',
        tags,
        summary: 'Remove a template with its versions; messages made of it stay',
        params: IdParams,
        response: { 204: Type.Null({ description: 'Gone' }) },
      },
    },
    async ({ params: { id }, account }, reply) => {
      const removed = await templates.remove({ accountId: account.id, templateId: id });
      if (!removed) throw notFound('template');
      return reply.code(204).send(null);
    },
  );
}

function previewRoute(app: App, find: Find): void {
  app.post(
    '/api/templates/:id/preview',
    {
      // It changes nothing: whoever may look may try.
      config: { role: 'support', unaudited: true },
      schema: {
        operationId: 'previewTemplate',
        tags,
        summary: 'Render a template without sending anything',
        params: IdParams,
        body: closed(
          { params: Type.Optional(Type.Record(Type.String(), Type.Unknown())) },
          { examples: [{ params: { number: 42, name: 'Ann' } }] },
        ),
        response: { 200: Preview },
      },
    },
    async ({ params: { id }, body, account }) => {
      const template = await find(account.id, id);
      const parts = renderTemplate(template, body.params ?? {}, template.missingVariables);
      return { subject: parts.subject, html: parts.html ?? null, text: parts.text ?? null };
    },
  );

  app.get(
    '/api/templates/:id/page',
    {
      schema: {
        operationId: 'showTemplate',
        tags,
        summary: 'Show a template’s HTML part as a page that can do and load nothing',
        params: IdParams,
        querystring: closed({
          params: Type.Optional(Type.String({ maxLength: 8_000, description: 'Its parameters, in JSON' })),
        }),
        response: { 200: { content: { 'text/html': { schema: Type.String() } } } },
      },
    },
    async ({ params: { id }, query, account }, reply) => {
      const template = await find(account.id, id);
      const { html } = renderTemplate(template, paramsOf(query.params ?? '{}'), template.missingVariables);
      if (html === undefined) throw notFound('HTML part of this template');
      return strangerPage(reply, html);
    },
  );
}

/** @throws ApiError */
function paramsOf(text: string): Record<string, unknown> {
  try {
    const value: unknown = JSON.parse(text);
    if (typeof value === 'object' && value !== null) return value as Record<string, unknown>;
  } catch {
    // Told below, as every other value that is no object.
  }
  throw new ApiError(422, 'invalid', "'params' is no JSON object", 'params');
}

const emptyContent: TemplateContent = {
  name: '',
  fromAddress: '',
  fromName: '',
  subject: '',
  html: undefined,
  text: undefined,
  missingVariables: 'error',
  listUnsubscribe: undefined,
};

/** @throws ApiError, TemplateError: what would come out is no good template */
function changedContent(before: TemplateContent, changes: TemplateChanges): TemplateContent {
  const { from_email: from, html, text, list_unsubscribe: listed } = changes;
  const content: TemplateContent = {
    name: changes.name ?? before.name,
    fromAddress: from === undefined ? before.fromAddress : senderAddress(from),
    fromName: changes.from_name ?? before.fromName,
    subject: changes.subject ?? before.subject,
    html: html === undefined ? before.html : (html ?? undefined),
    text: text === undefined ? before.text : (text ?? undefined),
    missingVariables: changes.missing_variables ?? before.missingVariables,
    listUnsubscribe: listed === undefined ? before.listUnsubscribe : (listed ?? undefined),
  };
  if (content.html === undefined && content.text === undefined) {
    throw new ApiError(422, 'body-missing', 'A template needs html, text or both', 'html');
  }
  if (/[\r\n\0]/.test(content.subject + content.fromName)) {
    throw new ApiError(422, 'header-invalid', 'Subject and sender hold no line break and no NUL', 'subject');
  }
  checkTemplate(content);
  return content;
}

function senderAddress(text: string): string {
  if (text === '') return '';
  const address = addressOf(text)?.address;
  if (address === undefined) {
    throw new ApiError(422, 'address-invalid', `${JSON.stringify(text)} is not a mail address`, 'from_email');
  }
  return address;
}
