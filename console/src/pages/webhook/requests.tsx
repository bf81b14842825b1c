/** The last requests of a webhook; one that is opened shows what was sent and what came back. */
import { useState } from 'preact/hooks';
import { useSpeech, useWords } from '../../language.ts';
import { useLoaded } from '../../loading.ts';
import { Code } from '../../parts/copying.tsx';
import { Show } from '../../parts/notices.tsx';
import { Card, Time } from '../../parts/page.tsx';
import { indented } from '../../json-text.ts';
import { duration } from '../../times.ts';
import type { WebhookDetail } from '../../webhook.ts';
import { StatusBadge } from '../../parts/status-badge.tsx';

/** More are not drawn; the API has up to two hundred. */
const shownRequests = 50;

export function LastRequests({ webhook }: { readonly webhook: WebhookDetail }) {
  const { words, language } = useSpeech();
  const { webhooks } = words;
  const [open, setOpen] = useState('');
  return (
    <Card title={webhooks.last} flush>
      {webhook.last_requests.length === 0 && <p class="empty">{webhooks.noRequests}</p>}
      <div class="table-wrap">
        <table>
          {webhook.last_requests.length > 0 && (
            <thead>
              <tr>
                <th>{webhooks.when}</th>
                <th>{webhooks.answer}</th>
                <th class="number">{webhooks.events}</th>
                <th class="wide-only">{webhooks.took}</th>
                <th>
                  <span class="visually-hidden">{webhooks.request}</span>
                </th>
              </tr>
            </thead>
          )}
          <tbody>
            {webhook.last_requests.slice(0, shownRequests).map((request) => {
              const key = `${request.batch_id} ${request.at}`;
              return (
                <>
                  <tr key={key}>
                    <td>
                      <Time at={request.at} />{' '}
                      {request.replay !== null && <span class="tag">{webhooks.replayRun}</span>}
                    </td>
                    <td>
                      <StatusBadge status={request.status} />
                    </td>
                    <td class="number">{request.events}</td>
                    <td class="wide-only soft">{duration(request.duration_ms, language)}</td>
                    <td class="actions">
                      <button
                        type="button"
                        class="tiny"
                        aria-expanded={open === key}
                        onClick={() => setOpen(open === key ? '' : key)}
                      >
                        {webhooks.request}
                      </button>
                    </td>
                  </tr>
                  {open === key && (
                    <tr key={`${key} open`}>
                      <td colSpan={5}>
                        <OneRequest webhookId={webhook.id} batchId={request.batch_id} at={request.at} />
                      </td>
                    </tr>
                  )}
                </>
              );
            })}
          </tbody>
        </table>
      </div>
    </Card>
  );
}

interface KeptRequest {
  readonly body: string | null;
  readonly attempts: readonly {
    readonly at: string;
    readonly answer: string;
    readonly request: {
      readonly method: string;
      readonly url: string;
      readonly headers: Readonly<Record<string, string>>;
    };
  }[];
}

function OneRequest(props: { readonly webhookId: number; readonly batchId: string; readonly at: string }) {
  const { webhooks, settings } = useWords();
  const path = `/api/webhooks/${props.webhookId}/requests/${encodeURIComponent(props.batchId)}`;
  const loaded = useLoaded<KeptRequest>(path);
  return (
    <Show of={loaded} lines={3}>
      {({ body, attempts }) => {
        const attempt = attempts.find(({ at }) => at === props.at) ?? attempts[0];
        if (attempt === undefined) return null;
        const { method, url, headers } = attempt.request;
        const head = Object.entries(headers).map(([name, value]) => `${name}: ${value}`);
        return (
          <div class="stack tight">
            <h3>{settings.sent}</h3>
            <pre class="wrap" tabIndex={0}>
              {[`${method} ${url}`, ...head].join('\n')}
            </pre>
            {body === null ? (
              <p class="small soft">{webhooks.requestGone}</p>
            ) : (
              <Code text={indented(body)} wrap />
            )}
            <h3>{settings.received}</h3>
            <pre class="wrap" tabIndex={0}>
              {attempt.answer || '—'}
            </pre>
          </div>
        );
      }}
    </Show>
  );
}
