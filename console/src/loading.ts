/** What a page shows comes from the API: loading, loaded, failed, and again. */
import { useCallback, useEffect, useRef, useState } from 'preact/hooks';
import { get } from './api.ts';

export interface Loaded<T> {
  /** What was loaded last, also while it is loaded again. */
  readonly data: T | undefined;
  readonly error: Error | undefined;
  readonly loading: boolean;
  readonly reload: () => void;
}

/**
 * @param path undefined loads nothing; a change of it loads anew
 * @param version a change of it loads anew as well
 * @param load for what takes more than one request
 */
export function useLoaded<T>(
  path: string | undefined,
  version = 0,
  load: (path: string) => Promise<T> = get,
): Loaded<T> {
  const [state, setState] = useState<{ path: string | undefined; data?: T; error?: Error }>({
    path: undefined,
  });
  const [round, setRound] = useState(0);
  const latest = useRef(0);
  useEffect(() => {
    if (path === undefined) return;
    const mine = ++latest.current;
    const isLatest = () => mine === latest.current;
    load(path).then(
      (data) => isLatest() && setState({ path, data }),
      // What is there goes on being shown: a list that could not be renewed is better than none.
      (error: unknown) =>
        isLatest() &&
        setState((before) => ({ ...(before.path === path && before), path, error: error as Error })),
    );
  }, [path, round, version]);
  const reload = useCallback(() => setRound((n) => n + 1), []);
  return {
    data: state.data,
    error: state.path === path ? state.error : undefined,
    loading: path !== undefined && state.path !== path,
    reload,
  };
}

/** A part of what was loaded, loaded with it. */
export const partOf = <T, Part>(loaded: Loaded<T>, pick: (data: T) => Part): Loaded<Part> => ({
  ...loaded,
  data: loaded.data && pick(loaded.data),
});

/** Loads again every so often while the page is looked at and `wanted` holds. */
export function useRefresh(reload: () => void, everyMs: number, wanted: boolean): void {
  useEffect(() => {
    if (!wanted) return;
    const timer = setInterval(() => {
      if (document.visibilityState === 'visible') reload();
    }, everyMs);
    return () => clearInterval(timer);
  }, [reload, everyMs, wanted]);
}

/** An action with its state: running, failed with what, done. */
export function useAction<Input extends unknown[]>(action: (...input: Input) => Promise<void>) {
  const [running, setRunning] = useState(false);
  const [error, setError] = useState<Error | undefined>();
  const run = async (...input: Input): Promise<void> => {
    setRunning(true);
    setError(undefined);
    try {
      await action(...input);
    } catch (failure) {
      setError(failure as Error);
    } finally {
      setRunning(false);
    }
  };
  return { run, running, error };
}
