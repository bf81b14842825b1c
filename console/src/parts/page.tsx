/** The pieces that every page is made of: its heading, cards, times, badges, a question before something is lost. */
import type { ComponentChildren } from 'preact';
import { useEffect, useRef } from 'preact/hooks';
import { useSpeech, useWords } from '../language.ts';
import { exactTime, relativeTime } from '../times.ts';

export function Page(props: {
  readonly title: string;
  readonly lead?: ComponentChildren;
  readonly actions?: ComponentChildren;
  readonly children: ComponentChildren;
}) {
  useEffect(() => {
    document.title = `${props.title} · Aftersend`;
  }, [props.title]);
  return (
    <div class="stack">
      <div class="row between top page-head">
        <div class="stack tight grow">
          <h1 title={props.title}>{props.title}</h1>
          {props.lead !== undefined && <p class="soft">{props.lead}</p>}
        </div>
        {props.actions}
      </div>
      {props.children}
    </div>
  );
}

export function Card(props: {
  readonly title: string;
  readonly lead?: ComponentChildren;
  readonly actions?: ComponentChildren;
  /** The content reaches the edges, as tables do. */
  readonly flush?: boolean;
  readonly children: ComponentChildren;
}) {
  return (
    <section class={props.flush ? 'card flush' : 'card'}>
      <header>
        <div>
          <h2>{props.title}</h2>
          {props.lead !== undefined && <p>{props.lead}</p>}
        </div>
        {props.actions}
      </header>
      {props.children}
    </section>
  );
}

export function Time({ at }: { readonly at: string }) {
  const { language } = useSpeech();
  return (
    <time dateTime={at} title={exactTime(at, language)} class="nowrap">
      {relativeTime(at, language, Date.now())}
    </time>
  );
}

export type Tone = 'good' | 'warn' | 'bad' | 'note' | 'calm';

export function Badge({ tone, children }: { readonly tone: Tone; readonly children: ComponentChildren }) {
  return <span class={`badge ${tone}`}>{children}</span>;
}

/** A few choices of which one holds. */
export function Segments<Value extends string>(props: {
  readonly label: string;
  readonly value: Value;
  readonly options: readonly (readonly [value: Value, label: string])[];
  readonly onValue: (value: Value) => void;
}) {
  return (
    <div class="segments" role="group" aria-label={props.label}>
      {props.options.map(([value, label]) => (
        <button
          key={value}
          type="button"
          aria-pressed={value === props.value}
          onClick={() => props.onValue(value)}
        >
          {label}
        </button>
      ))}
    </div>
  );
}

/** A question that has to be answered first; Escape is no. */
export function Dialog(props: {
  readonly title: string;
  readonly onClose: () => void;
  readonly children: ComponentChildren;
}) {
  const dialog = useRef<HTMLDialogElement>(null);
  useEffect(() => dialog.current?.showModal(), []);
  return (
    <dialog ref={dialog} aria-label={props.title} onClose={props.onClose}>
      <div class="stack">
        <h2>{props.title}</h2>
        {props.children}
      </div>
    </dialog>
  );
}

export function Confirm(props: {
  readonly title: string;
  readonly text: string;
  readonly action: string;
  readonly onYes: () => void;
  readonly onNo: () => void;
}) {
  const { actions } = useWords();
  return (
    <Dialog title={props.title} onClose={props.onNo}>
      <p class="soft">{props.text}</p>
      <div class="row">
        <button type="button" class="danger" onClick={props.onYes}>
          {props.action}
        </button>
        <button type="button" onClick={props.onNo}>
          {actions.cancel}
        </button>
      </div>
    </Dialog>
  );
}
