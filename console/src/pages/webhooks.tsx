/** All webhooks with their health at a glance. */
import { useWords } from '../language.ts';
import { partOf, useLoaded, useRefresh } from '../loading.ts';
import { Listing } from '../parts/listing.tsx';
import { Empty } from '../parts/notices.tsx';
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
        <Listing
          of={partOf(loaded, (answer) => answer.webhooks)}
          keyOf={({ id }) => id}
          empty={
            <Empty icon="webhooks" title={webhooks.empty}>
              <p>{webhooks.emptyMore}</p>
              {add}
            </Empty>
          }
          columns={[
            {
              title: webhooks.url,
              look: 'break',
              cell: ({ id, url, dialect }) => (
                <>
                  <a class="row-link clamped" href={`/webhooks/${id}`} title={url}>
                    {url}
                  </a>
                  <span class="tag">{dialect}</span>
                </>
              ),
            },
            { title: webhooks.health, cell: ({ state }) => <HealthBadge state={state} /> },
            {
              title: webhooks.lastAccepted,
              look: 'wide-only soft',
              cell: ({ last_accepted_at: at }) => (at === null ? states.never : <Time at={at} />),
            },
            {
              title: webhooks.requests,
              look: 'wide-only soft',
              cell: ({ requests }) =>
                `${webhooks.accepted(requests.accepted)}, ${webhooks.failed(requests.failed)}`,
            },
          ]}
        />
      </div>
    </Page>
  );
}

const tones: Readonly<Record<string, Tone>> = { active: 'good', failing: 'bad', paused: 'warn' };

export function HealthBadge({ state }: { readonly state: string }) {
  const { webhooks } = useWords();
  return <Badge tone={tones[state] ?? 'calm'}>{webhooks.states[state] ?? state}</Badge>;
}
