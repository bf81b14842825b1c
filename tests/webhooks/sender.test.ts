/** Senders on a real store, against real receivers: what leaves when, what is sent again, what a restart remembers. */
import assert from 'node:assert/strict';
import { createHmac } from 'node:crypto';
import { describe, test } from 'node:test';
import { answer, hang, Receiver, take, World } from './world.ts';

const timestamps = (body: string) =>
  (JSON.parse(body) as { timestamp: number }[]).map(({ timestamp }) => timestamp);
const ids = (receiver: Receiver) => receiver.requests.map(({ headers }) => headers['webhook-id']);

describe('batches', () => {
  test('a batch leaves as soon as its count is reached, without the clock', async () => {
    await using world = await World.open();
    await using receiver = await Receiver.open();
    await world.webhook(receiver, { dialect: 'sendpulse', batch: { count: 3 } });
    await world.start();
    await world.opened(7);
    const [first, second] = await receiver.got(2);
    assert.equal(timestamps(first?.body ?? '').length, 3);
    assert.equal(timestamps(second?.body ?? '').length, 3);
    assert.equal(receiver.requests.length, 2, 'the seventh waits for its minute');
  });

  test('a batch leaves 60 s after its first event, not after its last', async () => {
    await using world = await World.open();
    await using receiver = await Receiver.open();
    await world.webhook(receiver, { dialect: 'sendpulse' });
    await world.start();
    const startedAtMs = world.clock.now();
    await world.opened(1);
    await world.clock.someoneSleeps(startedAtMs + 60_000);
    await world.clock.advance(59_000);
    await world.opened(1);
    assert.equal(receiver.requests.length, 0);
    await world.clock.someoneSleeps(startedAtMs + 60_000);
    await world.clock.advance(1_000);
    const [request] = await receiver.got(1);
    assert.equal(timestamps(request?.body ?? '').length, 2);
  });

  test('a body stays within its bytes, and an event larger than that goes alone', async () => {
    await using world = await World.open();
    await using receiver = await Receiver.open();
    const webhook = await world.webhook(receiver, { dialect: 'sendpulse', batch: { bytes: 1024 } });
    await world.start();
    await world.opened(20);
    const [first] = await receiver.got(1);
    const one = Buffer.byteLength(first?.body ?? '') / timestamps(first?.body ?? '').length;
    assert.equal(timestamps(first?.body ?? '').length, Math.floor(1024 / one));
    await world.store.webhooks.change({
      accountId: world.accountId,
      webhookId: webhook.id,
      limits: { count: 1000, ageMs: 0, bytes: 50 },
      atMs: world.clock.now(),
    });
    const events = () => receiver.requests.reduce((sum, { body }) => sum + timestamps(body).length, 0);
    await receiver.until(() => events() >= 20);
    const singles = receiver.requests.filter(({ headers }) =>
      headers['webhook-id']?.startsWith(`${webhook.id}-2-`),
    );
    assert.ok(singles.length > 0);
    assert.ok(singles.every(({ body }) => timestamps(body).length === 1));
  });

  test('msndr gets each event at once, one a request, in the order of the log', async () => {
    await using world = await World.open();
    await using receiver = await Receiver.open();
    const webhook = await world.webhook(receiver, { dialect: 'msndr' });
    await world.start();
    const eventIds = await world.opened(50);
    await receiver.got(50);
    assert.deepEqual(
      ids(receiver),
      eventIds.map((id) => `${webhook.id}-1-${id}-${id}`),
    );
    await world.stop();
    const { progress, counts } = await world.until(webhook.id, () => true);
    assert.equal(progress.cursorId, eventIds.at(-1));
    assert.deepEqual(counts, { accepted: 50, failed: 0 });
    assert.equal((await world.store.webhooks.attempts(world.accountId, webhook.id)).length, 50);
    assert.ok(world.saves < 10, 'cursors are saved in groups, not one by one');
  });

  test('the signature is the one of Standard Webhooks, with the secret shown at creation', async () => {
    await using world = await World.open();
    await using receiver = await Receiver.open();
    const { secret } = await world.endpoints.create(world.accountId, { url: receiver.url, dialect: 'msndr' });
    await world.start();
    await world.opened(1);
    const [request] = await receiver.got(1);
    const { headers, body = '' } = request ?? {};
    const signed = `${headers?.['webhook-id']}.${headers?.['webhook-timestamp']}.${body}`;
    const key = Buffer.from(secret.replace(/^whsec_/, ''), 'base64');
    const expected = createHmac('sha256', key).update(signed).digest('base64');
    assert.equal(headers?.['webhook-signature'], `v1,${expected}`);
    assert.equal(headers?.['content-type'], 'application/json');
    assert.equal(Number(headers?.['webhook-timestamp']), Math.floor(world.clock.now() / 1000));
  });
});

describe('failures', () => {
  for (const dialect of ['sendpulse', 'msndr']) {
    test(`${dialect}: what is not taken is sent again with the same id and bytes, also after a restart`, async () => {
      await using world = await World.open();
      await using receiver = await Receiver.open();
      receiver.behave = answer(500);
      const batch = dialect === 'sendpulse' ? { count: 2 } : {};
      const webhook = await world.webhook(receiver, { dialect, batch });
      await world.start();
      const eventIds = await world.opened(4);
      await world.until(webhook.id, ({ progress }) => progress.failures === 1);
      await world.clock.advance(5_000);
      const failing = await world.until(webhook.id, ({ progress }) => progress.failures === 2);
      assert.equal(failing.progress.nextTryAtMs, world.clock.now() + 10_000);

      await world.stop();
      await world.start();
      await world.opened(1);
      await world.clock.someoneSleeps(world.clock.now() + 10_000);
      assert.equal(receiver.requests.length, 2, 'a restart does not forget the wait');
      receiver.behave = take;
      await world.clock.advance(10_000);
      await receiver.got(dialect === 'sendpulse' ? 4 : 7);
      const again = receiver.requests.slice(0, 3);
      assert.equal(new Set(again.map(({ headers }) => headers['webhook-id'])).size, 1);
      assert.equal(new Set(again.map(({ body }) => body)).size, 1);
      assert.equal(
        new Set(ids(receiver)).size,
        receiver.requests.length - 2,
        'the others have ids of their own',
      );
      await world.clock.someoneSleeps(world.clock.now() + 1_000);
      await world.stop();
      const { progress } = await world.until(webhook.id, () => true);
      assert.ok(progress.cursorId >= (eventIds.at(-1) ?? Infinity));
      assert.equal(progress.failingSinceMs, undefined);
    });
  }

  test('a stop in the middle of a request leaves the batch as it was', async () => {
    await using world = await World.open();
    await using receiver = await Receiver.open();
    receiver.behave = hang;
    const webhook = await world.webhook(receiver, { dialect: 'sendpulse', batch: { count: 2 } });
    await world.start();
    await world.opened(2);
    await receiver.got(1);
    const stopped = world.stop();
    await world.clock.advance(5_000);
    await stopped;
    receiver.behave = take;
    await world.start();
    await receiver.got(2);
    assert.equal(new Set(ids(receiver)).size, 1);
    assert.equal(receiver.requests[0]?.body, receiver.requests[1]?.body);
    await world.clock.someoneSleeps(world.clock.now() + 1_000);
    await world.stop();
    assert.equal((await world.until(webhook.id, () => true)).counts.failed, 0);
  });

  test('one that never answers fails after 30 s, and costs a good one nothing', async () => {
    await using world = await World.open();
    await using bad = await Receiver.open();
    await using good = await Receiver.open();
    bad.behave = hang;
    const webhooks = await Promise.all(
      Array.from({ length: 80 }, () => world.webhook(bad, { dialect: 'msndr' })),
    );
    await world.start();
    await world.opened(1);
    await bad.got(80);
    await world.webhook(good, { dialect: 'msndr' });
    await world.opened(20);
    await good.got(20);
    await world.clock.advance(30_000);
    await Promise.all(webhooks.map(({ id }) => world.until(id, ({ progress }) => progress.failures === 1)));
    const [attempt] = await world.store.webhooks.attempts(world.accountId, webhooks[0]?.id ?? 0);
    assert.equal(attempt?.answer, 'no answer within 30 s');
  });
});

describe('settings', () => {
  test('a change closes the batch: what it held comes in a new one with a new id', async () => {
    await using world = await World.open();
    await using receiver = await Receiver.open();
    receiver.behave = answer(503);
    const webhook = await world.webhook(receiver, { dialect: 'sendpulse', batch: { count: 2 } });
    await world.start();
    await world.opened(1);
    await world.clicked('https://example.com/');
    await world.until(webhook.id, ({ progress }) => progress.failures === 1);
    receiver.behave = take;
    await world.endpoints.change(world.accountId, webhook.id, { types: ['clicked'], batch: { count: 1 } });
    const [before, after] = await receiver.got(2);
    assert.equal((JSON.parse(before?.body ?? '[]') as unknown[]).length, 2);
    assert.deepEqual(
      (JSON.parse(after?.body ?? '[]') as { event: string }[]).map(({ event }) => event),
      ['clicked'],
    );
    assert.notEqual(before?.headers['webhook-id'], after?.headers['webhook-id']);
  });

  test('a new URL is tried at once, with the same batch', async () => {
    await using world = await World.open();
    await using dead = await Receiver.open();
    await using receiver = await Receiver.open();
    dead.behave = answer(404);
    const webhook = await world.webhook(dead, { dialect: 'msndr' });
    await world.start();
    await world.opened(2);
    await world.until(webhook.id, ({ progress }) => progress.failures === 1);
    await world.endpoints.change(world.accountId, webhook.id, { url: receiver.url });
    await receiver.got(2);
    assert.equal(receiver.requests[0]?.headers['webhook-id'], dead.requests[0]?.headers['webhook-id']);
  });

  test('a paused endpoint gets nothing and keeps its place; a deleted one gets nothing more', async () => {
    await using world = await World.open();
    await using receiver = await Receiver.open();
    const webhook = await world.webhook(receiver, { dialect: 'msndr' });
    await world.start();
    await world.endpoints.change(world.accountId, webhook.id, { paused: true });
    const eventIds = await world.opened(3);
    await world.endpoints.change(world.accountId, webhook.id, { paused: false });
    await receiver.got(3);
    assert.deepEqual(
      ids(receiver),
      eventIds.map((id) => `${webhook.id}-1-${id}-${id}`),
    );
    await world.store.webhooks.remove({ accountId: world.accountId, webhookId: webhook.id });
    await using other = await Receiver.open();
    await world.webhook(other, { dialect: 'msndr' });
    await world.opened(1);
    await other.got(1);
    assert.equal(receiver.requests.length, 3);
  });

  test('an endpoint that wants a rare type keeps up with the log although it is sent nothing', async () => {
    await using world = await World.open();
    await using receiver = await Receiver.open();
    const webhook = await world.webhook(receiver, { dialect: 'msndr', types: ['clicked'] });
    for (let round = 0; round < 6; round += 1) await world.opened(2_000);
    await world.start();
    await world.clock.someoneSleeps(world.clock.now() + 1_000);
    await world.clock.advance(1_000);
    const { progress } = await world.until(webhook.id, ({ progress }) => progress.cursorId > 10_000);
    assert.equal(progress.cursorId, await world.store.log.lastId(world.accountId));
    await world.clicked('https://example.com/');
    await receiver.got(1);
  });
});
