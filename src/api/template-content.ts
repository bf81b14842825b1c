/** A message's parts from a template of the account: what both families of send calls do with one. */
import { renderTemplate, type TemplateParts } from '../accept/templates/render.ts';
import type { Template, TemplateStore } from '../store/contract/templates.ts';
import { ApiError } from './errors.ts';

interface FilledTemplate {
  readonly template: Template;
  readonly parts: TemplateParts;
}

/**
 * @param subject stands in the place of the template's subject, and is Liquid as well
 * @throws ApiError 404, TemplateError
 */
export async function fillTemplate(
  templates: TemplateStore,
  accountId: number,
  wanted: { readonly id: number } | { readonly name: string },
  params: Readonly<Record<string, unknown>>,
  subject: string | undefined,
): Promise<FilledTemplate> {
  const template =
    'id' in wanted
      ? await templates.byId(accountId, wanted.id)
      : await templates.byName(accountId, wanted.name);
  if (template === undefined) throw new ApiError(404, 'template-unknown', 'There is no such template');
  const source = { ...template, subject: subject ?? template.subject };
  return { template, parts: renderTemplate(source, params, template.missingVariables) };
}
