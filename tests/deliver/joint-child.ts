/**
 * One of several delivering processes on a database, to be stopped and killed: `node joint-child.ts URL PORT NAME`
 * delivers what is queued to the server at PORT, within the limits that all of them keep together, until it is ended.
 */
import { once } from 'node:events';
import { pino } from 'pino';
import { defaultLimits, startDelivery } from '../../src/deliver/deliver.ts';
import { GiveWay } from '../../src/deliver/give-way.ts';
import { systemClock, systemRandom } from '../../src/platform/clock.ts';
import { openPostgresStore } from '../../src/store/postgres/open.ts';
import { jointLimits } from './joint-limits.ts';
import { hostAt, routeWithin, unchanged } from './post-office.ts';

const [url = '', port = '', processName = ''] = process.argv.slice(2);
const store = await openPostgresStore({ url, clock: systemClock, processName });
const pool = { name: '', sources: [{ address: '', ehloName: `${processName}.test` }] };
const delivery = await startDelivery({
  queue: store.queue,
  paceStore: store.paces,
  router: routeWithin(jointLimits, hostAt(Number(port), { pool })),
  prepare: unchanged,
  clock: systemClock,
  random: systemRandom,
  logger: pino({ level: 'silent' }),
  giveWay: new GiveWay({ clock: systemClock, load: () => 0 }),
  countTls: () => {},
  settings: {
    retry: { firstMs: 1_000, totalMs: 600_000 },
    // Few, so that there is something for each.
    limits: { ...defaultLimits, claimed: 40, waiting: 20, routing: 20 },
  },
});
store.queue.subscribe(() => delivery.wake());
console.log('delivering');
await once(process, 'SIGTERM');
await delivery[Symbol.asyncDispose]();
await store[Symbol.asyncDispose]();
