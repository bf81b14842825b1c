/** Lists that go on: page after page by the API's cursor, so that the millionth row costs what the first does. */
import { useCallback, useEffect, useState } from 'preact/hooks';
import { get } from './api.ts';
import { type Loaded, useLoaded } from './loading.ts';

type Answer<Name extends string, Entry> = Readonly<Record<Name, readonly Entry[]>> & {
  readonly next_cursor: number | null;
};

export interface Pages<Entry> extends Loaded<readonly Entry[]> {
  /** Loads the next page; undefined on the last. */
  readonly more: (() => void) | undefined;
}

const pageSize = 50;

/** @param path with or without a query; a change of it begins anew */
export function usePages<Name extends string, Entry>(path: string, name: Name): Pages<Entry> {
  const paged = `${path}${path.includes('?') ? '&' : '?'}limit=${pageSize}`;
  const first = useLoaded<Answer<Name, Entry>>(paged);
  const [further, setFurther] = useState<readonly Answer<Name, Entry>[]>([]);
  const [failure, setFailure] = useState<Error | undefined>();
  useEffect(() => {
    setFurther([]);
    setFailure(undefined);
  }, [first.data]);
  const cursor = (further.at(-1) ?? first.data)?.next_cursor ?? null;
  const load = useCallback(() => {
    get<Answer<Name, Entry>>(`${paged}&cursor=${cursor}`).then(
      (page) => setFurther((pages) => [...pages, page]),
      (error: unknown) => setFailure(error as Error),
    );
  }, [paged, cursor]);
  const { data } = first;
  return {
    data: data && [data, ...further].flatMap((page) => page[name]),
    error: first.error ?? failure,
    loading: first.loading,
    reload: first.reload,
    more: cursor === null ? undefined : load,
  };
}
