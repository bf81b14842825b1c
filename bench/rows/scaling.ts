/**
 * What one PostgreSQL carries with 1, 2 and 4 processes: mail through the whole service, and events that wait for
 * endpoints. Everything shares one machine, so the notes say what an item costs the database and the processes apart.
 */
import { findPeer, type Peer } from '../../scripts/peers.mjs';
import { type PostgresServer, withoutPostgres } from '../../tests/support/postgres.ts';
import { freePorts } from '../../tests/support/service.ts';
import { type SmtpSink, startSmtpSink } from '../../tests/support/smtp-sink.ts';
import { Cluster, type Cost, startDatabase } from '../cluster.ts';
import { type Bench, type Contender, rateOf, type Row } from '../measure.ts';
import { type CountingReceiver, startCountingReceiver } from '../receiver.ts';
import { runSource, sessions } from '../smtp-path.ts';

const counts = [1, 2, 4] as const;
/** With so many callers at once a batch, and with it each statement, carries many messages. */
const manySessions = 200;
const messages = 5000;
const waitingEvents = 100_000;
/** So many that every process gets some. */
const endpoints = 8;

/** Who shares the database, and how many talk to them at once. */
interface Crowd {
  readonly name: string;
  readonly processes: number;
  readonly sessions: number;
}

const crowds: readonly Crowd[] = counts.map((processes) => ({
  name: processes === 1 ? '1 process' : `${processes} processes`,
  processes,
  sessions,
}));
const manyCallers: Crowd = {
  name: `1 process, ${manySessions} sessions`,
  processes: 1,
  sessions: manySessions,
};

export const scaling: Row = {
  name: 'scaling',
  work: `one PostgreSQL with fsync: smtp-source (${sessions} sessions) → 1, 2 or 4 processes → smtp-sink, and each delivery told to an endpoint`,
  unit: 'messages/s',
  better: 'more',
  toReach: 'nothing of itself: the notes say what an item costs',
  byNameAlone: true,
  async open(scale) {
    const source = findPeer('smtp-source');
    const sink = findPeer('smtp-sink');
    if (source === undefined || sink === undefined || withoutPostgres !== false) {
      const leftOut = ['all: PostgreSQL, smtp-source or smtp-sink are not there (npm run bench:setup)'];
      return { contenders: [], leftOut, async [Symbol.asyncDispose]() {} };
    }
    return openRow('message', [...crowds, manyCallers], async (stack, server, crowd) => {
      const [sinkPort = 0] = await freePorts(1);
      const taker = stack.use(await startSmtpSink(sink, sinkPort));
      const receiver = stack.use(await startCountingReceiver());
      const cluster = stack.use(
        await Cluster.start(server, crowd.processes, {
          AFTERSEND_ROUTE: `smtp://127.0.0.1:${sinkPort}`,
          AFTERSEND_TRUSTED: '127.0.0.0/8=bench',
          AFTERSEND_WEBHOOK_ALLOW: '127.0.0.0/8',
        }),
      );
      await addEndpoints(cluster, receiver, 1);
      const work = mailThrough(
        { source, taker, receiver, cluster },
        { sessions: crowd.sessions, count: Math.ceil(messages * scale) },
      );
      return { cluster, ...work };
    });
  },
};

export const scalingWebhooks: Row = {
  name: 'scaling-webhooks',
  work: `one PostgreSQL with fsync: events in the log → 1, 2 or 4 processes → ${endpoints} endpoints, batches of 1000 in the sendpulse dialect`,
  unit: 'events/s',
  better: 'more',
  toReach: 'nothing of itself: the notes say what an item costs',
  byNameAlone: true,
  async open(scale) {
    if (withoutPostgres !== false) {
      const leftOut = [`all: ${withoutPostgres}`];
      return { contenders: [], leftOut, async [Symbol.asyncDispose]() {} };
    }
    const events = Math.ceil(waitingEvents * scale);
    return openRow('event', crowds, async (stack, server, { processes }) => {
      const receiver = stack.use(await startCountingReceiver());
      const cluster = stack.use(
        await Cluster.start(server, processes, { AFTERSEND_WEBHOOK_ALLOW: '127.0.0.0/8' }),
      );
      await addEndpoints(cluster, receiver, endpoints);
      const isTold = receiver.take(endpoints);
      await sendOne(cluster);
      await isTold;
      return { cluster, items: (events + 1) * endpoints, run: () => tell(cluster, receiver, events) };
    });
  },
};

/** What a contender does in a run, and how many things it counts by. */
interface Work {
  readonly cluster: Cluster;
  readonly items: number;
  readonly run: () => Promise<number>;
}

async function openRow(
  item: string,
  those: readonly Crowd[],
  workOf: (stack: AsyncDisposableStack, server: PostgresServer, crowd: Crowd) => Promise<Work>,
): Promise<Bench> {
  await using stack = new AsyncDisposableStack();
  const server = stack.use(await startDatabase());
  const costs = new Map<string, string>();
  const contenders: Contender[] = [];
  for (const crowd of those) {
    const { name } = crowd;
    const { cluster, items, run } = await workOf(stack, server, crowd);
    contenders.push({
      name,
      async run() {
        let rate = 0;
        const cost = await cluster.costOf(async () => {
          rate = await run();
        });
        costs.set(name, `${name}: ${told(cost, items, item)}`);
        return rate;
      },
    });
  }
  const open = stack.move();
  return {
    contenders,
    leftOut: [],
    notes: async () => [...costs.values()],
    [Symbol.asyncDispose]: () => open.disposeAsync(),
  };
}

/** A cost as a line of notes. */
function told(cost: Cost, items: number, item: string): string {
  const micros = (ms: number) => `${((1000 * ms) / items).toFixed(1)} µs`;
  const aThousand = (count: number) => ((1000 * count) / items).toFixed(1);
  return [
    `for ${item === 'event' ? 'an' : 'a'} ${item} ${micros(cost.databaseMs)} of PostgreSQL’s CPU, ${micros(cost.processMs)} of the processes’`,
    `${Math.round(cost.walBytes / items).toLocaleString('en')} bytes of WAL`,
    `for a thousand ${aThousand(cost.commits)} commits, ${aThousand(cost.walSyncs)} fsyncs`,
  ].join('; ');
}

interface MailPath {
  readonly source: Peer;
  readonly taker: SmtpSink;
  readonly receiver: CountingReceiver;
  readonly cluster: Cluster;
}

/** Each process takes its part of the mail in; a run ends when all is in the sink and told. */
function mailThrough(
  { source, taker, receiver, cluster }: MailPath,
  load: { readonly sessions: number; readonly count: number },
): Omit<Work, 'cluster'> {
  const { processes } = cluster;
  const each = Math.ceil(load.count / processes.length);
  const items = each * processes.length;
  let sent = 0;
  const send = async () => {
    const isTold = receiver.take(items);
    const ownSessions = load.sessions / processes.length;
    await Promise.all(
      processes.map(({ submissionPort: port }) =>
        runSource(source, { port, messages: each, kept: 'kept', sessions: ownSessions }),
      ),
    );
    await taker.taken(sent);
    await isTold;
  };
  const run = () => {
    sent += items;
    return rateOf(items, send);
  };
  return { items, run };
}

async function addEndpoints({ processes, account }: Cluster, receiver: CountingReceiver, count: number) {
  for (let endpoint = 0; endpoint < count; endpoint++) {
    const batch = { count: 1000, age_seconds: 1 };
    await processes[0]?.call(account, 'POST', '/api/webhooks', {
      url: receiver.url,
      dialect: 'sendpulse',
      types: ['delivered'],
      batch,
    });
  }
}

async function sendOne({ processes, account }: Cluster): Promise<void> {
  await processes[0]?.call(account, 'POST', '/api/messages', {
    from: 'shop@example.com',
    to: ['delivered@simulator.test'],
    subject: 'Your order 12345 is on its way',
    text: 'Thank you.',
  });
}

/** Copies of the last event come into the log at once; a message after them makes the processes look. */
async function tell(cluster: Cluster, receiver: CountingReceiver, events: number): Promise<number> {
  await cluster.ask(`
    INSERT INTO events SELECT nextval('event_ids'), account_id, message_id, number, type, time_ms, recipient, sender,
      subject, code, enhanced_code, response, url, first_refusal, visitor, tags, metadata, detail
    FROM (SELECT * FROM events WHERE type = 'delivered' ORDER BY id DESC LIMIT 1) AS last, generate_series(1, ${events})`);
  const isTold = receiver.take((events + 1) * endpoints);
  await sendOne(cluster);
  return isTold;
}
