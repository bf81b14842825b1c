/** What a template was: every save, what it changed, and a way back. Which two are compared stands in the address. */
import { call } from '../../api.ts';
import { useWords } from '../../language.ts';
import { type Loaded, partOf, useLoaded } from '../../loading.ts';
import { Select } from '../../parts/fields.tsx';
import { Listing, useConfirmed } from '../../parts/listing.tsx';
import { Badge, Card, Page, Time } from '../../parts/page.tsx';
import { go, useAddress, withQuery } from '../../router.ts';
import { useMayChange } from '../../session.ts';
import type { Template, TemplateVersion } from '../../template.ts';
import { Difference } from './difference.tsx';

interface Versions {
  readonly versions: readonly TemplateVersion[];
}

export function TemplateVersions({ id }: { readonly id: string }) {
  const { templates } = useWords();
  const path = `/api/templates/${encodeURIComponent(id)}`;
  const template = useLoaded<Template>(path);
  const loaded = useLoaded<Versions>(`${path}/versions`);
  const versions = loaded.data?.versions ?? [];
  return (
    <Page
      title={template.data === undefined ? templates.versions : templates.versionsOf(template.data.name)}
      lead={<a href={`/templates/${id}`}>← {templates.toTemplate}</a>}
    >
      <History path={path} loaded={loaded} />
      {versions.length > 1 && <Comparison path={path} versions={versions} />}
    </Page>
  );
}

function History({ path, loaded }: { readonly path: string; readonly loaded: Loaded<Versions> }) {
  const { templates } = useWords();
  const mayChange = useMayChange();
  const address = useAddress();
  const versions = loaded.data?.versions ?? [];
  const newest = versions[0]?.version;
  const restore = useConfirmed<TemplateVersion>(
    ({ version }) => ({
      title: templates.restoreAsk(version),
      text: templates.restoreMore,
      action: templates.restore,
    }),
    async ({ version }) => {
      await call('POST', `${path}/versions/${version}/restore`, {});
      go(address.pathname, { replace: true });
      loaded.reload();
    },
  );
  return (
    <Card title={templates.versions} lead={templates.versionsLead} flush>
      {restore.view}
      <Listing
        of={partOf(loaded, (answer) => answer.versions)}
        keyOf={({ version }) => version}
        empty={null}
        columns={[
          {
            title: templates.version,
            cell: ({ version }) => (
              <>
                {version} {version === newest && <Badge tone="good">{templates.current}</Badge>}
              </>
            ),
          },
          { title: templates.saved, look: 'soft', cell: ({ saved_at: at }) => <Time at={at} /> },
          {
            title: templates.author,
            look: 'wide-only break',
            cell: ({ author }) => author || templates.byProgram,
          },
          { title: templates.subject, look: 'wide-only break soft', cell: ({ subject }) => subject },
          {
            title: undefined,
            cell: (entry) => (
              <div class="row end">
                {versions.some(({ version }) => version === entry.version - 1) && (
                  <a class="button tiny" href={comparing(address, entry.version - 1, entry.version)}>
                    {templates.whatChanged}
                  </a>
                )}
                {mayChange && entry.version !== newest && (
                  <button type="button" class="tiny" onClick={() => restore.ask(entry)}>
                    {templates.restore}
                  </button>
                )}
              </div>
            ),
          },
        ]}
      />
    </Card>
  );
}

const comparing = (address: URL, from: number, to: number): string =>
  withQuery(address, { from: `${from}`, to: `${to}` });

function Comparison(props: { readonly path: string; readonly versions: readonly TemplateVersion[] }) {
  const { templates } = useWords();
  const address = useAddress();
  const numbers = props.versions.map(({ version }) => version);
  const asked = (name: string) => numbers.find((number) => `${number}` === address.searchParams.get(name));
  const to = asked('to') ?? numbers[0] ?? 1;
  const from = asked('from') ?? numbers.find((number) => number < to) ?? to;
  const options = numbers.map((number) => [`${number}`, templates.versionNumber(number)] as const);
  return (
    <Card title={templates.compare}>
      <div class="search">
        <Select
          label={templates.compareFrom}
          value={`${from}`}
          options={options}
          onValue={(value) => go(comparing(address, Number(value), to), { replace: true })}
        />
        <Select
          label={templates.compareTo}
          value={`${to}`}
          options={options}
          onValue={(value) => go(comparing(address, from, Number(value)), { replace: true })}
        />
      </div>
      <Difference path={`${props.path}/versions`} from={from} to={to} />
    </Card>
  );
}
