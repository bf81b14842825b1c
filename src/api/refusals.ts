/**
 * Reads whatever a request ended in (a route's refusal, a failed validation, the framework's own errors, a fault of
 * ours) as one closed shape, which each family of routes writes in its own envelope. What is a fault of ours keeps its
 * cause inside: outside it is "internal" and nothing more.
 */
import type { FastifyError, FastifySchemaValidationError } from 'fastify';
import { type RefusalReason, RefusedError } from '../accept/draft.ts';
import { TemplateError } from '../accept/templates/render.ts';
import { PasswordsBusyError } from '../users/passwords.ts';
import { BodyMissingError } from '../store/contract/bodies.ts';
import { StoreBusyError, StoreFullError } from '../store/contract/store.ts';
import { ApiError, notFound } from './errors.ts';

export interface Refusal {
  readonly statusCode: number;
  /** `docs/api.md` lists them. */
  readonly code: string;
  readonly message: string;
  /** '' if no part of the request is at fault alone. */
  readonly field: string;
  readonly retryAfterS: number | undefined;
}

/** When the store has more to write than it can: it catches up within a commit or two. */
const busyRetryAfterS = 2;

const statusOfReason: Readonly<Record<RefusalReason, number>> = {
  'address-invalid': 422,
  'recipients-missing': 422,
  'recipients-too-many': 422,
  'from-missing': 422,
  'sender-unverified': 403,
  'header-invalid': 422,
  'body-missing': 422,
  'options-invalid': 422,
  'message-too-large': 413,
  'message-malformed': 422,
  'idempotency-conflict': 409,
};

export function refusalOf(error: unknown): Refusal {
  const refusal = { field: '', retryAfterS: undefined };
  if (error instanceof ApiError) {
    const { statusCode, code, message, field, retryAfterS } = error;
    return { statusCode, code, message, field, retryAfterS };
  }
  if (error instanceof RefusedError) {
    const { reason, message, field } = error;
    return { ...refusal, statusCode: statusOfReason[reason], code: reason, message, field };
  }
  if (error instanceof TemplateError) {
    const { reason, message, part } = error;
    return { ...refusal, statusCode: 422, code: reason, message, field: part };
  }
  if (error instanceof StoreBusyError) {
    const message =
      error instanceof StoreFullError
        ? 'There is no room left to store anything, try again later'
        : 'Too much is being written just now, try again in a moment';
    return { ...refusal, statusCode: 503, code: 'busy', message, retryAfterS: busyRetryAfterS };
  }
  if (error instanceof BodyMissingError) {
    const message = 'The content of this message cannot be found just now, try again later';
    return { ...refusal, statusCode: 503, code: 'busy', message, retryAfterS: busyRetryAfterS };
  }
  if (error instanceof PasswordsBusyError) {
    const message = 'Many people sign in just now, try again in a moment';
    return { ...refusal, statusCode: 503, code: 'busy', message, retryAfterS: busyRetryAfterS };
  }
  return frameworkRefusal(error as Partial<FastifyError>) ?? internal;
}

const internal: Refusal = {
  statusCode: 500,
  code: 'internal',
  message: 'Something went wrong here. It was logged; the request may be tried again',
  field: '',
  retryAfterS: undefined,
};

/** What fastify and its plugins throw themselves. Undefined if it is no fault of the request. */
function frameworkRefusal(error: Partial<FastifyError>): Refusal | undefined {
  const { statusCode = 500, code = '', message = '', validation, validationContext } = error;
  if (validation !== undefined) return invalid(validation, validationContext ?? 'body');
  // A path that cannot be decoded names nothing here; it is not repeated in the answer.
  if (code === 'FST_ERR_BAD_URL') return refusalOf(notFound('path'));
  if (statusCode < 400 || statusCode >= 500) return undefined;
  const refusal = { statusCode, message, field: '', retryAfterS: undefined };
  switch (statusCode) {
    case 413:
      return { ...refusal, code: 'body-too-large', message: 'The body is larger than this route takes' };
    case 415:
      return { ...refusal, code: 'media-type-unsupported', message: 'This route takes no such Content-Type' };
    case 408:
      return { ...refusal, code: 'request-timeout', message: 'The request took too long to arrive' };
    default:
      return { ...refusal, code: code.includes('JSON') ? 'json-malformed' : 'request-malformed' };
  }
}

/** Names the first thing that is wrong, the way the caller wrote it. */
function invalid(errors: readonly FastifySchemaValidationError[], context: string): Refusal {
  const { field, message } = firstFault(errors);
  const what = field === '' ? `The ${context === 'querystring' ? 'query' : context}` : `'${field}'`;
  return {
    statusCode: 422,
    code: 'invalid',
    message: `${what} ${message}`,
    field,
    retryAfterS: undefined,
  };
}

function firstFault(all: readonly FastifySchemaValidationError[]): { field: string; message: string } {
  const { errors, words } = ofMeantForm(all);
  const unknownWord = errors.find(({ keyword }) => keyword === 'const');
  if (unknownWord !== undefined) {
    return { field: fieldAt(unknownWord, undefined), message: `is none of ${words.join(', ')}` };
  }
  const extra = errors.find(({ keyword }) => keyword === 'additionalProperties');
  if (extra !== undefined) {
    return {
      field: fieldAt(extra, firstName(extra.params['additionalProperties'])),
      message: 'is not known here',
    };
  }
  const missing = errors.find(({ keyword }) => keyword === 'required');
  if (missing !== undefined) {
    return {
      field: fieldAt(missing, firstName(missing.params['requiredProperties'])),
      message: 'is missing',
    };
  }
  const first = errors[0];
  if (first === undefined) return { field: '', message: 'is invalid' };
  const field = fieldAt(first, undefined);
  // One value that fits none of several shapes makes an error a shape; only together do they say what is wanted.
  if (
    errors.some(({ keyword, instancePath }) => keyword === 'anyOf' && instancePath === first.instancePath)
  ) {
    return { field, message: 'has none of the forms that are taken here' };
  }
  const allowed = first.params['allowedValues'];
  if (Array.isArray(allowed)) return { field, message: `is none of ${allowed.join(', ')}` };
  return { field, message: first.message ?? 'is invalid' };
}

/**
 * A value that may take one of several forms, each told by a word in it (`"kind": "basic"`), is judged by the form whose
 * word it has; when it has no form's word, all that is wrong is the word.
 */
function ofMeantForm(errors: readonly FastifySchemaValidationError[]): {
  readonly errors: readonly FastifySchemaValidationError[];
  readonly words: readonly unknown[];
} {
  const formOf = ({ schemaPath }: FastifySchemaValidationError) => /^.*?\/anyOf\/\d+/.exec(schemaPath)?.[0];
  const wrongWords = errors.filter(({ keyword }) => keyword === 'const');
  if (wrongWords.length === 0) return { errors, words: [] };
  const otherForms = new Set(wrongWords.map(formOf));
  const meant = errors.filter((error) => error.keyword !== 'anyOf' && !otherForms.has(formOf(error)));
  const words = wrongWords.map(({ params }) => params['allowedValue']);
  return { errors: meant.length > 0 ? meant : wrongWords, words };
}

const firstName = (names: unknown): string | undefined =>
  Array.isArray(names) && typeof names[0] === 'string' ? names[0] : undefined;

/** `/to/1` as `to[1]`, `/template` with `nam` as `template.nam`. */
function fieldAt({ instancePath }: FastifySchemaValidationError, name: string | undefined): string {
  return instancePath
    .split('/')
    .slice(1)
    .map((part) => part.replaceAll('~1', '/').replaceAll('~0', '~'))
    .concat(name ?? [])
    .reduce((path, part) => {
      if (/^\d+$/.test(part)) return `${path}[${part}]`;
      return path === '' ? part : `${path}.${part}`;
    }, '');
}
