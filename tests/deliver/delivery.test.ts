/** The delivery loop with a real store against servers that behave badly. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { AttemptError } from '../../src/deliver/attempt-error.ts';
import type { LoggedEvent } from '../../src/events/types.ts';
import { everyStream } from '../../src/store/contract/suppressions.ts';
import { hostAt, openPostOffice, routeTo, routeWithin, unhurried } from './post-office.ts';
import { startScriptedServer } from './scripted-server.ts';

const types = (events: readonly LoggedEvent[]) => events.map(({ type }) => type);
const detailOf = (event: LoggedEvent | undefined) =>
  JSON.parse(event?.detailJson ?? '{}') as Record<string, unknown>;

test('what is accepted is delivered, with the server’s own answer in event and attempt', async () => {
  await using server = await startScriptedServer({
    answer: (command) => (command === 'CONTENT' ? '250-2.6.0 taken\r\n250 2.6.0 as 77' : undefined),
  });
  await using office = await openPostOffice({ router: routeTo(hostAt(server.port)) });
  const [id = 0] = await office.post(['ann@example.org']);
  await office.delivery.drained();

  const events = await office.events(id);
  assert.deepEqual(types(events), ['accepted', 'delivered']);
  const { code, enhancedCode, response } = events[1] ?? {};
  assert.deepEqual(
    { code, enhancedCode, response },
    { code: '250', enhancedCode: '2.6.0', response: 'taken as 77' },
  );
  assert.deepEqual(detailOf(events[1]), {
    attempt: 1,
    host: `host-${server.port}.test`,
    address: '127.0.0.1',
  });
  const [attempt] = await office.attempts(id);
  assert.equal(attempt?.outcome, 'delivered');
  assert.equal(attempt?.sourceAddress, '127.0.0.1');
  assert.match(attempt?.dialogue ?? '', /> RCPT TO:<ann@example\.org>\n\+0 ms < 250 2\.0\.0 ok/);
  assert.doesNotMatch(attempt?.dialogue ?? '', /hello/, 'the content is left out');
  assert.equal((await office.store.messages.byId(office.accountId, id))?.state, 'delivered');
});

test('a refusal for now is tried again after a minute, one for good is not', async () => {
  let refusals = 0;
  await using server = await startScriptedServer({
    answer(command) {
      if (command.includes('<soft@')) return refusals++ < 2 ? '451 4.2.0 busy' : undefined;
      return command.includes('<hard@') ? '550 5.1.1 no such user' : undefined;
    },
  });
  await using office = await openPostOffice({ router: routeTo(hostAt(server.port)) });
  const [soft = 0, hard = 0] = await office.post(['soft@example.org', 'hard@example.org']);
  await office.delivery.drained();
  assert.deepEqual(types(await office.events(hard)), ['accepted', 'bounced']);
  assert.deepEqual(types(await office.events(soft)), ['accepted', 'deferred']);

  await office.clock.advance(59_999);
  await office.delivery.drained();
  assert.equal(refusals, 1);
  await office.clock.advance(1);
  await office.delivery.drained();
  await office.clock.advance(120_000);
  await office.delivery.drained();
  const events = await office.events(soft);
  assert.deepEqual(types(events), ['accepted', 'deferred', 'deferred', 'delivered']);
  assert.deepEqual(
    events.map(({ firstRefusal }) => firstRefusal),
    [false, true, false, false],
  );
  assert.deepEqual(detailOf(events[1])['refused'], true);

  const [suppression] = await office.store.suppressions.find(office.accountId, 'hard@example.org');
  assert.equal(suppression?.reason, 'bounced');
  const [again = 0] = await office.post(['hard@example.org']);
  await office.delivery.drained();
  assert.deepEqual(types(await office.events(again)), ['accepted', 'skipped']);
});

test('a message that finds no server bounces when its time is up, in our words', async () => {
  await using office = await openPostOffice({ router: routeTo(hostAt(1)) });
  const [id = 0] = await office.post(['ann@example.org']);
  await office.delivery.drained();
  const [, deferred] = await office.events(id);
  assert.equal(detailOf(deferred)['refused'], false);
  assert.equal(deferred?.firstRefusal, false);
  while (types(await office.events(id)).at(-1) === 'deferred') {
    await office.clock.advance(12 * 3_600_000);
    await office.delivery.drained();
  }
  const bounced = (await office.events(id)).at(-1);
  assert.deepEqual([bounced?.code, bounced?.enhancedCode], ['554', '5.4.1']);
  assert.match(
    bounced?.response ?? '',
    /^Aftersend: not delivered within 3 days, at last: no connection to /,
  );
  assert.equal(detailOf(bounced)['recipientAtFault'], false);
  assert.deepEqual(await office.store.suppressions.find(office.accountId, 'ann@example.org'), []);
});

test('a domain that does not exist bounces at once', async () => {
  const router = () =>
    Promise.reject(AttemptError.impossible('dns', '5.4.4', 'no such domain: example.invalid'));
  await using office = await openPostOffice({ router });
  const [id = 0] = await office.post(['ann@example.invalid']);
  await office.delivery.drained();
  const bounced = (await office.events(id)).at(-1);
  assert.deepEqual([bounced?.type, bounced?.code, bounced?.enhancedCode], ['bounced', '554', '5.4.4']);
  assert.equal(detailOf(bounced)['recipientAtFault'], true);
});

test('servers that hang up, stall or babble cost an attempt, and the next one may work', async () => {
  const misbehaviour: Record<string, readonly [RegExp, string]> = {
    dropped: [/^CONTENT/, 'drop'],
    stalled: [/^RCPT/, 'silence'],
    babbled: [/^RCPT/, 'hello there'],
    unfinished: [/^DATA/, 'drop'],
  };
  let good = false;
  await using server = await startScriptedServer({
    answer(command, _connection, to) {
      const [when, what] = misbehaviour[to.split('@')[0] ?? ''] ?? [];
      return !good && when?.test(command) ? what : undefined;
    },
  });
  await using office = await openPostOffice({ router: routeTo(hostAt(server.port)) });
  const ids = await office.post(Object.keys(misbehaviour).map((name) => `${name}@example.org`));
  await server.saw(/stalled@/);
  await office.clock.advance(2 * 60_000);
  await office.delivery.drained();
  good = true;
  while ((await office.store.queue.depth()) > 0) {
    await office.clock.advance(60_000);
    await office.delivery.drained();
  }
  for (const id of ids) {
    const events = types(await office.events(id));
    assert.deepEqual([...new Set(events)], ['accepted', 'deferred', 'delivered']);
  }
  assert.equal(server.taken.length, ids.length);
});

test('a kept connection that has died is replaced without costing the message an attempt', async () => {
  await using server = await startScriptedServer({
    answer: (command, connection) =>
      connection === 1 && command.includes('b2@') ? '421 4.4.2 idle too long' : undefined,
  });
  await using office = await openPostOffice({ router: routeTo(hostAt(server.port)) });
  for (const name of ['one', 'two', 'three']) {
    if (name === 'three') server.hangUp();
    const [id = 0] = await office.post([`${name}@example.org`]);
    await office.delivery.drained();
    assert.deepEqual(types(await office.events(id)), ['accepted', 'delivered']);
  }
  assert.equal(server.connectionCount, 3);
});

test('connections are kept for the next message, each for a bounded number of them', async () => {
  await using server = await startScriptedServer({ extensions: ['PIPELINING'] });
  await using office = await openPostOffice({
    router: routeWithin({ ...unhurried, connections: 2 }, hostAt(server.port, { maxMessages: 10 })),
  });
  await office.post(Array.from({ length: 40 }, (_, index) => `r${index}@example.org`));
  await office.delivery.drained();
  assert.equal(server.taken.length, 40);
  assert.ok(
    server.connectionCount >= 4 && server.connectionCount <= 6,
    `${server.connectionCount} connections`,
  );
  assert.equal(new Set(server.taken.map(({ from }) => from)).size, 40, 'each has its own return path');
});

test('the next host takes over when one cannot be talked to, and not when one has refused for good', async () => {
  await using closed = await startScriptedServer({
    answer: (command) => (command === 'GREETING' ? '554 5.7.1 go away' : undefined),
  });
  await using second = await startScriptedServer({
    answer: (command) => (command.includes('<hard@') ? '550 5.1.1 unknown' : undefined),
  });
  await using third = await startScriptedServer();
  const router = routeTo(hostAt(1), hostAt(closed.port), hostAt(second.port), hostAt(third.port));
  await using office = await openPostOffice({ router });
  const [good = 0, hard = 0] = await office.post(['good@example.org', 'hard@example.org']);
  await office.delivery.drained();
  assert.equal(types(await office.events(good)).at(-1), 'delivered');
  assert.equal(types(await office.events(hard)).at(-1), 'bounced');
  assert.equal(third.connectionCount, 0);
  const [attempt] = await office.attempts(good);
  assert.match(
    attempt?.dialogue ?? '',
    /no connection to host-1\.test \(127\.0\.0\.1 port 1\): ECONNREFUSED/,
  );
  assert.match(attempt?.dialogue ?? '', /554 5\.7\.1 go away/);
});

test('another host or address is asked when one refuses for now; the first one’s word stands if none takes it', async () => {
  const cases = [
    { to: 'ann', hosts: ['first and its IPv6'], ends: 'delivered', by: 'first', asked: [2, 0] },
    { to: 'dropped', hosts: ['first and its IPv6', 'second'], ends: 'delivered', by: 'first', asked: [2, 1] },
    { to: 'dropped', hosts: ['second', 'first and its IPv6'], ends: 'delivered', by: 'first', asked: [2, 1] },
    { to: 'ann', hosts: ['first', 'second'], ends: 'deferred', by: 'first', asked: [1, 1] },
    { to: 'fast', hosts: ['first', 'second'], ends: 'deferred', by: 'first', asked: [1, 0] },
  ] as const;
  for (const { to, hosts, ends, by, asked } of cases) {
    await using first = await startScriptedServer({
      answer: (command, connection) =>
        command.startsWith('RCPT') && connection === 1
          ? to === 'fast'
            ? '450 4.7.28 unusual rate of mail'
            : '451 4.3.0 my disk is full'
          : undefined,
    });
    await using second = await startScriptedServer({
      answer: (command) =>
        !command.startsWith('RCPT') ? undefined : to === 'dropped' ? 'drop' : '550 5.1.1 unknown',
    });
    const known = {
      first: hostAt(first.port, { name: 'first' }),
      'first and its IPv6': hostAt(first.port, {
        name: 'first',
        addresses: ['127.0.0.1', '::ffff:127.0.0.1'],
      }),
      second: hostAt(second.port, { name: 'second' }),
    };
    await using office = await openPostOffice({ router: routeTo(...hosts.map((name) => known[name])) });
    const [id = 0] = await office.post([`${to}@example.org`]);
    await office.delivery.drained();
    const attempts = await office.attempts(id);
    assert.deepEqual(
      [attempts.map(({ outcome, host }) => [outcome, host]), first.connectionCount, second.connectionCount],
      [[[ends, by]], ...asked],
      `${to} by ${hosts.join()}`,
    );
  }
});

test('a destination that never answers holds up nobody else', async () => {
  await using dead = await startScriptedServer({
    answer: (command) => (command === 'GREETING' ? 'silence' : undefined),
  });
  await using good = await startScriptedServer();
  const [toDead, toGood] = [routeTo(hostAt(dead.port)), routeTo(hostAt(good.port))];
  await using office = await openPostOffice({
    router: (message) => (message.recipient.endsWith('@dead.test') ? toDead(message) : toGood(message)),
    limits: { waiting: 100, claimed: 200 },
  });
  await office.post(Array.from({ length: 300 }, (_, index) => `r${index}@dead.test`));
  const ids = await office.post(Array.from({ length: 50 }, (_, index) => `r${index}@good.test`));
  // Less than the two minutes that a server has for its greeting.
  for (let second = 0; second < 110 && good.taken.length < ids.length; second++) await office.aSecond();
  assert.equal(good.taken.length, ids.length);
  assert.ok(dead.connectionCount < 20);
});

test('a suppressed recipient is never tried', async () => {
  await using office = await openPostOffice({ router: routeTo(hostAt(1)) });
  const { accountId } = office;
  const recipient = 'gone@example.org';
  const reason = 'complained';
  await office.store.suppressions.add({ accountId, recipient, stream: everyStream, reason, atMs: 0 });
  const [id = 0] = await office.post(['Gone@example.org']);
  await office.delivery.drained();
  const events = await office.events(id);
  assert.deepEqual(types(events), ['accepted', 'skipped']);
  assert.deepEqual(detailOf(events[1]), { reason, stream: 'default' });
});

test('stopping lets the running attempt end and gives back the rest', async () => {
  let release = () => {};
  const asked = new Promise<void>((resolve) => (release = resolve));
  await using server = await startScriptedServer({
    answer(command) {
      if (command === 'CONTENT') release();
      return undefined;
    },
  });
  await using office = await openPostOffice({
    router: routeWithin({ ...unhurried, connections: 1 }, hostAt(server.port)),
  });
  const ids = await office.post(Array.from({ length: 100 }, (_, index) => `r${index}@example.org`));
  await asked;
  await office.delivery[Symbol.asyncDispose]();
  const states = await Promise.all(
    ids.map(async (id) => (await office.store.messages.byId(office.accountId, id))?.state),
  );
  assert.equal(states.filter((state) => state === 'delivered').length, server.taken.length);
  assert.equal(await office.store.queue.depth(), 100 - server.taken.length);
  assert.ok(server.taken.length < 100);
  assert.equal(
    await office.store.queue.nextDueAtMs(),
    office.clock.now(),
    'they are due at once, not at a lease’s end',
  );
});

test('a server that hangs as we stop is cut off, and its message is given back', async () => {
  await using server = await startScriptedServer({
    answer: (command) => (command === 'CONTENT' ? 'silence' : undefined),
  });
  await using office = await openPostOffice({ router: routeTo(hostAt(server.port)) });
  const [id = 0] = await office.post(['ann@example.org']);
  await server.saw(/CONTENT/);
  const stopped = office.delivery[Symbol.asyncDispose]();
  await office.clock.advance(8_000);
  await stopped;
  assert.deepEqual(types(await office.events(id)), ['accepted']);
  assert.equal(await office.store.queue.nextDueAtMs(), office.clock.now());
});

test('a body that is no longer kept bounces with a clear text', async () => {
  await using server = await startScriptedServer();
  await using office = await openPostOffice({ router: routeTo(hostAt(server.port)) });
  office.store.queue.readBody = async () => undefined;
  const [id = 0] = await office.post(['ann@example.org']);
  await office.delivery.drained();
  const bounced = (await office.events(id)).at(-1);
  assert.equal(bounced?.type, 'bounced');
  assert.match(bounced?.response ?? '', /^Aftersend: .*no longer kept/);
});

test('a provider that says "too fast" is left alone for a while; its message is tried again as any other', async () => {
  let tellings = 0;
  await using server = await startScriptedServer({
    answer: (command) =>
      command.startsWith('RCPT') && tellings++ === 0
        ? '421 4.7.28 unusual rate of mail, slow down'
        : undefined,
  });
  await using other = await startScriptedServer();
  const [toServer, toOther] = [
    routeWithin({ ...unhurried, connections: 1 }, hostAt(server.port)),
    routeTo(hostAt(other.port)),
  ];
  await using office = await openPostOffice({
    router: (message) => (message.recipient.endsWith('@other.test') ? toOther(message) : toServer(message)),
  });
  const [first = 0, ...later] = await office.post(
    Array.from({ length: 6 }, (_, index) => `r${index}@example.org`),
  );
  await office.delivery.drained();
  const [elsewhere = 0] = await office.post(['ann@other.test']);
  await office.delivery.drained();
  assert.deepEqual(types(await office.events(first)), ['accepted', 'deferred']);
  assert.deepEqual(types(await office.events(elsewhere)), ['accepted', 'delivered']);
  assert.equal(tellings, 1, 'nobody else was tried there');
  for (const id of later) assert.deepEqual(types(await office.events(id)), ['accepted']);
  while ((await office.store.queue.depth()) > 0) await office.aSecond();
  for (const id of later) assert.deepEqual(types(await office.events(id)), ['accepted', 'delivered']);
  assert.deepEqual(types(await office.events(first)), ['accepted', 'deferred', 'delivered']);
});

test('mail goes out from the addresses and under the names of its pool', async () => {
  await using server = await startScriptedServer();
  const pool = {
    name: 'bulk',
    sources: [
      { address: '127.0.0.2', ehloName: 'two.test' },
      { address: '127.0.0.3', ehloName: 'three.test' },
      { address: '::1', ehloName: 'six.test' },
    ],
  };
  await using office = await openPostOffice({
    router: routeTo(hostAt(server.port, { pool, maxMessages: 1 })),
  });
  const sources: string[] = [];
  for (const name of ['a', 'b', 'c']) {
    const [id = 0] = await office.post([`${name}@example.org`]);
    await office.delivery.drained();
    const [attempt] = await office.attempts(id);
    sources.push(`${attempt?.sourceAddress} ${/EHLO (\S+)/.exec(attempt?.dialogue ?? '')?.[1]}`);
  }
  assert.deepEqual(sources, ['127.0.0.2 two.test', '127.0.0.3 three.test', '127.0.0.2 two.test']);

  const onlySix = { name: 'six', sources: [{ address: '::1', ehloName: 'six.test' }] };
  await using lost = await openPostOffice({ router: routeTo(hostAt(server.port, { pool: onlySix })) });
  const [id = 0] = await lost.post(['ann@example.org']);
  await lost.delivery.drained();
  assert.match((await lost.events(id))[1]?.response ?? '', /pool 'six' cannot reach/);
});

test('a sender who wants TLS has nothing sent in the clear', async () => {
  await using server = await startScriptedServer();
  await using office = await openPostOffice({
    router: routeTo(hostAt(server.port)),
    prepare: async ({ recipient }, content) => ({
      envelopeSender: 'b@bounce.test',
      recipient,
      content,
      requireTls: true,
    }),
  });
  const [id = 0] = await office.post(['ann@example.org']);
  await office.delivery.drained();
  const [, deferred] = await office.events(id);
  assert.deepEqual([deferred?.type, deferred?.enhancedCode], ['deferred', '4.7.5']);
  assert.equal(detailOf(deferred)['category'], 'tls');
  assert.ok(!server.commands.some((command) => command.startsWith('MAIL')));
});
