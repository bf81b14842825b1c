/** The follower on a real store, with a clock that the test moves. */
import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { pino } from 'pino';
import { startCounting } from '../../src/statistics/follow.ts';
import {
  accepted,
  anAccount,
  aSubmission,
  deliverAll,
  delivered,
} from '../../src/store/conformance/fixtures.ts';
import { type StatisticsStore, turnHoldsForMs } from '../../src/store/contract/statistics.ts';
import type { Store } from '../../src/store/contract/store.ts';
import { openPostgresStore } from '../../src/store/postgres/open.ts';
import { openSqliteStore } from '../../src/store/sqlite/open.ts';
import { freshDatabase } from '../support/fresh-database.ts';
import { ManualClock } from '../support/manual-clock.ts';
import { withoutPostgres } from '../support/postgres.ts';
import { until } from '../support/until.ts';

async function openStore() {
  const folder = await mkdtemp(join(tmpdir(), 'aftersend-follow-'));
  const store = await openSqliteStore(folder, 'serve');
  const dispose = async () => {
    await store[Symbol.asyncDispose]();
    await rm(folder, { recursive: true });
  };
  return { ...store, [Symbol.asyncDispose]: dispose };
}

function follow(
  store: Store,
  clock: ManualClock,
  changes: Partial<StatisticsStore> = {},
  log: string[] = [],
) {
  const logger = pino({ level: 'error' }, { write: (line) => log.push(line) });
  const counted = { events: 0 };
  const loop = startCounting({
    statistics: { ...store.statistics, ...changes },
    log: store.log,
    clock,
    logger,
    hostsAreMx: true,
    onCounted: (events) => {
      counted.events += events;
    },
  });
  return { counted, [Symbol.asyncDispose]: () => loop[Symbol.asyncDispose]() };
}

/** Moves the clock on until it is so. */
async function eventually(clock: ManualClock, isSo: () => boolean | Promise<boolean>): Promise<void> {
  const look = async () => {
    await clock.advance(500);
    return isSo();
  };
  await until(look, Boolean);
}

describe('the follower', () => {
  test('catches up at its start, then counts what comes, in turns between accounts, and stops when told', async () => {
    await using store = await openStore();
    const clock = new ManualClock();
    const { id: accountId } = await anAccount(store);
    const { id: otherId } = await anAccount(store, 'other');
    for (let index = 0; index < 620; index++) await accepted(store, aSubmission(accountId));
    await accepted(store, aSubmission(otherId));
    const countedOf = async (id: number) =>
      (await store.log.lastId(id)) === (await store.statistics.countedTo(id));
    {
      await using follower = follow(store, clock);
      await eventually(clock, () => follower.counted.events >= 621);
      assert.equal(follower.counted.events, 621);
      assert.ok((await countedOf(accountId)) && (await countedOf(otherId)));
      await deliverAll(store, clock.now());
      await eventually(clock, () => follower.counted.events >= 1242);
      assert.equal(follower.counted.events, 1242);
      assert.ok((await countedOf(accountId)) && (await countedOf(otherId)));
    }
    assert.equal(clock.nextWakeAtMs, undefined, 'nobody sleeps any more');
  });

  test('what fails is tried again, and counted once', async () => {
    await using store = await openStore();
    const clock = new ManualClock();
    const { id: accountId } = await anAccount(store);
    await accepted(store, aSubmission(accountId));
    let failures = 2;
    const log: string[] = [];
    await using follower = follow(
      store,
      clock,
      {
        async add(input) {
          if (failures-- > 0) throw new Error('the disk is full');
          return store.statistics.add(input);
        },
      },
      log,
    );
    await eventually(clock, () => follower.counted.events === 1);
    assert.equal(log.length, 2);
    assert.match(log[0] ?? '', /the disk is full.*counting events failed/);
  });

  test('learns whose servers take a domain’s mail, and forgets it when they change', async () => {
    await using store = await openStore();
    const clock = new ManualClock();
    const { id: accountId } = await anAccount(store);
    await using follower = follow(store, clock);
    const sendBy = async (host: string) => {
      await accepted(store, aSubmission(accountId));
      const [claimed] = await store.queue.claim({ nowMs: clock.now(), leaseMs: 60_000, limit: 1 });
      assert.ok(claimed);
      const settled = delivered(claimed, clock.now());
      assert.equal(settled.outcome, 'delivered');
      const before = follower.counted.events;
      await store.queue.settle({ ...settled, detail: { attempt: 1, host, address: '192.0.2.1' } });
      await eventually(clock, () => follower.counted.events === before + 2);
      return (await store.statistics.providersOf(['example.org'])).get('example.org');
    };
    assert.equal(await sendBy('mx.example.org'), undefined);
    assert.equal(await sendBy('aspmx.l.google.com'), 'google');
    assert.equal(await sendBy('example-org.mail.protection.outlook.com'), 'microsoft-365');
    assert.equal((await sendBy('mx.example.org')) ?? '', '');
  });
});

test('on PostgreSQL one process counts, and another takes over when it is silent', {
  skip: withoutPostgres,
}, async () => {
  const url = await freshDatabase();
  const start = async (processName: string) => {
    const clock = new ManualClock();
    const store = await openPostgresStore({ url, clock, processName });
    return { store, clock, [Symbol.asyncDispose]: () => store[Symbol.asyncDispose]() };
  };
  await using one = await start('one');
  await using two = await start('two');
  assert.equal(await one.store.statistics.takeTurn(), true);
  assert.equal(await two.store.statistics.takeTurn(), false);
  assert.equal(await one.store.statistics.takeTurn(), true);
  const { id: accountId } = await anAccount(two.store);
  await accepted(two.store, aSubmission(accountId));
  await using follower = follow(two.store, two.clock);
  await two.clock.someoneSleeps();
  assert.equal(follower.counted.events, 0);
  await two.clock.advance(turnHoldsForMs);
  await eventually(two.clock, () => follower.counted.events === 1);
  assert.equal(await one.store.statistics.takeTurn(), false);
});
