/** All webhooks with their health at a glance. */
import { useWords } from '../language.ts';
import { useLoaded, useRefresh } from '../loading.ts';
import { Empty, Show } from '../parts/notices.tsx';
import { Badge, Page, Time, type Tone } from '../parts/page.tsx';
import { useMayChange } from '../session.ts';
import type { Webhook } from '../webhook.ts';

const refreshMs = 5000;

export function Webhooks() {
  const { webhooks, states } = useWords();
  const mayChange = useMayChange();
  const loaded = useLoaded<{ webhooks: readonly Webhook[] }>('/api/webhooks');
  useRefresh(loaded.reload, refreshMs, true);
  const add = mayChange && (
    <a class="button primary" href="/settings">
      {webhooks.add}
    </a>
  );
  return (
    <Page title={webhooks.title} lead={webhooks.lead} actions={add}>
      <div class="card flush">
        <Show of={loaded}>
          {({ webhooks: list }) =>
            list.length === 0 ? (
              <Empty icon="webhooks" title={webhooks.empty}>
                <p>{webhooks.emptyMore}</p>
                {add}
              </Empty>
            ) : (
              <div class="table-wrap">
                <table>
                  <thead>
                    <tr>
                      <th>{webhooks.url}</th>
                      <th>{webhooks.health}</th>
                      <th class="wide-only">{webhooks.lastAccepted}</th>
                      <th class="wide-only">{webhooks.requests}</th>
                    </tr>
                  </thead>
                  <tbody>
                    {list.map((webhook) => (
                      <tr key={webhook.id}>
                        <td class="break">
                          <a class="row-link" href={`/webhooks/${webhook.id}`}>
                            {webhook.url}
                          </a>{' '}
                          <span class="tag">{webhook.dialect}</span>
                        </td>
                        <td>
                          <HealthBadge state={webhook.state} />
                        </td>
                        <td class="wide-only soft">
                          {webhook.last_accepted_at === null ? (
                            states.never
                          ) : (
                            <Time at={webhook.last_accepted_at} />
                          )}
                        </td>
                        <td class="wide-only soft">
                          {webhooks.accepted(webhook.requests.accepted)},{' '}
                          {webhooks.failed(webhook.requests.failed)}
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
    </Page>
  );
}

const tones: Readonly<Record<string, Tone>> = { active: 'good', failing: 'bad', paused: 'warn' };

export function HealthBadge({ state }: { readonly state: string }) {
  const { webhooks } = useWords();
  return <Badge tone={tones[state] ?? 'calm'}>{webhooks.states[state] ?? state}</Badge>;
}
