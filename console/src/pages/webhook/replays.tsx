/** What was sent again, how far it is, and a way to stop it. */
import { call } from '../../api.ts';
import { useSpeech } from '../../language.ts';
import { partOf, useAction, useLoaded, useRefresh } from '../../loading.ts';
import { Listing } from '../../parts/listing.tsx';
import { Failure } from '../../parts/notices.tsx';
import { Badge, Card, Time, type Tone } from '../../parts/page.tsx';
import { useMayChange } from '../../session.ts';

interface StartedReplay {
  readonly id: number;
  readonly state: string;
  readonly kind: string;
  readonly events_sent: number;
  readonly failing_since: string | null;
  readonly created_at: string;
}

const refreshMs = 3000;
const tones: Readonly<Record<string, Tone>> = { running: 'note', done: 'good', cancelled: 'calm' };

/** @param props.version a change of it loads them anew */
export function Replays(props: { readonly webhookId: number; readonly version: number }) {
  const { words, language } = useSpeech();
  const { webhooks } = words;
  const mayChange = useMayChange();
  const path = `/api/webhooks/${props.webhookId}/replays`;
  const loaded = useLoaded<{ replays: readonly StartedReplay[] }>(path, props.version);
  const replays = loaded.data?.replays ?? [];
  useRefresh(
    loaded.reload,
    refreshMs,
    replays.some(({ state }) => state === 'running'),
  );
  const stop = useAction(async (id: number) => {
    await call('DELETE', `${path}/${id}`);
    loaded.reload();
  });
  if (replays.length === 0) return null;
  const number = new Intl.NumberFormat(language);
  return (
    <Card title={webhooks.replays} flush>
      <Failure error={stop.error} />
      <Listing
        of={partOf(loaded, (answer) => answer.replays)}
        keyOf={({ id }) => id}
        empty={null}
        columns={[
          { title: webhooks.when, cell: ({ created_at: at }) => <Time at={at} /> },
          {
            title: webhooks.what,
            look: 'wide-only',
            cell: ({ kind }) => webhooks.replayKinds[kind] ?? kind,
          },
          {
            title: webhooks.health,
            cell: ({ state, failing_since: failing }) => (
              <Badge tone={failing !== null && state === 'running' ? 'bad' : (tones[state] ?? 'calm')}>
                {webhooks.replayStates[state] ?? state}
              </Badge>
            ),
          },
          {
            title: webhooks.events,
            look: 'number',
            cell: ({ events_sent: sent }) => number.format(sent),
          },
          {
            title: undefined,
            cell: ({ id, state }) =>
              state === 'running' &&
              mayChange && (
                <button type="button" class="tiny" onClick={() => void stop.run(id)}>
                  {webhooks.stop}
                </button>
              ),
          },
        ]}
      />
    </Card>
  );
}
