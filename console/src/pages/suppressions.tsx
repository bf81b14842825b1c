/** Whom not to write to, and why: found, added, taken off, exported. */
import { useState } from 'preact/hooks';
import { call, post } from '../api.ts';
import { useWords } from '../language.ts';
import { useAction } from '../loading.ts';
import { type Pages, usePages } from '../paging.ts';
import { faultOf, Field, Select } from '../parts/fields.tsx';
import { Listing, useConfirmed } from '../parts/listing.tsx';
import { Empty, Failure } from '../parts/notices.tsx';
import { Badge, Card, Page, Time } from '../parts/page.tsx';
import { go, useAddress, withQuery } from '../router.ts';
import { useMayChange } from '../session.ts';

interface Suppression {
  readonly id: number;
  readonly recipient: string;
  readonly stream: string;
  readonly reason: string;
  readonly created_at: string;
}

const reasons = ['unsubscribed', 'complained', 'bounced', 'manual'] as const;

export function Suppressions() {
  const { suppressions, actions } = useWords();
  const mayChange = useMayChange();
  const address = useAddress();
  const search = address.searchParams.get('search') ?? '';
  const reason = address.searchParams.get('reason') ?? '';
  const [wanted, setWanted] = useState(search);
  const query = new URLSearchParams({ ...(search && { search }), ...(reason && { reason }) });
  const pages = usePages<'suppressions', Suppression>(`/api/suppressions?${query}`, 'suppressions');
  return (
    <Page
      title={suppressions.title}
      lead={suppressions.lead}
      actions={
        <div class="row">
          {mayChange && (
            <a class="button" href="/suppressions/import">
              {suppressions.import}
            </a>
          )}
          <a class="button" href="/api/suppressions/csv" download="suppressions.csv">
            {suppressions.export}
          </a>
        </div>
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
          <Select
            label={suppressions.reason}
            value={reason}
            onValue={(value) => go(withQuery(address, { reason: value }))}
            options={[
              ['', suppressions.anyReason],
              ...reasons.map((name) => [name, suppressions.reasons[name] ?? name] as const),
            ]}
          />
          <button type="submit">{actions.search}</button>
        </form>
        <div class="card flush">
          <SuppressionTable
            pages={pages}
            empty={query.size === 0 ? suppressions.empty : suppressions.noMatch}
          />
        </div>
        {mayChange && <Add onAdded={pages.reload} />}
      </div>
    </Page>
  );
}

function SuppressionTable(props: { readonly pages: Pages<Suppression>; readonly empty: string }) {
  const { suppressions, actions } = useWords();
  const mayChange = useMayChange();
  const remove = useConfirmed<Suppression>(
    ({ recipient }) => ({
      title: suppressions.remove(recipient),
      text: suppressions.removeMore,
      action: actions.remove,
    }),
    async ({ recipient, stream }) => {
      const path = `/api/suppressions/${encodeURIComponent(recipient)}?stream=${encodeURIComponent(stream)}`;
      await call('DELETE', path);
      props.pages.reload();
    },
  );
  return (
    <>
      {remove.view}
      <Listing
        of={props.pages}
        keyOf={({ id }) => id}
        empty={<Empty icon="suppressions" title={props.empty} />}
        columns={[
          { title: suppressions.recipient, look: 'break', cell: ({ recipient }) => recipient },
          {
            title: suppressions.reason,
            cell: ({ reason }) => (
              <Badge tone={reason === 'manual' ? 'calm' : 'warn'}>
                {suppressions.reasons[reason] ?? reason}
              </Badge>
            ),
          },
          {
            title: suppressions.stream,
            look: 'wide-only',
            cell: ({ stream }) => (stream === '*' ? suppressions.everyStream : stream),
          },
          {
            title: suppressions.since,
            look: 'wide-only soft',
            cell: ({ created_at: at }) => <Time at={at} />,
          },
          {
            title: undefined,
            cell: (entry) =>
              mayChange && (
                <button type="button" class="tiny" onClick={() => remove.ask(entry)}>
                  {actions.remove}
                </button>
              ),
          },
        ]}
      />
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
