/** The stream of events as they come: filtered as the address says, pausable, and no longer than a page can hold. */
import { useEffect, useRef, useState } from 'preact/hooks';
import { get } from '../api.ts';
import { useSpeech, useWords } from '../language.ts';
import type { MessageEvent as ToldEvent } from '../message.ts';
import { Field } from '../parts/fields.tsx';
import { Icon } from '../parts/icons.tsx';
import { Empty } from '../parts/notices.tsx';
import { Badge, Page, Time } from '../parts/page.tsx';
import { go, useAddress, withQuery } from '../router.ts';
import { tell } from '../story.ts';

/** Older ones leave the page; the log keeps them. */
const shownEvents = 200;
/** After a refusal, as of a proxy whose service is just being started. */
const comeBackMs = 3000;
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
  const address = useAddress();
  const value = (name: string) => address.searchParams.get(name) ?? '';
  const set = (name: string, value: string) => go(withQuery(address, { [name]: value }), { replace: true });
  const type = types.find((name) => name === value('type')) ?? '';
  const text = value('text');
  const [paused, setPaused] = useState(false);
  const { events, held, connected } = useStream(type, paused);
  const shown = events.filter((event) => speaksOf(event, text));
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
            onChange={(event) => set('type', event.currentTarget.value)}
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
      <Field
        label={live.text}
        type="search"
        placeholder={live.textSample}
        value={text}
        onValue={(text) => set('text', text)}
      />
      {paused && <div class="notice">{live.paused(held)}</div>}
      <div class="card flush">
        {shown.length === 0 ? (
          <Empty icon="steps" title={events.length === 0 ? live.empty : live.none}>
            <p>{events.length === 0 ? live.emptyMore : live.noneMore}</p>
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

/** Whatever a reader may have in hand of a message: who it went to, what it was called, how it was marked. */
function speaksOf({ recipient, subject, tags, message_id: id }: ToldEvent, text: string): boolean {
  const wanted = text.trim().toLowerCase();
  return `${recipient}\n${subject}\n${tags.join('\n')}\n${id}`.toLowerCase().includes(wanted);
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
    let source: EventSource | undefined;
    let comingBack: ReturnType<typeof setTimeout> | undefined;
    let last = '';
    const take = ({ data, lastEventId }: MessageEvent<string>) => {
      last = lastEventId;
      const event = JSON.parse(data) as ToldEvent;
      setEvents((before) => [event, ...before].slice(0, shownEvents));
    };
    const open = () => {
      const query = new URLSearchParams();
      if (type !== '') query.set('types', type);
      if (last !== '') query.set('after', last);
      source = new EventSource(`/api/events/stream?${query}`);
      for (const name of types) source.addEventListener(name, take);
      source.addEventListener('open', () => setConnected(true));
      source.addEventListener('error', lost);
    };
    const lost = () => {
      setConnected(false);
      // From a connection that broke the browser comes back by itself; a refusal it takes for good.
      if (source?.readyState !== EventSource.CLOSED) return;
      comingBack = setTimeout(open, comeBackMs);
      // Why it was refused is not told to it: if the session has ended, this is how the page learns of that.
      get('/api/session').catch(() => {});
    };
    open();
    return () => {
      clearTimeout(comingBack);
      source?.close();
    };
  }, [type]);
  useEffect(() => setFrozen(paused ? latest.current : undefined), [paused, type]);
  const known = new Set(frozen?.map(({ id }) => id));
  return {
    events: frozen ?? events,
    held: frozen === undefined ? 0 : events.filter(({ id }) => !known.has(id)).length,
    connected,
  };
}
