/** Opens and clicks on their way to a store that may be slow, failing or gone. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { pino } from 'pino';
import type { Report } from '../../src/store/contract/log.ts';
import { StoreBusyError } from '../../src/store/contract/store.ts';
import { Recorder } from '../../src/track/recorder.ts';
import { ManualClock } from '../support/manual-clock.ts';

const logger = pino({ level: 'silent' });
const open = (messageId: number): Report => ({
  type: 'opened',
  messageId,
  atMs: 1,
  userAgent: '',
  address: '',
});

/** A log that takes reports when the test lets it. */
function gatedLog() {
  const stored: number[] = [];
  const gates: (() => void)[] = [];
  const log = {
    async report({ messageId }: Report) {
      await new Promise<void>((resolve) => gates.push(resolve));
      stored.push(messageId);
      return { kind: 'repeated' as const };
    },
  };
  return { log, stored, gates };
}

test('recording returns at once while the store hangs; only so many wait, the rest is counted', async () => {
  const { log, stored, gates } = gatedLog();
  const clock = new ManualClock();
  const recorder = new Recorder({ log, clock, logger });
  for (let id = 1; id <= 21_000; id++) recorder.record(open(id));
  assert.equal(gates.length, 256, 'under way');
  assert.equal(recorder.lost, 21_000 - 20_000 - 256);
  const drained = recorder.drained();
  const letThrough = () => {
    for (const gate of gates.splice(0)) gate();
    if (stored.length < 20_256) setImmediate(letThrough);
  };
  letThrough();
  await drained;
  assert.equal(new Set(stored).size, 20_256);
});

test('a store that fails is tried again, later and later, and nothing is lost', async () => {
  const clock = new ManualClock();
  const tries: number[] = [];
  const stored: number[] = [];
  const startMs = clock.now();
  const log = {
    async report({ messageId }: Report) {
      tries.push(clock.now() - startMs);
      if (clock.now() - startMs < 3000) throw new StoreBusyError('busy');
      stored.push(messageId);
      return { kind: 'repeated' as const };
    },
  };
  const recorder = new Recorder({ log, clock, logger });
  recorder.record(open(1));
  recorder.record(open(2));
  const drained = recorder.drained();
  await clock.advance(10_000);
  await drained;
  assert.deepEqual(tries, [0, 0, 500, 500, 1500, 1500, 3500, 3500]);
  assert.deepEqual(new Set(stored), new Set([1, 2]));
  assert.equal(recorder.lost, 0);
});

test('the end tries what waits once more, and waits no longer than its bound', async () => {
  const clock = new ManualClock();
  let works = false;
  const stored: number[] = [];
  const log = {
    async report({ messageId }: Report) {
      if (!works) throw new StoreBusyError('busy');
      stored.push(messageId);
      return { kind: 'repeated' as const };
    },
  };
  const resting = new Recorder({ log, clock, logger });
  resting.record(open(1));
  await clock.someoneSleeps();
  works = true;
  await resting[Symbol.asyncDispose]();
  assert.deepEqual(stored, [1]);
  resting.record(open(2));
  assert.equal(resting.lost, 1, 'what comes after the end');

  works = false;
  const failing = new Recorder({ log, clock, logger });
  failing.record(open(3));
  await clock.someoneSleeps();
  await failing[Symbol.asyncDispose]();
  assert.equal(failing.lost, 1);

  const hanging = new Recorder({ log: gatedLog().log, clock, logger });
  hanging.record(open(4));
  const disposed = hanging[Symbol.asyncDispose]();
  await clock.advance(5_000);
  await disposed;
  assert.equal(clock.nextWakeAtMs, undefined, 'nobody sleeps any more');
});
