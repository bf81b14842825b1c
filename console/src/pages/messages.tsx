/** Finding messages: by recipient, subject, id, tag, state and day. What is searched for stands in the address. */
import { useState } from 'preact/hooks';
import { useSpeech, useWords } from '../language.ts';
import type { Message } from '../message.ts';
import { usePages } from '../paging.ts';
import { Field, Select } from '../parts/fields.tsx';
import { Empty, Show } from '../parts/notices.tsx';
import { Page, Time } from '../parts/page.tsx';
import { StateBadge } from '../parts/state-badge.tsx';
import { go, useAddress, withQuery } from '../router.ts';
import { dayBegins, exactTime } from '../times.ts';

/** What a number of the Overview leads to: shown as conditions that can be dropped. */
const conditions = ['event', 'visitor', 'first', 'domain', 'provider'] as const;
const filters = ['recipient', 'subject', 'tag', 'state', 'from', 'to', ...conditions] as const;
const states = ['queued', 'delivered', 'bounced', 'skipped'] as const;

/** Days are those of the reader, as the times in the list are, and the last one is meant whole. */
function timeFor(name: (typeof filters)[number], value: string): string {
  const isDay = (name === 'from' || name === 'to') && /^\d{4}-\d{2}-\d{2}$/.test(value);
  // What is no day is the API's to refuse.
  if (!isDay || Number.isNaN(Date.parse(value))) return value;
  return dayBegins(value, name === 'to' ? 1 : 0);
}

export function Messages() {
  const { messages, actions } = useWords();
  const address = useAddress();
  const wanted = filters.flatMap((name) => {
    const value = address.searchParams.get(name) ?? '';
    return value === '' ? [] : [[name, value] as const];
  });
  const query = new URLSearchParams(wanted.map(([name, value]) => [name, timeFor(name, value)]));
  const pages = usePages<'messages', Message>(`/api/messages?${query}`, 'messages');
  return (
    <Page
      title={messages.title}
      lead={messages.lead}
      actions={
        <button type="button" onClick={pages.reload}>
          {actions.refresh}
        </button>
      }
    >
      <Search key={address.search} />
      <Conditions />
      <div class="card flush">
        <Show of={pages} lines={8}>
          {(list) =>
            list.length > 0 ? (
              <MessageTable messages={list} />
            ) : (
              <Empty icon="messages" title={wanted.length > 0 ? messages.noMatch : messages.empty}>
                <p>{wanted.length > 0 ? messages.noMatchMore : messages.emptyMore}</p>
              </Empty>
            )
          }
        </Show>
      </div>
      {pages.more !== undefined && (
        <div>
          <button type="button" onClick={pages.more}>
            {actions.more}
          </button>
        </div>
      )}
    </Page>
  );
}

function Conditions() {
  const { happened, eventTypes } = useWords();
  const { language } = useSpeech();
  const address = useAddress();
  const isTime = (value: string) => value.includes('T');
  const shown = [...conditions, 'from' as const, 'to' as const].flatMap((name) => {
    const value = address.searchParams.get(name) ?? '';
    // Days stand in the fields above.
    if (value === '' || ((name === 'from' || name === 'to') && !isTime(value))) return [];
    const text =
      name === 'event' ? (eventTypes[value] ?? value) : isTime(value) ? exactTime(value, language) : value;
    return [{ name, text: name === 'first' ? happened.first : `${happened[name]}: ${text}` }];
  });
  if (shown.length === 0) return null;
  const drop = (name: string) => {
    // These say more of what happened, and mean nothing without it.
    const more = name === 'event' ? { visitor: '', first: '' } : {};
    go(withQuery(address, { [name]: '', ...more }));
  };
  return (
    <div class="row">
      {shown.map(({ name, text }) => (
        <button
          key={name}
          type="button"
          class="tiny"
          aria-label={happened.drop(text)}
          onClick={() => drop(name)}
        >
          {text} ×
        </button>
      ))}
    </div>
  );
}

function Search() {
  const { messages, actions } = useWords();
  const address = useAddress();
  const [values, setValues] = useState<Readonly<Record<string, string>>>(
    Object.fromEntries(address.searchParams),
  );
  const [id, setId] = useState('');
  const set = (name: string) => (value: string) => setValues({ ...values, [name]: value });
  const value = (name: string) => values[name] ?? '';
  const search = () => {
    if (/^\d+$/.test(id.trim())) go(`/messages/${id.trim()}`);
    else go(withQuery(address, values));
  };
  const { tag, from, to } = values;
  return (
    <form
      class="stack tight"
      role="search"
      onSubmit={(event) => {
        event.preventDefault();
        search();
      }}
    >
      <div class="search">
        <Field
          label={messages.recipient}
          type="search"
          placeholder="ann@example.org"
          value={value('recipient')}
          onValue={set('recipient')}
        />
        <Field
          label={messages.subject}
          type="search"
          placeholder={messages.subjectPart}
          value={value('subject')}
          onValue={set('subject')}
        />
        <Select
          label={messages.state}
          value={value('state')}
          onValue={set('state')}
          options={[
            ['', messages.any],
            ...states.map((state) => [state, messages.states[state] ?? state] as const),
          ]}
        />
        <Field label={messages.id} inputMode="numeric" value={id} onValue={setId} />
        <button type="submit" class="primary">
          {actions.search}
        </button>
      </div>
      <details open={[tag, from, to].some((given) => given !== undefined && given !== '')}>
        <summary>{messages.filters}</summary>
        <div class="search">
          <Field label={messages.tag} type="search" value={value('tag')} onValue={set('tag')} />
          <Field label={messages.from} type="date" value={value('from')} onValue={set('from')} />
          <Field label={messages.to} type="date" value={value('to')} onValue={set('to')} />
          <a class="button" href="/messages">
            {actions.clear}
          </a>
        </div>
      </details>
    </form>
  );
}

function MessageTable({ messages: list }: { readonly messages: readonly Message[] }) {
  const { messages } = useWords();
  return (
    <div class="table-wrap">
      <table>
        <thead>
          <tr>
            <th>{messages.recipient}</th>
            <th class="wide-only">{messages.subject}</th>
            <th>{messages.state}</th>
            <th>{messages.sent}</th>
          </tr>
        </thead>
        <tbody>
          {list.map((message) => (
            <tr key={message.id}>
              <td class="break">
                <a class="row-link" href={`/messages/${message.id}`}>
                  {message.recipient}
                </a>
                {message.tags.map((tag) => (
                  <>
                    {' '}
                    <span key={tag} class="tag">
                      {tag}
                    </span>
                  </>
                ))}
              </td>
              <td class="wide-only break">
                <span class="clamped">{message.subject || messages.noSubject}</span>
              </td>
              <td>
                <StateBadge state={message.state} />
              </td>
              <td class="soft">
                <Time at={message.created_at} />
              </td>
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}
