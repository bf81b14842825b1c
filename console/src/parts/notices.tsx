/** What a page says when there is nothing to show yet, nothing at all, or something went wrong. */
import type { ComponentChildren } from 'preact';
import { ApiError } from '../api.ts';
import { useWords } from '../language.ts';
import type { Loaded } from '../loading.ts';
import { Icon, type IconName } from './icons.tsx';

export function Loading({ lines = 5 }: { readonly lines?: number }) {
  const { states } = useWords();
  return (
    <div class="skeleton" role="status" aria-label={states.loading}>
      {Array.from({ length: lines }, (_, index) => (
        <span key={index} />
      ))}
    </div>
  );
}

export function Empty(props: {
  readonly icon: IconName;
  readonly title: string;
  readonly children?: ComponentChildren;
}) {
  return (
    <div class="empty">
      <Icon name={props.icon} />
      <h2>{props.title}</h2>
      {props.children}
    </div>
  );
}

export function Failure(props: { readonly error: Error | undefined; readonly again?: () => void }) {
  const { states, refusals } = useWords();
  const { error, again } = props;
  if (error === undefined) return null;
  const isGone = error instanceof ApiError && error.status === 404;
  const known = error instanceof ApiError ? refusals[error.code as keyof typeof refusals] : undefined;
  return (
    <div class="notice bad" role="alert">
      <span>{known ?? error.message}</span>
      {again && !isGone && (
        <button type="button" onClick={again}>
          {states.again}
        </button>
      )}
    </div>
  );
}

/** A list or a thing that is loaded: the children see it once it is there, and go on seeing it while it is renewed. */
export function Show<T>(props: {
  readonly of: Loaded<T>;
  readonly lines?: number;
  readonly children: (data: T) => ComponentChildren;
}) {
  const { data, error, reload } = props.of;
  if (data === undefined && error === undefined) return <Loading lines={props.lines ?? 5} />;
  return (
    <>
      <Failure error={error} again={reload} />
      {data !== undefined && props.children(data)}
    </>
  );
}
