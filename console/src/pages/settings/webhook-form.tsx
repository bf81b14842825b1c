/** One webhook: its URL, the ticked events, the dialect; saved, then tried out, with what came back. */
import { useState } from 'preact/hooks';
import { call, post } from '../../api.ts';
import { useSpeech, useWords } from '../../language.ts';
import { useAction } from '../../loading.ts';
import { Secret } from '../../parts/copying.tsx';
import { faultOf, Field } from '../../parts/fields.tsx';
import { Failure } from '../../parts/notices.tsx';
import { Badge, Confirm } from '../../parts/page.tsx';
import { indented } from '../../json-text.ts';
import { StatusBadge } from '../../parts/status-badge.tsx';
import { useMayChange } from '../../session.ts';
import { duration } from '../../times.ts';
import { type Batch, type Dialect, typesOf, type Webhook } from '../../webhook.ts';

interface Props {
  /** Undefined for one that is not made yet. */
  readonly webhook?: Webhook;
  readonly dialects: readonly Dialect[];
  readonly secret?: string | undefined;
  readonly onMade: (id: number, secret: string) => void;
  readonly onChange: () => void;
}

export function WebhookForm({ webhook, dialects, secret, onMade, onChange }: Props) {
  const { settings, actions, states } = useWords();
  const mayChange = useMayChange();
  const [url, setUrl] = useState(webhook?.url ?? '');
  const [dialectName, setDialectName] = useState(webhook?.dialect ?? 'sendpulse');
  const dialect = dialects.find(({ name }) => name === dialectName) ?? dialects[0];
  const [chosen, setChosen] = useState<ReadonlySet<string>>(
    new Set(webhook?.types ?? (dialect === undefined ? [] : typesOf(dialect))),
  );
  const [options, setOptions] = useState<Readonly<Record<string, unknown>>>(webhook?.options ?? {});
  const [enabled, setEnabled] = useState(webhook?.state !== 'paused');
  const [saved, setSaved] = useState(false);

  const save = useAction(async () => {
    if (dialect === undefined) return;
    setSaved(false);
    const types = typesOf(dialect).filter((type) => chosen.has(type));
    const known = Object.entries(options).filter(([name]) => name in dialect.options);
    const input = { url, dialect: dialect.name, types, options: Object.fromEntries(known) };
    if (webhook === undefined) {
      const made = await post<Webhook & { secret: string }>('/api/webhooks', input);
      onMade(made.id, made.secret);
      return;
    }
    await call('PATCH', `/api/webhooks/${webhook.id}`, { ...input, paused: !enabled });
    setSaved(true);
    onChange();
  });

  const tick = (type: string, on: boolean) => {
    const next = new Set(chosen);
    if (on) next.add(type);
    else next.delete(type);
    setChosen(next);
    setSaved(false);
  };
  const chooseDialect = (next: Dialect) => {
    setDialectName(next.name);
    // What both can tell of stays as it was ticked; a dialect that knows none of it begins with all.
    const kept = typesOf(next).filter((type) => chosen.has(type));
    setChosen(new Set(kept.length > 0 ? kept : typesOf(next)));
    setSaved(false);
  };

  if (dialect === undefined) return null;
  return (
    <form
      class="stack"
      onSubmit={(event) => {
        event.preventDefault();
        void save.run();
      }}
    >
      {secret !== undefined && (
        <div class="stack tight">
          <Secret label={settings.secret} value={secret} />
          <p class="small soft">{settings.secretLead}</p>
        </div>
      )}
      <Field
        label={settings.url}
        type="url"
        required
        placeholder="https://example.com/webhook"
        value={url}
        onValue={(value) => {
          setUrl(value);
          setSaved(false);
        }}
        hint={settings.urlHint}
        fault={faultOf(save.error, 'url')}
      />
      <fieldset>
        <legend>{settings.events}</legend>
        <div class="choices">
          {typesOf(dialect).map((type) => (
            <EventChoice
              key={type}
              type={type}
              ownName={dialect.events[type] ?? ''}
              checked={chosen.has(type)}
              onTick={(on) => tick(type, on)}
            />
          ))}
        </div>
      </fieldset>
      <DialectChoice
        dialects={dialects}
        value={dialect}
        batch={webhook?.dialect === dialect.name ? webhook.batch : dialect.batch}
        onChoose={chooseDialect}
      />
      <Options dialect={dialect} value={options} onValue={setOptions} />
      {webhook !== undefined && (
        <label class="check small">
          <input
            type="checkbox"
            checked={enabled}
            onChange={(event) => setEnabled(event.currentTarget.checked)}
          />
          {settings.enabled}
        </label>
      )}
      <Failure error={save.error} />
      {mayChange && (
        <div class="row">
          <button type="submit" class="primary" disabled={save.running || chosen.size === 0}>
            {actions.save}
          </button>
          {saved && (
            <span role="status">
              <Badge tone="good">{states.saved}</Badge>
            </span>
          )}
          {webhook === undefined && <span class="small soft">{settings.saveFirst}</span>}
          {webhook !== undefined && <RemoveWebhook webhook={webhook} onRemoved={onChange} />}
        </div>
      )}
      {webhook !== undefined && mayChange && <Trial webhook={webhook} />}
    </form>
  );
}

function EventChoice(props: {
  readonly type: string;
  readonly ownName: string;
  readonly checked: boolean;
  readonly onTick: (on: boolean) => void;
}) {
  const { eventTypes } = useWords();
  return (
    <label class="choice">
      <input
        type="checkbox"
        checked={props.checked}
        onChange={(event) => props.onTick(event.currentTarget.checked)}
      />
      <span>
        <strong>{eventTypes[props.type] ?? props.type}</strong>
        <code class="soft">{props.ownName}</code>
      </span>
    </label>
  );
}

function DialectChoice(props: {
  readonly dialects: readonly Dialect[];
  readonly value: Dialect;
  readonly batch: Batch;
  readonly onChoose: (dialect: Dialect) => void;
}) {
  const { settings } = useWords();
  return (
    <fieldset>
      <legend>{settings.dialect}</legend>
      <div class="choices">
        {props.dialects.map((dialect) => {
          const [name, more] = settings.dialects[dialect.name] ?? [dialect.name, dialect.description];
          return (
            <label key={dialect.name} class="choice">
              <input
                type="radio"
                checked={dialect.name === props.value.name}
                onChange={() => props.onChoose(dialect)}
              />
              <span>
                <strong>{name}</strong>
                <span class="small soft">{more}</span>
              </span>
            </label>
          );
        })}
      </div>
      <p class="small soft" style={{ marginTop: '0.5rem' }}>
        {settings.batch(props.batch.count, props.batch.age_seconds)}
      </p>
    </fieldset>
  );
}

/** The dialect's own switches, each as it says what it does. */
function Options(props: {
  readonly dialect: Dialect;
  readonly value: Readonly<Record<string, unknown>>;
  readonly onValue: (value: Readonly<Record<string, unknown>>) => void;
}) {
  const { settings } = useWords();
  const switches = Object.entries(props.dialect.options).filter(([, { type }]) => type === 'boolean');
  return (
    <>
      {switches.map(([name, schema]) => (
        <label key={name} class="check small">
          <input
            type="checkbox"
            checked={(props.value[name] ?? schema.default) === true}
            onChange={(event) => props.onValue({ ...props.value, [name]: event.currentTarget.checked })}
          />
          {settings.options[name] ?? schema.description}
        </label>
      ))}
    </>
  );
}

function RemoveWebhook({
  webhook,
  onRemoved,
}: {
  readonly webhook: Webhook;
  readonly onRemoved: () => void;
}) {
  const { settings, actions } = useWords();
  const [asking, setAsking] = useState(false);
  const remove = useAction(async () => {
    setAsking(false);
    await call('DELETE', `/api/webhooks/${webhook.id}`);
    onRemoved();
  });
  return (
    <>
      <button type="button" class="danger" onClick={() => setAsking(true)}>
        {actions.remove}
      </button>
      <Failure error={remove.error} />
      {asking && (
        <Confirm
          title={`${settings.remove}?`}
          text={webhook.url}
          action={settings.remove}
          onYes={() => void remove.run()}
          onNo={() => setAsking(false)}
        />
      )}
    </>
  );
}

interface TrialRequest {
  readonly types: readonly string[];
  readonly body: string;
  readonly status: number;
  readonly answer: string;
  readonly duration_ms: number;
}

function Trial({ webhook }: { readonly webhook: Webhook }) {
  const { words, language } = useSpeech();
  const { settings, eventTypes } = words;
  const [requests, setRequests] = useState<readonly TrialRequest[] | undefined>();
  const { run, running, error } = useAction(async () => {
    setRequests(undefined);
    const answer = await post<{ requests: readonly TrialRequest[] }>(`/api/webhooks/${webhook.id}/test`);
    setRequests(answer.requests);
  });
  return (
    <div class="stack tight" aria-live="polite">
      <div class="row">
        <button type="button" disabled={running} onClick={() => void run()}>
          {running ? settings.testing : settings.test}
        </button>
      </div>
      <Failure error={error} />
      {requests !== undefined && (
        <>
          <p class="small soft">{settings.testLead}</p>
          {requests.map((request) => (
            <details key={request.types.join()}>
              <summary>
                <StatusBadge status={request.status} />{' '}
                {request.types.map((type) => eventTypes[type] ?? type).join(', ')} ·{' '}
                {duration(request.duration_ms, language)}
              </summary>
              <div class="stack tight">
                <h3>{settings.sent}</h3>
                <pre class="wrap">{indented(request.body)}</pre>
                <h3>{settings.received}</h3>
                <pre class="wrap">{request.answer || '—'}</pre>
              </div>
            </details>
          ))}
        </>
      )}
    </div>
  );
}
