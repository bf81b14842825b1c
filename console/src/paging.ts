/** Lists that go on: page after page by the API's cursor, so that the millionth row costs what the first does. */
import { useCallback, useEffect, useRef, useState } from 'preact/hooks';
import { get } from './api.ts';
import { type Loaded, useLoaded } from './loading.ts';

export interface Pages<Entry> extends Loaded<readonly Entry[]> {
  /** Loads the next page; undefined on the last. */
  readonly more: (() => void) | undefined;
}

interface Paging<Answer, Entry> {
  readonly entriesOf: (answer: Answer) => readonly Entry[];
  /** What asks for the page after this one, in the query; undefined on the last. */
  readonly nextOf: (answer: Answer) => string | undefined;
  /** A change of it begins anew. */
  readonly version?: number;
}

const pageSize = 50;

/** @param path with or without a query; a change of it begins anew */
export function usePagesBy<Answer, Entry>(path: string, paging: Paging<Answer, Entry>): Pages<Entry> {
  const { entriesOf, nextOf, version = 0 } = paging;
  const paged = `${path}${path.includes('?') ? '&' : '?'}limit=${pageSize}`;
  const first = useLoaded<Answer>(paged, version);
  const [further, setFurther] = useState<readonly Answer[]>([]);
  const [failure, setFailure] = useState<Error | undefined>();
  /** What is being loaded: asked for twice, a page would stand there twice. */
  const asked = useRef('');
  useEffect(() => {
    asked.current = '';
    setFurther([]);
    setFailure(undefined);
  }, [first.data]);
  const last = further.at(-1) ?? first.data;
  const next = last && nextOf(last);
  const load = useCallback(() => {
    const query = `${paged}&${next}`;
    if (asked.current === query) return;
    asked.current = query;
    setFailure(undefined);
    get<Answer>(query)
      .then(
        // What began anew meanwhile has no use for it.
        (page) => asked.current === query && setFurther((pages) => [...pages, page]),
        (error: unknown) => setFailure(error as Error),
      )
      .finally(() => {
        if (asked.current === query) asked.current = '';
      });
  }, [paged, next]);
  const { data } = first;
  const entries = data && [data, ...further].flatMap(entriesOf);
  const isShort = entries !== undefined && entries.length < pageSize && next !== undefined;
  useEffect(() => {
    // A search over much looks at a part at a time, and may not have found a page full yet.
    if (isShort && failure === undefined) load();
  }, [isShort, failure, load]);
  return {
    // That there is nothing is said when all was looked at.
    data: isShort && failure === undefined && entries.length === 0 ? undefined : entries,
    error: first.error ?? failure,
    loading: first.loading,
    // What failed is tried again: the next page, or the first.
    reload: failure === undefined ? first.reload : load,
    more: next === undefined ? undefined : load,
  };
}

type ListAnswer<Name extends string, Entry> = Readonly<Record<Name, readonly Entry[]>> & {
  readonly next_cursor: number | null;
};

/** A list as most of the API's routes have it: entries under a name, and `next_cursor`. */
export const usePages = <Name extends string, Entry>(path: string, name: Name): Pages<Entry> =>
  usePagesBy<ListAnswer<Name, Entry>, Entry>(path, {
    entriesOf: (answer) => answer[name],
    nextOf: ({ next_cursor: cursor }) => (cursor === null ? undefined : `cursor=${cursor}`),
  });
