/** Giving way to mail that comes in: when, and for how long at most. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { GiveWay } from '../../src/deliver/give-way.ts';
import { ManualClock } from '../support/manual-clock.ts';

/** A process that is as busy as it is told to be. */
function open() {
  const clock = new ManualClock();
  const process = { load: 1 };
  const giveWay = new GiveWay({ clock, load: () => process.load });
  const begins = (waitedMs: number, attemptsMade = 0) =>
    giveWay.begins({ acceptedAtMs: clock.now() - waitedMs, attemptsMade });
  return { clock, process, giveWay, begins };
}

test('it gives way while mail comes in and the process has no time to spare, else never', async () => {
  const { clock, process, giveWay, begins } = open();
  begins(0);
  assert.equal(giveWay.mostSending, Infinity, 'nothing has come in');
  giveWay.mailCame();
  assert.equal(giveWay.mostSending, 2);
  process.load = 0.5;
  await clock.advance(60);
  giveWay.mailCame();
  assert.equal(giveWay.mostSending, Infinity, 'there is time for both');
  process.load = 1;
  await clock.advance(60);
  assert.equal(giveWay.mostSending, 2);
  await clock.advance(60);
  assert.equal(giveWay.mostSending, Infinity, 'the doors are quiet');
});

test('mail that has waited long enough goes out until the queue has caught up', async () => {
  const { giveWay, begins } = open();
  giveWay.mailCame();
  begins(1999);
  assert.equal(giveWay.mostSending, 2);
  begins(2000);
  assert.equal(giveWay.mostSending, Infinity);
  begins(60_000, 3);
  assert.equal(giveWay.mostSending, Infinity);
  begins(500);
  assert.equal(giveWay.mostSending, 2);
  begins(60_000, 3);
  assert.equal(giveWay.mostSending, 2, 'what is tried again has waited for other reasons');
});

test('those that are sent meanwhile may take minutes: nothing waits longer than two seconds for their end', async () => {
  const { clock, giveWay, begins } = open();
  begins(0);
  begins(0);
  for (let waitedMs = 0; waitedMs < 2000; waitedMs += 50) {
    giveWay.mailCame();
    assert.equal(giveWay.mostSending, 2);
    await clock.advance(50);
  }
  giveWay.mailCame();
  assert.equal(giveWay.mostSending, Infinity);
  begins(60_000, 1);
  assert.equal(giveWay.mostSending, 2);
});

test('a clock that is set back does not make it give way', () => {
  const time = { nowMs: 10_000_000, load: 1 };
  const giveWay = new GiveWay({ clock: { now: () => time.nowMs }, load: () => time.load });
  const begins = () => giveWay.begins({ acceptedAtMs: time.nowMs, attemptsMade: 0 });
  begins();
  giveWay.mailCame();
  assert.equal(giveWay.mostSending, 2);
  time.nowMs -= 3_600_000;
  begins();
  assert.equal(giveWay.mostSending, Infinity, 'no mail has come since');
  time.load = 0;
  giveWay.mailCame();
  assert.equal(giveWay.mostSending, Infinity, 'the process has time');
});
