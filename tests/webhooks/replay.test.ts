/** Sending again, proving completeness, and saying who had what. */
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { describe, test } from 'node:test';
import { bodyAgain, whoHad } from '../../src/webhooks/look.ts';
import type { ReplayWish } from '../../src/webhooks/replays.ts';
import { Receiver, World } from './world.ts';

const hourMs = 3_600_000;
interface Told {
  readonly id: number;
  readonly webhook: { readonly number: number | null; readonly replay: { number: number } | null };
}
const idsIn = (body: string) => (JSON.parse(body) as Told[]).map(({ id }) => id);

async function sent(count: number) {
  const world = await World.open();
  const receiver = await Receiver.open();
  const webhook = await world.webhook(receiver, {
    dialect: 'aftersend',
    types: ['opened'],
    batch: { count: 3, ageMs: 0 },
  });
  await world.start();
  const ids = await world.opened(count);
  const load = () => world.until(webhook.id, () => true);
  await world.drive(async () => (await load()).progress.cursorId === ids.at(-1));
  return {
    world,
    receiver,
    webhook,
    ids,
    load,
    async [Symbol.asyncDispose]() {
      await receiver[Symbol.asyncDispose]();
      await world[Symbol.asyncDispose]();
    },
  };
}

describe('replays', () => {
  test('a time, a message, since the last success: counted first, labelled, beside the live stream', async () => {
    await using t = await sent(4);
    const { world, receiver, webhook, ids } = t;
    await world.clock.advance(3 * hourMs);
    const fromMs = world.clock.now();
    const later = await world.opened(3);
    await world.drive(async () => (await t.load()).progress.cursorId === later.at(-1));
    const live = receiver.requests.length;
    const cases: readonly (readonly [ReplayWish, readonly number[]])[] = [
      [{ what: 'time', fromMs: 0, toMs: fromMs }, ids],
      [{ what: 'time', fromMs }, later],
      [{ what: 'message', messageId: world.messageId }, [...ids, ...later]],
      [{ what: 'since-last-success' }, later],
      [{ what: 'set-aside' }, []],
    ];
    for (const [wish, expected] of cases) {
      const before = receiver.requests.length;
      const current = await t.load();
      assert.equal(await world.replays.count(current, wish), expected.length, wish.what);
      assert.equal(receiver.requests.length, before, 'counting sends nothing');
      const { id } = await world.replays.start(current, wish);
      await world.drive(async () => (await world.store.replays.running(webhook.id)).length === 0);
      const requests = receiver.requests.slice(before);
      assert.deepEqual(
        requests.flatMap(({ body }) => idsIn(body)),
        expected,
        wish.what,
      );
      assert.ok(requests.every(({ headers }) => headers['aftersend-replay'] === `${id}`));
      const places = requests.flatMap(({ body }) =>
        (JSON.parse(body) as Told[]).map(({ webhook }) => webhook),
      );
      assert.deepEqual(
        places.map(({ number, replay }) => [number, replay?.number]),
        expected.map((_, index) => [null, index + 1]),
      );
    }
    assert.ok(
      receiver.requests.slice(0, live).every(({ headers }) => headers['aftersend-replay'] === undefined),
    );
    assert.equal((await t.load()).progress.number, ids.length + later.length, 'the live numbers go on');
  });
});

describe('what an owner can look at', () => {
  test('a kept request is rendered again, byte for byte, with its timings and what lets one in masked', async () => {
    await using t = await sent(4);
    await t.world.stop();
    const attempts = await t.world.store.webhooks.attempts(t.world.accountId, t.webhook.id);
    const stores = t.world.store;
    for (const { headers, body } of t.receiver.requests) {
      const attempt = attempts.find(({ batchId }) => batchId === headers['webhook-id']);
      assert.ok(attempt);
      assert.equal(await bodyAgain(stores, await t.load(), attempt), body);
      assert.ok(attempt.headers.includes('webhook-signature'));
      assert.equal(attempt.timings.firstByteMs, 0);
    }
    assert.equal(attempts.at(-1)?.timings.connectMs, 0, 'the first one made the connection');
  });

  test('for an event: which endpoints had it, in which batch, from stretches and not from rows', async () => {
    await using t = await sent(5);
    const single = await t.world.webhook(t.receiver, { dialect: 'msndr' });
    const more = await t.world.opened(40);
    await t.world.drive(async () => {
      const { progress } = await t.world.until(single.id, () => true);
      return progress.cursorId === more.at(-1) && (await t.load()).progress.cursorId === more.at(-1);
    });
    await t.world.stop();
    const event = await t.world.store.log.byId(t.world.accountId, more[7] ?? 0);
    assert.ok(event);
    const had = await whoHad(t.world.store, event);
    assert.deepEqual(
      had.map(({ webhookId }) => webhookId).toSorted((a, b) => a - b),
      [t.webhook.id, single.id],
    );
    for (const { batchId } of had) {
      const request = t.receiver.requests.find(({ headers }) => headers['webhook-id'] === batchId);
      assert.ok(request, batchId);
    }
    const [first] = t.ids;
    const before = await t.world.store.log.byId(t.world.accountId, first ?? 0);
    assert.ok(before);
    assert.deepEqual(
      (await whoHad(t.world.store, before)).map(({ webhookId }) => webhookId),
      [t.webhook.id],
      'an endpoint made later has not had it',
    );
  });
});

test('several requests at once: all of it comes, failures too, and the cursor waits for the last', async () => {
  await using world = await World.open();
  await using receiver = await Receiver.open();
  const webhook = await world.webhook(receiver, { dialect: 'msndr', sending: { requests: 4 } });
  let most = 0;
  receiver.behave = (_request, response, index) => {
    most = Math.max(most, receiver.open);
    if (index % 5 === 3) response.writeHead(503).end();
    else setImmediate(() => response.end());
  };
  const ids = await world.opened(30);
  await world.start();
  await world.drive(async () => (await world.until(webhook.id, () => true)).progress.cursorId === ids.at(-1));
  const had = new Set(receiver.requests.map(({ headers }) => headers['webhook-id']));
  assert.equal(had.size, 30);
  assert.ok(most > 1 && most <= 4, `${most} at once`);
});

test('a digest each hour: the receiver proves that it has everything, and it is sent until it is taken', async () => {
  await using world = await World.open();
  await using receiver = await Receiver.open();
  const webhook = await world.webhook(receiver, {
    dialect: 'aftersend',
    batch: { count: 2 },
    sending: { digest: 'hour' },
  });
  await world.start();
  const ids = await world.opened(5);
  interface Digest {
    readonly type: string;
    readonly counts: object;
    readonly first_number: number | null;
    readonly last_number: number | null;
    readonly hash: string;
  }
  const digests = () =>
    receiver.requests
      .filter(({ body }) => body.startsWith('{'))
      .map(({ body }) => JSON.parse(body) as Digest);
  receiver.behave = ({ body }, response) => response.writeHead(body.startsWith('{') ? 503 : 200).end();
  await world.drive(() => digests().length === 1, 2 * hourMs);
  receiver.behave = (_request, response) => response.end();
  await world.drive(() => digests().length === 2, 2 * hourMs);
  const [first, again] = digests();
  assert.deepEqual(first, again);
  assert.deepEqual(first?.counts, { opened: 5 });
  assert.deepEqual([first?.first_number, first?.last_number], [1, 5]);

  // What the documentation tells receivers to do.
  let hash = '';
  for (const id of ids) hash = createHash('sha256').update(`${hash}${id}`).digest('hex');
  assert.equal(first?.hash, hash);

  await world.drive(() => digests().length === 3, 2 * hourMs);
  assert.deepEqual(digests()[2]?.counts, {}, 'an hour without events is told as well');
  await assert.rejects(world.webhook(receiver, { dialect: 'sendpulse', sending: { digest: 'day' } }), {
    field: 'sending',
  });
  assert.equal((await world.until(webhook.id, () => true)).progress.number, 5);
});

interface ToldDigest {
  readonly counts: object;
  readonly hash: string;
}

const chainOf = (ids: readonly number[]): string =>
  ids.reduce((chain, id) => createHash('sha256').update(`${chain}${id}`).digest('hex'), '');

test('a change of settings between two saves leaves the digest in step with the receiver', async () => {
  await using world = await World.open();
  await using receiver = await Receiver.open();
  const webhook = await world.webhook(receiver, {
    dialect: 'aftersend',
    options: { framing: 'single' },
    sending: { digest: 'hour' },
  });
  await world.start();
  await world.opened(3);
  await receiver.got(3);
  await world.idle();
  await world.endpoints.change(world.accountId, webhook.id, { types: ['opened'] });
  await world.idle();
  await world.opened(2);
  await world.idle();
  const isDigest = ({ body }: { body: string }) => body.includes('"type":"digest"');
  await world.drive(() => receiver.requests.some(isDigest), 2 * hourMs);
  const ids = receiver.requests
    .filter((request) => !isDigest(request))
    .map(({ body }) => (JSON.parse(body) as { id: number }).id);
  const digest = JSON.parse(receiver.requests.find(isDigest)?.body ?? '') as ToldDigest;
  assert.equal(digest.hash, chainOf([...new Set(ids)]));
});

test('digests that are refused do not hide that an event has been refused for hours', async () => {
  await using world = await World.open();
  await using receiver = await Receiver.open();
  receiver.behave = (_request, response) => response.writeHead(400).end();
  const webhook = await world.webhook(receiver, {
    dialect: 'aftersend',
    options: { framing: 'single' },
    types: ['opened'],
    sending: { digest: 'hour' },
  });
  await world.opened(1);
  await world.start();
  await world.pass(6 * hourMs + 60_000);
  const [notice] = await world.store.webhooks.notices(world.accountId, webhook.id);
  assert.match(notice?.text ?? '', /failing for 6 hours/);
});
