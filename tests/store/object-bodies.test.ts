/** Bodies in an object store, with either engine: nothing is lost, whatever fails at whichever point. */
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, test } from 'node:test';
import { pino } from 'pino';
import { type Clock, systemClock, systemRandom } from '../../src/platform/clock.ts';
import {
  accepted,
  anAccount,
  aSubmission,
  deliverAll,
  type OpenStore,
  startMs,
} from '../../src/store/conformance/fixtures.ts';
import { messagesConformance } from '../../src/store/conformance/messages.ts';
import { queueConformance } from '../../src/store/conformance/queue.ts';
import { retentionConformance } from '../../src/store/conformance/retention.ts';
import { BodyMissingError } from '../../src/store/contract/bodies.ts';
import { type Store, StoreBusyError } from '../../src/store/contract/store.ts';
import { defaultObjectLimits, ObjectBodies } from '../../src/store/objects/bodies.ts';
import { openPostgresStore } from '../../src/store/postgres/open.ts';
import { openSqliteStore } from '../../src/store/sqlite/open.ts';
import { freshDatabase } from '../support/fresh-database.ts';
import { ManualClock } from '../support/manual-clock.ts';
import { type ObjectServer, startObjectServer } from '../support/object-server.ts';
import { withoutPostgres } from '../support/postgres.ts';

const folders: string[] = [];
after(() => Promise.all(folders.map((folder) => rm(folder, { recursive: true }))));

/** Short, so that a store that says nothing is soon given up. */
const limits = { ...defaultObjectLimits, tryMs: 150, pauseMs: 1 };
const hourMs = 3_600_000;
const dayMs = 24 * hourMs;

type OpenDatabase = (bodies: ObjectBodies) => Promise<Store>;

const engines: Record<string, { readonly skip: string | false; readonly open: OpenDatabase }> = {
  SQLite: {
    skip: false,
    async open(bodies) {
      const folder = await mkdtemp(join(tmpdir(), 'aftersend-objects-'));
      folders.push(folder);
      return openSqliteStore(folder, 'serve', bodies);
    },
  },
  PostgreSQL: {
    skip: withoutPostgres,
    open: async (bodies) =>
      openPostgresStore({
        url: await freshDatabase(),
        clock: systemClock,
        processName: randomBytes(6).toString('hex'),
        bodies,
      }),
  },
};

const objectBodies = (server: ObjectServer, clock: Clock = systemClock, change = {}) =>
  new ObjectBodies(server.place, {
    clock,
    random: systemRandom,
    logger: pino({ level: 'silent' }),
    limits: { ...limits, ...change },
  });

for (const [name, engine] of Object.entries(engines)) {
  describe(`bodies in an object store, on ${name}`, { skip: engine.skip }, () => {
    const openFresh: OpenStore = async () => {
      const server = await startObjectServer();
      // None is kept in memory: each is read from where it was put.
      const bodies = objectBodies(server, systemClock, { cacheBytes: 0 });
      const store = await engine.open(bodies);
      return {
        ...store,
        async [Symbol.asyncDispose]() {
          await store[Symbol.asyncDispose]();
          await bodies[Symbol.asyncDispose]();
          await server[Symbol.asyncDispose]();
        },
      };
    };
    messagesConformance(openFresh);
    queueConformance(openFresh);
    retentionConformance(openFresh);

    const withServer = async (change = {}) => {
      const opened = new AsyncDisposableStack();
      const server = opened.use(await startObjectServer());
      const clock = new ManualClock(startMs);
      // The exchange with the server takes real time.
      const openedAtMs = systemClock.now();
      const now = () => clock.now() + systemClock.now() - openedAtMs;
      const bodies = opened.use(objectBodies(server, { ...systemClock, now }, change));
      const store = opened.use(await engine.open(bodies));
      const { id: accountId } = await anAccount(store);
      return { server, clock, store, accountId, [Symbol.asyncDispose]: () => opened.disposeAsync() };
    };
    const body = Buffer.from('Subject: kept\r\n\r\nelsewhere\r\n');

    test('a body is there before the commit, under the hour of its acceptance; its size is its own', async () => {
      await using place = await withServer({ cacheBytes: 0 });
      const { server, store, accountId } = place;
      const [id = 0] = await accepted(store, aSubmission(accountId, { raw: body }));
      const [key = ''] = server.objects.keys();
      assert.match(key, /^aftersend\/bodies\/2026-01-05T12\/[\w-]{22}$/);
      const message = await store.messages.byId(accountId, id);
      assert.equal(message?.sizeBytes, body.byteLength);
      assert.deepEqual(await store.queue.readBody(message?.submissionId ?? 0), body);
    });

    test('while bodies cannot be put, nothing is accepted; a fault that passes costs nobody anything', async () => {
      await using place = await withServer();
      const { server, store, accountId } = place;
      const faults = ['drop', 'silence', 503, 403] as const;
      for (const fault of faults) {
        server.fault = () => fault;
        await assert.rejects(store.intake.accept(aSubmission(accountId)), StoreBusyError, String(fault));
        await assert.rejects(store.identity.probe({ nowMs: startMs, roomBytes: 0 }), StoreBusyError);
        await place.clock.advance(60_000);
      }
      assert.deepEqual(await store.messages.list({ accountId }, { limit: 10 }), []);
      let failures = 0;
      server.fault = (method) => (method === 'PUT' && failures++ < 2 ? 'drop' : undefined);
      await accepted(store, aSubmission(accountId));
      assert.equal(failures, 3);
    });

    test('a body whose commit fails is left behind, and goes when it is old', async () => {
      await using place = await withServer();
      const { server, clock, store, accountId } = place;
      const notOurs = 'aftersend/bodies/2020-01-01T00/somebody else’s';
      server.objects.set(notOurs, body);
      const refused = { metadataJson: null as unknown as string };
      await assert.rejects(store.intake.accept(aSubmission(accountId, refused)));
      const [, orphan = ''] = server.objects.keys();
      assert.match(orphan, /bodies\/2026/);

      const prune = () =>
        store.retention.prune({
          eventsBeforeMs: clock.now() - 30 * dayMs,
          statisticsBeforeMs: 0,
          bodiesBeforeMs: clock.now() - hourMs,
          nowMs: clock.now(),
          limit: 10,
        });
      await clock.advance(2 * hourMs);
      assert.equal(await prune(), 0, 'its commit might still come');
      await clock.advance(hourMs);
      server.fault = (method) => (method === 'DELETE' ? 503 : undefined);
      assert.equal(await prune(), 0, 'it is tried again another time');
      server.fault = () => undefined;
      assert.equal(await prune(), 1);
      assert.deepEqual([...server.objects.keys()], [notOurs]);
    });

    test('bodies go with their rows, oldest first, in bounded numbers; what is queued keeps its own', async () => {
      await using place = await withServer();
      const { server, clock, store, accountId } = place;
      const acceptAt = (atMs: number) => accepted(store, aSubmission(accountId, { atMs }));
      for (let n = 0; n < 5; n++) await acceptAt(startMs);
      await deliverAll(store);
      const [queued = 0] = await acceptAt(startMs + 5 * hourMs);
      await acceptAt(startMs + 9 * hourMs);
      await clock.advance(2 * dayMs);
      const prune = () =>
        store.retention.prune({
          eventsBeforeMs: 0,
          statisticsBeforeMs: 0,
          bodiesBeforeMs: clock.now() - dayMs,
          nowMs: clock.now(),
          limit: 2,
        });
      const left: number[] = [];
      while ((await prune()) > 0) left.push(server.objects.size);
      assert.deepEqual(left, [5, 3, 2]);
      const submission = (await store.messages.byId(accountId, queued))?.submissionId ?? 0;
      assert.ok(await store.queue.readBody(submission));
    });

    test('a body that is not needed after all goes at once', async () => {
      await using place = await withServer();
      const { server, store, accountId } = place;
      const idempotency = { key: 'k', fingerprint: 'f', expiresAtMs: startMs + dayMs };
      const both = await Promise.all(
        [1, 2].map(() => store.intake.accept(aSubmission(accountId, { idempotency }))),
      );
      assert.deepEqual(both.map(({ kind }) => kind).sort(), ['accepted', 'repeated']);
      while (server.objects.size > 1) await systemClock.sleep(1);
      assert.equal(server.requests.filter((line) => line.startsWith('DELETE')).length, 1);
    });

    test('a body that cannot be read is for later, whether its store is away or does not have it', async () => {
      await using place = await withServer({ cacheBytes: 0 });
      const { server, store, accountId } = place;
      const [id = 0] = await accepted(store, aSubmission(accountId, { raw: body }));
      const submission = (await store.messages.byId(accountId, id))?.submissionId ?? 0;
      for (const fault of ['drop', 'silence', 500, 403] as const) {
        server.fault = () => fault;
        await assert.rejects(store.queue.readBody(submission), StoreBusyError, String(fault));
      }
      server.fault = () => undefined;
      const [key = ''] = server.objects.keys();
      server.objects.delete(key);
      await assert.rejects(store.queue.readBody(submission), BodyMissingError);
      server.objects.set(key, body);
      assert.deepEqual(await store.queue.readBody(submission), body);
    });

    test('when one is given up, so are those that wait for their turn', async () => {
      await using place = await withServer({ connections: 2 });
      const { server, store, accountId } = place;
      server.fault = () => 'silence';
      const all = Array.from({ length: 50 }, () => store.intake.accept(aSubmission(accountId)));
      const ends = await Promise.allSettled(all);
      assert.ok(ends.every((end) => end.status === 'rejected' && end.reason instanceof StoreBusyError));
      assert.ok(server.requests.length <= 10, `${server.requests.length} requests`);
      server.fault = () => undefined;
      await Promise.all(Array.from({ length: 50 }, () => accepted(store, aSubmission(accountId))));
      assert.equal(server.objects.size, 50);
    });

    test('what waits for the object store is bounded', async () => {
      await using place = await withServer({ puts: 3, tryMs: 10_000 });
      const { server, store, accountId } = place;
      server.fault = () => 'silence';
      const waiting = [1, 2, 3].map(() => store.intake.accept(aSubmission(accountId)));
      const ends = Promise.allSettled(waiting);
      await assert.rejects(store.intake.accept(aSubmission(accountId)), /too many bodies/);
      while (server.requests.length < 3) await systemClock.sleep(1);
      await server[Symbol.asyncDispose]();
      assert.ok((await ends).every(({ status }) => status === 'rejected'));
    });
  });
}
