/** What a store must do for reports that changed nothing. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { mostReportsWithoutToken, type NewReceivedReport } from '../contract/reports.ts';
import { accepted, anAccount, aSubmission, type OpenStore, startMs } from './fixtures.ts';

const aReport = (changes: Partial<NewReceivedReport>): NewReceivedReport => ({
  atMs: startMs,
  messageId: undefined,
  claimedAccountId: undefined,
  kind: 'bounce',
  action: 'delayed',
  recipient: 'ann@example.org',
  feedbackType: '',
  code: '451',
  enhancedCode: '4.0.0',
  text: 'later',
  category: 'unknown',
  reporter: 'mailer-daemon@example.org',
  subject: 'Delayed',
  ...changes,
});

export function reportsConformance(open: OpenStore): void {
  describe('reports', () => {
    test('are kept for the account of their message, or for the one that they claim, or for nobody', async () => {
      await using store = await open();
      const [acme, other] = [await anAccount(store), await anAccount(store, 'other')];
      const [messageId = 0] = await accepted(store, aSubmission(acme.id));
      assert.equal(await store.reports.add(aReport({ messageId, claimedAccountId: other.id })), 'added');
      assert.equal(
        await store.reports.add(aReport({ claimedAccountId: other.id, action: 'failed' })),
        'added',
      );
      assert.equal(await store.reports.add(aReport({ claimedAccountId: 999 })), 'added');
      assert.equal(await store.reports.add(aReport({ messageId: 999 })), 'unknown');
      const list = async (accountId: number | undefined, withUnclaimed: boolean, more = {}) =>
        (await store.reports.list({ accountId, withUnclaimed, limit: 10, ...more })).map(({ id }) => id);
      assert.deepEqual(await list(acme.id, false), [1]);
      assert.deepEqual(await list(acme.id, true), [3, 1]);
      assert.deepEqual(await list(other.id, false), [2]);
      assert.deepEqual(await list(undefined, true), [3, 2, 1]);
      assert.deepEqual(await list(undefined, true, { beforeId: 3, limit: 1 }), [2]);
      assert.deepEqual(await list(acme.id, true, { messageId }), [1]);
      const [first] = await store.reports.list({ accountId: acme.id, withUnclaimed: false, limit: 1 });
      const { claimedAccountId: _, ...facts } = aReport({ messageId });
      assert.deepEqual(first, { id: 1, accountId: acme.id, ...facts });
    });

    test('without a token are bounded, whoever sends how many', async () => {
      await using store = await open();
      const { id } = await anAccount(store);
      const [messageId] = await accepted(store, aSubmission(id));
      await store.reports.add(aReport({ messageId }));
      await Promise.all(
        Array.from({ length: mostReportsWithoutToken + 5 }, () => store.reports.add(aReport({}))),
      );
      const all = await store.reports.list({ accountId: undefined, withUnclaimed: true, limit: 20_000 });
      assert.equal(all.length, mostReportsWithoutToken + 1);
      assert.equal(all.at(-1)?.messageId, messageId);
    });

    test('go when they are old', async () => {
      await using store = await open();
      await store.reports.add(aReport({}));
      await store.reports.add(aReport({ atMs: startMs + 10 }));
      const prune = {
        eventsBeforeMs: startMs + 10,
        bodiesBeforeMs: 0,
        statisticsBeforeMs: 0,
        nowMs: startMs,
        limit: 10,
      };
      assert.equal(await store.retention.prune(prune), 1);
      assert.equal(
        (await store.reports.list({ accountId: undefined, withUnclaimed: true, limit: 9 })).length,
        1,
      );
    });
  });
}
