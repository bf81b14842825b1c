/** What a store must do for webhook endpoints: their settings, their cursors, the batch in flight, kept attempts. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { Store } from '../contract/store.ts';
import {
  freshProgress,
  keptAttempts,
  type ProgressSave,
  type ProgressSaved,
  type WebhookAttempt,
} from '../contract/webhook-progress.ts';
import type { NewWebhook, Webhook } from '../contract/webhooks.ts';
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
    keys: [{ kind: 'v1', sealed: 'sealed', publicKey: '', createdAtMs: startMs }],
    sending: { gzip: false, requests: 1, partialAck: false, signatures: ['v1'], digest: 'off' },
    sealedAccess: '',
    atMs: startMs,
    ...changes,
  };
}

async function created(store: Store, input: NewWebhook): Promise<Webhook> {
  const result = await store.webhooks.create({ ...input, limit: 10 });
  assert.equal(result.kind, 'created');
  // Progress is saved by who holds the endpoint.
  assert.ok((await store.webhooks.takeShare()).held.has(result.webhook.id));
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
  firstNumber: 1,
  only: undefined,
  replayId: 0,
  settingsVersion: 1,
  headers: ['webhook-id', `b${firstId}`],
  timings: { firstByteMs: 3 },
});

const nothingSent: Omit<ProgressSave, 'webhookId' | 'turn' | 'settingsVersion' | 'progress'> = {
  replayId: 0,
  attempts: [],
  counts: { accepted: 0, failed: 0 },
  accepted: [],
  setAside: [],
  notices: [],
  pause: undefined,
  finishedAtMs: undefined,
  takenAgain: [],
};

/** By who holds the endpoint, in its turn. */
async function saved(store: Store, input: Omit<ProgressSave, 'turn'>): Promise<ProgressSaved> {
  const { held } = await store.webhooks.takeShare();
  return store.webhooks.saveProgress({ ...input, turn: held.get(input.webhookId) ?? 0 });
}

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
      await store.webhooks.createOrMove({ ...input, url: 'https://example.com/third' });
      const found = await store.webhooks.ofOrigin(accountId, 'msndr');
      assert.equal(found?.id, both[0].id);
      assert.equal(found.url, 'https://example.com/third');
      assert.equal(found.settingsVersion, 1, 'a URL changes no batch');
    });

    test('progress and the batch in flight come back as they were saved', async () => {
      await using store = await open();
      const { id: accountId } = await anAccount(store);
      const webhook = await created(store, aWebhook(accountId));
      const progress = {
        ...freshProgress(5),
        number: 2,
        readId: 9,
        readNumber: 5,
        inFlight: [{ firstId: 6, lastId: 9, events: 3, firstNumber: 3, refusedSinceMs: startMs }],
        failures: 2,
        nextTryAtMs: startMs + 9,
        failingSinceMs: startMs + 1,
        lastAcceptedAtMs: startMs,
      };
      const result = await saved(store, {
        ...nothingSent,
        webhookId: webhook.id,
        settingsVersion: 1,
        progress,
        attempts: [anAttempt(1), anAttempt(6, false)],
        counts: { accepted: 3, failed: 1 },
      });
      assert.equal(result, 'saved');
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
        saved(store, {
          ...nothingSent,
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
      const inFlight = [{ firstId: 1, lastId: 2, events: 2, firstNumber: 1 }];
      const progress = {
        ...freshProgress(0),
        readId: 2,
        readNumber: 2,
        inFlight,
        failures: 9,
        nextTryAtMs: startMs + 1e6,
        failingSinceMs: startMs,
      };
      await saved(store, { ...nothingSent, webhookId, settingsVersion: 1, progress });
      const atMs = startMs + 50;
      const moved = await store.webhooks.change({ accountId, webhookId, url: 'https://new.example/', atMs });
      assert.equal(moved?.settingsVersion, 1);
      assert.deepEqual(moved.progress.inFlight, inFlight);
      assert.equal(moved.progress.failures, 0);
      assert.equal(moved.progress.nextTryAtMs, 0);
      assert.equal(moved.progress.failingSinceMs, undefined);
      const narrowed = await store.webhooks.change({ accountId, webhookId, types: ['bounced'], atMs });
      assert.equal(narrowed?.settingsVersion, 2);
      assert.deepEqual(narrowed.progress.inFlight, []);
      assert.equal(narrowed.progress.cursorId, 0);
      assert.equal(narrowed.progress.readId, 0, 'what was in flight is read again');
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
      const progress = { ...freshProgress(cursorId), number: 3 };
      const save = { ...nothingSent, webhookId, settingsVersion: 1, progress };
      assert.equal(await saved(store, save), 'stale');
      assert.equal((await store.webhooks.load(webhookId))?.progress.cursorId, reachedId);
      const moved = await store.webhooks.load(webhookId);
      assert.equal(moved?.progress.number, 3, 'numbers that were given are not given again');
      await store.webhooks.remove({ accountId, webhookId });
      assert.equal(await saved(store, save), 'gone');
    });

    test('what was set aside, taken and told is kept, by account', async () => {
      await using store = await open();
      const [acme, other] = [await anAccount(store), await anAccount(store, 'other')];
      const { id: webhookId } = await created(store, aWebhook(acme.id));
      await accepted(store, aSubmission(acme.id));
      const eventId = await store.log.lastId(acme.id);
      const event = await store.log.byId(acme.id, eventId);
      assert.ok(event);
      const setAside = { event, number: 7, atMs: startMs, batchId: 'b', status: 400, answer: 'no' };
      const range = { firstId: 1, lastId: 9, events: 3, requests: 1, fromMs: startMs, toMs: startMs };
      await saved(store, {
        ...nothingSent,
        webhookId,
        settingsVersion: 1,
        progress: freshProgress(eventId),
        setAside: [setAside],
        accepted: [{ ...range, only: undefined, except: [eventId] }],
        notices: [{ kind: 'failing', atMs: startMs, text: 'failing' }],
        pause: 'failing',
      });
      const page = { webhookId, afterId: 0, limit: 10 };
      assert.deepEqual(await store.webhooks.setAside({ accountId: acme.id, ...page }), [setAside]);
      assert.deepEqual(await store.webhooks.setAside({ accountId: other.id, ...page }), []);
      assert.equal(await store.webhooks.countSetAside(acme.id, webhookId), 1);
      const [found] = await store.webhooks.rangesOver(acme.id, eventId);
      assert.deepEqual(found?.except, [eventId]);
      assert.deepEqual(found?.settings?.types, ['delivered', 'bounced']);
      assert.deepEqual(await store.webhooks.rangesOver(acme.id, 10), []);
      assert.equal((await store.webhooks.load(webhookId))?.pausedBy, 'failing');
      const [unmailed] = await store.webhooks.unmailedNotices(10);
      assert.equal(unmailed?.text, 'failing');
      await store.webhooks.markMailed([unmailed.id]);
      assert.deepEqual(await store.webhooks.unmailedNotices(10), []);
      assert.equal((await store.webhooks.notices(acme.id, webhookId)).length, 1);
      const notice = { kind: 'expiring', atMs: startMs, text: 'soon' } as const;
      assert.equal(await store.webhooks.tellExpiring({ webhookId, notice, notSinceMs: startMs - 1 }), true);
      assert.equal(await store.webhooks.tellExpiring({ webhookId, notice, notSinceMs: startMs - 1 }), false);
    });

    test('endpoints that may not have had an old event are found, a bounded number of them looked at', async () => {
      await using store = await open();
      const [acme, other] = [await anAccount(store), await anAccount(store, 'other')];
      const behind = await created(store, aWebhook(acme.id));
      const [ahead, elsewhere] = [
        await created(store, aWebhook(acme.id)),
        await created(store, aWebhook(other.id)),
      ];
      await accepted(store, aSubmission(acme.id, { atMs: startMs }));
      const progress = freshProgress(await store.log.lastId(acme.id));
      await saved(store, { ...nothingSent, webhookId: ahead.id, settingsVersion: 1, progress });
      await accepted(store, aSubmission(acme.id, { atMs: startMs + 1000 }));
      await accepted(store, aSubmission(other.id, { atMs: startMs + 1000 }));
      const found = async (eventsBeforeMs: number, notToldSinceMs = startMs) => {
        const input = { afterId: 0, limit: 10, eventsBeforeMs, notToldSinceMs };
        const { webhooks, lookedTo } = await store.webhooks.expiring(input);
        assert.equal(lookedTo, elsewhere.id);
        return webhooks.map(({ id }) => id).toSorted((a, b) => a - b);
      };
      assert.deepEqual(await found(startMs - 1), []);
      assert.deepEqual(await found(startMs), [behind.id]);
      assert.deepEqual(await found(startMs + 1000), [behind.id, ahead.id, elsewhere.id]);
      const notice = { kind: 'expiring', atMs: startMs, text: 'soon' } as const;
      await store.webhooks.tellExpiring({ webhookId: behind.id, notice, notSinceMs: startMs });
      assert.deepEqual(await found(startMs, startMs), []);
      assert.deepEqual(await found(startMs, startMs + 1), [behind.id]);
      const page = { limit: 2, eventsBeforeMs: startMs, notToldSinceMs: startMs + 1 };
      const first = await store.webhooks.expiring({ ...page, afterId: 0 });
      assert.deepEqual([first.webhooks.map(({ id }) => id), first.lookedTo], [[behind.id], ahead.id]);
      const rest = await store.webhooks.expiring({ ...page, afterId: ahead.id });
      assert.deepEqual(rest, { webhooks: [], lookedTo: elsewhere.id });
      const none = await store.webhooks.expiring({ ...page, afterId: elsewhere.id });
      assert.deepEqual(none, { webhooks: [], lookedTo: undefined });
    });

    test('a replay is a stream of its own: it ends, or is stopped, and never moves the live one', async () => {
      await using store = await open();
      const { id: accountId } = await anAccount(store);
      const { id: webhookId, progress } = await created(store, aWebhook(accountId));
      const selection = { kind: 'log', afterId: 3, lastId: 9 } as const;
      const make = () => store.replays.create({ accountId, webhookId, selection, limit: 2, atMs: startMs });
      const [first, second] = [await make(), await make()];
      assert.equal(await make(), undefined, 'no more than may run');
      assert.ok(first && second);
      assert.equal(first.progress.cursorId, 3);
      const save = { ...nothingSent, webhookId, settingsVersion: 1, progress: freshProgress(9) };
      const finished = { ...save, replayId: first.id, finishedAtMs: startMs };
      assert.equal(await saved(store, finished), 'saved');
      assert.equal(await saved(store, finished), 'gone');
      const stop = { accountId, webhookId, replayId: second.id, atMs: startMs };
      assert.equal(await store.replays.cancel(stop), true);
      assert.equal(await store.replays.cancel(stop), false);
      assert.deepEqual(await store.replays.running(webhookId), []);
      assert.deepEqual(
        (await store.replays.list(accountId, webhookId)).map(({ state }) => state),
        ['cancelled', 'done'],
      );
      assert.deepEqual((await store.webhooks.load(webhookId))?.progress, progress);
    });

    test('listeners hear of endpoints that are made, changed and removed, not of progress', async () => {
      await using store = await open();
      const { id: accountId } = await anAccount(store);
      const heard: number[] = [];
      const stop = store.webhooks.subscribe((id) => heard.push(id));
      const { id: webhookId, progress } = await created(store, aWebhook(accountId));
      await saved(store, { ...nothingSent, webhookId, settingsVersion: 1, progress });
      await store.webhooks.change({ accountId, webhookId, paused: true, atMs: startMs });
      await store.webhooks.remove({ accountId, webhookId });
      assert.deepEqual(heard, [webhookId, webhookId, webhookId]);
      stop();
      await created(store, aWebhook(accountId));
      assert.equal(heard.length, 3);
    });
  });
}
