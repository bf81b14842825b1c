/** From nothing to "the webhook has arrived" in a minute: the built-in receiver, a message to the simulator, what comes. */
import { useState } from 'preact/hooks';
import { post } from '../api.ts';
import { useWords } from '../language.ts';
import { useAction, useLoaded, useRefresh } from '../loading.ts';
import { indented } from '../json-text.ts';
import { Code } from '../parts/copying.tsx';
import { Failure, Show } from '../parts/notices.tsx';
import { Badge, Card, Page, Time } from '../parts/page.tsx';
import type { Webhook } from '../webhook.ts';

interface Receiver {
  readonly url: string;
  readonly requests: readonly {
    readonly number: number;
    readonly time: string;
    readonly headers: Readonly<Record<string, string>>;
    readonly body: string;
  }[];
}

const refreshMs = 1000;
/** The newest: who sends on does not have to look for what came at the end of a long page. */
const shownRequests = 10;
const behaviours = [
  'opened',
  'clicked',
  'hard-bounced',
  'soft-bounced',
  'unsubscribed',
  'complained',
] as const;

export function FirstSteps() {
  const { steps } = useWords();
  const receiver = useLoaded<Receiver>('/api/receiver');
  const webhooks = useLoaded<{ webhooks: readonly Webhook[] }>('/api/webhooks');
  const [messageId, setMessageId] = useState<number | undefined>();
  const url = receiver.data?.url;
  const made = webhooks.data?.webhooks.find((webhook) => webhook.url === url);
  const arrived = (receiver.data?.requests.length ?? 0) > 0;
  useRefresh(receiver.reload, refreshMs, made !== undefined);
  return (
    <Page title={steps.title} lead={steps.lead}>
      <Show of={receiver}>
        {({ requests }) => (
          <ol class="steps">
            <li class={made === undefined ? '' : 'done'}>
              <ChooseReceiver url={url ?? ''} made={made !== undefined} onMade={webhooks.reload} />
            </li>
            <li class={messageId === undefined ? '' : 'done'}>
              <Send enabled={made !== undefined} messageId={messageId} onSent={setMessageId} />
            </li>
            <li class={arrived ? 'done' : ''}>
              <Card title={steps.arrive} lead={steps.arriveLead}>
                <div class="stack" aria-live="polite">
                  {!arrived && <p class="soft">{messageId === undefined ? steps.idle : steps.waiting}</p>}
                  {requests.slice(0, shownRequests).map((request) => (
                    <ReceivedRequest key={request.number} request={request} />
                  ))}
                </div>
              </Card>
            </li>
            {arrived && (
              <li>
                <Card title={steps.next} lead={steps.nextLead}>
                  <div>
                    <a class="button primary" href="/settings">
                      {steps.toSettings}
                    </a>
                  </div>
                </Card>
              </li>
            )}
          </ol>
        )}
      </Show>
    </Page>
  );
}

/** One event a request, at once: nobody wants to wait a minute for the first. */
const firstDialect = 'msndr';

function ChooseReceiver(props: {
  readonly url: string;
  readonly made: boolean;
  readonly onMade: () => void;
}) {
  const { steps } = useWords();
  const { run, running, error } = useAction(async () => {
    await post('/api/webhooks', { url: props.url, dialect: firstDialect });
    props.onMade();
  });
  return (
    <Card title={steps.webhook} lead={steps.webhookLead}>
      <code class="soft break">{props.url}</code>
      <Failure error={error} />
      {props.made ? (
        <div>
          <Badge tone="good">{steps.webhookDone}</Badge>
        </div>
      ) : (
        <div>
          <button type="button" class="primary" disabled={running} onClick={() => void run()}>
            {steps.makeWebhook}
          </button>
        </div>
      )}
    </Card>
  );
}

function Send(props: {
  readonly enabled: boolean;
  readonly messageId: number | undefined;
  readonly onSent: (id: number) => void;
}) {
  const { steps } = useWords();
  const [behaviour, setBehaviour] = useState<(typeof behaviours)[number]>('opened');
  const { run, running, error } = useAction(async () => {
    const { messages } = await post<{ messages: readonly { id: number }[] }>('/api/messages', {
      from: 'Aftersend <hello@example.com>',
      to: [`${behaviour}@simulator.test`],
      subject: steps.subject,
      html: steps.html,
      tags: ['first-steps'],
    });
    const id = messages[0]?.id;
    if (id !== undefined) props.onSent(id);
  });
  return (
    <Card title={steps.send} lead={steps.sendLead}>
      <fieldset disabled={!props.enabled}>
        <legend class="visually-hidden">{steps.sendLead}</legend>
        <div class="choices">
          {behaviours.map((name) => (
            <label key={name} class="choice">
              <input
                type="radio"
                name="behaviour"
                checked={name === behaviour}
                onChange={() => setBehaviour(name)}
              />
              <span>
                <strong>{name}@simulator.test</strong>
                <span class="small soft">{steps.behaviours[name]}</span>
              </span>
            </label>
          ))}
        </div>
      </fieldset>
      <Failure error={error} />
      <div class="row">
        <button
          type="button"
          class={props.messageId === undefined ? 'primary' : ''}
          disabled={!props.enabled || running}
          onClick={() => void run()}
        >
          {steps.sendNow}
        </button>
        {props.messageId !== undefined && <a href={`/messages/${props.messageId}`}>{steps.sent}</a>}
      </div>
    </Card>
  );
}

function ReceivedRequest({ request }: { readonly request: Receiver['requests'][number] }) {
  const { steps } = useWords();
  const headers = Object.entries(request.headers).map(([name, value]) => `${name}: ${value}`);
  return (
    <div class="stack tight">
      <div class="row between small">
        <strong>POST</strong>
        <span class="soft">
          <Time at={request.time} />
        </span>
      </div>
      <Code text={indented(request.body)} wrap />
      <details>
        <summary>{steps.headers}</summary>
        <pre class="wrap" tabIndex={0}>
          {headers.join('\n')}
        </pre>
      </details>
    </div>
  );
}
