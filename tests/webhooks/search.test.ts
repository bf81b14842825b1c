/** A receiver that cannot take some events: what the search costs, what is set aside, what is taken for an outage. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import * as fc from 'fast-check';
import { answer, type Behaviour, Receiver, take, World } from './world.ts';

interface NativeEvent {
  readonly id: number;
  readonly webhook: { readonly number: number };
}

const eventsIn = (body: string): NativeEvent[] => {
  const json = JSON.parse(body) as NativeEvent | NativeEvent[];
  return Array.isArray(json) ? json : [json];
};

/** Refuses a request with one of these in it; the others it takes. */
const refusing =
  (bad: ReadonlySet<number>, status: number, taken: number[]): Behaviour =>
  ({ body }, response) => {
    const ids = eventsIn(body).map(({ id }) => id);
    if (ids.some((id) => bad.has(id))) {
      response.writeHead(status).end('cannot read this');
      return;
    }
    taken.push(...ids);
    response.end();
  };

async function opened(count: number, options: { framing: 'array' | 'single' }) {
  const world = await World.open();
  const receiver = await Receiver.open();
  const batch = options.framing === 'array' ? { count, ageMs: 1_000 } : {};
  const webhook = await world.webhook(receiver, { dialect: 'aftersend', options, batch, types: ['opened'] });
  const ids = await world.opened(count);
  const setAside = async () =>
    (
      await world.store.webhooks.setAside({
        accountId: world.accountId,
        webhookId: webhook.id,
        afterId: 0,
        limit: 1000,
      })
    ).map(({ event, number }) => [event.id, number]);
  return {
    world,
    receiver,
    webhook,
    ids,
    setAside,
    async [Symbol.asyncDispose]() {
      await receiver[Symbol.asyncDispose]();
      await world[Symbol.asyncDispose]();
    },
  };
}

describe('a batch that is refused for what is in it', () => {
  test('bad events cost 2·log2(n)+2 further requests each at most; the rest is taken in order', async () => {
    const cases = fc.integer({ min: 2, max: 40 }).chain((count) =>
      fc.record({
        count: fc.constant(count),
        bad: fc.uniqueArray(fc.integer({ min: 0, max: count - 1 }), {
          minLength: 1,
          maxLength: Math.min(4, count - 1),
        }),
        status: fc.constantFrom(400, 413, 415, 422),
      }),
    );
    await fc.assert(
      fc.asyncProperty(cases, async ({ count, bad, status }) => {
        await using t = await opened(count, { framing: 'array' });
        const badIds = bad.map((index) => t.ids[index] ?? 0).toSorted((a, b) => a - b);
        const taken: number[] = [];
        t.receiver.behave = refusing(new Set(badIds), status, taken);
        await t.world.start();
        const good = t.ids.filter((id) => !badIds.includes(id));
        await t.world.drive(
          async () => taken.length === good.length && (await t.setAside()).length === bad.length,
        );
        assert.deepEqual(taken, good);
        assert.deepEqual(
          await t.setAside(),
          badIds.map((id) => [id, t.ids.indexOf(id) + 1]),
        );
        if (bad.length < 4) {
          const extra = t.receiver.requests.length - 1;
          assert.ok(
            extra <= bad.length * (2 * Math.log2(count) + 2),
            `${extra} extra, ${bad.length} of ${count}`,
          );
        }
        const { progress } = await t.world.until(t.webhook.id, () => true);
        assert.equal(progress.cursorId, t.ids.at(-1));
        assert.equal(progress.failingSinceMs, undefined);
      }),
      { numRuns: 12 },
    );
  });

  test('one event a request: it is set aside when the next one is taken, not before', async () => {
    await using t = await opened(1, { framing: 'single' });
    const [bad = 0] = t.ids;
    const taken: number[] = [];
    t.receiver.behave = refusing(new Set([bad]), 400, taken);
    await t.world.start();
    await t.receiver.got(1);
    await t.world.idle();
    assert.deepEqual(await t.setAside(), [], 'alone it may be an outage');
    const [next = 0] = await t.world.opened(1);
    await t.receiver.got(3);
    await t.world.idle();
    assert.deepEqual(taken, [next]);
    assert.deepEqual(await t.setAside(), [[bad, 1]]);
  });

  for (const framing of ['array', 'single'] as const) {
    test(`${framing}: when nothing is taken it is an outage, and nothing is set aside`, async () => {
      await using t = await opened(8, { framing });
      t.receiver.behave = answer(400);
      await t.world.start();
      await t.world.pass(3 * 3_600_000);
      const before = t.receiver.requests.length;
      assert.ok(before < 400, `${before} requests in three hours`);
      assert.deepEqual(await t.setAside(), []);
      const { progress } = await t.world.until(t.webhook.id, () => true);
      assert.ok(progress.failingSinceMs !== undefined);
      const taken: number[] = [];
      t.receiver.behave = refusing(new Set(), 200, taken);
      await t.world.drive(() => taken.length >= 8);
      assert.deepEqual(taken, t.ids, 'all of it, in order');
      assert.deepEqual(await t.setAside(), []);
    });
  }

  test('an answer that says nothing of the content is one only after an hour of them', async () => {
    await using t = await opened(8, { framing: 'array' });
    const bad = t.ids[5] ?? 0;
    const taken: number[] = [];
    t.receiver.behave = refusing(new Set([bad]), 500, taken);
    await t.world.start();
    await t.world.pass(50 * 60_000);
    assert.deepEqual(taken, []);
    assert.equal(new Set(t.receiver.requests.map(({ headers }) => headers['webhook-id'])).size, 1);
    await t.world.drive(() => taken.length === 7, 3 * 3_600_000);
    await t.world.drive(async () => (await t.setAside()).length === 1);
    assert.deepEqual(await t.setAside(), [[bad, 6]]);
    assert.deepEqual(
      taken,
      t.ids.filter((id) => id !== bad),
    );
  });

  test('a receiver that takes one request a minute and answers 429 in between loses nothing to the search', async () => {
    await using t = await opened(8, { framing: 'array' });
    const taken: number[] = [];
    t.receiver.behave = answer(429);
    await t.world.start();
    await t.world.pass(3_300_000);
    let takesAgainAtMs = 0;
    t.receiver.behave = ({ body }, response) => {
      const events = eventsIn(body);
      const nowMs = t.world.clock.now();
      if (nowMs < takesAgainAtMs || events.length > 2) {
        return response.writeHead(429, { 'retry-after': '60' }).end();
      }
      takesAgainAtMs = nowMs + 60_000;
      taken.push(...events.map(({ id }) => id));
      return response.end();
    };
    await t.world.drive(() => new Set(taken).size === 8, 86_400_000);
    assert.deepEqual(await t.setAside(), []);
  });

  test('what was set aside can be sent again, and is kept until it is taken', async () => {
    await using t = await opened(4, { framing: 'array' });
    const bad = t.ids[2] ?? 0;
    const taken: number[] = [];
    t.receiver.behave = refusing(new Set([bad]), 422, taken);
    await t.world.start();
    await t.world.drive(async () => (await t.setAside()).length === 1);
    const replay = async () => {
      const { id } = await t.world.replays.start(t.webhook, { what: 'set-aside' });
      await t.world.drive(async () => {
        const all = await t.world.store.replays.list(t.world.accountId, t.webhook.id);
        return all.find((replay) => replay.id === id)?.state === 'done';
      });
    };
    await replay();
    assert.deepEqual(await t.setAside(), [[bad, 3]], 'still refused');
    t.receiver.behave = take;
    await replay();
    assert.deepEqual(await t.setAside(), []);
    const last = t.receiver.requests.at(-1);
    assert.deepEqual(
      eventsIn(last?.body ?? '').map(({ id }) => id),
      [bad],
    );
    assert.equal(last?.headers['aftersend-replay'], '2');
  });
});

describe('partial acknowledgement', () => {
  test('the events that an answer names come again, with their numbers, and no others', async () => {
    await using t = await opened(5, { framing: 'array' });
    await t.world.endpoints.change(t.world.accountId, t.webhook.id, { sending: { partialAck: true } });
    const wanted = [t.ids[1] ?? 0, t.ids[3] ?? 0];
    t.receiver.behave = (_request, response, index) =>
      response.end(JSON.stringify({ retry: index === 0 ? wanted : index === 1 ? [String(wanted[1])] : [] }));
    await t.world.start();
    await t.world.drive(() => t.receiver.requests.length === 3);
    const sent = t.receiver.requests.map(({ body }) => eventsIn(body));
    assert.deepEqual(
      sent.map((events) => events.map(({ id }) => id)),
      [t.ids, wanted, wanted.slice(1)],
    );
    assert.deepEqual(
      sent.map((events) => events.map(({ webhook }) => webhook.number)),
      [[1, 2, 3, 4, 5], [2, 4], [4]],
    );
    assert.equal(new Set(t.receiver.requests.map(({ headers }) => headers['webhook-id'])).size, 3);
    await t.world.drive(async () => {
      const { progress } = await t.world.until(t.webhook.id, () => true);
      return progress.cursorId === t.ids.at(-1) && progress.inFlight.length === 0;
    });
  });
});
