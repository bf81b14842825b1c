/** All templates, and a way to a new one. */
import { useWords } from '../language.ts';
import { usePages } from '../paging.ts';
import { Listing } from '../parts/listing.tsx';
import { Empty } from '../parts/notices.tsx';
import { Page, Time } from '../parts/page.tsx';
import { useMayChange } from '../session.ts';
import type { Template } from '../template.ts';

export function Templates() {
  const { templates } = useWords();
  const mayChange = useMayChange();
  const pages = usePages<'templates', Template>('/api/templates', 'templates');
  const add = mayChange && (
    <a class="button primary" href="/templates/new">
      {templates.add}
    </a>
  );
  return (
    <Page title={templates.title} lead={templates.lead} actions={add}>
      <div class="card flush">
        <Listing
          of={pages}
          keyOf={({ id }) => id}
          empty={
            <Empty icon="templates" title={templates.empty}>
              <p>{templates.emptyMore}</p>
              {add}
            </Empty>
          }
          columns={[
            {
              title: templates.name,
              look: 'break',
              cell: ({ id, name }) => (
                <a class="row-link" href={`/templates/${id}`}>
                  {name}
                </a>
              ),
            },
            { title: templates.subject, look: 'wide-only break soft', cell: ({ subject }) => subject },
            { title: templates.version, look: 'wide-only number', cell: ({ version }) => version },
            { title: templates.changed, look: 'soft', cell: ({ updated_at: at }) => <Time at={at} /> },
          ]}
        />
      </div>
    </Page>
  );
}
