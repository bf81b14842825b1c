/** What a store must do for the suppression list, and for claims that have to respect it. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { SuppressionReason } from '../../events/types.ts';
import { accepted, anAccount, aSubmission, type OpenStore, startMs } from './fixtures.ts';

export function suppressionsConformance(open: OpenStore): void {
  describe('suppressions', () => {
    test('an entry is kept once a recipient and stream, whatever the case, and can be found and removed', async () => {
      await using store = await open();
      const [acme, other] = [await anAccount(store), await anAccount(store, 'other')];
      const add = (recipient: string, stream: string, reason: SuppressionReason) =>
        store.suppressions.add({ accountId: acme.id, recipient, stream, reason, atMs: startMs });
      const first = await add('Ann@Example.org', '*', 'manual');
      assert.equal(first.recipient, 'ann@example.org');
      assert.deepEqual(await add('ann@example.ORG', '*', 'complained'), first, 'the older entry is kept');
      await add('ann@example.org', 'news', 'unsubscribed');
      await add('bob@example.org', 'news', 'unsubscribed');
      const found = await store.suppressions.find(acme.id, 'ANN@example.org');
      assert.deepEqual(
        found.map(({ stream }) => stream),
        ['*', 'news'],
      );
      const list = async (search?: string, beforeId?: number) =>
        (await store.suppressions.list({ accountId: acme.id, search, beforeId, limit: 2 })).map(
          ({ recipient, stream }) => `${recipient} ${stream}`,
        );
      assert.deepEqual(await list(), ['bob@example.org news', 'ann@example.org news']);
      assert.deepEqual(await list(undefined, found[1]?.id), ['ann@example.org *']);
      assert.deepEqual(await list('Bob'), ['bob@example.org news']);
      const remove = (input: Parameters<typeof store.suppressions.remove>[0]) =>
        store.suppressions.remove(input);
      assert.equal(await remove({ accountId: other.id, recipient: 'ann@example.org' }), 0);
      assert.equal(await remove({ accountId: acme.id, recipient: 'Ann@example.org', stream: 'news' }), 1);
      assert.equal(await remove({ accountId: acme.id, recipient: 'Ann@example.org' }), 1);
      assert.deepEqual(await list(), ['bob@example.org news']);
    });

    test('an unsubscribe gives way to what an essential message must not pass', async () => {
      await using store = await open();
      const { id: accountId } = await anAccount(store);
      const add = (reason: SuppressionReason, atMs: number) =>
        store.suppressions.add({ accountId, recipient: 'ann@example.org', stream: '*', reason, atMs });
      const first = await add('unsubscribed', 1);
      assert.deepEqual(await add('complained', 2), { ...first, reason: 'complained', createdAtMs: 2 });
      assert.equal((await add('unsubscribed', 3)).reason, 'complained');
      assert.equal((await add('bounced', 4)).reason, 'complained');
      const entries = ['ann@example.org', 'bob@example.org'].map((recipient) => ({
        recipient,
        stream: '*',
        reason: 'manual' as const,
        atMs: 5,
      }));
      assert.equal(await store.suppressions.addAll({ accountId, entries }), 1);
      const list = (filter: object) => store.suppressions.list({ accountId, limit: 10, ...filter });
      assert.deepEqual(
        (await list({ reason: 'manual', stream: '*' })).map(({ recipient }) => recipient),
        ['bob@example.org'],
      );
      assert.deepEqual(await list({ stream: 'news' }), []);
    });

    test('bounces, complaints and unsubscribes fill the list where the account wants it; the events stay', async () => {
      await using store = await open();
      const { id: accountId } = await anAccount(store);
      const none = { bounces: false, complaints: false, unsubscribes: false };
      const { suppressions, log } = store;
      assert.deepEqual(await suppressions.settings(accountId), {
        bounces: true,
        complaints: true,
        unsubscribes: true,
      });
      assert.deepEqual(await suppressions.configure({ accountId, settings: none }), none);
      assert.deepEqual(await suppressions.settings(accountId), none);
      const tell = async (address: string) => {
        const [messageId = 0] = await accepted(
          store,
          aSubmission(accountId, { recipients: [{ address, role: 'to' }] }),
        );
        const what = { messageId, atMs: startMs };
        const left = { ...what, type: 'unsubscribed', stream: 'default', how: 'mail' } as const;
        const kinds = [
          await log.report(left),
          await log.report(left),
          await log.report({ ...what, type: 'complained', feedbackType: 'abuse', source: 'mail' }),
          await log.report({
            ...what,
            type: 'bounced',
            answer: { code: '550', enhancedCode: '5.1.1', text: 'no' },
            host: '',
            category: 'recipient-unknown',
            recipientAtFault: true,
          }),
        ].map(({ kind }) => kind);
        assert.deepEqual(kinds, ['appended', 'repeated', 'appended', 'appended']);
        return (await suppressions.find(accountId, address)).map(
          ({ stream, reason }) => `${stream} ${reason}`,
        );
      };
      assert.deepEqual(await tell('ann@example.org'), []);
      await suppressions.configure({ accountId, settings: { ...none, bounces: true, unsubscribes: true } });
      assert.deepEqual(await tell('bob@example.org'), ['default unsubscribed', '* bounced']);
    });

    test('a claim says which messages must not be tried, by stream and importance', async () => {
      await using store = await open();
      const { id: accountId } = await anAccount(store);
      const suppress = (recipient: string, stream: string, reason: SuppressionReason) =>
        store.suppressions.add({ accountId, recipient, stream, reason, atMs: startMs });
      await suppress('left@example.org', 'news', 'unsubscribed');
      await suppress('angry@example.org', '*', 'complained');
      await suppress('angry@example.org', 'news', 'unsubscribed');
      const send = (address: string, stream: string, essential = false) =>
        accepted(store, aSubmission(accountId, { recipients: [{ address, role: 'to' }], stream, essential }));
      await send('Left@example.org', 'news');
      await send('left@example.org', 'receipts');
      await send('left@example.org', 'news', true);
      await send('angry@example.org', 'receipts');
      await send('angry@example.org', 'news', true);
      const claimed = await store.queue.claim({ nowMs: startMs, leaseMs: 1000, limit: 10 });
      assert.deepEqual(
        claimed.map(({ suppressed }) => suppressed),
        ['unsubscribed', undefined, undefined, 'complained', 'complained'],
      );
    });
  });
}
