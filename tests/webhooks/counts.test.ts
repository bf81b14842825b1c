/**
 * What webhooks cost, as numbers that do not depend on the machine: requests and commits for an event, and events in
 * memory for an endpoint that does not take its own.
 */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import type { LoggedEvent } from '../../src/events/types.ts';
import { turnOfTheLoop } from '../../src/platform/turn.ts';
import type { EventLog } from '../../src/store/contract/log.ts';
import { answer, hang, Receiver, take, World } from './world.ts';

/** Events that one read of the log may bring to an endpoint without batches, and so the most that it holds while it waits. */
const page = 100;

describe('for an event', () => {
  test('a batch of a thousand is one request and one commit', async () => {
    await using world = await World.open();
    await using receiver = await Receiver.open();
    const batches = 3;
    await world.webhook(receiver, { dialect: 'sendpulse', batch: { count: 1000 } });
    await world.opened(1);
    world.copyLastEvent(1000 * batches - 1);
    await world.start();
    await receiver.got(batches);
    await world.stop();
    assert.deepEqual(
      receiver.requests.map(({ body }) => (JSON.parse(body) as unknown[]).length),
      Array.from({ length: batches }, () => 1000),
    );
    // Each is stored before it is sent, with the success of the one before; the last success goes alone.
    assert.equal(world.saves, batches + 1);
  });

  test('without batches it is one request, and a commit for hundreds', async () => {
    await using world = await World.open();
    await using receiver = await Receiver.open();
    const events = 3000;
    await world.webhook(receiver, { dialect: 'msndr' });
    await world.opened(1);
    world.copyLastEvent(events - 1);
    await world.start();
    await receiver.got(events);
    await world.stop();
    assert.equal(receiver.requests.length, events);
    assert.equal(new Set(receiver.requests.map(({ headers }) => headers['webhook-id'])).size, events);
    assert.ok(world.saves >= 1 && world.saves <= events / 200, `${world.saves} commits`);
  });
});

describe('of twenty thousand events that wait for it, in memory', () => {
  const backlog = 20_000;
  const requests = 3;

  const cases = [
    { what: 'a paused endpoint has none', behave: take, paused: true, asked: 0, most: 0 },
    { what: 'one that hangs has a page at most', behave: hang, paused: false, asked: 1, most: page },
    {
      what: 'one that fails has none until it is tried again',
      behave: answer(503),
      paused: false,
      asked: requests,
      most: 0,
    },
  ];
  for (const { what, behave, paused, asked, most } of cases) {
    test(what, async () => {
      await using world = await World.open();
      await using receiver = await Receiver.open();
      receiver.behave = behave;
      const { id } = await world.webhook(receiver, { dialect: 'msndr' });
      await world.endpoints.change(world.accountId, id, { paused });
      await world.opened(1);
      world.copyLastEvent(backlog - 1);
      const read = watchReads(world);
      await world.start();
      await world.drive(() => receiver.requests.length >= asked);
      await world.idle();
      assert.equal(receiver.requests.length, asked);
      if (asked > 0) assert.ok(read.length > 0);
      const held = await alive(read);
      assert.ok(held <= most, `${held} events`);
    });
  }
});

/** All events that are read from now on, without keeping them. */
function watchReads(world: World): readonly WeakRef<LoggedEvent>[] {
  const read: WeakRef<LoggedEvent>[] = [];
  const { log } = world.store;
  const readAfter: EventLog['readAfter'] = async (input) => {
    const found = await log.readAfter(input);
    for (const event of found.events) read.push(new WeakRef(event));
    return found;
  };
  world.store = { ...world.store, log: { ...log, readAfter } };
  return read;
}

setFlagsFromString('--expose-gc');
const collectGarbage = runInNewContext('gc') as () => void;

async function alive(events: readonly WeakRef<LoggedEvent>[]): Promise<number> {
  // What was made or looked at in this turn of the loop is kept until its end.
  await turnOfTheLoop();
  collectGarbage();
  return events.filter((event) => event.deref() !== undefined).length;
}
