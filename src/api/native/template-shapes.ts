/** Templates and their versions as the native API shows them, and what a change of one came to. */
import { type Static, Type } from '@fastify/type-provider-typebox';
import type { FastifyRequest } from 'fastify';
import {
  missingVariablesRules,
  type Template,
  type TemplateChange,
  type TemplateContent,
  type TemplateVersion,
} from '../../store/contract/templates.ts';
import { ApiError, notFound } from '../errors.ts';
import { Id, isoTime, nullable, Time } from './shapes.ts';

export const MissingVariablesRule = Type.Enum(missingVariablesRules, {
  description: 'Whether a parameter that a send call does not give is an error or empty',
});

export const ListUnsubscribe = Type.Union([Type.Boolean(), Type.Null()], {
  description: 'Adds one-click unsubscribe headers; null takes the setting of the stream or the account',
});

const contentProperties = {
  name: Type.String(),
  from_email: Type.String(),
  from_name: Type.String(),
  subject: Type.String(),
  html: nullable(Type.String()),
  text: nullable(Type.String()),
  missing_variables: MissingVariablesRule,
  list_unsubscribe: ListUnsubscribe,
};
export const TemplateShape = Type.Object({
  id: Id,
  ...contentProperties,
  version: Type.Integer({ description: '1 as it was made; each change makes the next one' }),
  created_at: Time,
  updated_at: Time,
});

const versionProperties = {
  version: Type.Integer(),
  saved_at: Time,
  author: Type.String({ description: 'The e-mail address of who saved it, empty for a program' }),
};
export const VersionShape = Type.Object({
  ...versionProperties,
  name: Type.String(),
  subject: Type.String(),
});
export const WholeVersionShape = Type.Object({ ...versionProperties, ...contentProperties });

/** @throws ApiError */
export function changed(change: TemplateChange, what: string): Template {
  switch (change.kind) {
    case 'changed':
      return change.value;
    case 'taken':
      throw nameTaken();
    case 'unknown':
      throw notFound(what);
  }
}

export const nameTaken = () =>
  new ApiError(409, 'name-taken', 'Another template of the account has this name', 'name');

/** Who saves it: a person, or a program without a name. */
export const authorOf = (person: FastifyRequest['person']): string => person?.user.email ?? '';

export function contentShape(content: TemplateContent) {
  const { name, subject, html, text } = content;
  return {
    name,
    from_email: content.fromAddress,
    from_name: content.fromName,
    subject,
    html: html ?? null,
    text: text ?? null,
    missing_variables: content.missingVariables,
    list_unsubscribe: content.listUnsubscribe ?? null,
  };
}

export const templateShape = (template: Template): Static<typeof TemplateShape> => ({
  id: template.id,
  ...contentShape(template),
  version: template.version,
  created_at: isoTime(template.createdAtMs),
  updated_at: isoTime(template.updatedAtMs),
});

export const versionShape = ({ version, savedAtMs, author, name, subject }: TemplateVersion) => ({
  version,
  saved_at: isoTime(savedAtMs),
  author,
  name,
  subject,
});
