/** Taking turns: widths, limits, and what happens to messages for destinations that are slow. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type JobResult, Lanes } from '../../src/deliver/lanes.ts';
import type { Paces } from '../../src/deliver/pace/allowance.ts';
import type { DestinationLimits } from '../../src/deliver/pace/destinations.ts';
import { Pace } from '../../src/deliver/pace/pace.ts';
import { ManualClock } from '../support/manual-clock.ts';

const roomy = { sending: 100, bytesSending: 1e9 };
const unhurried = { connections: 4, messagesPerConnection: 100, messagesPerMinute: Infinity };

/** A process that shares its destinations with nobody, and keeps nothing of them. */
const alone: Paces = {
  of: (destination) => new Pace(destination.limits),
  forget: () => undefined,
  [Symbol.asyncDispose]: async () => undefined,
};

/** Lanes with jobs that run until they are ended, by name. */
function open(limits = roomy, ofDestination: DestinationLimits = unhurried) {
  const clock = new ManualClock();
  const giveWay = { mostSending: Infinity };
  const lanes = new Lanes(clock, limits, alone, giveWay);
  const running = new Map<string, (result: JobResult) => void>();
  const sentBack = new Map<string, number>();
  return {
    clock,
    giveWay,
    lanes,
    running,
    sentBack,
    add: (destination: string, name: string, sizeBytes = 1) => {
      lanes.add(
        { name: destination, limits: ofDestination },
        {
          sizeBytes,
          run: () => new Promise((resolve) => running.set(name, resolve)),
          giveBack: (dueAtMs) => sentBack.set(name, dueAtMs - clock.now()),
        },
      );
    },
    end: async (name: string, result: JobResult = 'served') => {
      running.get(name)?.(result);
      running.delete(name);
      await clock.advance(0);
    },
  };
}

test('a lane sends no more at once than it has connections, and halves when nobody answers', async () => {
  const { lanes, running, add, end } = open();
  for (let n = 0; n < 20; n++) add('one', `m${n}`);
  assert.deepEqual([...running.keys()], ['m0', 'm1', 'm2', 'm3']);
  await end('m1');
  assert.deepEqual([...running.keys()], ['m0', 'm2', 'm3', 'm4']);
  for (const name of ['m0', 'm2', 'm3']) await end(name, 'unreachable');
  assert.deepEqual([...running.keys()], ['m4'], 'width 4, 2, 1, 1');
  await end('m4');
  assert.equal(lanes.sending, 2, 'it widens again');
});

test('lanes take turns when all together may send no more', async () => {
  const { running, add, end } = open({ ...roomy, sending: 2 });
  for (let n = 0; n < 5; n++) add('big', `big${n}`);
  for (let n = 0; n < 2; n++) add('small', `small${n}`);
  assert.deepEqual([...running.keys()], ['big0', 'big1']);
  await end('big0');
  await end('big1');
  assert.deepEqual([...running.keys()].toSorted(), ['big2', 'small0']);
});

test('what is being sent has a bound in bytes, which one message alone may pass', async () => {
  const { running, add, end } = open({ ...roomy, bytesSending: 100 });
  add('one', 'huge', 1000);
  add('two', 'little', 10);
  assert.deepEqual([...running.keys()], ['huge']);
  await end('huge');
  add('three', 'large', 95);
  assert.deepEqual([...running.keys()], ['little']);
  await end('little');
  assert.deepEqual([...running.keys()], ['large']);
});

test('time that passed without a try says nothing of a destination', async () => {
  const { clock, lanes, running, sentBack, add, end } = open();
  for (let n = 0; n < 50; n++) add('one', `m${n}`);
  await clock.advance(8_000);
  for (const name of [...running.keys()]) await end(name, 'untried');
  lanes.shed();
  assert.equal(sentBack.size, 0);
});

test('a destination that is slow sends back what it cannot take soon, spread over the time it will need', async () => {
  const { clock, lanes, sentBack, running, add, end } = open();
  for (let n = 0; n < 200; n++) add('slow', `m${n}`);
  assert.equal(sentBack.size, 0, 'nothing is known of it yet');
  await clock.advance(5_000);
  lanes.shed();
  assert.equal(lanes.waiting, 4 * 2, 'what four connections can begin within ten seconds');
  const waits = [...sentBack.values()];
  assert.ok(Math.min(...waits) >= 10_000 && Math.max(...waits) <= 5 * 60_000);
  assert.ok(new Set(waits).size > 100, 'they do not all come back at once');
  add('fast', 'f0');
  assert.ok(running.has('f0'));
  await end('m0');
  assert.ok(running.has('m4'));
  lanes.clear();
  assert.equal(lanes.waiting, 0);
  assert.equal(
    sentBack.size + running.size,
    201 - 1,
    'each was sent back or is running, but the one that is through',
  );
});

test('a lane keeps to the messages a minute that its destination takes, and gives back what is beyond', async () => {
  const limits = { connections: 2, messagesPerConnection: 100, messagesPerMinute: 60 };
  const { clock, lanes, running, sentBack, add, end } = open(roomy, limits);
  for (let n = 0; n < 60; n++) add('one', `m${n}`);
  let started = 0;
  const drain = async () => {
    while (running.size > 0) {
      const names = [...running.keys()];
      started += names.length;
      for (const name of names) await end(name);
    }
  };
  await drain();
  assert.equal(started, 3, 'a twentieth of a minute’s worth at once');
  assert.ok(sentBack.size > 0, 'what it cannot begin soon is given back');
  await clock.advance(3_000);
  await drain();
  assert.ok(started >= 5 && started <= 6, `${started} after three seconds`);
  assert.equal(lanes.sending, 0);
});

test('a destination that says "too fast" is left alone for a while, and nobody else', async () => {
  const { clock, lanes, running, sentBack, add, end } = open();
  for (let n = 0; n < 20; n++) add('one', `m${n}`);
  await end('m0', 'too-fast');
  assert.deepEqual([...running.keys()], ['m1', 'm2', 'm3'], 'only what was under way');
  assert.equal(sentBack.size, 16);
  assert.ok(Math.min(...sentBack.values()) >= 30_000);
  add('one', 'later');
  assert.ok((sentBack.get('later') ?? 0) >= 30_000);
  add('two', 'other');
  assert.ok(running.has('other'));
  for (const name of ['m1', 'm2', 'm3']) await end(name);
  await clock.advance(30_000);
  add('one', 'again');
  await clock.advance(1_000);
  assert.ok(running.has('again'));
  assert.equal(lanes.waiting, 0);
});

test('few are sent while it gives way, and more when that is over, whatever those few do', async () => {
  const { clock, giveWay, running, add, end } = open();
  giveWay.mostSending = 2;
  for (let n = 0; n < 5; n++) add('one', `m${n}`);
  assert.deepEqual([...running.keys()], ['m0', 'm1']);
  await end('m0');
  assert.deepEqual([...running.keys()], ['m1', 'm2']);
  await clock.advance(1000);
  assert.equal(running.size, 2);
  giveWay.mostSending = Infinity;
  await clock.advance(1000);
  assert.deepEqual([...running.keys()], ['m1', 'm2', 'm3', 'm4']);
});
