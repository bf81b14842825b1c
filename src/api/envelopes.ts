/**
 * How a refusal is written. Clients of one API never see another's envelope, also where no route was reached (an
 * unknown path, a body too large), so the path alone decides.
 */
import type { Refusal } from './refusals.ts';

interface Family {
  readonly prefix: string;
  write(refusal: Refusal): object;
}

/** The compatible APIs; everything else is native. */
const families: readonly Family[] = [
  {
    prefix: '/v1/',
    write: ({ statusCode, message, field }) => ({
      errors: [{ code: statusCode, detail: field === '' ? message : mentioning(field, message) }],
    }),
  },
];

const native = ({ code, message, field }: Refusal): object => ({
  error: { code, message, ...(field !== '' && { field: snakeCase(field) }) },
});

export function envelope(path: string, refusal: Refusal): object {
  const family = families.find(({ prefix }) => path.startsWith(prefix));
  return family === undefined ? native(refusal) : family.write(refusal);
}

const mentioning = (field: string, message: string): string =>
  message.includes(field) ? message : `${field}: ${message}`;

/** Parts of a draft are named as the program names them; header names stay as they were given. */
function snakeCase(field: string): string {
  if (field.startsWith('headers.')) return field;
  return field.replaceAll(/[a-z][A-Z]/g, ([small, large]) => `${small}_${large?.toLowerCase()}`);
}
