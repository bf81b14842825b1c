/** Where mail went: counts and rates by domain and by provider. */
import { useSpeech } from '../../language.ts';
import type { Loaded } from '../../loading.ts';
import { Card } from '../../parts/page.tsx';
import { Show } from '../../parts/notices.tsx';
import { countOf, type Drawn, messagesOf, type Place, type Sum } from '../../statistics.ts';

export interface Row extends Sum {
  readonly domain?: string;
  readonly provider: string;
}

export interface Table {
  readonly rows: readonly Row[];
  readonly others: Sum;
  readonly partial: boolean;
}

/** By the names that people know them by; the others are called as the API calls them. */
const knownAs: Readonly<Record<string, string>> = {
  google: 'Gmail',
  'outlook.com': 'Outlook',
  'microsoft-365': 'Microsoft 365',
  yahoo: 'Yahoo',
  apple: 'iCloud',
  'mail.ru': 'Mail.ru',
  yandex: 'Yandex',
  rambler: 'Rambler',
};

const columns = ['accepted', 'delivered', 'bounced', 'opened'] as const;

export function SumTable(props: {
  readonly of: Loaded<Table>;
  readonly by: 'domain' | 'provider';
  readonly range: Place;
}) {
  const { words, language } = useSpeech();
  const { overview } = words;
  const percent = (rate: number | null) =>
    rate === null ? '—' : (rate * 100).toLocaleString(language, { maximumFractionDigits: 1 });
  const place = (row: Row): Place =>
    row.domain === undefined
      ? { ...props.range, provider: row.provider }
      : { ...props.range, domain: row.domain };
  const name = (row: Row) =>
    row.domain ??
    (row.provider === 'other' ? overview.otherProvider : (knownAs[row.provider] ?? row.provider));
  const rates = (sum: Sum) => (
    <>
      <td class="number">{percent(sum.rates.delivery)}</td>
      <td class="number">{percent(sum.rates.open)}</td>
    </>
  );
  return (
    <Card title={props.by === 'domain' ? overview.domains : overview.providers} flush>
      <Show of={props.of} lines={4}>
        {({ rows, others, partial }) => (
          <>
            {partial && <p class="notice">{overview.partial}</p>}
            <div
              class="table-wrap"
              tabIndex={0}
              role="region"
              aria-label={props.by === 'domain' ? overview.domains : overview.providers}
            >
              <table>
                <thead>
                  <tr>
                    <th>{overview[props.by]}</th>
                    {columns.map((what) => (
                      <th key={what} class="number">
                        {overview.names[what]}
                      </th>
                    ))}
                    <th class="number">{overview.delivery}</th>
                    <th class="number">{overview.open}</th>
                  </tr>
                </thead>
                <tbody>
                  {rows.map((row) => (
                    <tr key={name(row)}>
                      <td>{name(row)}</td>
                      {columns.map((what) => (
                        <td key={what} class="number">
                          <Linked what={what} sum={row} place={place(row)} />
                        </td>
                      ))}
                      {rates(row)}
                    </tr>
                  ))}
                  {others.accepted > 0 && (
                    <tr>
                      <td class="soft">{overview.others}</td>
                      {columns.map((what) => (
                        <td key={what} class="number">
                          {countOf(others, what).toLocaleString(language)}
                        </td>
                      ))}
                      {rates(others)}
                    </tr>
                  )}
                </tbody>
              </table>
            </div>
          </>
        )}
      </Show>
    </Card>
  );
}

/** A number that leads to its messages; nothing leads nowhere. */
export function Linked(props: {
  readonly what: Drawn;
  readonly sum: Parameters<typeof countOf>[0];
  readonly place: Place;
}) {
  const { language } = useSpeech();
  const count = countOf(props.sum, props.what);
  const text = count.toLocaleString(language);
  return count === 0 ? <>{text}</> : <a href={messagesOf(props.what, props.place)}>{text}</a>;
}
