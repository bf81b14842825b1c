/** What the statistics' routes take and answer, as schemas, and counts as these say them. */
import { type Static, Type } from '@fastify/type-provider-typebox';
import { intervalKinds, mostIntervals } from '../../statistics/intervals.ts';
import type { Rates } from '../../statistics/ask.ts';
import type { Counts } from '../../store/contract/statistics.ts';
import { closed, nullable, Time } from './shapes.ts';

const Count = Type.Integer({ minimum: 0 });

const Visits = Type.Object(
  {
    total: Type.Integer({ description: 'By people and by proxies of mailbox providers' }),
    human: Count,
    proxy: Count,
    machine: Count,
    unique: Type.Integer({ description: 'Messages at their first, leaving out machines' }),
    unique_human: Type.Integer({ description: 'Messages at their first by a person' }),
    unique_any: Type.Integer({ description: 'Messages at their first by anybody or anything' }),
  },
  { description: 'By who it is taken to have been: `human`, `proxy`, `machine`' },
);

const countProperties = {
  accepted: Type.Integer({ description: 'Messages taken in, one for each recipient' }),
  delivered: Count,
  bounced: Type.Object({
    total: Count,
    late: Type.Integer({ description: 'After a server had taken them' }),
    recipient_at_fault: Type.Integer({ description: 'The address is wrong for good' }),
  }),
  deferred: Type.Integer({ description: 'Attempts that have to be repeated' }),
  skipped: Count,
  opened: Visits,
  clicked: Visits,
  unsubscribed: Count,
  complained: Count,
};

const Rate = nullable(Type.Number());
const RatesShape = Type.Object(
  { delivery: Rate, bounce: Rate, open: Rate, click: Rate, unsubscribe: Rate, complaint: Rate },
  { description: 'Shares; null where there is nothing that they would be a share of' },
);

const Sum = { ...countProperties, rates: RatesShape };

const Partial = Type.Boolean({
  description: 'True if there were more names than are counted one by one: then a single one may have more',
});

const range = {
  interval: Type.Enum(intervalKinds),
  time_zone: Type.String(),
  from: Time,
  to: Time,
};

export const SeriesShape = Type.Object({
  ...range,
  uncounted_events: Type.Integer({
    description: 'How many events of the log are not in it yet, counted up to 10000',
  }),
  partial: Partial,
  total: Type.Object(Sum),
  intervals: Type.Array(Type.Object({ start: Time, ...countProperties })),
});

const DomainEntry = Type.Object({ domain: Type.String(), provider: Type.String(), ...Sum });
const ProviderEntry = Type.Object({ provider: Type.String(), ...Sum });
const Others = Type.Object(Sum, { description: 'All others together' });

export const DomainsShape = Type.Object({
  ...range,
  partial: Partial,
  domains: Type.Array(DomainEntry),
  others: Others,
});
export const ProvidersShape = Type.Object({
  ...range,
  providers: Type.Array(ProviderEntry),
  others: Others,
});

const rangeQuery = {
  interval: Type.Optional(Type.Enum(intervalKinds, { default: 'day' })),
  from: Type.Optional(
    Type.String({
      description:
        'A day or a time (ISO 8601), widened to the whole interval; 24 hours or 30 days back if left out',
      examples: ['2026-11-14'],
    }),
  ),
  to: Type.Optional(Type.String({ description: 'Up to this day or time, now if left out' })),
  time_zone: Type.Optional(
    Type.String({
      maxLength: 100,
      description: 'In which days begin (IANA name), the account’s if left out',
      examples: ['Europe/Moscow'],
    }),
  ),
};

const Provider = Type.Optional(
  Type.String({
    maxLength: 100,
    description: 'As the statistics call it; `other` for those that have no name',
  }),
);

export const SeriesQuery = closed(
  {
    ...rangeQuery,
    domain: Type.Optional(Type.String({ maxLength: 253, description: 'Of recipients' })),
    provider: Provider,
    tag: Type.Optional(Type.String({ maxLength: 1000 })),
  },
  { description: `At most ${mostIntervals} intervals; at most one of domain, provider and tag` },
);

const mostEntries = 100;
const limit = Type.Optional(Type.Integer({ minimum: 1, maximum: mostEntries, default: 20 }));
export const DomainsQuery = closed({ ...rangeQuery, provider: Provider, limit });
export const ProvidersQuery = closed({ ...rangeQuery, limit });

export const QueueShape = Type.Object({
  waiting: Type.Integer({ description: 'Messages that wait or are under way, counted up to 100000' }),
  oldest_at: nullable(Time),
  next_attempt_at: nullable(Time),
  looked_at: Type.Integer({ description: 'How many of them, the first to fall due, the reasons are of' }),
  reasons: Type.Array(
    Type.Object({
      reason: Type.String({
        description: '`new`: not tried yet; `under-way`; else the category of the last failure',
        examples: ['greylisted'],
      }),
      messages: Type.Integer(),
      oldest_at: Time,
    }),
  ),
});

export const LagShape = Type.Object({
  webhooks: Type.Array(
    Type.Object({
      id: Type.Integer(),
      url: Type.String(),
      state: Type.Enum(['active', 'failing', 'paused']),
      waiting_events: Type.Integer({ description: 'Events that wait, counted up to 10000' }),
      lag_seconds: Type.Number({ description: 'The age of the oldest of them' }),
      set_aside_events: Type.Integer(),
    }),
  ),
});

type Shaped = Static<ReturnType<typeof Type.Object<typeof countProperties>>>;

export function countsShape(counts: Counts): Shaped {
  return {
    accepted: counts.accepted,
    delivered: counts.delivered,
    bounced: {
      total: counts.bounced,
      late: counts.bouncedLate,
      recipient_at_fault: counts.bouncedAtFault,
    },
    deferred: counts.deferred,
    skipped: counts.skipped,
    opened: {
      total: counts.openedHuman + counts.openedProxy,
      human: counts.openedHuman,
      proxy: counts.openedProxy,
      machine: counts.openedMachine,
      unique: counts.openedFirstSeen,
      unique_human: counts.openedFirstHuman,
      unique_any: counts.openedFirst,
    },
    clicked: {
      total: counts.clickedHuman + counts.clickedProxy,
      human: counts.clickedHuman,
      proxy: counts.clickedProxy,
      machine: counts.clickedMachine,
      unique: counts.clickedFirstSeen,
      unique_human: counts.clickedFirstHuman,
      unique_any: counts.clickedFirst,
    },
    unsubscribed: counts.unsubscribed,
    complained: counts.complained,
  };
}

export const ratesShape = ({ delivery, bounce, open, click, unsubscribe, complaint }: Rates) => ({
  delivery: delivery ?? null,
  bounce: bounce ?? null,
  open: open ?? null,
  click: click ?? null,
  unsubscribe: unsubscribe ?? null,
  complaint: complaint ?? null,
});
