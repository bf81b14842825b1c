/**
 * What an event counts as, and a batch of events as what it adds to each row of the statistics. Pure: the sums of all
 * batches are those of the log, however it is cut.
 */
import type { EventType } from '../events/types.ts';
import {
  type CountRow,
  type Measure,
  measures,
  slotMs,
  type UncountedEvent,
} from '../store/contract/statistics.ts';

/** The domain that an address ends in. */
export const domainOf = (recipient: string): string => recipient.slice(recipient.lastIndexOf('@') + 1);

/** The details that count, of what a server answered to, and of visits that are told together. */
export interface CountedDetail {
  readonly host?: string;
  readonly refused?: boolean;
  readonly late?: boolean;
  readonly recipientAtFault?: boolean;
  readonly count?: number;
}

export const detailOf = ({ detailJson }: UncountedEvent): CountedDetail =>
  detailJson === '' ? {} : (JSON.parse(detailJson) as CountedDetail);

/** How much an event adds to a measure. */
type Amount = readonly [measure: Measure, amount: number];

/** Each counts more than the one before. */
const ranks = ['nobody', 'machine', 'proxy', 'human'] as const;

const visits = {
  opened: {
    machine: 'openedMachine',
    proxy: 'openedProxy',
    human: 'openedHuman',
    firsts: ['openedFirst', 'openedFirstSeen', 'openedFirstHuman'],
  },
  clicked: {
    machine: 'clickedMachine',
    proxy: 'clickedProxy',
    human: 'clickedHuman',
    firsts: ['clickedFirst', 'clickedFirstSeen', 'clickedFirstHuman'],
  },
} as const;

/**
 * An open or click is the first by anybody, by anybody but a machine, by a person, where none of as much came before. Those
 * that one event tells of together are all of the one message: they may be many, and its first no more than once.
 */
function visitAmounts(type: 'opened' | 'clicked', event: UncountedEvent): readonly Amount[] {
  // What came before visitors were judged is taken to have been by people.
  const visitor = event.visitor === '' ? 'human' : event.visitor;
  const before = ranks.indexOf(event.visitedBefore);
  const { [visitor]: total, firsts } = visits[type];
  const rank = ranks.indexOf(visitor);
  const isFirst = firsts.filter((_, index) => rank > index && before <= index);
  return [[total, detailOf(event).count ?? 1], ...isFirst.map((measure): Amount => [measure, 1])];
}

function bounceMeasures(event: UncountedEvent): readonly Measure[] {
  const { late = false, recipientAtFault = false } = detailOf(event);
  return [
    'bounced',
    ...(recipientAtFault ? (['bouncedAtFault'] as const) : []),
    ...(late ? (['bouncedLate'] as const) : []),
  ];
}

const plain = {
  accepted: ['accepted'],
  skipped: ['skipped'],
  deferred: ['deferred'],
  delivered: ['delivered'],
  unsubscribed: ['unsubscribed'],
  complained: ['complained'],
} as const satisfies Partial<Record<EventType, readonly Measure[]>>;

/** What one more such event adds to what. */
function amountsOf(event: UncountedEvent): readonly Amount[] {
  switch (event.type) {
    case 'opened':
    case 'clicked':
      return visitAmounts(event.type, event);
    case 'bounced':
      return bounceMeasures(event).map((measure) => [measure, 1]);
    case 'accepted':
    case 'skipped':
    case 'deferred':
    case 'delivered':
    case 'unsubscribed':
    case 'complained':
      return plain[event.type].map((measure) => [measure, 1]);
  }
}

const placeOf = Object.fromEntries(measures.map((measure, index) => [measure, index])) as Record<
  Measure,
  number
>;

type GrowingRow = { -readonly [Key in keyof CountRow]: CountRow[Key] } & { counts: number[] };

/** @param events in the order of the log @param providers of domains, where they are known */
export function countEvents(
  events: readonly UncountedEvent[],
  providers: ReadonlyMap<string, string>,
): readonly CountRow[] {
  const rows = new Map<string, GrowingRow>();
  const add = (
    row: Pick<CountRow, 'slotMs' | 'scope' | 'name' | 'provider'>,
    id: number,
    amounts: readonly Amount[],
  ) => {
    const key = `${row.slotMs} ${row.scope} ${row.name}`;
    let sum = rows.get(key);
    if (sum === undefined) {
      sum = { ...row, firstId: id, lastId: id, counts: measures.map(() => 0) };
      rows.set(key, sum);
    }
    sum.lastId = id;
    for (const [measure, amount] of amounts) {
      const place = placeOf[measure];
      sum.counts[place] = (sum.counts[place] ?? 0) + amount;
    }
  };
  for (const event of events) {
    const slot = Math.floor(event.timeMs / slotMs) * slotMs;
    const amounts = amountsOf(event);
    const domain = domainOf(event.recipient);
    add({ slotMs: slot, scope: 'all', name: '', provider: '' }, event.id, amounts);
    const provider = providers.get(domain) ?? '';
    add({ slotMs: slot, scope: 'domain', name: domain, provider }, event.id, amounts);
    for (const tag of tagsOf(event))
      add({ slotMs: slot, scope: 'tag', name: tag, provider: '' }, event.id, amounts);
  }
  return [...rows.values()];
}

const tagsOf = ({ tagsJson }: UncountedEvent): ReadonlySet<string> =>
  new Set(tagsJson === '[]' ? [] : (JSON.parse(tagsJson) as string[]));
