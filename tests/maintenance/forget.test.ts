/** The loop that lets go of old rows, on a real store and a clock that the test moves. */
import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { pino } from 'pino';
import { startForgetting } from '../../src/maintenance/forget.ts';
import { accepted, anAccount, aSubmission, deliverAll } from '../../src/store/conformance/fixtures.ts';
import { openSqliteStore } from '../../src/store/sqlite/open.ts';
import { ManualClock } from '../support/manual-clock.ts';

const hourMs = 3_600_000;

test('what is older than it is kept goes at the next round, and the loop stops when told', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'aftersend-forget-'));
  const clock = new ManualClock();
  await using store = await openSqliteStore(folder, 'serve');
  const { id: accountId } = await anAccount(store);
  for (let index = 0; index < 700; index++)
    await accepted(store, aSubmission(accountId, { atMs: clock.now() }));
  await deliverAll(store, clock.now());
  await deliverAll(store, clock.now());
  const left = () => store.messages.count({ accountId }, 1000);
  {
    const keep = { eventsMs: 2 * hourMs, bodiesMs: hourMs, statisticsMs: 2 * hourMs };
    const logger = pino({ level: 'silent' });
    const tellOfExpiring = async () => undefined;
    await using _loop = startForgetting({
      retention: store.retention,
      clock,
      keep,
      logger,
      tellOfExpiring,
    });
    await clock.someoneSleeps();
    assert.equal(await left(), 700);
    for (let round = 0; round < 3; round++) {
      await clock.advance(hourMs);
      // Between chunks it rests on the clock: move on until it sleeps to the next round.
      for (;;) {
        await clock.someoneSleeps();
        const restMs = (clock.nextWakeAtMs ?? 0) - clock.now();
        if (restMs > 1000) break;
        await clock.advance(restMs);
      }
    }
    assert.equal(await left(), 0);
  }
  assert.equal(clock.nextWakeAtMs, undefined, 'nobody sleeps any more');
  await rm(folder, { recursive: true });
});
