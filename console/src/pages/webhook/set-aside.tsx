/** Events that the receiver cannot take: which, what it answered, and once more when it has been mended. */
import { useState } from 'preact/hooks';
import { post } from '../../api.ts';
import { useWords } from '../../language.ts';
import type { MessageEvent } from '../../message.ts';
import { usePagesBy } from '../../paging.ts';
import { Listing, useConfirmed } from '../../parts/listing.tsx';
import { Card, Time } from '../../parts/page.tsx';
import { StatusBadge } from '../../parts/status-badge.tsx';
import { useMayChange } from '../../session.ts';
import type { WebhookDetail } from '../../webhook.ts';

interface SetAsideEvent {
  readonly event: MessageEvent;
  readonly at: string;
  readonly status: number;
  readonly answer: string;
}

interface Answer {
  readonly events: readonly SetAsideEvent[];
  readonly next_after: number;
  readonly at_end: boolean;
}

export function SetAside(props: { readonly webhook: WebhookDetail; readonly onStarted: () => void }) {
  const { webhooks, eventTypes } = useWords();
  const mayChange = useMayChange();
  const { webhook, onStarted } = props;
  const [opened, setOpened] = useState(0);
  const pages = usePagesBy<Answer, SetAsideEvent>(`/api/webhooks/${webhook.id}/set-aside`, {
    entriesOf: ({ events }) => events,
    nextOf: (answer) => (answer.at_end ? undefined : `after=${answer.next_after}`),
    version: webhook.set_aside_events,
  });
  const again = useConfirmed<number>(
    (count) => ({
      title: webhooks.setAsideAsk(count),
      text: webhooks.setAsideAskMore,
      action: webhooks.setAsideAgain,
    }),
    async () => {
      await post(`/api/webhooks/${webhook.id}/replays`, { what: 'set-aside' });
      onStarted();
    },
  );
  return (
    <Card
      title={webhooks.setAside}
      lead={webhooks.setAsideLead}
      flush
      actions={
        mayChange && (
          <button type="button" disabled={again.running} onClick={() => again.ask(webhook.set_aside_events)}>
            {webhooks.setAsideAgain}
          </button>
        )
      }
    >
      {again.view}
      <Listing
        of={pages}
        keyOf={({ event }) => event.id}
        empty={null}
        below={({ event, at, answer }) =>
          opened === event.id ? (
            <div class="stack tight">
              <span class="small soft">
                {webhooks.setAsideAt} <Time at={at} />
              </span>
              <pre class="wrap" tabIndex={0}>
                {answer || '—'}
              </pre>
            </div>
          ) : undefined
        }
        columns={[
          { title: webhooks.event, cell: ({ event }) => eventTypes[event.type] ?? event.type },
          {
            title: webhooks.ofMessage,
            look: 'break',
            cell: ({ event }) => <a href={`/messages/${event.message_id}`}>{event.recipient}</a>,
          },
          {
            title: webhooks.answer,
            look: 'wide-only',
            cell: ({ status }) => <StatusBadge status={status} />,
          },
          {
            title: undefined,
            cell: ({ event }) => (
              <button
                type="button"
                class="tiny"
                aria-expanded={opened === event.id}
                onClick={() => setOpened(opened === event.id ? 0 : event.id)}
              >
                {webhooks.answer}
              </button>
            ),
          },
        ]}
      />
    </Card>
  );
}
