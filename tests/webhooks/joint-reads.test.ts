/** Endpoints of an account that read the same log: a page is read once, and never in the place of a newer one. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { LoggedEvent } from '../../src/events/types.ts';
import type { EventLog } from '../../src/store/contract/log.ts';
import { JointReads } from '../../src/webhooks/joint-reads.ts';
import { ManualClock } from '../support/manual-clock.ts';

const limit = 100;

/** A log of so many events of every account, and how often it was read. */
function openPages(events: number) {
  const log = { events, reads: 0 };
  const readAfter: EventLog['readAfter'] = async ({ afterId, limit: most }) => {
    log.reads += 1;
    const ids = Array.from(
      { length: Math.max(0, Math.min(most, log.events - afterId)) },
      (_, at) => afterId + at + 1,
    );
    const page = ids.map((id) => ({ id }) as LoggedEvent);
    return { events: page, scannedTo: ids.at(-1) ?? afterId, atEnd: page.length < most };
  };
  const clock = new ManualClock();
  const pages = new JointReads({ readAfter }, clock);
  const read = (afterId: number, changes: { accountId?: number; limit?: number } = {}) =>
    pages.readAfter({ accountId: 1, afterId, limit, scanLimit: 5000, types: ['delivered'], ...changes });
  return { log, clock, read };
}

describe('a page of the log', () => {
  test('that is full is read once for all who ask within a moment', async () => {
    const { log, clock, read } = openPages(1000);
    const first = await read(200);
    assert.deepEqual(await read(200), first);
    assert.equal(log.reads, 1);
    await clock.advance(1000);
    assert.deepEqual(await read(200), first);
    assert.equal(log.reads, 2);
  });

  test('that is not full is read each time, so that what was appended is seen', async () => {
    const { log, read } = openPages(150);
    assert.equal((await read(100)).events.length, 50);
    log.events = 160;
    assert.equal((await read(100)).events.length, 60);
  });

  test('is not taken for that of another account, place or length', async () => {
    const { log, read } = openPages(1000);
    const ends = [
      await read(0),
      await read(100),
      await read(0, { accountId: 2 }),
      await read(0, { limit: 50 }),
    ];
    assert.deepEqual(
      ends.map(({ scannedTo }) => scannedTo),
      [100, 200, 100, 50],
    );
    assert.equal(log.reads, 4);
  });
});
