/** One webhook: how it is, its last requests with what came back, sending again, its keys and how to check them. */
import { useState } from 'preact/hooks';
import { call } from '../api.ts';
import { useSpeech, useWords } from '../language.ts';
import { useAction, useLoaded, useRefresh } from '../loading.ts';
import { Failure, Show } from '../parts/notices.tsx';
import { Card, Page, Time } from '../parts/page.tsx';
import { useMayChange } from '../session.ts';
import { relativeTime } from '../times.ts';
import type { WebhookDetail } from '../webhook.ts';
import { Keys } from './webhook/keys.tsx';
import { Replay } from './webhook/replay.tsx';
import { Replays } from './webhook/replays.tsx';
import { LastRequests } from './webhook/requests.tsx';
import { SetAside } from './webhook/set-aside.tsx';
import { HealthBadge } from './webhooks.tsx';

const refreshMs = 3000;

export function WebhookPage({ id }: { readonly id: string }) {
  const { webhooks } = useWords();
  const mayChange = useMayChange();
  const loaded = useLoaded<WebhookDetail>(`/api/webhooks/${encodeURIComponent(id)}`);
  useRefresh(loaded.reload, refreshMs, true);
  const webhook = loaded.data;
  /** Goes up when events began to go out again. */
  const [replays, setReplays] = useState(0);
  const onStarted = () => setReplays((count) => count + 1);
  return (
    <Page
      title={webhook === undefined ? webhooks.title : new URL(webhook.url).host}
      lead={<a href="/webhooks">← {webhooks.back}</a>}
      actions={webhook !== undefined && mayChange && <Switch webhook={webhook} onChange={loaded.reload} />}
    >
      <Show of={loaded} lines={8}>
        {(webhook) => (
          <>
            <Trouble webhook={webhook} />
            <div class="columns">
              <div class="stack">
                {webhook.set_aside_events > 0 && <SetAside webhook={webhook} onStarted={onStarted} />}
                <LastRequests loaded={loaded} webhook={webhook} />
                <Replays webhookId={webhook.id} version={replays} />
              </div>
              <div class="stack">
                <Health webhook={webhook} />
                {mayChange && <Replay webhook={webhook} onStarted={onStarted} />}
                {webhook.notices.length > 0 && <Notices webhook={webhook} />}
              </div>
            </div>
            <Keys webhook={webhook} />
          </>
        )}
      </Show>
    </Page>
  );
}

function Switch({ webhook, onChange }: { readonly webhook: WebhookDetail; readonly onChange: () => void }) {
  const { webhooks } = useWords();
  const paused = webhook.state === 'paused';
  const { run, running, error } = useAction(async () => {
    await call('PATCH', `/api/webhooks/${webhook.id}`, { paused: !paused });
    onChange();
  });
  return (
    <div class="row">
      <Failure error={error} />
      <button type="button" class={paused ? 'primary' : ''} disabled={running} onClick={() => void run()}>
        {paused ? webhooks.resume : webhooks.pause}
      </button>
      <a class="button" href="/settings">
        {webhooks.settings}
      </a>
    </div>
  );
}

function Trouble({ webhook }: { readonly webhook: WebhookDetail }) {
  const { words, language } = useSpeech();
  const { webhooks } = words;
  if (webhook.state === 'paused') {
    return (
      <div class="notice warn">{webhooks.pausedBy[webhook.paused_by ?? ''] ?? webhooks.states['paused']}</div>
    );
  }
  if (webhook.failing_since === null) return null;
  return (
    <div class="notice bad">
      <span>{webhooks.failing(relativeTime(webhook.failing_since, language, Date.now()))}</span>
      {webhook.next_try_at !== null && (
        <span>
          {webhooks.next}: <Time at={webhook.next_try_at} />
        </span>
      )}
    </div>
  );
}

function Health({ webhook }: { readonly webhook: WebhookDetail }) {
  const { words, language } = useSpeech();
  const { webhooks, settings, eventTypes, states } = words;
  const number = new Intl.NumberFormat(language, { maximumFractionDigits: 1 });
  const percent = new Intl.NumberFormat(language, { style: 'percent', maximumFractionDigits: 1 });
  return (
    <Card title={webhooks.health} actions={<HealthBadge state={webhook.state} />}>
      <dl class="facts">
        <dt>{webhooks.url}</dt>
        <dd>{webhook.url}</dd>
        <dt>{settings.dialect}</dt>
        <dd>{settings.dialects[webhook.dialect]?.[0] ?? webhook.dialect}</dd>
        <dt>{webhooks.events}</dt>
        <dd>{webhook.types.map((type) => eventTypes[type] ?? type).join(', ')}</dd>
        <dt>{webhooks.waiting}</dt>
        <dd>{number.format(webhook.waiting_events)}</dd>
        {webhook.waiting_events > 0 && (
          <>
            <dt>{webhooks.lag}</dt>
            <dd>{webhooks.lagValue(number.format(webhook.lag_seconds))}</dd>
          </>
        )}
        <dt>{webhooks.lastAccepted}</dt>
        <dd>{webhook.last_accepted_at === null ? states.never : <Time at={webhook.last_accepted_at} />}</dd>
        {webhook.success_rate !== null && (
          <>
            <dt>{webhooks.success}</dt>
            <dd>{percent.format(webhook.success_rate)}</dd>
          </>
        )}
        {webhook.latency_ms !== null && (
          <>
            <dt>{webhooks.latency}</dt>
            <dd>{webhooks.latencyValue(webhook.latency_ms.p50, webhook.latency_ms.p99)}</dd>
          </>
        )}
        {webhook.set_aside_events > 0 && (
          <>
            <dt>{webhooks.setAside}</dt>
            <dd>{number.format(webhook.set_aside_events)}</dd>
          </>
        )}
      </dl>
    </Card>
  );
}

function Notices({ webhook }: { readonly webhook: WebhookDetail }) {
  const { webhooks } = useWords();
  return (
    <Card title={webhooks.notices}>
      <ul class="stack tight small">
        {webhook.notices.map(({ at, text }) => (
          <li key={at}>
            <span class="soft">
              <Time at={at} />
            </span>{' '}
            {text}
          </li>
        ))}
      </ul>
    </Card>
  );
}
