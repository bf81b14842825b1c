/** A process's share of a destination while the store that lends it is away. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { OwnShare } from '../../src/deliver/pace/own-share.ts';
import { lentMs } from '../../src/deliver/pace/sharing.ts';
import { Slots } from '../../src/deliver/slots.ts';
import { ManualClock } from '../support/manual-clock.ts';
import { unhurried } from './post-office.ts';

test('a share that has run out is used no more, and planned with as it was: it is soon lent again', async () => {
  const clock = new ManualClock();
  const share = new OwnShare({
    clock,
    destination: { name: 'one', limits: unhurried },
    slots: new Slots(() => share.connections),
    processName: 'here',
    onChange: () => undefined,
    onMoved: () => undefined,
    onDue: () => undefined,
  });
  share.waits(10);
  const askedAtMs = clock.now();
  share.hear(
    {
      connections: 8,
      untilMs: askedAtMs + lentMs,
      messages: null,
      askAgainAtMs: askedAtMs,
      restUntilMs: 0,
      distanceMs: 0,
    },
    { ask: share.ask(), askedAtMs },
  );
  assert.deepEqual([share.connections, share.plannedConnections], [8, 8]);
  await clock.advance(lentMs);
  share.hearNothing(share.ask());
  share.expire();
  assert.deepEqual([share.connections, share.plannedConnections], [0, 8]);
});
