/** What a template was: looked at, and taken back. */
import { Type } from '@fastify/type-provider-typebox';
import type { Clock } from '../../platform/clock.ts';
import { keptTemplateVersions, type TemplateStore } from '../../store/contract/templates.ts';
import type { App } from '../app.ts';
import { notFound } from '../errors.ts';
import { closed, Id, IdParams } from './shapes.ts';
import {
  authorOf,
  changed,
  contentShape,
  templateShape,
  TemplateShape,
  versionShape,
  VersionShape,
  WholeVersionShape,
} from './template-shapes.ts';

const VersionParams = closed({ id: Id, version: Id });
const tags = ['templates'];

export function templateVersionRoutes(
  app: App,
  { templates, clock }: { readonly templates: TemplateStore; readonly clock: Clock },
): void {
  app.get(
    '/api/templates/:id/versions',
    {
      schema: {
        operationId: 'listTemplateVersions',
        tags,
        summary: 'List what a template was, newest first',
        description: `The last ${keptTemplateVersions} are kept; the first of the list is how it stands now.`,
        params: IdParams,
        response: { 200: Type.Object({ versions: Type.Array(VersionShape) }) },
      },
    },
    async ({ params: { id }, account }) => {
      const versions = await templates.versions(account.id, id);
      if (versions.length === 0) throw notFound('template');
      return { versions: versions.map(versionShape) };
    },
  );

  app.get(
    '/api/templates/:id/versions/:version',
    {
      schema: {
        operationId: 'getTemplateVersion',
        tags,
        summary: 'Show a template as it was',
        params: VersionParams,
        response: { 200: WholeVersionShape },
      },
    },
    async ({ params: { id, version }, account }) => {
      const found = await templates.version(account.id, id, version);
      if (found === undefined) throw notFound('version of a template');
      return { ...versionShape(found), ...contentShape(found) };
    },
  );

  app.post(
    '/api/templates/:id/versions/:version/restore',
    {
      schema: {
        operationId: 'restoreTemplateVersion',
        tags,
        summary: 'Make a template what it was',
        description:
          'It becomes a new version with the content of that one; the name stays, for programs find it by that.',
        params: VersionParams,
        response: { 200: TemplateShape },
      },
    },
    async ({ params: { id: templateId, version }, account, person }) => {
      const input = { accountId: account.id, templateId, version, author: authorOf(person) };
      const change = await templates.restore({ ...input, atMs: clock.now() });
      return templateShape(changed(change, 'version of a template'));
    },
  );
}
