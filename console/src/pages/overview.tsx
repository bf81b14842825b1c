/** What was sent and what became of it: over time, by domain and provider, and what waits now. The range stands in the address. */
import { useMemo, useState } from 'preact/hooks';
import { get } from '../api.ts';
import { useSpeech, useWords } from '../language.ts';
import { useLoaded, useRefresh } from '../loading.ts';
import { Field } from '../parts/fields.tsx';
import { Empty, Show } from '../parts/notices.tsx';
import { Card, Page, Segments, Time } from '../parts/page.tsx';
import { go, useAddress, withQuery } from '../router.ts';
import { drawn, type Drawn, type Series } from '../statistics.ts';
import { exactTime } from '../times.ts';
import { Chart } from './overview/chart.tsx';
import { Linked, type Row, SumTable, type Table } from './overview/tables.tsx';

const refreshMs = 15_000;
const dayMs = 86_400_000;
const ranges = ['24h', '7d', '30d', 'custom'] as const;
type Range = (typeof ranges)[number];

const timeZone = Intl.DateTimeFormat().resolvedOptions().timeZone;
const daysOf = { '24h': 1, '7d': 7, '30d': 30 } as const;

/** What is asked for, as the query of the API. */
function askOf(range: Range, from: string, to: string): string {
  const custom = { ...(from !== '' && { from }), ...(to !== '' && { to }) };
  const fromMs = range === 'custom' ? 0 : Date.now() - daysOf[range] * dayMs + (range === '24h' ? 0 : dayMs);
  // By the hour it is the same question until the hour is over.
  const span = range === 'custom' ? custom : { from: new Date(fromMs - (fromMs % 3_600_000)).toISOString() };
  return String(
    new URLSearchParams({ interval: range === '24h' ? 'hour' : 'day', time_zone: timeZone, ...span }),
  );
}

async function tableBy(path: string): Promise<Table> {
  const {
    domains,
    providers,
    others,
    partial = false,
  } = await get<
    Partial<Record<'domains' | 'providers', readonly Row[]>> &
      Omit<Table, 'rows' | 'partial'> & { partial?: boolean }
  >(path);
  return { rows: domains ?? providers ?? [], others, partial };
}

export function Overview() {
  const { overview } = useWords();
  const { language } = useSpeech();
  const address = useAddress();
  const given = address.searchParams.get('range');
  const range = ranges.find((name) => name === given) ?? '7d';
  const value = (name: string) => address.searchParams.get(name) ?? '';
  const [from, to] = [value('from'), value('to')];
  const ask = askOf(range, from, to);
  const series = useLoaded<Series>(`/api/statistics?${ask}`);
  const domains = useLoaded<Table>(`/api/statistics/domains?${ask}&limit=10`, 0, tableBy);
  const providers = useLoaded<Table>(`/api/statistics/providers?${ask}&limit=10`, 0, tableBy);
  useRefresh(series.reload, refreshMs, true);
  const place = { from: series.data?.from ?? '', to: series.data?.to ?? '' };
  return (
    <Page
      title={overview.title}
      lead={overview.lead}
      actions={
        <Segments
          label={overview.range}
          value={range}
          options={ranges.map((name) => [name, overview.ranges[name]] as const)}
          onValue={(next) => go(withQuery(address, { range: next }))}
        />
      }
    >
      {range === 'custom' && (
        <div class="search">
          {(['from', 'to'] as const).map((name) => (
            <Field
              key={name}
              label={overview[name]}
              type="date"
              value={value(name)}
              onValue={(day) => go(withQuery(address, { [name]: day }), { replace: true })}
            />
          ))}
        </div>
      )}
      <Show of={series} lines={8}>
        {(data) => (
          <>
            {data.uncounted_events > 0 && (
              <p class="notice">{overview.uncounted(data.uncounted_events.toLocaleString(language))}</p>
            )}
            <Numbers series={data} />
          </>
        )}
      </Show>
      <SumTable of={providers} by="provider" range={place} />
      <SumTable of={domains} by="domain" range={place} />
      <div class="columns">
        <Queue />
        <Lag />
      </div>
    </Page>
  );
}

function Numbers({ series }: { readonly series: Series }) {
  const { overview } = useWords();
  const { language } = useSpeech();
  const [hidden, setHidden] = useState<ReadonlySet<Drawn>>(new Set(['clicked', 'complained']));
  const shown = useMemo(() => drawn.filter((what) => !hidden.has(what)), [hidden]);
  const { total, intervals } = series;
  const switchOver = (what: Drawn) => {
    const next = new Set(hidden);
    if (!next.delete(what)) next.add(what);
    setHidden(next);
  };
  const isEmpty = drawn.every((what) =>
    intervals.every((interval) => JSON.stringify(interval[what]).match(/[1-9]/) === null),
  );
  const end = (index: number) => intervals[index + 1]?.start ?? series.to;
  return (
    <Card title={overview.series}>
      <ul class="totals">
        {drawn.map((what) => (
          <li key={what}>
            <label class="check small">
              <input type="checkbox" checked={!hidden.has(what)} onChange={() => switchOver(what)} />
              <span class={`swatch ${what}`} />
              {overview.names[what]}
            </label>
            <strong class="total">
              <Linked what={what} sum={total} place={{ from: series.from, to: series.to }} />
            </strong>
            {(what === 'opened' || what === 'clicked') && total[what].machine > 0 && (
              <span class="small soft">
                {overview.ofMachines(total[what].machine.toLocaleString(language))}
              </span>
            )}
          </li>
        ))}
      </ul>
      {isEmpty ? (
        <Empty icon="overview" title={overview.empty}>
          <p>{overview.emptyMore}</p>
        </Empty>
      ) : (
        <>
          <Chart series={series} shown={shown} />
          <details>
            <summary>{overview.asTable}</summary>
            <div class="table-wrap" tabIndex={0} role="region" aria-label={overview.asTable}>
              <table>
                <thead>
                  <tr>
                    <th>{overview.when}</th>
                    {drawn.map((what) => (
                      <th key={what} class="number">
                        {overview.names[what]}
                      </th>
                    ))}
                  </tr>
                </thead>
                <tbody>
                  {intervals.map((interval, index) => (
                    <tr key={interval.start}>
                      <td class="nowrap">{exactTime(interval.start, language)}</td>
                      {drawn.map((what) => (
                        <td key={what} class="number">
                          <Linked
                            what={what}
                            sum={interval}
                            place={{ from: interval.start, to: end(index) }}
                          />
                        </td>
                      ))}
                    </tr>
                  ))}
                </tbody>
              </table>
            </div>
          </details>
        </>
      )}
    </Card>
  );
}

interface QueueState {
  readonly waiting: number;
  readonly oldest_at: string | null;
  readonly next_attempt_at: string | null;
  readonly reasons: readonly { readonly reason: string; readonly messages: number }[];
}

function Queue() {
  const { overview, story } = useWords();
  const { language } = useSpeech();
  const loaded = useLoaded<QueueState>('/api/statistics/queue');
  useRefresh(loaded.reload, refreshMs, true);
  return (
    <Card title={overview.queue}>
      <Show of={loaded} lines={3}>
        {({ waiting, oldest_at: oldest, next_attempt_at: next, reasons }) =>
          waiting === 0 || oldest === null ? (
            <p class="soft">{overview.nothingWaits}</p>
          ) : (
            <dl class="facts">
              <dt>{overview.waiting}</dt>
              <dd>
                <a href="/messages?state=queued">{waiting.toLocaleString(language)}</a>
              </dd>
              <dt>{overview.oldest}</dt>
              <dd>
                <Time at={oldest} />
              </dd>
              {next !== null && <dt>{overview.next}</dt>}
              {next !== null && (
                <dd>
                  <Time at={next} />
                </dd>
              )}
              {reasons.map(({ reason, messages }) => (
                <>
                  <dt key={reason}>{overview.reasons[reason] ?? story.why[reason] ?? reason}</dt>
                  <dd>{messages.toLocaleString(language)}</dd>
                </>
              ))}
            </dl>
          )
        }
      </Show>
    </Card>
  );
}

interface Behind {
  readonly id: number;
  readonly url: string;
  readonly waiting_events: number;
  readonly lag_seconds: number;
}

function Lag() {
  const { overview } = useWords();
  const { language } = useSpeech();
  const loaded = useLoaded<{ webhooks: readonly Behind[] }>('/api/statistics/webhooks');
  useRefresh(loaded.reload, refreshMs, true);
  return (
    <Card title={overview.lag}>
      <Show of={loaded} lines={3}>
        {({ webhooks }) =>
          webhooks.length === 0 ? (
            <p class="soft">{overview.noWebhooks}</p>
          ) : (
            <ul class="stack tight">
              {webhooks.map(({ id, url, waiting_events: events, lag_seconds: seconds }) => (
                <li key={id} class="break">
                  <a class="clamped" href={`/webhooks/${id}`} title={url}>
                    {url}
                  </a>
                  <br />
                  <span class="small soft">
                    {events === 0
                      ? overview.upToDate
                      : overview.behind(
                          events.toLocaleString(language),
                          Math.round(seconds).toLocaleString(language),
                        )}
                  </span>
                </li>
              ))}
            </ul>
          )
        }
      </Show>
    </Card>
  );
}
