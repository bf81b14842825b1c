/** The last requests of a webhook; one that is opened shows what was sent and what came back. */
import { useState } from 'preact/hooks';
import { useSpeech, useWords } from '../../language.ts';
import { type Loaded, partOf, useLoaded } from '../../loading.ts';
import { Code } from '../../parts/copying.tsx';
import { Listing } from '../../parts/listing.tsx';
import { Show } from '../../parts/notices.tsx';
import { Card, Segments, Time } from '../../parts/page.tsx';
import { useAddress } from '../../router.ts';
import { indented } from '../../json-text.ts';
import { duration } from '../../times.ts';
import type { WebhookDetail } from '../../webhook.ts';
import { StatusBadge } from '../../parts/status-badge.tsx';

/** More are not drawn; the API has up to two hundred. */
const shownRequests = 50;

type Request = WebhookDetail['last_requests'][number];
const keyOf = ({ batch_id: batchId, at }: Request): string => `${batchId} ${at}`;

export function LastRequests(props: {
  readonly loaded: Loaded<WebhookDetail>;
  readonly webhook: WebhookDetail;
}) {
  const { words, language } = useSpeech();
  const { webhooks } = words;
  const { loaded, webhook } = props;
  // A link from a message's page names the request.
  const asked = useAddress().searchParams.get('request') ?? '';
  const [open, setOpen] = useState<string | undefined>();
  const isOpen = (request: Request) =>
    open === undefined ? asked !== '' && request.batch_id === asked : open === keyOf(request);
  const [which, setWhich] = useState<'all' | 'failed'>('all');
  const wanted = ({ last_requests: all }: WebhookDetail) =>
    all.filter(({ accepted }) => which === 'all' || !accepted).slice(0, shownRequests);
  return (
    <Card
      title={webhooks.last}
      flush
      actions={
        <Segments
          label={webhooks.last}
          value={which}
          options={[
            ['all', webhooks.allRequests],
            ['failed', webhooks.failedRequests],
          ]}
          onValue={setWhich}
        />
      }
    >
      <Listing
        of={partOf(loaded, wanted)}
        keyOf={keyOf}
        empty={<p class="empty">{which === 'all' ? webhooks.noRequests : webhooks.noFailures}</p>}
        below={(request) =>
          isOpen(request) ? (
            <OneRequest webhookId={webhook.id} batchId={request.batch_id} at={request.at} />
          ) : undefined
        }
        columns={[
          {
            title: webhooks.when,
            cell: ({ at, replay }) => (
              <>
                <Time at={at} /> {replay !== null && <span class="tag">{webhooks.replayRun}</span>}
              </>
            ),
          },
          { title: webhooks.answer, cell: ({ status }) => <StatusBadge status={status} /> },
          { title: webhooks.events, look: 'wide-only number', cell: ({ events }) => events },
          {
            title: webhooks.took,
            look: 'wide-only soft',
            cell: ({ duration_ms: ms }) => duration(ms, language),
          },
          {
            title: undefined,
            cell: (request) => (
              <button
                type="button"
                class="tiny"
                aria-expanded={isOpen(request)}
                onClick={() => setOpen(isOpen(request) ? '' : keyOf(request))}
              >
                {webhooks.request}
              </button>
            ),
          },
        ]}
      />
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
