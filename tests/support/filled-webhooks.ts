/** What may happen to the webhooks of a store that `filled-store.ts` fills. */
import assert from 'node:assert/strict';
import { freshProgress, type WebhookAttempt } from '../../src/store/contract/webhook-progress.ts';
import type { Webhook } from '../../src/store/contract/webhooks.ts';
import { at, type Step, type World } from './filled-world.ts';

function anAttempt(place: number, taken: boolean, atMs: number): WebhookAttempt {
  return {
    atMs,
    durationMs: 5,
    batchId: `b${place}`,
    firstId: place,
    lastId: place,
    events: 1,
    accepted: taken,
    status: taken ? 200 : 500,
    answer: taken ? '' : 'no',
    firstNumber: 1,
    only: undefined,
    replayId: 0,
    settingsVersion: 1,
    headers: ['webhook-id', `b${place}`],
    timings: { firstByteMs: 3 },
  };
}

/** What a webhook's sender saves after some requests. */
async function save({ store, nowMs }: World, webhook: Webhook, pick: number): Promise<void> {
  const lastId = await store.log.lastId(webhook.accountId);
  const [first] = (
    await store.log.readAfter({ accountId: webhook.accountId, afterId: 0, limit: 1, scanLimit: 1 })
  ).events;
  const taken = pick % 2 === 0;
  const turn = (await store.webhooks.takeShare()).held.get(webhook.id);
  assert.ok(turn !== undefined);
  const result = await store.webhooks.saveProgress({
    webhookId: webhook.id,
    turn,
    replayId: 0,
    settingsVersion: webhook.settingsVersion,
    progress: { ...freshProgress(lastId), number: pick, failures: pick % 3, nextTryAtMs: nowMs + pick },
    attempts: [anAttempt(lastId, taken, nowMs)],
    counts: { accepted: taken ? 1 : 0, failed: taken ? 0 : 1 },
    accepted: [
      {
        firstId: 1,
        lastId,
        events: 2,
        requests: 1,
        fromMs: nowMs,
        toMs: nowMs,
        only: undefined,
        except: [1],
      },
    ],
    setAside:
      first === undefined
        ? []
        : [{ event: first, number: 1, atMs: nowMs, batchId: 'b', status: 400, answer: 'not this one' }],
    takenAgain: [],
    notices: [{ kind: 'failing', atMs: nowMs, text: 'it fails' }],
    pause: pick % 7 === 0 ? 'failing' : undefined,
    finishedAtMs: undefined,
  });
  assert.equal(result, 'saved');
}

export const webhookSteps = {
  async webhook(world: World, { pick }: Step) {
    const created = await world.store.webhooks.create({
      accountId: at(world.accountIds, pick) ?? 0,
      origin: 'native',
      url: `https://example.com/${++world.count}`,
      dialect: 'sendpulse',
      types: ['delivered', 'opened'],
      optionsJson: '{}',
      limits: { count: 10, ageMs: 1000, bytes: 1_000_000 },
      keys: [{ kind: 'v1', sealed: 'sealed', publicKey: '', createdAtMs: world.nowMs }],
      sending: { gzip: false, requests: 1, partialAck: true, signatures: ['v1'], digest: 'day' },
      sealedAccess: '',
      atMs: world.nowMs,
      limit: 1000,
    });
    if (created.kind === 'created') world.webhookIds.push(created.webhook.id);
  },
  async sent(world: World, { pick }: Step) {
    const webhook = await world.store.webhooks.load(at(world.webhookIds, pick) ?? 0);
    if (webhook !== undefined) await save(world, webhook, pick);
  },
  async replay({ store, nowMs, webhookIds }: World, { pick }: Step) {
    const webhook = await store.webhooks.load(at(webhookIds, pick) ?? 0);
    if (webhook === undefined) return;
    const selection = { kind: 'log', afterId: 0, lastId: await store.log.lastId(webhook.accountId) } as const;
    const { accountId, id: webhookId } = webhook;
    await store.replays.create({ accountId, webhookId, selection, limit: 5, atMs: nowMs });
  },
  async changed({ store, nowMs, webhookIds }: World, { pick }: Step) {
    const webhook = await store.webhooks.load(at(webhookIds, pick) ?? 0);
    if (webhook === undefined) return;
    const { accountId, id: webhookId } = webhook;
    if (pick % 4 === 0) await store.webhooks.remove({ accountId, webhookId });
    else await store.webhooks.change({ accountId, webhookId, types: ['bounced'], atMs: nowMs });
  },
};
