/** What a stream has come to is saved in its order, and whole: also when the store has failed in between. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { ProgressSave } from '../../src/store/contract/webhook-progress.ts';
import { StreamState } from '../../src/webhooks/stream-state.ts';
import { Receiver, World } from './world.ts';

async function aStream(world: World, receiver: Receiver, onSave: (input: ProgressSave) => Promise<void>) {
  const webhook = await world.webhook(receiver, { dialect: 'aftersend', types: ['opened'] });
  const eventIds = await world.opened(3);
  const webhooks = {
    saveProgress: async (input: ProgressSave) => {
      await onSave(input);
      return world.store.webhooks.saveProgress(input);
    },
  };
  const stream = { webhook, turn: 0, replay: undefined };
  const deps = { webhooks, clock: world.clock, stopping: new AbortController() };
  const state = new StreamState(stream, webhook.progress, deps);
  const at = (place: number) => ({ ...webhook.progress, cursorId: eventIds[place] ?? 0, number: place + 1 });
  const asked = { accountId: world.accountId, webhookId: webhook.id };
  return { state, at, asked, eventIds };
}

test('what could not be saved is saved with what comes next: no event is neither sent nor set aside', async () => {
  await using world = await World.open();
  await using receiver = await Receiver.open();
  let isBroken = true;
  const { state, at, asked, eventIds } = await aStream(world, receiver, async () => {
    if (isBroken) throw new Error('the disk gave an error');
  });
  const [first = 0, second = 0] = eventIds;
  for (const [place, id] of [first, second].entries()) {
    const event = await world.store.log.byId(world.accountId, id);
    assert.ok(event);
    const atMs = world.clock.now();
    state.journal.setAside([{ event, number: place + 1, atMs, batchId: 'b', status: 400, answer: 'no' }]);
    state.moved(at(place));
    await world.clock.advance(1_000);
    state.saveAside();
    await world.idle();
  }
  isBroken = false;
  state.moved(at(2));
  await state.save();
  const kept = await world.store.webhooks.setAside({ ...asked, afterId: 0, limit: 10 });
  assert.deepEqual(
    kept.map(({ event }) => event.id),
    [first, second],
  );
  assert.equal((await world.store.webhooks.byId(asked.accountId, asked.webhookId))?.progress.number, 3);
});

test('a save waits for the one before it', async () => {
  await using world = await World.open();
  await using receiver = await Receiver.open();
  const held = Promise.withResolvers<void>();
  const begun: number[] = [];
  const { state, at } = await aStream(world, receiver, ({ progress }) => {
    begun.push(progress.number);
    return begun.length === 1 ? held.promise : Promise.resolve();
  });
  state.moved(at(0));
  const first = state.save(true);
  await world.idle();
  state.moved(at(1));
  const second = state.save(true);
  await world.idle();
  assert.deepEqual(begun, [1]);
  held.resolve();
  await Promise.all([first, second]);
  assert.deepEqual(begun, [1, 2]);
});
