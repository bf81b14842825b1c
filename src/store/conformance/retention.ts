/** What a store must do when old rows are to go. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { accepted, anAccount, aSubmission, deliverAll, type OpenStore, startMs } from './fixtures.ts';

const dayMs = 86_400_000;

export function retentionConformance(open: OpenStore): void {
  describe('retention', () => {
    test('old things go in chunks, what is queued stays whole', async () => {
      await using store = await open();
      const { id: accountId } = await anAccount(store);
      const old: number[] = [];
      for (let index = 0; index < 5; index++) old.push(...(await accepted(store, aSubmission(accountId))));
      await deliverAll(store);
      const [queued = 0] = await accepted(store, aSubmission(accountId));
      const [young = 0] = await accepted(store, aSubmission(accountId, { atMs: startMs + 9 * dayMs }));

      const prune = (nowMs: number) =>
        store.retention.prune({
          eventsBeforeMs: nowMs - 8 * dayMs,
          bodiesBeforeMs: nowMs - 2 * dayMs,
          nowMs,
          limit: 2,
        });
      const rounds = async (nowMs: number) => {
        let rounds = 0;
        while ((await prune(nowMs)) > 0) rounds++;
        return rounds;
      };
      // Bodies first: 5 of them, two at a time.
      assert.equal(await rounds(startMs + 3 * dayMs), 3);
      assert.equal((await store.messages.list({ accountId }, { limit: 10 })).length, 7);
      assert.equal(await store.queue.readBody(old[0] ?? 0), undefined);
      assert.ok(await store.queue.readBody(queued));

      await rounds(startMs + 10 * dayMs);
      const left = await store.messages.list({ accountId }, { limit: 10 });
      assert.deepEqual(
        left.map(({ id }) => id),
        [young, queued],
      );
      assert.ok(await store.queue.readBody(queued), 'still to be delivered');
      assert.deepEqual(
        (await store.log.readAfter({ accountId, afterId: 0, limit: 10, scanLimit: 10 })).events.map(
          ({ messageId }) => messageId,
        ),
        [young],
      );
      // Ids never come again, also when the newest rows are gone.
      await deliverAll(store, startMs + 10 * dayMs);
      await rounds(startMs + 40 * dayMs);
      assert.deepEqual(await accepted(store, aSubmission(accountId)), [young + 1]);
    });
  });
}
