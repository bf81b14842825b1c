/** All templates, and a way to a new one. */
import { useWords } from '../language.ts';
import { usePages } from '../paging.ts';
import { Empty, Show } from '../parts/notices.tsx';
import { Page, Time } from '../parts/page.tsx';
import { useMayChange } from '../session.ts';
import type { Template } from '../template.ts';

export function Templates() {
  const { templates, actions } = useWords();
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
        <Show of={pages}>
          {(list) =>
            list.length === 0 ? (
              <Empty icon="templates" title={templates.empty}>
                <p>{templates.emptyMore}</p>
                {add}
              </Empty>
            ) : (
              <div class="table-wrap">
                <table>
                  <thead>
                    <tr>
                      <th>{templates.name}</th>
                      <th class="wide-only">{templates.subject}</th>
                      <th>{templates.changed}</th>
                    </tr>
                  </thead>
                  <tbody>
                    {list.map((template) => (
                      <tr key={template.id}>
                        <td class="break">
                          <a class="row-link" href={`/templates/${template.id}`}>
                            {template.name}
                          </a>
                        </td>
                        <td class="wide-only break soft">{template.subject}</td>
                        <td class="soft">
                          <Time at={template.updated_at} />
                        </td>
                      </tr>
                    ))}
                  </tbody>
                </table>
              </div>
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
    </Page>
  );
}
