/** What a process that delivers alone has learnt of its destinations: kept now and then, and there in its next life. */
import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { pino } from 'pino';
import { openPaces } from '../../src/deliver/pace/open-paces.ts';
import { Slots } from '../../src/deliver/slots.ts';
import { openSqliteStore } from '../../src/store/sqlite/open.ts';
import { ManualClock } from '../support/manual-clock.ts';

const limits = { connections: 8, messagesPerConnection: 100, messagesPerMinute: 600 };
const [quick, slow] = ['quick.example.org', 'slow.example.org'].map((name) => ({ name, limits }));

test('what was learnt outlives a crash within seconds, and a stop at once', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'aftersend-paces-'));
  await using store = await openSqliteStore(folder, 'serve');
  const clock = new ManualClock();
  const logger = pino({ level: 'silent' });
  const of = (paces: Awaited<ReturnType<typeof openPaces>>, destination: typeof quick) => {
    assert.ok(destination);
    return paces.of(destination, new Slots(() => 1), () => undefined);
  };
  const open = () => openPaces({ store: store.paces, clock, logger });

  // It is never disposed of, as one that was killed.
  const crashed = await open();
  const first = of(crashed, quick);
  for (let n = 0; n < 200; n++) first.served();
  await clock.advance(10_000);
  while ((await store.paces.recent(1)).length === 0) await clock.advance(0);
  {
    await using paces = await open();
    const again = of(paces, quick);
    assert.deepEqual([again.connections, again.distanceMs], [8, first.distanceMs]);
    const told = of(paces, slow);
    told.toldOff(clock.now());
  }
  {
    await using paces = await open();
    assert.equal(of(paces, slow).restUntilMs, clock.now() + 30_000);
    assert.equal(of(paces, quick).connections, 8);
  }
  await rm(folder, { recursive: true });
});
