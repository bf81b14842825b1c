/** What a store must do for what mail does by default, and for tracking names. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { accepted, anAccount, aSubmission, type OpenStore, startMs } from './fixtures.ts';

export function mailSettingsConformance(open: OpenStore): void {
  describe('what mail does by default', () => {
    test('a stream’s word counts before its domain’s, and that before the account’s', async () => {
      await using store = await open();
      const { id: accountId } = await anAccount(store);
      const defaults = async (domain: string, stream: string) =>
        (await store.mailSettings.defaultsFor({ accountId, domain, stream })).settings;
      const own = { trackOpens: true, trackClicks: true, trackText: false, listUnsubscribe: false };
      assert.deepEqual(await defaults('example.com', 'news'), own);
      await store.mailSettings.set({
        accountId,
        scope: 'domain',
        name: 'example.com',
        settings: { trackOpens: false, trackText: true },
      });
      await store.mailSettings.set({
        accountId,
        scope: 'stream',
        name: 'news',
        settings: { trackOpens: true, listUnsubscribe: true },
      });
      assert.deepEqual(await defaults('example.org', 'default'), own);
      assert.deepEqual(await defaults('example.com', 'default'), {
        ...own,
        trackOpens: false,
        trackText: true,
      });
      assert.deepEqual(await defaults('example.com', 'news'), {
        ...own,
        trackText: true,
        listUnsubscribe: true,
      });
      const changed = await store.mailSettings.setAccount({ accountId, changes: { trackClicks: false } });
      assert.deepEqual(changed, { ...own, trackClicks: false });
      assert.equal((await defaults('example.com', 'news')).trackClicks, false);
      assert.deepEqual((await store.accounts.byId(accountId))?.settings, changed);
    });

    test('setting again replaces, removing is told, and nobody sees or changes another account’s', async () => {
      await using store = await open();
      const [acme, other] = [await anAccount(store), await anAccount(store, 'other')];
      const news = { accountId: acme.id, scope: 'stream', name: 'news' } as const;
      await store.mailSettings.set({ ...news, settings: { trackOpens: false } });
      await store.mailSettings.set({ ...news, settings: { trackClicks: false } });
      assert.deepEqual(await store.mailSettings.list(acme.id), [
        { scope: 'stream', name: 'news', settings: { trackClicks: false } },
      ]);
      assert.deepEqual(await store.mailSettings.list(other.id), []);
      assert.equal(await store.mailSettings.remove({ ...news, accountId: other.id }), false);
      assert.equal(await store.mailSettings.remove(news), true);
      assert.equal(await store.mailSettings.remove(news), false);
    });

    test('a tracking name belongs to one account, and stays with the mail that was accepted under it', async () => {
      await using store = await open();
      const [acme, other] = [await anAccount(store), await anAccount(store, 'other')];
      const host = 'track.example.com';
      assert.equal(await store.mailSettings.setHost({ accountId: acme.id, host }), 'set');
      assert.equal(await store.mailSettings.setHost({ accountId: acme.id, host }), 'set');
      assert.equal(await store.mailSettings.setHost({ accountId: other.id, host }), 'taken');
      assert.deepEqual(
        [await store.mailSettings.hostOf(acme.id), await store.mailSettings.hostOf(other.id)],
        [host, undefined],
      );
      assert.deepEqual(
        [await store.mailSettings.isHost(host), await store.mailSettings.isHost('example.com')],
        [true, false],
      );
      const scope = { accountId: acme.id, domain: 'example.com', stream: 'default' };
      assert.equal((await store.mailSettings.defaultsFor(scope)).trackingHost, host);
      await accepted(store, aSubmission(acme.id, { trackingHost: host, trackText: true }));
      assert.equal(await store.mailSettings.setHost({ accountId: acme.id, host: undefined }), 'set');
      assert.equal(await store.mailSettings.setHost({ accountId: other.id, host }), 'set');
      const [claimed] = await store.queue.claim({ nowMs: startMs, leaseMs: 1000, limit: 1 });
      assert.deepEqual([claimed?.trackingHost, claimed?.trackText], [host, true]);
    });
  });
}
