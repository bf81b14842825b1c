/**
 * The OpenAPI 3.1 document, made of the routes' own schemas, so that it cannot tell anything else than what is checked.
 * What is the same for every route of a family (who may call, what a refusal looks like) is said here once.
 */
import swagger from '@fastify/swagger';
import { Type } from '@fastify/type-provider-typebox';
import type { FastifySchema } from 'fastify';
import type { App } from './app.ts';

const nativeError = Type.Object(
  {
    error: Type.Object({
      code: Type.String({ description: 'Short name of what is wrong; programs may rely on it' }),
      message: Type.String({ description: 'What is wrong, for people' }),
      field: Type.Optional(Type.String({ description: 'The part of the request at fault, as in `to[1]`' })),
    }),
  },
  {
    description: 'The request was refused and nothing of it was done',
    examples: [
      { error: { code: 'address-invalid', message: '"ann@" is not a mail address', field: 'to[0]' } },
    ],
  },
);

const msndrErrors = Type.Object(
  {
    errors: Type.Array(
      Type.Object({
        code: Type.Integer({ description: 'The HTTP status' }),
        detail: Type.String({ description: 'What is wrong, for people' }),
      }),
    ),
  },
  {
    description: 'The request was refused and nothing of it was done',
    examples: [{ errors: [{ code: 412, detail: 'Page size is too big. Max value is 100' }] }],
  },
);

/** The families of routes that are documented, by the beginning of their paths. */
const families = [
  { prefix: '/api/', error: nativeError },
  { prefix: '/v1/', error: msndrErrors },
] as const;

/** Call before any route is added. */
export async function apiDocument(app: App, publicUrl: string): Promise<void> {
  await app.register(swagger, {
    openapi: {
      openapi: '3.1.0',
      info: {
        title: 'Aftersend',
        version: '1',
        description:
          'Transactional e-mail: send messages and learn what became of them. `/api` is the native API, `/v1/email` ' +
          'is compatible with msndr (NotiSend, Cloud4Y).',
        license: { name: 'Apache-2.0', identifier: 'Apache-2.0' },
      },
      servers: [{ url: publicUrl }],
      tags: [
        { name: 'messages', description: 'Send messages, and see what became of each' },
        { name: 'events', description: 'What happened, in order' },
        { name: 'statistics', description: 'How many of what, by hour and day; what waits now' },
        { name: 'webhooks', description: 'Where events are sent' },
        { name: 'domains', description: 'Domains that mail is sent from, their keys and records' },
        { name: 'templates', description: 'Mail texts with places for parameters (Liquid)' },
        { name: 'suppressions', description: 'Whom not to write to, and why' },
        { name: 'settings', description: 'What mail does when it does not say otherwise' },
        { name: 'reports', description: 'What came back and changed nothing' },
        { name: 'account', description: 'The account and its API tokens' },
        { name: 'console', description: 'People: signing in, users, invitations, the audit log' },
        { name: 'msndr', description: 'The API of msndr, for programs written against it' },
      ],
      components: {
        securitySchemes: {
          token: { type: 'http', scheme: 'bearer', description: 'An API token of the account' },
          session: {
            type: 'apiKey',
            in: 'cookie',
            name: 'aftersend',
            description: 'Of a person who signed in; changes need the header `aftersend-console: 1` as well',
          },
        },
      },
      security: [{ token: [] }, { session: [] }],
    },
    transform: ({ schema, url }) => {
      const family = families.find(({ prefix }) => url.startsWith(prefix));
      if (family === undefined) return { url, schema: { ...schema, hide: true } };
      return { url, schema: withRefusals(schema, family.error) };
    },
  });
  app.get('/api/openapi.json', { schema: { hide: true } }, async () => app.swagger());
}

function withRefusals(schema: FastifySchema | undefined, error: object): FastifySchema {
  const responses = (schema?.response ?? {}) as Record<string, unknown>;
  return { ...schema, response: { ...responses, '4xx': error, '5xx': error } };
}
