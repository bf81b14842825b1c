/** Which webhooks have told of a message: of how many of its events, by which requests, and a way to tell it again. */
import { useState } from 'preact/hooks';
import { get } from '../../api.ts';
import { useSpeech, useWords } from '../../language.ts';
import { useLoaded } from '../../loading.ts';
import type { MessageEvent, Story } from '../../message.ts';
import { Show } from '../../parts/notices.tsx';
import { Card, Time } from '../../parts/page.tsx';
import { useMayChange } from '../../session.ts';
import type { Webhook } from '../../webhook.ts';

/** Every wanted event up to an endpoint's cursor was taken, or set aside. */
export function Receivers({ message }: { readonly message: Story }) {
  const { messages } = useWords();
  const loaded = useReceivers(message.events.at(-1)?.id ?? 0);
  return (
    <Card title={messages.webhooks}>
      <Show of={loaded} lines={2}>
        {(receivers) => {
          const wanting = receivers
            .map((receiver) => ({ ...receiver, events: wantedEvents(message, receiver.webhook) }))
            .filter(({ events }) => events.length > 0);
          if (wanting.length === 0) return <p class="soft small">{messages.noWebhooks}</p>;
          return wanting.map((receiver) => (
            <OneReceiver key={receiver.webhook.id} messageId={message.id} {...receiver} />
          ));
        }}
      </Show>
    </Card>
  );
}

interface Receiver {
  readonly webhook: Webhook;
  readonly cursor: number;
}

function OneReceiver(
  props: Receiver & { readonly messageId: number; readonly events: readonly MessageEvent[] },
) {
  const { messages } = useWords();
  const mayChange = useMayChange();
  const [open, setOpen] = useState(false);
  const { webhook, cursor, messageId, events } = props;
  const passed = events.filter(({ id }) => id <= cursor);
  return (
    <div class="stack tight">
      <a class="clamped small" href={`/webhooks/${webhook.id}`} title={webhook.url}>
        {webhook.url}
      </a>
      <div class="row between small">
        <span class="soft">{messages.told(passed.length, events.length)}</span>
        {mayChange && <a href={`/webhooks/${webhook.id}?message=${messageId}`}>{messages.tellAgain}</a>}
      </div>
      {passed.length > 0 && (
        <details onToggle={(event) => setOpen(event.currentTarget.open)}>
          <summary>{messages.requests}</summary>
          {open && <Requests webhookId={webhook.id} events={passed} />}
        </details>
      )}
    </div>
  );
}

/** More events than these are not asked one by one. */
const mostAsked = 20;

interface ToldBy {
  readonly webhook: number;
  readonly replay: number | null;
  readonly batch_id: string;
  readonly taken_to: string;
}

/** By which requests each event was told. */
function Requests(props: { readonly webhookId: number; readonly events: readonly MessageEvent[] }) {
  const { words } = useSpeech();
  const { messages, eventTypes, webhooks } = words;
  const asked = props.events.slice(-mostAsked);
  const ids = asked.map(({ id }) => id).join(' ');
  const loaded = useLoaded(`${props.webhookId} ${ids}`, 0, () =>
    Promise.all(
      asked.map(async (event) => {
        const { webhooks } = await get<{ webhooks: readonly ToldBy[] }>(`/api/events/${event.id}/webhooks`);
        return { event, told: webhooks.filter(({ webhook }) => webhook === props.webhookId) };
      }),
    ),
  );
  return (
    <Show of={loaded} lines={2}>
      {(events) => (
        <ul class="stack tight small">
          {events.map(({ event, told }) => (
            <li key={event.id}>
              {eventTypes[event.type] ?? event.type}
              {told.length === 0 && <span class="soft">: {messages.notTold}</span>}
              {told.map(({ batch_id: batch, replay, taken_to: at }) => (
                <div key={batch} class="row">
                  <a href={`/webhooks/${props.webhookId}?request=${encodeURIComponent(batch)}`}>
                    <code>{batch}</code>
                  </a>
                  <span class="soft">
                    <Time at={at} />
                  </span>
                  {replay !== null && <span class="tag">{webhooks.replayRun}</span>}
                </div>
              ))}
            </li>
          ))}
        </ul>
      )}
    </Show>
  );
}

/** Events from before an endpoint was made are not its. */
const wantedEvents = ({ events }: Story, webhook: Webhook): readonly MessageEvent[] =>
  events.filter(({ type, time }) => webhook.types.includes(type) && time >= webhook.created_at);

/** More endpoints than these are not asked one by one. */
const maxReceivers = 10;

function useReceivers(round: number) {
  return useLoaded<readonly Receiver[]>('/api/webhooks', round, async (path) => {
    const { webhooks } = await get<{ webhooks: readonly Webhook[] }>(path);
    return Promise.all(
      webhooks.slice(0, maxReceivers).map(async (webhook) => {
        const { cursor } = await get<{ cursor: number }>(`${path}/${webhook.id}`);
        return { webhook, cursor };
      }),
    );
  });
}
