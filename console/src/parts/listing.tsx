/**
 * A list as every page shows one: columns, a way to more of it, and what is said while it loads, when it is empty and
 * when it failed. What can be done to an entry for good is asked about first.
 */
import type { ComponentChildren } from 'preact';
import { useEffect, useRef, useState } from 'preact/hooks';
import { useWords } from '../language.ts';
import { type Loaded, useAction } from '../loading.ts';
import { Failure, Show } from './notices.tsx';
import { Confirm } from './page.tsx';

export interface Column<Entry> {
  /** Undefined for a column of buttons, which say themselves what they are. */
  readonly title: string | undefined;
  readonly cell: (entry: Entry) => ComponentChildren;
  /** How it looks: `wide-only` is left out on a phone, `break` may break anywhere, `number` stands right. */
  readonly look?: string;
}

interface ListingProps<Entry> {
  readonly of: Loaded<readonly Entry[]> & { readonly more?: (() => void) | undefined };
  readonly columns: readonly Column<Entry>[];
  readonly keyOf: (entry: Entry) => string | number;
  /** What stands there when there is nothing. */
  readonly empty: ComponentChildren;
  /** Lines of what is shown while it loads. */
  readonly lines?: number;
  /** What an entry shows below itself, undefined while it shows nothing. */
  readonly below?: (entry: Entry) => ComponentChildren | undefined;
}

export function Listing<Entry>(props: ListingProps<Entry>) {
  const { actions } = useWords();
  const { of, empty, lines = 5 } = props;
  return (
    <>
      <Show of={of} lines={lines}>
        {(entries) => (entries.length === 0 ? empty : <Table {...props} entries={entries} />)}
      </Show>
      {of.more !== undefined && of.error === undefined && (
        <div class="more">
          <button type="button" onClick={of.more}>
            {actions.more}
          </button>
        </div>
      )}
    </>
  );
}

function Table<Entry>(props: ListingProps<Entry> & { readonly entries: readonly Entry[] }) {
  const { columns, keyOf, entries, below } = props;
  const wrap = useRef<HTMLDivElement>(null);
  useEffect(() => {
    // What scrolls has to be reached by keyboard; what does not is no stop on the way.
    const { current } = wrap;
    if (current !== null && current.scrollWidth > current.clientWidth) current.tabIndex = 0;
    else current?.removeAttribute('tabindex');
  });
  return (
    <div class="table-wrap" ref={wrap}>
      <table>
        <thead>
          <tr>
            {columns.map(({ title, look = '' }, index) =>
              // A heading that says nothing is none.
              title === undefined ? (
                <td key={index} />
              ) : (
                <th key={index} class={look} scope="col">
                  {title}
                </th>
              ),
            )}
          </tr>
        </thead>
        <tbody>
          {entries.map((entry) => {
            const opened = below?.(entry);
            return (
              <>
                <tr key={keyOf(entry)}>
                  {columns.map(({ title, cell, look = '' }, index) => (
                    <td key={index} class={title === undefined ? 'actions' : look}>
                      {cell(entry)}
                    </td>
                  ))}
                </tr>
                {opened !== undefined && (
                  <tr key={`${keyOf(entry)} below`}>
                    <td colSpan={columns.length}>{opened}</td>
                  </tr>
                )}
              </>
            );
          })}
        </tbody>
      </table>
    </div>
  );
}

/** Something that is done to an entry for good, once it was asked whether to. */
export function useConfirmed<Entry>(
  question: (entry: Entry) => { readonly title: string; readonly text: string; readonly action: string },
  act: (entry: Entry) => Promise<void>,
) {
  const [asked, setAsked] = useState<Entry | undefined>();
  const { run, running, error } = useAction(async (entry: Entry) => {
    setAsked(undefined);
    await act(entry);
  });
  return {
    ask: (entry: Entry) => setAsked(entry),
    running,
    /** The question while it is asked, and what came in the way; to be put anywhere in the page. */
    view: (
      <>
        <Failure error={error} />
        {asked !== undefined && (
          <Confirm {...question(asked)} onYes={() => void run(asked)} onNo={() => setAsked(undefined)} />
        )}
      </>
    ),
  };
}
