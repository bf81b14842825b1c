/** What people did in the account. */
import { useWords } from '../language.ts';
import { usePages } from '../paging.ts';
import { Listing } from '../parts/listing.tsx';
import { Empty } from '../parts/notices.tsx';
import { Page, Time } from '../parts/page.tsx';

interface Entry {
  readonly id: number;
  readonly time: string;
  readonly actor: string;
  readonly action: string;
  readonly subject: string;
  readonly address: string;
}

export function Audit() {
  const { audit } = useWords();
  const pages = usePages<'entries', Entry>('/api/audit', 'entries');
  return (
    <Page title={audit.title} lead={audit.lead}>
      <div class="card flush">
        <Listing
          of={pages}
          keyOf={({ id }) => id}
          empty={<Empty icon="audit" title={audit.empty} />}
          columns={[
            { title: audit.time, cell: ({ time }) => <Time at={time} /> },
            { title: audit.who, look: 'break', cell: ({ actor }) => actor },
            {
              title: audit.what,
              cell: ({ action, subject }) => (
                <>
                  {audit.actions[action] ?? action} <span class="soft small">{subject}</span>
                </>
              ),
            },
            { title: audit.address, look: 'wide-only', cell: ({ address }) => address },
          ]}
        />
      </div>
    </Page>
  );
}
