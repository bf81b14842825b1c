/** What people did in the account. */
import { useWords } from '../language.ts';
import { usePages } from '../paging.ts';
import { Empty, Show } from '../parts/notices.tsx';
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
  const { audit, actions } = useWords();
  const pages = usePages<'entries', Entry>('/api/audit', 'entries');
  return (
    <Page title={audit.title} lead={audit.lead}>
      <div class="card flush">
        <Show of={pages}>
          {(entries) =>
            entries.length === 0 ? (
              <Empty icon="audit" title={audit.empty} />
            ) : (
              <div class="table-wrap">
                <table>
                  <thead>
                    <tr>
                      <th>{audit.time}</th>
                      <th>{audit.who}</th>
                      <th>{audit.what}</th>
                      <th class="wide-only">{audit.address}</th>
                    </tr>
                  </thead>
                  <tbody>
                    {entries.map(({ id, time, actor, action, subject, address }) => (
                      <tr key={id}>
                        <td>
                          <Time at={time} />
                        </td>
                        <td class="break">{actor}</td>
                        <td>
                          {audit.actions[action] ?? action} <span class="soft small">{subject}</span>
                        </td>
                        <td class="wide-only">{address}</td>
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
