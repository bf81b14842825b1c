/** Sending domains: each DNS record to publish, what is found there now, and what is missing, in words. */
import { useState } from 'preact/hooks';
import { call, post } from '../api.ts';
import { useWords } from '../language.ts';
import { useAction, useLoaded } from '../loading.ts';
import { usePages } from '../paging.ts';
import { CopyButton } from '../parts/copying.tsx';
import { faultOf, Field } from '../parts/fields.tsx';
import { Empty, Failure, Show } from '../parts/notices.tsx';
import { Badge, Card, Confirm, Page, Time, type Tone } from '../parts/page.tsx';
import { useMayChange } from '../session.ts';

interface Domain {
  readonly id: number;
  readonly name: string;
  readonly state: string;
  readonly checked_at: string | null;
}

interface DomainRecord {
  readonly purpose: string;
  readonly type: string;
  readonly name: string;
  readonly value: string;
  readonly required: boolean;
  readonly state: string | null;
  readonly seen: readonly string[];
}

interface DomainStory extends Domain {
  readonly records: readonly DomainRecord[];
}

export function Domains() {
  const { domains, actions } = useWords();
  const mayChange = useMayChange();
  const pages = usePages<'domains', Domain>('/api/domains', 'domains');
  return (
    <Page title={domains.title} lead={domains.lead}>
      {mayChange && <Add onAdded={pages.reload} />}
      <Show of={pages}>
        {(list) =>
          list.length === 0 ? (
            <div class="card flush">
              <Empty icon="domains" title={domains.empty}>
                <p>{domains.emptyMore}</p>
              </Empty>
            </div>
          ) : (
            list.map(({ id }) => <OneDomain key={id} id={id} onRemoved={pages.reload} />)
          )
        }
      </Show>
      {pages.more !== undefined && (
        <div>
          <button type="button" onClick={pages.more}>
            {actions.more}
          </button>
        </div>
      )}
    </Page>
  );
}

function Add({ onAdded }: { readonly onAdded: () => void }) {
  const { domains, actions } = useWords();
  const [name, setName] = useState('');
  const { run, running, error } = useAction(async () => {
    await post('/api/domains', { name });
    setName('');
    onAdded();
  });
  return (
    <Card title={domains.add}>
      <form
        class="search"
        onSubmit={(event) => {
          event.preventDefault();
          void run();
        }}
      >
        <Field
          label={domains.name}
          required
          placeholder="example.com"
          value={name}
          onValue={setName}
          fault={faultOf(error, 'name')}
        />
        <button type="submit" disabled={running}>
          {actions.add}
        </button>
      </form>
      {faultOf(error, 'name') === undefined && <Failure error={error} />}
    </Card>
  );
}

function OneDomain({ id, onRemoved }: { readonly id: number; readonly onRemoved: () => void }) {
  const { domains, actions } = useWords();
  const mayChange = useMayChange();
  const loaded = useLoaded<DomainStory>(`/api/domains/${id}`);
  const [leaving, setLeaving] = useState(false);
  const verify = useAction(async () => {
    await post(`/api/domains/${id}/verify`);
    loaded.reload();
  });
  const remove = useAction(async () => {
    setLeaving(false);
    await call('DELETE', `/api/domains/${id}`);
    onRemoved();
  });
  return (
    <Show of={loaded}>
      {(domain) => (
        <Card
          title={domain.name}
          lead={
            domain.checked_at === null ? (
              domains.unchecked
            ) : (
              <>
                {domains.checked} <Time at={domain.checked_at} />
              </>
            )
          }
          actions={
            <div class="row">
              <Badge tone={domain.state === 'verified' ? 'good' : 'warn'}>
                {domains.states[domain.state] ?? domain.state}
              </Badge>
              {mayChange && (
                <>
                  <button type="button" disabled={verify.running} onClick={() => void verify.run()}>
                    {verify.running ? domains.checking : domains.check}
                  </button>
                  <button type="button" class="danger" onClick={() => setLeaving(true)}>
                    {actions.remove}
                  </button>
                </>
              )}
            </div>
          }
        >
          <Failure error={verify.error ?? remove.error} />
          {domain.records.map((record) => (
            <RecordView key={`${record.purpose} ${record.name}`} record={record} />
          ))}
          {leaving && (
            <Confirm
              title={domains.remove(domain.name)}
              text={domains.removeMore}
              action={actions.remove}
              onYes={() => void remove.run()}
              onNo={() => setLeaving(false)}
            />
          )}
        </Card>
      )}
    </Show>
  );
}

const tones: Readonly<Record<string, Tone>> = { found: 'good', missing: 'warn', wrong: 'bad' };

function RecordView({ record }: { readonly record: DomainRecord }) {
  const { domains } = useWords();
  const state = record.state ?? 'unknown';
  return (
    <div class="record stack tight">
      <div class="row between">
        <h3>
          {domains.purposes[record.purpose] ?? record.purpose}{' '}
          {record.required && <span class="tag">{domains.required}</span>}
        </h3>
        <Badge tone={tones[state] ?? 'calm'}>{domains.found[state] ?? state}</Badge>
      </div>
      <div class="secret">
        <span class="tag">{record.type}</span>
        <code>{record.name}</code>
        <CopyButton text={record.name} label={domains.recordName} />
      </div>
      <div class="secret">
        <code>{record.value}</code>
        <CopyButton text={record.value} label={domains.recordValue} />
      </div>
      {state === 'wrong' && record.seen.length > 0 && (
        <p class="small soft break">
          {domains.seen} <code>{record.seen.join(' · ')}</code>
        </p>
      )}
    </div>
  );
}
