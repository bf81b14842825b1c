/** Ranges of ids on PostgreSQL: what a statement opens, what is found in a hundred of them, how they are made and dropped. */
import assert from 'node:assert/strict';
import { after, before, describe, mock, test } from 'node:test';
import { Client } from 'pg';
import { systemClock } from '../../src/platform/clock.ts';
import {
  accepted,
  anAccount,
  aSubmission,
  deliverAll,
  delivered,
  startMs,
} from '../../src/store/conformance/fixtures.ts';
import type { VisitReport } from '../../src/store/contract/log.ts';
import type { Store } from '../../src/store/contract/store.ts';
import type { Parameter } from '../../src/store/sql/statements.ts';
import { Database, defaultDatabaseLimits } from '../../src/store/postgres/database.ts';
import { openPostgresStore } from '../../src/store/postgres/open.ts';
import { type IdRange, insertRange, rangeUnit, readRanges } from '../../src/store/postgres/ranges.ts';
import { freshDatabase } from '../support/fresh-database.ts';
import { ManualClock } from '../support/manual-clock.ts';
import { withoutPostgres } from '../support/postgres.ts';

const open = (url: string, processName = 'one') =>
  openPostgresStore({ url, clock: systemClock, processName });

/** The database beside the store, for looking at it and standing in its way. */
const beside = (url: string) => {
  const database = new Database(url, defaultDatabaseLimits);
  return Object.assign(database, { [Symbol.asyncDispose]: () => database.close() });
};

const dayMs = 86_400_000;

/** Lets the next message's id follow this one. */
const moveMessages = (database: Database, lastId: number) =>
  database.run(
    "INSERT INTO sequences VALUES ('messages', ?) ON CONFLICT (name) DO UPDATE SET last = excluded.last",
    lastId,
  );
const moveEvents = (database: Database, lastId: number) =>
  database.all("SELECT setval('event_ids', ?::bigint)", lastId);

const opened = (messageId: number): VisitReport => ({
  type: 'opened',
  messageId,
  atMs: startMs,
  userAgent: '',
  address: '',
  visitor: { kind: 'human', confidence: 1, reason: '' },
});

describe('a hundred ranges', { skip: withoutPostgres }, () => {
  const count = 100;
  let url: string;
  let store: Store;
  let accountId: number;
  /** One in each range, oldest first. */
  const ids: number[] = [];

  before(async () => {
    url = await freshDatabase();
    // Its clock stands still: nothing but what the tests do is sent to the server.
    store = await openPostgresStore({ url, clock: new ManualClock(startMs), processName: 'one' });
    ({ id: accountId } = await anAccount(store));
    await using database = beside(url);
    const made = (await readRanges(database)).messages;
    await database.transaction(async (sender) => {
      for (let index = made.length; index < count; index++) {
        const ids = { fromId: index * rangeUnit, toId: (index + 1) * rangeUnit };
        const unused = { fromMs: undefined, toMs: undefined, lastId: undefined, hasBodies: true };
        for (const kind of ['messages', 'events'] as const)
          await insertRange(sender, { kind, ...ids, submissions: ids, ...unused });
      }
    });
    for (let index = 0; index < count; index++) {
      await moveMessages(database, index * rangeUnit + 10);
      await moveEvents(database, index * rangeUnit + 20);
      const recipients = [{ address: `r${index % 7}@example.org`, role: 'to' }] as const;
      const tags = index % 3 === 0 ? ['third'] : [];
      ids.push(...(await accepted(store, aSubmission(accountId, { recipients, tags }))));
      await deliverAll(store);
    }
    // The process learns of what others have made, as here, in its next round.
    const nowMs = startMs + dayMs;
    await store.retention.prune({
      nowMs,
      eventsBeforeMs: 0,
      bodiesBeforeMs: 0,
      statisticsBeforeMs: 0,
      limit: 1,
    });
  });

  after(() => store[Symbol.asyncDispose]());

  /** The most partitions of one table that a statement opens, of those that the store sends meanwhile. */
  async function mostOpened(work: () => Promise<unknown>): Promise<number> {
    const query = mock.method(Client.prototype, 'query');
    await work();
    const sent = query.mock.calls.map((call) => call.arguments[0] as unknown as Sent);
    query.mock.restore();
    await using database = beside(url);
    const counts = [0];
    for (const { text = '', values = [] } of sent) {
      if (!/^\s*(SELECT|WITH|INSERT|UPDATE|DELETE)/.test(text)) continue;
      const [row] = await database.tuples<[object[]]>(`EXPLAIN (FORMAT JSON) ${text}`, ...values);
      const tables = [...new Set(relationsOf(row?.[0]))].flatMap(
        (name) => /^(.*)_\d+$/.exec(name)?.[1] ?? [],
      );
      counts.push(...[...Map.groupBy(tables, (table) => table).values()].map(({ length }) => length));
    }
    return Math.max(...counts);
  }

  test('what is known by its id is looked for in its partition alone', async () => {
    const id = ids[40] ?? 0;
    assert.equal(await mostOpened(() => store.messages.byId(accountId, id)), 1);
    assert.equal(await mostOpened(() => store.messages.attempts(accountId, id)), 1);
    assert.equal(await mostOpened(() => store.log.finishedAtMs([id])), 1);
    assert.equal(await mostOpened(() => store.queue.readBody(id)), 1);
    const [event] = await store.log.ofMessage(accountId, id);
    assert.equal(await mostOpened(() => store.log.byId(accountId, event?.id ?? 0)), 1);
  });

  test('accepting, claiming, settling and reports open the partitions of their messages alone', async () => {
    const work: Record<string, () => Promise<unknown>> = {
      accept: () => accepted(store, aSubmission(accountId, { tags: ['new'] })),
      claim: async () => {
        claimed = await store.queue.claim({ nowMs: startMs, leaseMs: dayMs, limit: 100 });
      },
      settle: () => store.queue.settle(delivered(claimed[0] ?? assert.fail())),
      opened: () => store.log.report(opened(ids[20] ?? 0)),
      visits: () =>
        store.log.reportVisits({
          journal: 'a journal',
          visits: [{ number: 1, report: opened(ids[22] ?? 0) }],
          atMs: startMs,
        }),
      left: () =>
        store.log.report({
          type: 'unsubscribed',
          messageId: ids[21] ?? 0,
          atMs: startMs,
          stream: '*',
          how: 'page',
        }),
    };
    let claimed: Awaited<ReturnType<Store['queue']['claim']>> = [];
    // Rows are put into partitions without a plan for each of them.
    for (const [name, does] of Object.entries(work)) assert.ok((await mostOpened(does)) <= 1, name);
  });

  test('who counts the log looks for earlier visits where their messages’ events are', async () => {
    for (const report of [opened(ids[30] ?? 0), opened(ids[30] ?? 0)]) await store.log.report(report);
    const [event] = await store.log.ofMessage(accountId, ids[30] ?? 0);
    // All that came before is counted.
    await using database = beside(url);
    await database.run(
      `INSERT INTO statistics_cursors (account_id, event_id) VALUES (?, ?)
       ON CONFLICT (account_id) DO UPDATE SET event_id = excluded.event_id`,
      accountId,
      (await store.log.lastId(accountId)) - 2,
    );
    const counted = async () => {
      const { events } = await store.statistics.readUncounted({ accountId, limit: 10 });
      assert.deepEqual(
        events.map(({ visitedBefore }) => visitedBefore),
        ['nobody', 'human'],
      );
    };
    const all = await database.get<{ n: number }>(
      "SELECT count(*) AS n FROM id_ranges WHERE kind = 'events'",
    );
    const most = await mostOpened(counted);
    const first = await database.get<{ n: number }>(
      "SELECT count(*) AS n FROM id_ranges WHERE kind = 'events' AND to_id <= ?",
      event?.id ?? 0,
    );
    assert.ok((first?.n ?? 0) > 10 && most <= (all?.n ?? 0) - (first?.n ?? 0) + 1, `${most} of ${all?.n}`);
  });

  test('who follows the log opens the newest partitions; who searches, a few at a time', async () => {
    const lastId = await store.log.lastId(accountId);
    const after = (afterId: number) => store.log.readAfter({ accountId, afterId, limit: 10, scanLimit: 10 });
    assert.ok((await mostOpened(() => after(lastId))) <= 3);
    assert.ok((await mostOpened(() => store.log.lastId(accountId))) <= 3);
    assert.ok((await mostOpened(() => store.messages.list({ accountId }, { limit: 1 }))) <= 3);
    const bound = 16;
    assert.ok((await mostOpened(() => store.messages.list({ accountId }, { limit: 1000 }))) <= bound);
    assert.ok(
      (await mostOpened(() => store.messages.list({ accountId, tag: 'none' }, { limit: 1 }))) <= bound,
    );
    assert.ok((await mostOpened(() => store.messages.count({ accountId, sender: 'nobody' }, 1))) <= bound);
    assert.ok((await mostOpened(() => store.log.ofMessage(accountId, ids[0] ?? 0))) <= bound);
    assert.ok((await mostOpened(() => store.log.countAfter({ accountId, afterId: 0, cap: 1000 }))) <= bound);
  });

  test('everything is found wherever it lies, in order, a page at a time', async () => {
    const all = (await store.messages.list({ accountId }, { limit: 1000 })).map(({ id }) => id);
    assert.deepEqual(
      all.filter((id) => ids.includes(id)),
      ids.toReversed(),
    );
    const pages: number[] = [];
    for (let beforeId: number | undefined; ; beforeId = pages.at(-1)) {
      const page = await store.messages.list({ accountId }, { limit: 7, beforeId });
      if (page.length === 0) break;
      pages.push(...page.map(({ id }) => id));
    }
    assert.deepEqual(pages, all);
    for (const skip of [0, 1, 5, 30, all.length - 1, all.length]) {
      const skipped = await store.messages.list({ accountId }, { limit: 3, skip });
      assert.deepEqual(
        skipped.map(({ id }) => id),
        all.slice(skip, skip + 3),
      );
    }
    const thirds = await store.messages.list({ accountId, tag: 'third' }, { limit: 1000 });
    assert.deepEqual(
      thirds.map(({ id }) => id),
      ids.filter((_, index) => index % 3 === 0).toReversed(),
    );
    assert.equal(await store.messages.count({ accountId, tag: 'third' }, 1000), 34);
    assert.equal(await store.messages.count({ accountId, tag: 'third' }, 30), 30);
    assert.equal(await store.messages.count({ accountId, recipient: 'r3@example.org' }, 1000), 14);
    assert.equal((await store.messages.byId(accountId, ids[0] ?? 0))?.recipient, 'r0@example.org');
  });

  test('the log is whole and in order, from every cursor; a message’s story also where it spans all ranges', async () => {
    await store.log.report(opened(ids[0] ?? 0));
    const story = await store.log.ofMessage(accountId, ids[0] ?? 0);
    assert.deepEqual(
      story.map(({ number, type }) => [number, type]),
      [
        [1, 'accepted'],
        [2, 'delivered'],
        [3, 'opened'],
      ],
    );
    const read: number[] = [];
    for (let afterId = 0; ; ) {
      const page = await store.log.readAfter({ accountId, afterId, limit: 9, scanLimit: 11 });
      read.push(...page.events.map(({ id }) => id));
      if (page.atEnd) break;
      assert.ok(page.scannedTo > afterId);
      afterId = page.scannedTo;
    }
    assert.deepEqual(
      read,
      read.toSorted((a, b) => a - b),
    );
    assert.equal(read.length, await store.log.countAfter({ accountId, afterId: 0, cap: 1000 }));
    assert.equal(read.at(-1), story[2]?.id);
    const { id: other } = await anAccount(store, 'other');
    assert.equal(await store.log.lastId(other), 0, 'also when it has to look through all of them');
    assert.deepEqual(await store.log.readAfter({ accountId: other, afterId: 0, limit: 9, scanLimit: 9 }), {
      events: [],
      scannedTo: 0,
      atEnd: true,
    });
  });
});

/** The last id that there is room for. */
const endOf = (ranges: readonly IdRange[]): number => (ranges.at(-1)?.toId ?? 0) - 1;

describe('ranges', { skip: withoutPostgres }, () => {
  test('when the next ones are missing, whoever finds that out makes them, and nobody is refused', async () => {
    const url = await freshDatabase();
    await using first = await open(url, 'first');
    await using second = await open(url, 'second');
    const { id: accountId } = await anAccount(first);
    await using database = beside(url);
    for (let round = 0; round < 3; round++) {
      const made = await readRanges(database);
      const [lastMessage, lastEvent] = [endOf(made.messages), endOf(made.events)];
      await moveMessages(database, lastMessage);
      await moveEvents(database, lastEvent);
      const taken = await Promise.all(
        Array.from({ length: 60 }, (_, index) =>
          accepted(index % 2 ? first : second, aSubmission(accountId)),
        ),
      );
      const ids = taken.flat();
      assert.equal(new Set(ids).size, 60);
      assert.ok(ids.every((id) => id > lastMessage));
      assert.equal((await deliverAll(first)).length, 60);
      assert.ok((await first.log.lastId(accountId)) > lastEvent);
      await first.log.report(opened(ids[0] ?? 0));
    }
    assert.equal(await first.messages.count({ accountId }, 1000), 180);
    assert.equal(await second.log.countAfter({ accountId, afterId: 0, cap: 1000 }), 363);
  });

  test('while there is one ahead, the next is made without anybody waiting, and larger after much use', async () => {
    const url = await freshDatabase();
    await using store = await open(url);
    const { id: accountId } = await anAccount(store);
    await using database = beside(url);
    const ranges = async () => (await readRanges(database)).messages;
    const sizes: number[] = [];
    for (let round = 0; round < 4; round++) {
      const before = await ranges();
      await moveMessages(database, (before.at(-1)?.fromId ?? 0) - 10);
      let after = before;
      while (after.length === before.length) {
        await accepted(store, aSubmission(accountId));
        after = await ranges();
      }
      sizes.push(...after.slice(before.length).map(({ fromId, toId }) => toId - fromId));
    }
    assert.deepEqual(
      sizes,
      sizes.toSorted((a, b) => a - b),
    );
    assert.ok((sizes.at(-1) ?? 0) > 4 * rangeUnit);
  });

  test('no submission lies in two ranges', async () => {
    const url = await freshDatabase();
    await using store = await open(url);
    const { id: accountId } = await anAccount(store);
    await using database = beside(url);
    for (const before of [1, 2, 5, 9]) {
      const last = rangeUnit * before - before;
      await accepted(store, aSubmission(accountId));
      await moveMessages(database, last);
      const recipients = Array.from({ length: 7 }, (_, n) => ({
        address: `r${n}@example.org`,
        role: 'to' as const,
      }));
      const batch = await Promise.all(
        [1, 3, 7].map((length) =>
          accepted(store, aSubmission(accountId, { recipients: recipients.slice(0, length) })),
        ),
      );
      for (const ids of batch) {
        assert.equal(new Set(ids.map((id) => Math.floor(id / rangeUnit))).size, 1);
        assert.deepEqual(
          ids,
          ids.map((_, index) => (ids[0] ?? 0) + index),
        );
      }
    }
  });

  test('what is in the way of dropping a range is not waited for, nor does accepting wait; queued mail keeps its range', async () => {
    const url = await freshDatabase();
    await using store = await open(url);
    const { id: accountId } = await anAccount(store);
    await using database = beside(url);
    const prune = (day: number) => {
      const nowMs = startMs + day * dayMs;
      return store.retention.prune({
        nowMs,
        eventsBeforeMs: nowMs - 4 * dayMs,
        statisticsBeforeMs: 0,
        bodiesBeforeMs: nowMs - 2 * dayMs,
        limit: 100,
      });
    };
    const partitions = async () =>
      (
        await database.all<{ name: string }>(
          "SELECT relname AS name FROM pg_class WHERE relispartition AND relkind = 'r'",
        )
      ).map(({ name }) => name);
    const forgetAll = async (untilDay: number) => {
      for (; day <= untilDay; day += 0.5) while ((await prune(day)) > 0);
    };
    let day = 0;
    const [gone = 0, kept = 0] = [
      ...(await accepted(store, aSubmission(accountId))),
      ...(await accepted(store, aSubmission(accountId))),
    ];
    const [claim] = await store.queue.claim({ nowMs: startMs, leaseMs: 1000, limit: 1 });
    await store.queue.settle(delivered(claim ?? assert.fail()));
    await forgetAll(6);
    assert.ok(await store.messages.byId(accountId, gone), 'shares its range with mail that is still queued');
    assert.ok(await store.queue.readBody(kept));
    assert.deepEqual(await store.log.ofMessage(accountId, gone), []);

    await deliverAll(store, startMs + day * dayMs);
    const reading = Promise.withResolvers<void>();
    const mayEnd = Promise.withResolvers<void>();
    const reader = database.transaction(async (sender) => {
      await sender.query({ text: 'SELECT count(*) FROM messages', values: [] });
      reading.resolve();
      await mayEnd.promise;
    });
    await reading.promise;
    const [dropped, ...taken] = await Promise.all([
      prune(day),
      ...Array.from({ length: 20 }, () => store.intake.accept(aSubmission(accountId))),
    ]);
    assert.equal(dropped, 1, 'only its bodies, which nobody reads');
    assert.ok(taken.every(({ kind }) => kind === 'accepted'));
    assert.ok((await partitions()).includes('messages_1'));
    mayEnd.resolve();
    await reader;
    await forgetAll(day);
    assert.equal(await store.messages.byId(accountId, gone), undefined);
    const left = await partitions();
    for (const name of [
      'messages_1',
      'submissions_1',
      'bodies_1',
      'message_tags_1',
      'attempts_1',
      'events_1',
    ])
      assert.ok(!left.includes(name), name);
    assert.equal(await store.messages.count({ accountId }, 100), 20);
  });
});

interface Sent {
  readonly text?: string;
  readonly values?: readonly Parameter[];
}

/** The tables that a plan reads or writes, wherever in it. */
function relationsOf(plan: unknown): string[] {
  if (typeof plan !== 'object' || plan === null) return [];
  const name = (plan as { 'Relation Name'?: string })['Relation Name'];
  return [...(name === undefined ? [] : [name]), ...Object.values(plan).flatMap(relationsOf)];
}
