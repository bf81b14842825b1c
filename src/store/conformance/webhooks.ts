/** What a store must do for webhook endpoints: their settings, their cursors, the batch in flight, kept attempts. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { Store } from '../contract/store.ts';
import { keptAttempts, type NewWebhook, type Webhook, type WebhookAttempt } from '../contract/webhooks.ts';
import { accepted, anAccount, aSubmission, type OpenStore, startMs } from './fixtures.ts';

function aWebhook(accountId: number, changes: Partial<NewWebhook> = {}): NewWebhook {
  return {
    accountId,
    origin: 'native',
    url: 'https://example.com/hook',
    dialect: 'sendpulse',
    types: ['delivered', 'bounced'],
    optionsJson: '{}',
    limits: { count: 1000, ageMs: 60_000, bytes: 1_000_000 },
    sealedSecret: 'sealed',
    atMs: startMs,
    ...changes,
  };
}

async function created(store: Store, input: NewWebhook): Promise<Webhook> {
  const result = await store.webhooks.create({ ...input, limit: 10 });
  assert.equal(result.kind, 'created');
  return result.webhook;
}

const anAttempt = (firstId: number, taken = true): WebhookAttempt => ({
  atMs: startMs + firstId,
  durationMs: 5,
  batchId: `b${firstId}`,
  firstId,
  lastId: firstId,
  events: 1,
  accepted: taken,
  status: taken ? 200 : 500,
  answer: '',
});

const nothingSent = { attempts: [], counts: { accepted: 0, failed: 0 } };

export function webhooksConformance(open: OpenStore): void {
  describe('webhooks', () => {
    test('an endpoint begins after the last event and belongs to its account alone', async () => {
      await using store = await open();
      const [acme, other] = [await anAccount(store), await anAccount(store, 'other')];
      await accepted(store, aSubmission(acme.id));
      const webhook = await created(store, aWebhook(acme.id));
      assert.equal(webhook.progress.cursorId, await store.log.lastId(acme.id));
      assert.deepEqual(await store.webhooks.byId(acme.id, webhook.id), webhook);
      assert.deepEqual(await store.webhooks.list(acme.id), [webhook]);
      assert.deepEqual(await store.webhooks.loadIds(), [webhook.id]);
      const webhookId = webhook.id;
      assert.equal(await store.webhooks.byId(other.id, webhookId), undefined);
      assert.deepEqual(await store.webhooks.list(other.id), []);
      assert.deepEqual(await store.webhooks.attempts(other.id, webhookId), []);
      const change = { accountId: other.id, webhookId, paused: true, atMs: startMs };
      assert.equal(await store.webhooks.change(change), undefined);
      assert.equal(await store.webhooks.remove({ accountId: other.id, webhookId }), false);
      assert.equal(await store.webhooks.remove({ accountId: acme.id, webhookId }), true);
      assert.equal(await store.webhooks.load(webhookId), undefined);
    });

    test('an account has no more endpoints than it may, and one of the msndr API', async () => {
      await using store = await open();
      const { id: accountId } = await anAccount(store);
      await created(store, aWebhook(accountId));
      const full = await store.webhooks.create({ ...aWebhook(accountId), limit: 1 });
      assert.deepEqual(full, { kind: 'full' });
      const input = aWebhook(accountId, { origin: 'msndr' });
      const both = await Promise.all([
        store.webhooks.createOrMove(input),
        store.webhooks.createOrMove({ ...input, url: 'https://example.com/second' }),
      ]);
      assert.equal(both[0].id, both[1].id);
      const found = await store.webhooks.ofOrigin(accountId, 'msndr');
      assert.equal(found?.url, 'https://example.com/second');
      assert.equal(found.settingsVersion, 1, 'a URL changes no batch');
    });

    test('progress and the batch in flight come back as they were saved', async () => {
      await using store = await open();
      const { id: accountId } = await anAccount(store);
      const webhook = await created(store, aWebhook(accountId));
      const progress = {
        cursorId: 5,
        inFlight: { firstId: 6, lastId: 9, events: 3, failures: 2, nextTryAtMs: startMs + 9 },
        failingSinceMs: startMs + 1,
        lastAcceptedAtMs: startMs,
      };
      const saved = await store.webhooks.saveProgress({
        webhookId: webhook.id,
        settingsVersion: 1,
        progress,
        attempts: [anAttempt(1), anAttempt(6, false)],
        counts: { accepted: 3, failed: 1 },
      });
      assert.equal(saved, 'saved');
      const after = await store.webhooks.load(webhook.id);
      assert.deepEqual(after?.progress, progress);
      assert.deepEqual(after.counts, { accepted: 3, failed: 1 });
      assert.deepEqual(await store.webhooks.attempts(accountId, webhook.id), [
        anAttempt(6, false),
        anAttempt(1),
      ]);
    });

    test('of each outcome the last attempts are kept', async () => {
      await using store = await open();
      const { id: accountId } = await anAccount(store);
      const { id: webhookId, progress } = await created(store, aWebhook(accountId));
      const ids = Array.from({ length: keptAttempts + 30 }, (_, index) => index + 1);
      const save = (attempts: readonly WebhookAttempt[], leftOut = 0) =>
        store.webhooks.saveProgress({
          webhookId,
          settingsVersion: 1,
          progress,
          attempts,
          counts: {
            accepted: attempts.filter((attempt) => attempt.accepted).length + leftOut,
            failed: attempts.filter((attempt) => !attempt.accepted).length,
          },
        });
      await save([anAttempt(1000, false)]);
      for (const id of ids.slice(0, 60)) await save([anAttempt(id)], 7);
      await save(ids.slice(60).map((id) => anAttempt(id)));
      const kept = await store.webhooks.attempts(accountId, webhookId);
      assert.equal(kept.filter((attempt) => !attempt.accepted).length, 1);
      const newest = kept.filter((attempt) => attempt.accepted).map(({ firstId }) => firstId);
      assert.deepEqual(newest.slice(0, 70), ids.slice(60).toReversed());
      assert.ok(newest.length <= keptAttempts);
    });

    test('a change of settings closes the batch, a change of the URL makes it due', async () => {
      await using store = await open();
      const { id: accountId } = await anAccount(store);
      const { id: webhookId } = await created(store, aWebhook(accountId));
      const inFlight = { firstId: 1, lastId: 2, events: 2, failures: 9, nextTryAtMs: startMs + 1e6 };
      const progress = { cursorId: 0, inFlight, failingSinceMs: startMs, lastAcceptedAtMs: undefined };
      await store.webhooks.saveProgress({ webhookId, settingsVersion: 1, progress, ...nothingSent });
      const atMs = startMs + 50;
      const moved = await store.webhooks.change({ accountId, webhookId, url: 'https://new.example/', atMs });
      assert.equal(moved?.settingsVersion, 1);
      assert.deepEqual(moved.progress.inFlight, { ...inFlight, failures: 0, nextTryAtMs: atMs });
      assert.equal(moved.progress.failingSinceMs, undefined);
      const narrowed = await store.webhooks.change({ accountId, webhookId, types: ['bounced'], atMs });
      assert.equal(narrowed?.settingsVersion, 2);
      assert.equal(narrowed.progress.inFlight, undefined);
      assert.equal(narrowed.progress.cursorId, 0);
    });

    test('who sent by older settings moves the cursor no further than those reached', async () => {
      await using store = await open();
      const { id: accountId } = await anAccount(store);
      const { id: webhookId } = await created(store, aWebhook(accountId));
      await accepted(store, aSubmission(accountId));
      const reachedId = await store.log.lastId(accountId);
      await store.webhooks.change({ accountId, webhookId, types: ['opened'], atMs: startMs });
      await accepted(store, aSubmission(accountId));
      const cursorId = await store.log.lastId(accountId);
      const progress = {
        cursorId,
        inFlight: undefined,
        failingSinceMs: undefined,
        lastAcceptedAtMs: undefined,
      };
      const save = { webhookId, settingsVersion: 1, progress, ...nothingSent };
      assert.equal(await store.webhooks.saveProgress(save), 'stale');
      assert.equal((await store.webhooks.load(webhookId))?.progress.cursorId, reachedId);
      await store.webhooks.remove({ accountId, webhookId });
      assert.equal(await store.webhooks.saveProgress(save), 'gone');
    });

    test('listeners hear of endpoints that are made, changed and removed, not of progress', async () => {
      await using store = await open();
      const { id: accountId } = await anAccount(store);
      const heard: number[] = [];
      const stop = store.webhooks.subscribe((id) => heard.push(id));
      const { id: webhookId, progress } = await created(store, aWebhook(accountId));
      await store.webhooks.saveProgress({ webhookId, settingsVersion: 1, progress, ...nothingSent });
      await store.webhooks.change({ accountId, webhookId, paused: true, atMs: startMs });
      await store.webhooks.remove({ accountId, webhookId });
      assert.deepEqual(heard, [webhookId, webhookId, webhookId]);
      stop();
      await created(store, aWebhook(accountId));
      assert.equal(heard.length, 3);
    });
  });
}
