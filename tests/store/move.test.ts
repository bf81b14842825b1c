/** Moving a data folder into a database: all of it, once, however often it broke off; and never into or out of the wrong one. */
import assert from 'node:assert/strict';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import * as fc from 'fast-check';
import { pino } from 'pino';
import { systemClock, systemRandom } from '../../src/platform/clock.ts';
import {
  accepted,
  anAccount,
  aSubmission,
  deliverAll,
  startMs,
} from '../../src/store/conformance/fixtures.ts';
import type { BodyPlace } from '../../src/store/contract/bodies.ts';
import { type Store, StoreBusyError, StoreUnusableError } from '../../src/store/contract/store.ts';
import { move, type MoveStep } from '../../src/store/move/move.ts';
import { notMoved } from '../../src/store/move/tables.ts';
import { ObjectBodies } from '../../src/store/objects/bodies.ts';
import { Database, defaultDatabaseLimits, storable } from '../../src/store/postgres/database.ts';
import { openPostgresStore } from '../../src/store/postgres/open.ts';
import { readRanges } from '../../src/store/postgres/ranges.ts';
import { FolderLockedError, FolderUnusableError, openSqliteStore } from '../../src/store/sqlite/open.ts';
import { DatabaseProxy } from '../support/database-proxy.ts';
import { afterAllMs, everyStep, fillStore, someSteps } from '../support/filled-store.ts';
import { freshDatabase } from '../support/fresh-database.ts';
import { startObjectServer } from '../support/object-server.ts';
import { withoutPostgres } from '../support/postgres.ts';
import { answersOf } from '../support/store-answers.ts';

const fingerprint = 'of the secret';

/** A data folder as a service leaves it. @returns it and what its store answered */
async function aFolder(
  fill: (store: Store) => Promise<unknown>,
  bodies?: BodyPlace,
): Promise<{ folder: string; answers: object }> {
  const folder = await mkdtemp(join(tmpdir(), 'aftersend-move-'));
  await using store = await openSqliteStore(folder, 'serve', bodies);
  await store.identity.bindSecret(fingerprint);
  await fill(store);
  return { folder, answers: await answersOf(store) };
}

const moving = (
  dataFolder: string,
  url: string,
  changes: { to?: string; fingerprint?: string; tell?: (step: MoveStep) => void } = {},
) =>
  move({
    dataFolder,
    url,
    to: 'the database',
    fingerprint,
    clock: systemClock,
    random: systemRandom,
    tell: () => undefined,
    ...changes,
  });

const open = (url: string, bodies?: BodyPlace) =>
  openPostgresStore({ url, clock: systemClock, processName: 'after', bodies });

const allTables = `
  SELECT relname AS name FROM pg_class WHERE relnamespace = current_schema()::regnamespace
    AND relkind IN ('r', 'p') AND NOT relispartition`;

async function tablesAt(url: string): Promise<string[]> {
  const database = new Database(url, defaultDatabaseLimits);
  const rows = await database.all<{ name: string }>(allTables);
  await database.close();
  return rows.map(({ name }) => name);
}

/** As PostgreSQL can hold it. */
const plain = (value: unknown): unknown =>
  JSON.parse(JSON.stringify(value), (_, part: unknown) => (typeof part === 'string' ? storable(part) : part));

const objectTools = { clock: systemClock, random: systemRandom, logger: pino({ level: 'silent' }) };

const oneMessage = async (store: Store) => {
  const { id: accountId } = await anAccount(store);
  await accepted(store, aSubmission(accountId));
};

describe('moving a data folder', { skip: withoutPostgres }, () => {
  test('whatever is in it, and wherever it breaks off, the database answers as the folder did', async () => {
    const breaks = fc.array(
      fc.record({
        statements: fc.integer({ min: 1, max: 250 }),
        side: fc.constantFrom('asked' as const, 'answered' as const),
      }),
      { maxLength: 6 },
    );
    await fc.assert(
      fc.asyncProperty(someSteps, breaks, async (steps, cuts) => {
        const { folder, answers } = await aFolder((store) => fillStore(store, steps));
        const url = await freshDatabase();
        await using proxy = await DatabaseProxy.start(url);
        for (const { statements, side } of cuts) {
          proxy.mend();
          proxy.cutAt(statements, side);
          await moving(folder, proxy.url).catch((error: unknown) =>
            assert.ok(error instanceof StoreBusyError, String(error)),
          );
        }
        proxy.mend();
        await moving(folder, proxy.url);
        const again = await moving(folder, proxy.url);
        assert.equal(again.isOld, true);

        await using store = await open(url);
        assert.deepEqual(plain(await answersOf(store)), plain(answers));
        assert.equal(await store.identity.bindSecret(fingerprint), true);
        assert.equal(await store.identity.bindSecret('another'), false);
        await goesOn(store);
        await rm(folder, { recursive: true });
      }),
      // Each run makes a database; a failure tells its seed rather than make a hundred more.
      { numRuns: 6, endOnFailure: true },
    );
  });

  test('every table of both stores is moved with something in it, or it is said why not', async () => {
    const { folder, answers } = await aFolder((store) => fillStore(store, everyStep));
    const url = await freshDatabase();
    const { tables } = await moving(folder, url);
    const empty = Object.entries(tables).filter(([, { rows }]) => rows === 0);
    assert.deepEqual(empty, [], 'something of everything is in the store: see filled-store.ts');
    const named = [...Object.keys(tables), ...Object.keys(notMoved)];
    assert.deepEqual((await tablesAt(url)).toSorted(), named.toSorted());
    await using store = await open(url);
    assert.deepEqual(plain(await answersOf(store)), plain(answers));
    await goesOn(store);
    // No new row of any table has an id that there was.
    await fillStore(store, everyStep, 1000);
    await rm(folder, { recursive: true });
  });

  test('bodies in an object store stay there and are read from there', async () => {
    await using server = await startObjectServer();
    const openBodies = () => new ObjectBodies(server.place, objectTools);
    await using bodies = openBodies();
    const { folder } = await aFolder(async (store) => {
      const { id: accountId } = await anAccount(store);
      await accepted(store, aSubmission(accountId, { raw: Buffer.from('first') }));
      await accepted(store, aSubmission(accountId, { raw: Buffer.from('second') }));
    }, bodies);
    {
      await using store = await openSqliteStore(folder, 'command');
      await accepted(store, aSubmission(1, { raw: Buffer.from('in the folder') }));
    }
    const url = await freshDatabase();
    assert.equal((await moving(folder, url)).objectBodies, 2);
    await using bodiesThen = openBodies();
    await using store = await open(url, bodiesThen);
    const read = async (id: number) => Buffer.from((await store.queue.readBody(id)) ?? []).toString();
    assert.deepEqual(await Promise.all([1, 2, 3].map(read)), ['first', 'second', 'in the folder']);
    await rm(folder, { recursive: true });
  });

  test('its messages and events come into ranges by days, and go as old as they would have', async () => {
    const dayMs = 86_400_000;
    const { folder } = await aFolder(async (store) => {
      const { id: accountId } = await anAccount(store);
      for (let day = 0; day < 9; day++) {
        const recipients = ['a', 'b', 'c'].map((name) => ({
          address: `${name}@example.org`,
          role: 'to' as const,
        }));
        const atMs = startMs + day * dayMs;
        await accepted(store, aSubmission(accountId, { atMs, recipients }));
        await accepted(store, aSubmission(accountId, { atMs, recipients }));
        await deliverAll(store, atMs);
      }
    });
    const url = await freshDatabase();
    await moving(folder, url);
    await using store = await open(url);
    const [account] = await store.accounts.list();
    const accountId = account?.id ?? 0;
    const database = new Database(url, defaultDatabaseLimits);
    const { messages, events } = await readRanges(database);
    await database.close();
    assert.deepEqual(
      messages.slice(0, 9).map(({ fromId, submissions }) => [fromId, submissions.fromId]),
      Array.from({ length: 9 }, (_, day) => [1 + 6 * day, 1 + 2 * day]),
    );
    assert.deepEqual(
      events.slice(0, 9).map(({ fromId }) => fromId),
      Array.from({ length: 9 }, (_, day) => 1 + 12 * day),
    );
    const nowMs = startMs + 8 * dayMs;
    const prune = () =>
      store.retention.prune({
        nowMs,
        eventsBeforeMs: nowMs - 5.5 * dayMs,
        bodiesBeforeMs: nowMs - 2.5 * dayMs,
        statisticsBeforeMs: 0,
        limit: 100,
      });
    while ((await prune()) > 0);
    const left = await store.messages.list({ accountId }, { limit: 100 });
    assert.deepEqual(
      left.map(({ id }) => id),
      Array.from({ length: 54 - 18 }, (_, index) => 54 - index),
    );
    const bodies = await Promise.all(left.map(({ submissionId }) => store.queue.readBody(submissionId)));
    assert.equal(bodies.filter((body) => body !== undefined).length, 18);
    const page = await store.log.readAfter({ accountId, afterId: 0, limit: 1000, scanLimit: 1000 });
    assert.equal(page.events.length, 72);
    await rm(folder, { recursive: true });
  });

  test('a folder that is served, moved, of another secret or empty is refused, and is as it was', async () => {
    const { folder } = await aFolder(oneMessage);
    const url = await freshDatabase();
    {
      await using _service = await openSqliteStore(folder, 'serve');
      await assert.rejects(moving(folder, url), FolderLockedError);
    }
    await assert.rejects(moving(folder, url, { fingerprint: 'another' }), FolderUnusableError);
    const empty = await mkdtemp(join(tmpdir(), 'aftersend-move-'));
    await assert.rejects(moving(empty, url), FolderUnusableError);
    {
      await using store = await openSqliteStore(folder, 'serve');
      assert.equal((await store.accounts.list()).length, 1);
    }
    await moving(folder, url);
    await assert.rejects(openSqliteStore(folder, 'serve'), /was moved to the database/);
    await assert.rejects(openSqliteStore(folder, 'command'), /was moved to the database/);
    await assert.rejects(
      moving(folder, await freshDatabase(), { to: 'another' }),
      /was moved to the database/,
    );
    await rm(join(folder, 'moved.json'));
    await using store = await openSqliteStore(folder, 'serve');
    assert.equal(await store.messages.count({ accountId: 1 }, 10), 1);
    await rm(folder, { recursive: true });
    await rm(empty, { recursive: true });
  });

  test('a database that has other data, or that somebody serves, is refused, and the folder can be served again', async () => {
    const { folder } = await aFolder(oneMessage);
    const other = await aFolder(oneMessage);
    const url = await freshDatabase();
    {
      await using _service = await open(url);
      await assert.rejects(moving(folder, url), /processes are running/);
      await assert.rejects(readFile(join(folder, 'moved.json')), { code: 'ENOENT' });
    }
    await moving(other.folder, url);
    await assert.rejects(moving(folder, url), StoreUnusableError);

    const others = await freshDatabase();
    {
      await using store = await open(others);
      await store.identity.bindSecret('another');
    }
    await assert.rejects(moving(folder, others), /services with another secret/);
    const used = await freshDatabase();
    {
      await using store = await open(used);
      await anAccount(store);
    }
    await assert.rejects(moving(folder, used), /data of its own \(.*accounts/);
    const foreign = await freshDatabase();
    const database = new Database(foreign, defaultDatabaseLimits);
    await database.run('CREATE TABLE orders (id integer)');
    await database.close();
    await assert.rejects(moving(folder, foreign), /tables of something else/);
    {
      await using _store = await openSqliteStore(folder, 'serve');
    }

    const triedOut = await freshDatabase();
    {
      await using store = await open(triedOut);
      await store.identity.bindSecret(fingerprint);
      await store.identity.probe({ nowMs: startMs, roomBytes: 0 });
    }
    await moving(folder, triedOut);
    await rm(folder, { recursive: true });
    await rm(other.folder, { recursive: true });
  });

  test('nobody serves the folder or the database while a move is unfinished', async () => {
    const { folder } = await aFolder(oneMessage);
    const url = await freshDatabase();
    await using proxy = await DatabaseProxy.start(url);
    const tell = ({ kind }: MoveStep) => kind === 'copying' && proxy.cut();
    await assert.rejects(moving(folder, proxy.url, { tell }), StoreBusyError);
    await assert.rejects(open(url), StoreUnusableError);
    await assert.rejects(openSqliteStore(folder, 'serve'), /run 'aftersend move' again/);
    proxy.mend();
    const steps: string[] = [];
    await moving(folder, proxy.url, { tell: ({ kind }) => steps.push(kind) });
    assert.equal(steps[0], 'goes on');
    await using store = await open(url);
    assert.equal(await store.messages.count({ accountId: 1 }, 10), 1);
    await rm(folder, { recursive: true });
  });

  test('what stands there otherwise than it was is found out, and nothing is served before it is right', async () => {
    const { folder } = await aFolder(oneMessage);
    const url = await freshDatabase();
    await using proxy = await DatabaseProxy.start(url);
    const tell = ({ kind }: MoveStep) => kind === 'checks' && proxy.cut();
    await assert.rejects(moving(folder, proxy.url, { tell }), StoreBusyError);
    proxy.mend();
    const database = new Database(url, defaultDatabaseLimits);
    const faults = [
      ["UPDATE bodies SET raw = 'other'", 'bodies'],
      ["UPDATE messages SET recipient = 'eve@example.org'", 'messages'],
      ['DELETE FROM queue', 'queue'],
      ["INSERT INTO destinations VALUES ('example.org', '{}', 1)", 'destinations'],
    ] as const;
    for (const [fault, table] of faults.toReversed()) {
      await database.run(fault);
      await assert.rejects(moving(folder, url), new RegExp(`${table} is not the same there`));
      await assert.rejects(open(url), StoreUnusableError);
    }
    await database.close();
    await rm(folder, { recursive: true });
  });
});

/** Mail that was queued goes out, and new things get ids that nothing had. */
async function goesOn(store: Store): Promise<void> {
  const [account] = await store.accounts.list();
  const accountId = account?.id ?? 0;
  const all = await Promise.all(
    (await store.accounts.list()).map(({ id }) => store.messages.list({ accountId: id }, { limit: 10_000 })),
  );
  const messages = all.flat();
  const queued = messages.filter(({ state }) => state === 'queued').map(({ id }) => id);
  const claimed = await store.queue.claim({ nowMs: afterAllMs, leaseMs: 60_000, limit: 10_000 });
  assert.deepEqual(
    claimed.map(({ messageId }) => messageId).toSorted((a, b) => a - b),
    queued.toSorted((a, b) => a - b),
  );
  for (const { messageId, submissionId, attemptsMade } of claimed) {
    assert.ok(await store.queue.readBody(submissionId));
    const { accountId: owner = 0 } = messages.find(({ id }) => id === messageId) ?? {};
    assert.equal((await store.messages.attempts(owner, messageId)).length, attemptsMade);
  }
  const accounts = await store.accounts.list();
  const lastIds = await Promise.all(accounts.map(({ id }) => store.log.lastId(id)));
  const [id = 0] = await accepted(store, aSubmission(accountId, { atMs: afterAllMs }));
  assert.ok(messages.every((message) => message.id < id && message.submissionId < id));
  assert.ok((await store.log.lastId(accountId)) > Math.max(...lastIds));
}
