/** What a store must do for looking at messages. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { MessageFilter } from '../contract/messages.ts';
import { accepted, anAccount, aSubmission, deliverAll, type OpenStore, startMs } from './fixtures.ts';

export function messagesConformance(open: OpenStore): void {
  describe('messages', () => {
    test('each filter finds its messages, newest first, and no other account’s', async () => {
      await using store = await open();
      const [acme, other] = [await anAccount(store), await anAccount(store, 'other')];
      await accepted(store, aSubmission(acme.id, { tags: ['a', 'b'], subject: 'Ваш Заказ 100%' }));
      await deliverAll(store);
      await accepted(store, aSubmission(other.id));
      await accepted(
        store,
        aSubmission(acme.id, {
          recipients: [
            { address: 'ann@example.org', role: 'to' },
            { address: 'bob@example.org', role: 'cc' },
          ],
          tags: ['b'],
          sender: 'news@example.com',
          atMs: startMs + 1000,
        }),
      );
      const find = async (filter: Omit<MessageFilter, 'accountId'>) => {
        const messages = await store.messages.list({ ...filter, accountId: acme.id }, { limit: 10 });
        assert.equal(await store.messages.count({ ...filter, accountId: acme.id }, 10), messages.length);
        return messages.map(({ id }) => id);
      };
      assert.deepEqual(await find({}), [4, 3, 1]);
      assert.deepEqual(await find({ recipient: 'ann@example.org' }), [3, 1]);
      assert.deepEqual(await find({ sender: 'news@example.com' }), [4, 3]);
      assert.deepEqual(await find({ state: 'queued' }), [4, 3]);
      assert.deepEqual(await find({ state: 'delivered', tag: 'a' }), [1]);
      assert.deepEqual(await find({ tag: 'b' }), [4, 3, 1]);
      assert.deepEqual(await find({ subject: '100%' }), [1], 'no wildcards');
      assert.deepEqual(await find({ subject: 'ваш заказ' }), [1], 'in any case, in any script');
      assert.deepEqual(await find({ createdFromMs: startMs + 1 }), [4, 3]);
      assert.deepEqual(await find({ createdToMs: startMs + 1000 }), [1]);
      const page = await store.messages.list({ accountId: acme.id }, { limit: 2, beforeId: 4 });
      assert.deepEqual(
        page.map(({ id }) => id),
        [3, 1],
      );
      const skipped = await store.messages.list({ accountId: acme.id }, { limit: 2, skip: 2 });
      assert.deepEqual(
        skipped.map(({ id }) => id),
        [1],
      );
      assert.equal(await store.messages.count({ accountId: acme.id }, 2), 2);
      assert.equal(await store.messages.byId(other.id, 1), undefined);
      assert.deepEqual(await store.messages.attempts(other.id, 1), []);
    });

    test('a search looks at a part at a time, and finds part by part what a list finds at once', async () => {
      await using store = await open();
      const { id: accountId } = await anAccount(store);
      const { id: otherId } = await anAccount(store, 'other');
      for (let sent = 0; sent < 12; sent += 1) {
        await accepted(store, aSubmission(otherId));
        const recipients = [
          { address: sent % 2 === 0 ? 'ann@example.org' : 'bob@example.org', role: 'to' },
        ] as const;
        const tags = sent % 3 === 0 ? ['third'] : [];
        await accepted(
          store,
          aSubmission(accountId, { recipients, tags, subject: sent === 0 ? 'rare' : 'plain' }),
        );
      }
      const filters: readonly Omit<MessageFilter, 'accountId'>[] = [
        {},
        { subject: 'rare' },
        { subject: 'plain', tag: 'third' },
        { state: 'queued', recipient: 'ann@example.org' },
        { subject: 'rare', recipient: 'ann@example.org', tag: 'third' },
        { subject: 'nothing' },
      ];
      for (const filter of filters) {
        const all = await store.messages.list({ ...filter, accountId }, { limit: 100 });
        for (const lookAt of [1, 2, 5, 12, 100]) {
          const found: number[] = [];
          let beforeId: number | undefined;
          let calls = 0;
          do {
            const part = await store.messages.search(
              { ...filter, accountId },
              { limit: 2, beforeId, lookAt },
            );
            assert.ok(part.messages.length <= 2);
            found.push(...part.messages.map(({ id }) => id));
            beforeId = part.nextBeforeId;
            calls += 1;
            assert.ok(calls <= 20, 'it comes to an end');
          } while (beforeId !== undefined);
          assert.deepEqual(
            found,
            all.map(({ id }) => id),
          );
          if (filter.subject === 'nothing') assert.equal(calls, Math.floor(12 / lookAt) + 1);
        }
      }
    });

    test('a message tells its facts, its state and its attempts', async () => {
      await using store = await open();
      const { id: accountId } = await anAccount(store);
      const [id = 0] = await accepted(store, aSubmission(accountId, { essential: true, stream: 'receipts' }));
      const queued = await store.messages.byId(accountId, id);
      assert.deepEqual(
        [queued?.state, queued?.nextAttemptAtMs, queued?.finishedAtMs, queued?.essential, queued?.stream],
        ['queued', startMs, undefined, true, 'receipts'],
      );
      await deliverAll(store, startMs + 7);
      const done = await store.messages.byId(accountId, id);
      assert.deepEqual(
        [done?.state, done?.nextAttemptAtMs, done?.finishedAtMs],
        ['delivered', undefined, startMs + 7],
      );
      const attempts = await store.messages.attempts(accountId, id);
      assert.deepEqual(
        attempts.map(({ number, outcome, host, answer }) => [number, outcome, host, answer.text]),
        [[1, 'delivered', 'mx.example.org', 'taken']],
      );
    });
  });
}
