/** Sending events again: what, how many that would be, and only then for real. */
import { useState } from 'preact/hooks';
import { post } from '../../api.ts';
import { useWords } from '../../language.ts';
import { useAction } from '../../loading.ts';
import { Field, Select } from '../../parts/fields.tsx';
import { Failure } from '../../parts/notices.tsx';
import { Card } from '../../parts/page.tsx';
import type { WebhookDetail } from '../../webhook.ts';

type What = 'since-last-success' | 'set-aside' | 'time';
const whats: readonly What[] = ['since-last-success', 'time', 'set-aside'];

export function Replay({ webhook }: { readonly webhook: WebhookDetail }) {
  const { webhooks } = useWords();
  const [what, setWhat] = useState<What>('time');
  const [from, setFrom] = useState('');
  const [to, setTo] = useState('');
  const [counted, setCounted] = useState<number | undefined>();
  const [started, setStarted] = useState<number | undefined>();
  const wish = { what, ...(what === 'time' && { from, ...(to !== '' && { to }) }) };
  const path = `/api/webhooks/${webhook.id}/replays`;
  const forget = () => {
    setCounted(undefined);
    setStarted(undefined);
  };
  const count = useAction(async () => {
    forget();
    setCounted((await post<{ events: number }>(path, { ...wish, dry_run: true })).events);
  });
  const start = useAction(async () => {
    const { events } = await post<{ events: number }>(path, wish);
    setCounted(undefined);
    setStarted(events);
  });
  return (
    <Card title={webhooks.replay} lead={webhooks.replayLead}>
      <form
        class="stack"
        onSubmit={(event) => {
          event.preventDefault();
          void count.run();
        }}
      >
        <Select
          label={webhooks.what}
          value={what}
          onValue={(value) => {
            setWhat(whats.find((name) => name === value) ?? 'time');
            forget();
          }}
          options={whats.map((name) => [name, webhooks.whats[name]] as const)}
        />
        {what === 'time' && (
          <div class="search">
            <Field label={webhooks.from} type="date" required value={from} onValue={setFrom} />
            <Field label={webhooks.to} type="date" value={to} onValue={setTo} />
          </div>
        )}
        <Failure error={count.error ?? start.error} />
        <div class="row" aria-live="polite">
          {counted === undefined ? (
            <button type="submit" disabled={count.running}>
              {webhooks.preview}
            </button>
          ) : (
            <>
              <span class="grow">{webhooks.previewed(counted)}</span>
              {counted > 0 && (
                <button
                  type="button"
                  class="primary"
                  disabled={start.running}
                  onClick={() => void start.run()}
                >
                  {webhooks.start}
                </button>
              )}
            </>
          )}
          {started !== undefined && <span>{webhooks.started(started)}</span>}
        </div>
      </form>
    </Card>
  );
}
