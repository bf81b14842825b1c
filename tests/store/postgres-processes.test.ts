/** Several processes on one PostgreSQL: who has what, and what becomes of it when one dies or is only paused. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { Client } from 'pg';
import {
  accepted,
  anAccount,
  aSubmission,
  delivered,
  startMs,
} from '../../src/store/conformance/fixtures.ts';
import type { Store } from '../../src/store/contract/store.ts';
import { freshProgress } from '../../src/store/contract/webhook-progress.ts';
import { shareHoldsForMs } from '../../src/store/contract/webhooks.ts';
import { openPostgresStore } from '../../src/store/postgres/open.ts';
import { freshDatabase } from '../support/fresh-database.ts';
import { ManualClock } from '../support/manual-clock.ts';
import { withoutPostgres } from '../support/postgres.ts';

/** A process lives as long as its clock is moved. */
async function start(url: string, processName: string) {
  const clock = new ManualClock(startMs);
  const store = await openPostgresStore({ url, clock, processName });
  return { store, clock, [Symbol.asyncDispose]: () => store[Symbol.asyncDispose]() };
}

const leaseMs = 20 * 60_000;
/** Later than any clock is moved to here, and before any lease ends. */
const nowMs = startMs + leaseMs / 2;
const claim = (store: Store) => store.queue.claim({ nowMs, leaseMs, limit: 100 });

async function webhooks(store: Store, count: number): Promise<{ accountId: number; ids: number[] }> {
  const { id: accountId } = await anAccount(store);
  const ids: number[] = [];
  for (let index = 0; index < count; index++) {
    const created = await store.webhooks.create({
      accountId,
      origin: 'native',
      url: `https://example.com/${index}`,
      dialect: 'sendpulse',
      types: ['delivered'],
      optionsJson: '{}',
      limits: { count: 1000, ageMs: 60_000, bytes: 1_000_000 },
      keys: [],
      sending: { gzip: false, requests: 1, partialAck: false, signatures: ['v1'], digest: 'off' },
      sealedAccess: '',
      atMs: startMs,
      limit: count,
    });
    assert.equal(created.kind, 'created');
    ids.push(created.webhook.id);
  }
  return { accountId, ids };
}

const saved = (store: Store, [webhookId, turn]: readonly [number, number], cursorId: number) =>
  store.webhooks.saveProgress({
    webhookId,
    turn,
    replayId: 0,
    settingsVersion: 1,
    progress: freshProgress(cursorId),
    attempts: [],
    counts: { accepted: 0, failed: 0 },
    accepted: [],
    setAside: [],
    takenAgain: [],
    notices: [],
    pause: undefined,
    finishedAtMs: undefined,
  });

describe('processes on PostgreSQL', { skip: withoutPostgres }, () => {
  test('what somebody else says on our channel harms nobody', async () => {
    const url = await freshDatabase();
    await using here = await start(url, 'here');
    await using there = await start(url, 'there');
    const { id: accountId } = await anAccount(there.store);
    const somebody = new Client({ connectionString: url });
    await somebody.connect();
    for (const payload of [
      '',
      'x',
      'null',
      '{"from":"y"}',
      '{"from":"y","accounts":[null],"webhooks":"z"}',
    ]) {
      await somebody.query('SELECT pg_notify($1, $2)', ['aftersend', payload]);
    }
    await somebody.end();
    const heard = Promise.withResolvers<void>();
    here.store.queue.subscribe(heard.resolve);
    await accepted(there.store, aSubmission(accountId));
    await heard.promise;
  });

  test('what a dead process had claimed is due as soon as its word has run out; paused, it can settle nothing', async () => {
    const url = await freshDatabase();
    await using paused = await start(url, 'paused');
    await using other = await start(url, 'other');
    const { id: accountId } = await anAccount(other.store);
    await accepted(other.store, aSubmission(accountId));
    const [before] = await claim(paused.store);
    assert.ok(before);
    assert.deepEqual(await claim(other.store), []);

    let [after] = await claim(other.store);
    for (let tries = 0; after === undefined && tries < 100; tries++) {
      await other.clock.advance(shareHoldsForMs / 4);
      [after] = await claim(other.store);
    }
    assert.equal(after?.messageId, before.messageId);

    // It goes on, and is seen again: what it begins now of its old claims would be sent twice.
    await paused.clock.advance(other.clock.now() - startMs);
    await accepted(other.store, aSubmission(accountId));
    const [fresh] = await claim(paused.store);
    assert.ok(fresh);
    assert.ok(paused.store.queue.heldUntilMs(fresh.lease) > paused.clock.now());
    assert.ok(paused.store.queue.heldUntilMs(before.lease) < paused.clock.now());
    assert.equal(await paused.store.queue.settle(delivered(before)), false);
    assert.equal(await other.store.queue.settle(delivered(after)), true);
    assert.equal((await other.store.log.ofMessage(accountId, before.messageId)).length, 2);
  });

  test('a process that stops leaves its claims to the others at once', async () => {
    const url = await freshDatabase();
    await using other = await start(url, 'other');
    const { id: accountId } = await anAccount(other.store);
    await accepted(other.store, aSubmission(accountId));
    {
      await using stopping = await start(url, 'stopping');
      assert.equal((await claim(stopping.store)).length, 1);
    }
    assert.equal((await claim(other.store)).length, 1);
  });

  test('an endpoint is one process’s alone; a second one gets its share when the first has let go of it', async () => {
    const url = await freshDatabase();
    await using first = await start(url, 'first');
    await using second = await start(url, 'second');
    const { ids } = await webhooks(first.store, 4);
    const [, , , last = 0] = ids;
    const all = await first.store.webhooks.takeShare();
    assert.deepEqual([[...all.held.keys()], [...all.excess]], [ids, []]);
    assert.equal((await second.store.webhooks.takeShare()).held.size, 0);
    const turn = all.held.get(last) ?? 0;
    assert.equal(await saved(second.store, [last, turn], 1), 'gone');

    const { excess } = await first.store.webhooks.takeShare();
    assert.deepEqual([...excess], ids.slice(2));
    assert.equal(await saved(first.store, [last, turn], 1), 'saved', 'its own until it lets go');
    await first.store.webhooks.letGo([...excess]);
    const { held } = await second.store.webhooks.takeShare();
    assert.deepEqual([...held.keys()], ids.slice(2));
    assert.equal(await saved(first.store, [last, turn], 2), 'gone');
    assert.equal(await saved(second.store, [last, held.get(last) ?? 0], 3), 'saved');
  });

  test('the endpoints of a dead process are taken over; paused, it can move no cursor', async () => {
    const url = await freshDatabase();
    await using paused = await start(url, 'paused');
    const { accountId, ids } = await webhooks(paused.store, 3);
    const [first = 0] = ids;
    const before = (await paused.store.webhooks.takeShare()).held;
    assert.equal(before.size, 3);
    const old = [first, before.get(first) ?? 0] as const;
    {
      await using other = await start(url, 'other');
      for (let tries = 0; tries < 100; tries++) {
        if ((await other.store.webhooks.takeShare()).held.size === 3) break;
        await other.clock.advance(shareHoldsForMs / 4);
      }
      assert.equal(await saved(paused.store, old, 99), 'gone');
      assert.equal((await paused.store.webhooks.takeShare()).held.size, 0);
    }
    // The other has ended, and this one is seen again: the endpoint is its own, and what it knows of it is old.
    await paused.clock.advance(shareHoldsForMs);
    const after = (await paused.store.webhooks.takeShare()).held;
    assert.equal(after.size, 3);
    assert.equal(await saved(paused.store, old, 99), 'gone');
    assert.equal((await paused.store.webhooks.byId(accountId, first))?.progress.cursorId, 0);
    assert.equal(await saved(paused.store, [first, after.get(first) ?? 0], 5), 'saved');
  });

  test('what a process had taken when it was forgotten goes to the others', async () => {
    const url = await freshDatabase();
    await using here = await start(url, 'here');
    const { ids } = await webhooks(here.store, 2);
    assert.deepEqual([...(await here.store.webhooks.takeShare()).held.keys()], ids);
    const database = new Client({ connectionString: url });
    await database.connect();
    // It took it just when another was forgetting it, who did not see that yet.
    await database.query("UPDATE webhook_holders SET holder = 'forgotten' WHERE webhook_id = $1", [ids[0]]);
    await database.end();
    assert.deepEqual([...(await here.store.webhooks.takeShare()).held.keys()], ids);
  });
});
