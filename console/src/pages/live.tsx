/** The stream of events as they come: filtered, pausable, and no longer than a page can hold. */
import { useEffect, useRef, useState } from 'preact/hooks';
import { useSpeech, useWords } from '../language.ts';
import type { MessageEvent as ToldEvent } from '../message.ts';
import { Icon } from '../parts/icons.tsx';
import { Empty } from '../parts/notices.tsx';
import { Badge, Page, Time } from '../parts/page.tsx';
import { tell } from '../story.ts';

/** Older ones leave the page; the log keeps them. */
const shownEvents = 200;
const types = [
  'accepted',
  'delivered',
  'deferred',
  'bounced',
  'opened',
  'clicked',
  'unsubscribed',
  'complained',
  'skipped',
] as const;

export function Live() {
  const { live, eventTypes } = useWords();
  const [type, setType] = useState('');
  const [paused, setPaused] = useState(false);
  const { shown, held, connected } = useStream(type, paused);
  return (
    <Page
      title={live.title}
      lead={live.lead}
      actions={
        <div class="row">
          <Badge tone={connected ? 'good' : 'warn'}>{connected ? live.connected : live.connecting}</Badge>
          <select
            class="narrow"
            aria-label={live.filter}
            value={type}
            onChange={(event) => setType(event.currentTarget.value)}
          >
            <option value="">{live.all}</option>
            {types.map((name) => (
              <option key={name} value={name}>
                {eventTypes[name]}
              </option>
            ))}
          </select>
          <button type="button" aria-pressed={paused} onClick={() => setPaused(!paused)}>
            {paused ? live.resume : live.pause}
          </button>
        </div>
      }
    >
      {paused && <div class="notice">{live.paused(held)}</div>}
      <div class="card flush">
        {shown.length === 0 ? (
          <Empty icon="steps" title={live.empty}>
            <p>{live.emptyMore}</p>
          </Empty>
        ) : (
          <ol>
            {shown.map((event) => (
              <LiveEvent key={event.id} event={event} />
            ))}
          </ol>
        )}
      </div>
    </Page>
  );
}

function LiveEvent({ event }: { readonly event: ToldEvent }) {
  const { words, language } = useSpeech();
  const { title, tone, icon } = tell(event, words, language, Date.now());
  return (
    <li class="live-event">
      <span class={`dot ${tone}`}>
        <Icon name={icon} />
      </span>
      <span class="grow break">
        <a class="row-link" href={`/messages/${event.message_id}`}>
          {event.recipient}
        </a>{' '}
        <span class="soft">{title}</span>
      </span>
      <span class="small soft">
        <Time at={event.time} />
      </span>
    </li>
  );
}

/** Newest first. What comes while it is paused is held and shown afterwards. */
function useStream(type: string, paused: boolean) {
  const [events, setEvents] = useState<readonly ToldEvent[]>([]);
  const [connected, setConnected] = useState(false);
  const [frozen, setFrozen] = useState<readonly ToldEvent[] | undefined>();
  const latest = useRef(events);
  latest.current = events;
  useEffect(() => {
    setEvents([]);
    // The browser comes back by itself, and says after which event.
    const source = new EventSource(`/api/events/stream${type === '' ? '' : `?types=${type}`}`);
    const take = ({ data }: MessageEvent<string>) => {
      const event = JSON.parse(data) as ToldEvent;
      setEvents((before) => [event, ...before].slice(0, shownEvents));
    };
    for (const name of types) source.addEventListener(name, take);
    source.addEventListener('open', () => setConnected(true));
    source.addEventListener('error', () => setConnected(false));
    return () => source.close();
  }, [type]);
  useEffect(() => setFrozen(paused ? latest.current : undefined), [paused, type]);
  const known = new Set(frozen?.map(({ id }) => id));
  return {
    shown: frozen ?? events,
    held: frozen === undefined ? 0 : events.filter(({ id }) => !known.has(id)).length,
    connected,
  };
}
