/** `/api/statistics`: what is asked for is what happened, in the time zone that is asked for. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { countBatch } from '../../src/statistics/follow.ts';
import { Providers } from '../../src/statistics/learn.ts';
import { accepted, aSubmission, deliverAll } from '../../src/store/conformance/fixtures.ts';
import { type ApiUnderTest, startApi } from './api-under-test.ts';

const at = (text: string): number => Date.parse(text);

async function countAll({ store, clock, accountId }: ApiUnderTest): Promise<void> {
  const { statistics } = store;
  const providers = new Providers({ store: statistics, clock, hostsAreMx: true });
  while ((await countBatch({ statistics, clock }, providers, accountId)).more);
}

async function send(
  api: ApiUnderTest,
  address: string,
  time: string,
  tags: readonly string[] = [],
): Promise<number> {
  const recipients = [{ address, role: 'to' }] as const;
  const [id = 0] = await accepted(
    api.store,
    aSubmission(api.accountId, { recipients, tags, atMs: at(time) }),
  );
  await deliverAll(api.store, at(time));
  return id;
}

async function open(api: ApiUnderTest, messageId: number, time: string, kind: 'human' | 'machine') {
  const visitor = { kind, confidence: 1, reason: '' };
  const visit = { userAgent: '', address: '192.0.2.7', visitor, messageId, atMs: at(time) };
  await api.store.log.report({ type: 'opened', ...visit });
}

test('counts by day and hour, in the account’s time zone or another', async () => {
  await using api = await startApi();
  const first = await send(api, 'ann@gmail.com', '2026-11-18T19:40:00Z', ['order']);
  await send(api, 'ben@example.org', '2026-11-19T00:10:00Z');
  await open(api, first, '2026-11-19T08:00:00Z', 'machine');
  await open(api, first, '2026-11-19T08:20:00Z', 'human');
  await open(api, first, '2026-11-19T09:20:00Z', 'human');
  const before = await api.get('/api/statistics?from=2026-11-18&to=2026-11-20');
  assert.equal(before.json.uncounted_events, 7);
  assert.equal(before.json.total.accepted, 0);
  await countAll(api);

  const { json: days } = await api.get('/api/statistics?from=2026-11-18&to=2026-11-20');
  assert.deepEqual(
    [days.interval, days.time_zone, days.from, days.to, days.uncounted_events, days.partial],
    ['day', 'UTC', '2026-11-18T00:00:00.000Z', '2026-11-20T00:00:00.000Z', 0, false],
  );
  assert.deepEqual(
    days.intervals.map(
      (day: { start: string; accepted: number; delivered: number; opened: { total: number } }) => [
        day.start,
        day.accepted,
        day.delivered,
        day.opened.total,
      ],
    ),
    [
      ['2026-11-18T00:00:00.000Z', 1, 1, 0],
      ['2026-11-19T00:00:00.000Z', 1, 1, 2],
    ],
  );
  assert.deepEqual(days.total.opened, {
    total: 2,
    human: 2,
    proxy: 0,
    machine: 1,
    unique: 1,
    unique_human: 1,
    unique_any: 1,
  });
  assert.deepEqual(days.total.rates, {
    delivery: 1,
    bounce: 0,
    open: 0.5,
    click: 0,
    unsubscribe: 0,
    complaint: 0,
  });

  // Half past, and the next day, where clocks are five and a half hours ahead.
  const there = 'time_zone=Asia/Kolkata';
  const { json: hours } = await api.get(
    `/api/statistics?interval=hour&from=2026-11-18T19:00:00Z&to=2026-11-18T20:00:00Z&${there}`,
  );
  assert.deepEqual(
    hours.intervals.map((hour: { start: string; accepted: number }) => [hour.start, hour.accepted]),
    [
      ['2026-11-18T18:30:00.000Z', 0],
      ['2026-11-18T19:30:00.000Z', 1],
    ],
  );
  const { json: theirs } = await api.get(`/api/statistics?from=2026-11-19&to=2026-11-20&${there}`);
  assert.deepEqual([theirs.from, theirs.total.accepted], ['2026-11-18T18:30:00.000Z', 2]);

  const { json: now } = await api.get('/api/statistics');
  assert.deepEqual([now.intervals.length, now.total.accepted], [30, 2]);
  const { json: today } = await api.get('/api/statistics?interval=hour');
  assert.equal(today.intervals.length, 24);
});

test('counts of a domain, a provider, a tag; tables with the largest first and the others summed', async () => {
  await using api = await startApi();
  const time = '2026-11-21T09:00:00Z';
  for (const name of ['ann', 'ben', 'cleo']) await send(api, `${name}@gmail.com`, time, ['order']);
  await send(api, 'dan@mail.ru', time, ['news']);
  await send(api, 'eve@example.org', time);
  await send(api, 'fay@example.net', time);
  await countAll(api);
  const sent = async (filter: string) => (await api.get(`/api/statistics?${filter}`)).json.total.accepted;
  assert.equal(await sent('domain=GMAIL.com'), 3);
  assert.equal(await sent('provider=google'), 3);
  assert.equal(await sent('provider=other'), 2);
  assert.equal(await sent('tag=order'), 3);
  assert.equal(await sent('tag=unknown'), 0);

  const { json: domains } = await api.get('/api/statistics/domains?limit=2');
  assert.deepEqual(
    domains.domains.map((entry: { domain: string; provider: string; accepted: number }) => [
      entry.domain,
      entry.provider,
      entry.accepted,
    ]),
    [
      ['gmail.com', 'google', 3],
      ['example.net', 'other', 1],
    ],
  );
  assert.equal(domains.others.accepted, 2);
  const { json: googles } = await api.get('/api/statistics/domains?provider=google');
  assert.deepEqual([googles.domains.length, googles.others.accepted], [1, 0]);
  const { json: providers } = await api.get('/api/statistics/providers');
  assert.deepEqual(
    providers.providers.map((entry: { provider: string; delivered: number }) => [
      entry.provider,
      entry.delivered,
    ]),
    [
      ['google', 3],
      ['other', 2],
      ['mail.ru', 1],
    ],
  );
  const other = { token: await api.otherToken() };
  for (const path of ['', '/domains', '/providers', '/queue', '/webhooks']) {
    const { status, text } = await api.call('GET', `/api/statistics${path}`, other);
    assert.equal(status, 200);
    assert.doesNotMatch(text, /"accepted":[1-9]|gmail/);
  }
});

test('a number leads to its messages: by event, time, domain, provider and visitor', async () => {
  await using api = await startApi();
  const first = await send(api, 'ann@gmail.com', '2026-11-18T19:40:00Z', ['order']);
  const second = await send(api, 'ben@example.org', '2026-11-19T00:10:00Z');
  const third = await send(api, 'cleo@gmail.com', '2026-11-20T00:10:00Z');
  await open(api, first, '2026-11-19T08:00:00Z', 'machine');
  await open(api, first, '2026-11-19T08:20:00Z', 'human');
  await open(api, first, '2026-11-20T09:20:00Z', 'human');
  await countAll(api);
  // This one is not counted yet.
  await open(api, third, '2026-11-20T09:30:00Z', 'human');
  const ids = async (query: string) =>
    (await api.get(`/api/messages?${query}`)).json.messages.map(({ id }: { id: number }) => id);
  assert.deepEqual(await ids('event=delivered'), [third, second, first]);
  assert.deepEqual(await ids('event=delivered&from=2026-11-19&to=2026-11-20'), [second]);
  assert.deepEqual(await ids('domain=GMAIL.com'), [third, first]);
  assert.deepEqual(await ids('domain=gmail.com&tag=order'), [first]);
  assert.deepEqual(await ids('provider=google&event=delivered'), [third, first]);
  assert.deepEqual(await ids('provider=other'), [second]);
  assert.deepEqual(await ids('event=opened'), [third, first]);
  assert.deepEqual(await ids('event=opened&visitor=machine'), [first]);
  const twentieth = 'event=opened&visitor=human,proxy&from=2026-11-20';
  assert.deepEqual(await ids(twentieth), [third, first]);
  assert.deepEqual(await ids(`${twentieth}&first=true`), [third]);
  assert.deepEqual(await ids('event=bounced'), []);
  assert.deepEqual(await ids('event=delivered&state=queued'), []);

  const pages: number[] = [];
  for (let cursor: number | null = Number.MAX_SAFE_INTEGER; cursor !== null; ) {
    const { json } = await api.get(`/api/messages?event=delivered&limit=1&cursor=${cursor}`);
    pages.push(...json.messages.map(({ id }: { id: number }) => id));
    cursor = json.next_cursor;
  }
  assert.deepEqual(pages, [third, second, first]);
  const other = await api.call('GET', '/api/messages?event=delivered', { token: await api.otherToken() });
  assert.deepEqual(other.json.messages, []);
  for (const query of [
    'event=lost',
    'visitor=human',
    'event=delivered&first=true',
    'event=opened&visitor=cat',
  ]) {
    await api.get(`/api/messages?${query}`, 422);
  }
});

test('what cannot be answered is refused, by name', async () => {
  await using api = await startApi();
  const refused = async (query: string, field: string) => {
    const { json } = await api.get(`/api/statistics?${query}`, 422);
    assert.equal(json.error.field ?? '', field, query);
  };
  await refused('time_zone=Moon/Base', 'time_zone');
  await refused('from=yesterday', 'from');
  await refused('from=2026-02-30', 'from');
  await refused('from=2026-11-20&to=2026-11-20', 'from');
  await refused('from=2020-01-01', 'from');
  await refused('interval=hour&from=2026-09-01&to=2026-11-01', 'from');
  await refused('domain=a.example&tag=x', '');
  await refused('interval=week', 'interval');
  assert.equal((await api.call('GET', '/api/statistics', { token: undefined })).status, 401);
});

test('tells what waits, and how far webhooks are behind', async () => {
  await using api = await startApi();
  const { json: empty } = await api.get('/api/statistics/queue');
  assert.deepEqual(empty, { waiting: 0, oldest_at: null, next_attempt_at: null, looked_at: 0, reasons: [] });
  const { store, accountId, clock } = api;
  const atMs = clock.now() - 90_000;
  const created = await store.webhooks.create({
    accountId,
    origin: 'native',
    url: 'https://example.com/hook',
    dialect: 'sendpulse',
    types: ['accepted'],
    optionsJson: '{}',
    limits: { count: 1000, ageMs: 60_000, bytes: 1_000_000 },
    keys: [],
    sending: { gzip: false, requests: 1, partialAck: false, signatures: ['v1'], digest: 'off' },
    sealedAccess: '',
    atMs,
    limit: 10,
  });
  assert.equal(created.kind, 'created');
  await accepted(store, aSubmission(accountId, { atMs }));
  await accepted(store, aSubmission(accountId, { atMs: atMs + 1000 }));
  const { json: queue } = await api.get('/api/statistics/queue');
  const oldest = new Date(atMs).toISOString();
  assert.deepEqual(queue, {
    waiting: 2,
    oldest_at: oldest,
    next_attempt_at: oldest,
    looked_at: 2,
    reasons: [{ reason: 'new', messages: 2, oldest_at: oldest }],
  });
  const { json: lag } = await api.get('/api/statistics/webhooks');
  assert.deepEqual(lag.webhooks, [
    {
      id: 1,
      url: 'https://example.com/hook',
      state: 'active',
      waiting_events: 2,
      lag_seconds: 90,
      set_aside_events: 0,
    },
  ]);
});
