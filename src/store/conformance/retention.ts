/** What a store must do when old rows are to go. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { Store } from '../contract/store.ts';
import { accepted, anAccount, aSubmission, deliverAll, type OpenStore, startMs } from './fixtures.ts';

const dayMs = 86_400_000;
const keep = { events: 8 * dayMs, bodies: 2 * dayMs };

/** Forgets what is old, a few rows at a time, as the service's loop does: four times a day until a day has come. */
function forgetting({ retention }: Store): (day: number) => Promise<void> {
  let day = 0;
  const prune = (nowMs: number) =>
    retention.prune({
      eventsBeforeMs: nowMs - keep.events,
      bodiesBeforeMs: nowMs - keep.bodies,
      statisticsBeforeMs: nowMs - keep.events,
      nowMs,
      limit: 2,
    });
  return async (untilDay) => {
    for (; day <= untilDay; day += 0.25) while ((await prune(startMs + day * dayMs)) > 0);
  };
}

export function retentionConformance(open: OpenStore): void {
  describe('retention', () => {
    test('what is old goes within a day of its time and not before; what is queued stays whole', async () => {
      await using store = await open();
      const forget = forgetting(store);
      const { id: accountId } = await anAccount(store);
      const accept = async (day: number) => {
        const [id = 0] = await accepted(store, aSubmission(accountId, { atMs: startMs + day * dayMs }));
        return id;
      };
      const kept = async () =>
        (await store.messages.list({ accountId }, { limit: 10 })).map(({ id }) => id).toReversed();
      const told = async () =>
        (await store.log.readAfter({ accountId, afterId: 0, limit: 20, scanLimit: 20 })).events;
      const body = (id = 0) =>
        store.messages.byId(accountId, id).then((found) => store.queue.readBody(found?.submissionId ?? 0));

      const old: number[] = [];
      for (let count = 0; count < 5; count++) old.push(await accept(0));
      await deliverAll(store);
      await forget(1);
      const queued = await accept(1);
      await forget(1.75);
      assert.ok(await body(old[0]), 'not two days old');
      await forget(3.25);
      for (const id of old) assert.equal(await body(id), undefined);
      assert.ok(await body(queued), 'still to be delivered');
      await forget(7.75);
      assert.deepEqual(await kept(), [...old, queued]);
      assert.equal((await told()).length, 11);

      await forget(9.25);
      const young = await accept(9.25);
      assert.deepEqual(await kept(), [queued, young]);
      await forget(10.25);
      assert.ok(await body(queued), 'still to be delivered');
      assert.deepEqual(
        (await told()).map(({ messageId }) => messageId),
        [young],
      );

      await deliverAll(store, startMs + 10.25 * dayMs);
      await forget(11.5);
      assert.deepEqual(await kept(), [young]);
      await forget(20);
      assert.deepEqual([await kept(), await told()], [[], []]);
      assert.ok((await accept(20)) > young, 'ids never come again');
    });
  });
}
