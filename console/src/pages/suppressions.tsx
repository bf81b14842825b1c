/** Whom not to write to, and why: found, added, taken off, exported. */
import { useState } from 'preact/hooks';
import { call, post } from '../api.ts';
import { useWords } from '../language.ts';
import { useAction } from '../loading.ts';
import { usePages } from '../paging.ts';
import { faultOf, Field } from '../parts/fields.tsx';
import { Empty, Failure, Show } from '../parts/notices.tsx';
import { Badge, Card, Confirm, Page, Time } from '../parts/page.tsx';
import { go, useAddress, withQuery } from '../router.ts';
import { useMayChange } from '../session.ts';

interface Suppression {
  readonly id: number;
  readonly recipient: string;
  readonly stream: string;
  readonly reason: string;
  readonly created_at: string;
}

export function Suppressions() {
  const { suppressions, actions } = useWords();
  const mayChange = useMayChange();
  const address = useAddress();
  const search = address.searchParams.get('search') ?? '';
  const [wanted, setWanted] = useState(search);
  const query = search === '' ? '' : `?search=${encodeURIComponent(search)}`;
  const pages = usePages<'suppressions', Suppression>(`/api/suppressions${query}`, 'suppressions');
  return (
    <Page
      title={suppressions.title}
      lead={suppressions.lead}
      actions={
        <a class="button" href="/api/suppressions/csv" download="suppressions.csv">
          {suppressions.export}
        </a>
      }
    >
      <div class="stack">
        <form
          class="search"
          role="search"
          onSubmit={(event) => {
            event.preventDefault();
            go(withQuery(address, { search: wanted.trim() }));
          }}
        >
          <Field label={suppressions.search} type="search" value={wanted} onValue={setWanted} />
          <button type="submit">{actions.search}</button>
        </form>
        <div class="card flush">
          <Show of={pages}>
            {(list) =>
              list.length === 0 ? (
                <Empty
                  icon="suppressions"
                  title={search === '' ? suppressions.empty : suppressions.noMatch}
                />
              ) : (
                <SuppressionTable list={list} onChange={pages.reload} />
              )
            }
          </Show>
        </div>
        {pages.more !== undefined && (
          <div>
            <button type="button" onClick={pages.more}>
              {actions.more}
            </button>
          </div>
        )}
        {mayChange && <Add onAdded={pages.reload} />}
      </div>
    </Page>
  );
}

function SuppressionTable(props: { readonly list: readonly Suppression[]; readonly onChange: () => void }) {
  const { suppressions, actions } = useWords();
  const mayChange = useMayChange();
  const [leaving, setLeaving] = useState<Suppression | undefined>();
  const remove = useAction(async ({ recipient, stream }: Suppression) => {
    setLeaving(undefined);
    const path = `/api/suppressions/${encodeURIComponent(recipient)}?stream=${encodeURIComponent(stream)}`;
    await call('DELETE', path);
    props.onChange();
  });
  return (
    <>
      <Failure error={remove.error} />
      <div class="table-wrap">
        <table>
          <thead>
            <tr>
              <th>{suppressions.recipient}</th>
              <th>{suppressions.reason}</th>
              <th class="wide-only">{suppressions.stream}</th>
              <th class="wide-only">{suppressions.since}</th>
              <th>
                <span class="visually-hidden">{actions.remove}</span>
              </th>
            </tr>
          </thead>
          <tbody>
            {props.list.map((entry) => (
              <tr key={entry.id}>
                <td class="break">{entry.recipient}</td>
                <td>
                  <Badge tone={entry.reason === 'manual' ? 'calm' : 'warn'}>
                    {suppressions.reasons[entry.reason] ?? entry.reason}
                  </Badge>
                </td>
                <td class="wide-only">{entry.stream === '*' ? suppressions.everyStream : entry.stream}</td>
                <td class="wide-only soft">
                  <Time at={entry.created_at} />
                </td>
                <td class="actions">
                  {mayChange && (
                    <button type="button" class="tiny" onClick={() => setLeaving(entry)}>
                      {actions.remove}
                    </button>
                  )}
                </td>
              </tr>
            ))}
          </tbody>
        </table>
      </div>
      {leaving !== undefined && (
        <Confirm
          title={suppressions.remove(leaving.recipient)}
          text={suppressions.removeMore}
          action={actions.remove}
          onYes={() => void remove.run(leaving)}
          onNo={() => setLeaving(undefined)}
        />
      )}
    </>
  );
}

function Add({ onAdded }: { readonly onAdded: () => void }) {
  const { suppressions, actions } = useWords();
  const [recipient, setRecipient] = useState('');
  const { run, running, error } = useAction(async () => {
    await post('/api/suppressions', { recipient });
    setRecipient('');
    onAdded();
  });
  return (
    <Card title={suppressions.add}>
      <form
        class="stack"
        onSubmit={(event) => {
          event.preventDefault();
          void run();
        }}
      >
        <Field
          label={suppressions.recipient}
          type="email"
          required
          value={recipient}
          onValue={setRecipient}
          fault={faultOf(error, 'recipient')}
        />
        {faultOf(error, 'recipient') === undefined && <Failure error={error} />}
        <div>
          <button type="submit" disabled={running}>
            {actions.add}
          </button>
        </div>
      </form>
    </Card>
  );
}
