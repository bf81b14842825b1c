/** Shapes that several native routes share: ids, pages, times. Native routes refuse what they do not know. */
import { type TProperties, Type } from '@fastify/type-provider-typebox';
import { ApiError } from '../errors.ts';

/** Ids come from sequences far below 2^53. */
export const Id = Type.Integer({ minimum: 1, maximum: Number.MAX_SAFE_INTEGER });
export const Time = Type.String({ description: 'ISO 8601, in UTC', examples: ['2026-11-21T17:55:04.123Z'] });

export const IdParams = closed({ id: Id });

/** An object that holds these properties and no other. */
export function closed<Properties extends TProperties>(properties: Properties, options: object = {}) {
  return Type.Object(properties, { additionalProperties: false, ...options });
}

export const nullable = <T extends Parameters<typeof Type.Optional>[0]>(type: T) =>
  Type.Union([type, Type.Null()]);

export const maxPageSize = 100;

export const PageQuery = {
  limit: Type.Optional(
    Type.Integer({ minimum: 1, maximum: maxPageSize, default: maxPageSize, description: 'Entries a page' }),
  ),
  cursor: Type.Optional(
    Type.Integer({ ...Id, description: 'Where to go on: `next_cursor` of the page before' }),
  ),
};

export const NextCursor = Type.Union([Id, Type.Null()], {
  description: 'The `cursor` of the next page, null on the last one',
});

/** Asks for one entry more than a page holds, to know whether there is a next page. */
export async function page<Entry extends { readonly id: number }>(
  { limit = maxPageSize, cursor }: { limit?: number; cursor?: number },
  list: (page: { limit: number; beforeId: number | undefined }) => Promise<readonly Entry[]>,
): Promise<{ entries: readonly Entry[]; next_cursor: number | null }> {
  const found = await list({ limit: limit + 1, beforeId: cursor });
  const entries = found.slice(0, limit);
  return { entries, next_cursor: found.length > limit ? (entries.at(-1)?.id ?? null) : null };
}

export const isoTime = (atMs: number): string => new Date(atMs).toISOString();
export const isoTimeOrNull = (atMs: number | undefined): string | null =>
  atMs === undefined ? null : isoTime(atMs);

/** A date (midnight UTC) or a date with time and zone. @throws ApiError */
export function timeOf(text: string, field: string): number {
  const form = /^\d{4}-\d{2}-\d{2}(?:T\d{2}:\d{2}(?::\d{2}(?:\.\d{1,9})?)?(?:Z|[+-]\d{2}:\d{2}))?$/;
  const atMs = form.test(text) ? Date.parse(text) : Number.NaN;
  const day = text.slice(0, 10);
  // Date.parse takes the 31st of February for the 3rd of March.
  if (Number.isNaN(atMs) || isoTime(Date.parse(day)).slice(0, 10) !== day) {
    const message = `'${field}' is no ISO 8601 date or time with a zone, as in 2026-11-21 or 2026-11-21T17:55:04Z`;
    throw new ApiError(422, 'invalid', message, field);
  }
  return atMs;
}
