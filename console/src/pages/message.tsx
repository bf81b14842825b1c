/** One message: what happened to it in words, each attempt, who was told, what is in it, and once more if one likes. */
import { useState } from 'preact/hooks';
import { post } from '../api.ts';
import { useSpeech, useWords } from '../language.ts';
import { useAction, useLoaded, useRefresh } from '../loading.ts';
import { answerText, type Attempt, type MessageEvent, type Story } from '../message.ts';
import { Icon } from '../parts/icons.tsx';
import { Failure, Show } from '../parts/notices.tsx';
import { Card, Confirm, Page, Time } from '../parts/page.tsx';
import { StateBadge } from '../parts/state-badge.tsx';
import { go } from '../router.ts';
import { useMayChange } from '../session.ts';
import { providerOf, tell } from '../story.ts';
import { duration } from '../times.ts';
import { Receivers } from './message/receivers.tsx';
import { MessageContent } from './message-content.tsx';

/** How often the story is read anew while it goes on. */
const refreshMs = 2000;
/** After the end of delivery opens and clicks may follow at once: the page looks on for a while. */
const watchedMs = 10 * 60_000;

export function MessagePage({ id }: { readonly id: string }) {
  const { messages } = useWords();
  const loaded = useLoaded<Story>(`/api/messages/${encodeURIComponent(id)}`);
  const { data, reload } = loaded;
  const young = data !== undefined && Date.now() - Date.parse(data.created_at) < watchedMs;
  useRefresh(reload, refreshMs, data?.state === 'queued' || young);
  const mayChange = useMayChange();
  return (
    <Page
      title={data === undefined ? messages.title : data.subject || messages.noSubject}
      lead={
        <>
          <a href="/messages">← {messages.back}</a>
        </>
      }
      actions={data !== undefined && mayChange && <SendAgain message={data} />}
    >
      <Show of={loaded} lines={8}>
        {(message) => (
          <div class="columns">
            <div class="stack">
              <Timeline message={message} />
              {mayChange ? (
                <MessageContent id={message.id} />
              ) : (
                <div class="notice">{messages.contentForDevelopers}</div>
              )}
            </div>
            <div class="stack">
              <Facts message={message} />
              <Attempts attempts={message.attempts} />
              <Receivers message={message} />
            </div>
          </div>
        )}
      </Show>
    </Page>
  );
}

function Timeline({ message }: { readonly message: Story }) {
  const { messages } = useWords();
  return (
    <Card title={messages.timeline} actions={<StateBadge state={message.state} />}>
      <ol class="timeline" aria-live="polite">
        {message.events.map((event) => (
          <TimelineEntry key={event.id} event={event} />
        ))}
      </ol>
    </Card>
  );
}

function TimelineEntry({ event }: { readonly event: MessageEvent }) {
  const { words, language } = useSpeech();
  const { title, more, tone, icon } = tell(event, words, language, Date.now());
  return (
    <li>
      <span class={`dot ${tone}`}>
        <Icon name={icon} />
      </span>
      <div class="stack tight">
        <div class="row between top">
          <strong class="grow break">{title}</strong>
          <span class="small soft">
            <Time at={event.time} />
          </span>
        </div>
        {more.map((line) => (
          <div key={line} class="small soft break">
            {line}
          </div>
        ))}
      </div>
    </li>
  );
}

function Facts({ message }: { readonly message: Story }) {
  const { words, language } = useSpeech();
  const { messages, states } = words;
  const tracked = [message.track.opens && messages.opens, message.track.clicks && messages.clicks];
  const metadata = Object.entries(message.metadata);
  return (
    <Card title={messages.facts}>
      <dl class="facts">
        <dt>{messages.recipient}</dt>
        <dd>{message.recipient}</dd>
        <dt>{messages.sender}</dt>
        <dd>{message.sender_name === '' ? message.sender : `${message.sender_name} <${message.sender}>`}</dd>
        <dt>{messages.sent}</dt>
        <dd>
          <Time at={message.created_at} />, {messages.doors[message.door] ?? message.door}
        </dd>
        {message.next_attempt_at !== null && (
          <>
            <dt>{messages.next}</dt>
            <dd>
              <Time at={message.next_attempt_at} />
            </dd>
          </>
        )}
        <dt>{messages.id}</dt>
        <dd>{message.id}</dd>
        <dt>{messages.messageId}</dt>
        <dd class="small">{message.internet_message_id}</dd>
        <dt>{messages.tracking}</dt>
        <dd>{tracked.filter((part) => part !== false).join(', ') || states.none}</dd>
        <dt>{messages.stream}</dt>
        <dd>{message.stream}</dd>
        {message.tags.length > 0 && (
          <>
            <dt>{messages.tags}</dt>
            <dd class="row">
              {message.tags.map((tag) => (
                <a key={tag} class="tag" href={`/messages?tag=${encodeURIComponent(tag)}`}>
                  {tag}
                </a>
              ))}
            </dd>
          </>
        )}
        {message.template_id !== null && (
          <>
            <dt>{messages.template}</dt>
            <dd>
              <MadeOf id={message.template_id} version={message.template_version} />
            </dd>
          </>
        )}
        {metadata.length > 0 && (
          <>
            <dt>{messages.metadata}</dt>
            <dd>
              <pre class="wrap" tabIndex={0}>
                {JSON.stringify(message.metadata, null, 2)}
              </pre>
            </dd>
          </>
        )}
        <dt>{messages.size}</dt>
        <dd>
          {new Intl.NumberFormat(language, {
            style: 'unit',
            unit: 'kilobyte',
            maximumFractionDigits: 1,
          }).format(message.size_bytes / 1000)}
        </dd>
      </dl>
    </Card>
  );
}

/** The template as it was when the message was made of it. */
function MadeOf({ id, version }: { readonly id: number; readonly version: number | null }) {
  const { messages } = useWords();
  if (version === null) return <a href={`/templates/${id}`}>{messages.templateNumber(id)}</a>;
  return <a href={`/templates/${id}/versions?to=${version}`}>{messages.templateVersion(id, version)}</a>;
}

function Attempts({ attempts }: { readonly attempts: readonly Attempt[] }) {
  const { words, language } = useSpeech();
  const { messages } = words;
  if (attempts.length === 0) return null;
  return (
    <Card title={messages.attempts}>
      {attempts.map((attempt) => (
        <div key={attempt.number} class="stack tight">
          <div class="row between">
            <h3>
              {messages.attempt(attempt.number)}: {providerOf(attempt.host, words)}
            </h3>
            <span class="small soft">{duration(attempt.duration_ms, language)}</span>
          </div>
          <div class="small soft break">
            {attempt.address} {attempt.tls}
          </div>
          <code class="break">{answerText(attempt.answer)}</code>
          {attempt.dialogue !== '' && (
            <details>
              <summary>{messages.dialogue}</summary>
              {/* What scrolls has to be reached by keyboard. */}
              <pre tabIndex={0}>{attempt.dialogue}</pre>
            </details>
          )}
        </div>
      ))}
    </Card>
  );
}

function SendAgain({ message }: { readonly message: Story }) {
  const { messages } = useWords();
  const [asking, setAsking] = useState(false);
  const { run, running, error } = useAction(async () => {
    setAsking(false);
    const { id } = await post<{ id: number }>(`/api/messages/${message.id}/send-again`);
    go(`/messages/${id}`);
  });
  return (
    <div class="stack tight">
      <button type="button" disabled={running} onClick={() => setAsking(true)}>
        {messages.again}
      </button>
      <Failure error={error} />
      {asking && (
        <Confirm
          title={messages.againAsk(message.recipient)}
          text={messages.againMore}
          action={messages.again}
          onYes={() => void run()}
          onNo={() => setAsking(false)}
        />
      )}
    </div>
  );
}
