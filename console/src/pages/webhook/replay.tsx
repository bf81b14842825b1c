/** Sending events again: what, how many that would be, and only then for real. */
import { useState } from 'preact/hooks';
import { post } from '../../api.ts';
import { useWords } from '../../language.ts';
import { useAction } from '../../loading.ts';
import { Field, Select } from '../../parts/fields.tsx';
import { Failure } from '../../parts/notices.tsx';
import { Card } from '../../parts/page.tsx';
import { useAddress } from '../../router.ts';
import { dayBegins } from '../../times.ts';
import type { WebhookDetail } from '../../webhook.ts';

type What = 'since-last-success' | 'set-aside' | 'time' | 'message';
const whats: readonly What[] = ['since-last-success', 'time', 'message', 'set-aside'];

/** @param props.onStarted is called after events began to go out again */
export function Replay(props: { readonly webhook: WebhookDetail; readonly onStarted: () => void }) {
  const { webhook, onStarted } = props;
  const { webhooks } = useWords();
  // A link from a message's page names it.
  const asked = useAddress().searchParams.get('message') ?? '';
  const [what, setWhat] = useState<What>(asked === '' ? 'time' : 'message');
  const [message, setMessage] = useState(asked);
  const [from, setFrom] = useState('');
  const [to, setTo] = useState('');
  const [counted, setCounted] = useState<number | undefined>();
  const [started, setStarted] = useState<number | undefined>();
  const wish = {
    what,
    ...(what === 'time' &&
      from !== '' && { from: dayBegins(from), ...(to !== '' && { to: dayBegins(to, 1) }) }),
    ...(what === 'message' && { message_id: Number(message) }),
  };
  const path = `/api/webhooks/${webhook.id}/replays`;
  const forget = () => {
    setCounted(undefined);
    setStarted(undefined);
  };
  /** What was counted is of another wish then. */
  const changing = (set: (value: string) => void) => (value: string) => {
    set(value);
    forget();
  };
  const count = useAction(async () => {
    forget();
    setCounted((await post<{ events: number }>(path, { ...wish, dry_run: true })).events);
  });
  const start = useAction(async () => {
    const { events } = await post<{ events: number }>(path, wish);
    setCounted(undefined);
    setStarted(events);
    onStarted();
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
            <Field label={webhooks.from} type="date" required value={from} onValue={changing(setFrom)} />
            <Field label={webhooks.to} type="date" value={to} onValue={changing(setTo)} />
          </div>
        )}
        {what === 'message' && (
          <Field
            label={webhooks.messageId}
            inputMode="numeric"
            required
            value={message}
            onValue={changing(setMessage)}
          />
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
