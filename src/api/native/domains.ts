/** Sending domains over HTTP: add, show what to publish, look, rotate, remove. */
import { type Static, Type } from '@fastify/type-provider-typebox';
import type { Domains, DomainStory } from '../../domains/domains.ts';
import { lookStates } from '../../domains/look.ts';
import { recordPurposes, zoneLine } from '../../domains/records.ts';
import { addressOf } from '../../mail/address.ts';
import type { DomainStore, SendingDomain } from '../../store/contract/domains.ts';
import type { App } from '../app.ts';
import { ApiError, notFound } from '../errors.ts';
import {
  closed,
  Id,
  IdParams,
  isoTime,
  isoTimeOrNull,
  NextCursor,
  nullable,
  page,
  PageQuery,
  Time,
} from './shapes.ts';

const RequireTls = Type.Boolean({ description: 'Mail from it goes out by TLS or not at all' });

const domainProperties = {
  id: Id,
  name: Type.String({ description: 'Mail from it and from names below it may go out once it is verified' }),
  state: Type.Enum(['unverified', 'verified']),
  verified_at: nullable(Time),
  checked_at: nullable(Time),
  require_tls: RequireTls,
  created_at: Time,
};

const RecordShape = Type.Object({
  purpose: Type.Enum(recordPurposes),
  type: Type.Enum(['TXT', 'CNAME']),
  name: Type.String(),
  value: Type.String(),
  zone_line: Type.String({ description: 'The record as a line of a zone file' }),
  required: Type.Boolean({ description: 'The domain is not verified without it' }),
  note: Type.String(),
  state: nullable(Type.Enum(lookStates, { description: 'As it was when it was last looked for' })),
  seen: Type.Array(Type.String(), { description: 'What was found there' }),
});

const DomainShape = Type.Object({ ...domainProperties, records: Type.Array(RecordShape) });
const DomainEntry = Type.Object(domainProperties);

interface DomainDependencies {
  readonly domains: Domains;
  readonly store: Pick<DomainStore, 'list' | 'remove' | 'setRequireTls'>;
}

export function domainRoutes(app: App, { domains, store }: DomainDependencies): void {
  app.get(
    '/api/domains',
    {
      schema: {
        operationId: 'listDomains',
        tags: ['domains'],
        summary: 'List sending domains, newest first',
        querystring: closed(PageQuery),
        response: { 200: Type.Object({ domains: Type.Array(DomainEntry), next_cursor: NextCursor }) },
      },
    },
    async ({ query, account }) => {
      const { entries, next_cursor } = await page(query, (range) =>
        store.list({ accountId: account.id, ...range }),
      );
      return { domains: entries.map(domainEntry), next_cursor };
    },
  );

  app.post(
    '/api/domains',
    {
      schema: {
        operationId: 'addDomain',
        tags: ['domains'],
        summary: 'Add a sending domain',
        description:
          'Makes its DKIM keys. The answer has the records to publish, exactly as they must stand.',
        body: closed(
          { name: Type.String({ maxLength: 253 }), require_tls: Type.Optional(RequireTls) },
          { examples: [{ name: 'example.com' }] },
        ),
        response: { 201: DomainShape },
      },
    },
    async ({ body: { name, require_tls = false }, account }, reply) => {
      const input = { accountId: account.id, name: wholeDomain(name), requireTls: require_tls };
      const added = await domains.add(input);
      if (added.kind === 'taken') throw new ApiError(409, 'taken', 'This domain was added before', 'name');
      reply.code(201);
      return domainShape(added.value);
    },
  );

  app.get(
    '/api/domains/:id',
    {
      schema: {
        operationId: 'getDomain',
        tags: ['domains'],
        summary: 'Show a sending domain and the records to publish',
        params: IdParams,
        response: { 200: DomainShape },
      },
    },
    async ({ params: { id }, account }) => shown(await domains.tell(account.id, id)),
  );

  app.patch(
    '/api/domains/:id',
    {
      schema: {
        operationId: 'changeDomain',
        tags: ['domains'],
        summary: "Change a sending domain's settings",
        params: IdParams,
        body: closed({ require_tls: RequireTls }),
        response: { 200: DomainShape },
      },
    },
    async ({ params: { id }, body: { require_tls }, account }) => {
      await store.setRequireTls({ accountId: account.id, domainId: id, requireTls: require_tls });
      return shown(await domains.tell(account.id, id));
    },
  );

  app.post(
    '/api/domains/:id/verify',
    {
      schema: {
        operationId: 'verifyDomain',
        tags: ['domains'],
        summary: 'Look whether the records are published',
        params: IdParams,
        response: { 200: DomainShape },
      },
    },
    async ({ params: { id }, account }) => shown(await domains.verify(account.id, id)),
  );

  app.post(
    '/api/domains/:id/rotate',
    {
      schema: {
        operationId: 'rotateDomainKeys',
        tags: ['domains'],
        summary: 'Make new DKIM keys',
        description:
          'They come with selectors of their own and sign once `verify` has seen them published. Leave the older ' +
          'records for a week more: mail that was signed with them is still under way.',
        params: IdParams,
        response: { 200: DomainShape },
      },
    },
    async ({ params: { id }, account }) => shown(await domains.rotate(account.id, id)),
  );

  app.delete(
    '/api/domains/:id',
    {
      schema: {
        operationId: 'removeDomain',
        tags: ['domains'],
        summary: 'Remove a sending domain and its keys',
        params: IdParams,
        response: { 204: Type.Null({ description: 'Gone' }) },
      },
    },
    async ({ params: { id }, account }, reply) => {
      if (!(await store.remove({ accountId: account.id, domainId: id }))) throw notFound('domain');
      return reply.code(204).send(null);
    },
  );
}

/** @throws ApiError for what is no domain name */
function wholeDomain(text: string): string {
  const domain = addressOf(`postmaster@${text.trim().replace(/\.$/, '')}`)?.domain;
  if (domain === undefined || !domain.includes('.')) {
    throw new ApiError(422, 'domain-invalid', `${JSON.stringify(text)} is not a domain name`, 'name');
  }
  return domain;
}

function shown(story: DomainStory | undefined): Static<typeof DomainShape> {
  if (story === undefined) throw notFound('domain');
  return domainShape(story);
}

function domainShape({ domain, records }: DomainStory): Static<typeof DomainShape> {
  return {
    ...domainEntry(domain),
    records: records.map((record) => {
      const { purpose, type, name, value, required, note, look } = record;
      const found = { state: look?.state ?? null, seen: [...(look?.seen ?? [])] };
      return { purpose, type, name, value, zone_line: zoneLine(record), required, note, ...found };
    }),
  };
}

function domainEntry(domain: SendingDomain): Static<typeof DomainEntry> {
  const { id, name, verifiedAtMs, checkedAtMs, requireTls, createdAtMs } = domain;
  return {
    id,
    name,
    state: verifiedAtMs === undefined ? 'unverified' : 'verified',
    verified_at: isoTimeOrNull(verifiedAtMs),
    checked_at: isoTimeOrNull(checkedAtMs),
    require_tls: requireTls,
    created_at: isoTime(createdAtMs),
  };
}
