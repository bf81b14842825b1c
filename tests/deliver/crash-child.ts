/** A delivery process to be killed: `node crash-child.ts FOLDER PORT` delivers what the folder holds until it dies. */
import { pino } from 'pino';
import { defaultLimits, startDelivery } from '../../src/deliver/deliver.ts';
import { GiveWay } from '../../src/deliver/give-way.ts';
import { systemClock, systemRandom } from '../../src/platform/clock.ts';
import { openSqliteStore } from '../../src/store/sqlite/open.ts';
import { hostAt, routeTo } from './post-office.ts';

const [folder = '', port = ''] = process.argv.slice(2);
const store = await openSqliteStore(folder, 'serve');
await store.queue.freeLeases({ nowMs: systemClock.now(), longestWaitMs: 86_400_000 });
const delivery = await startDelivery({
  queue: store.queue,
  paceStore: store.paces,
  router: routeTo(hostAt(Number(port))),
  prepare: async ({ messageId, recipient }, content) => ({
    envelopeSender: `b${messageId}@bounce.test`,
    recipient,
    content,
    requireTls: false,
  }),
  clock: systemClock,
  random: systemRandom,
  logger: pino({ level: 'silent' }),
  giveWay: new GiveWay({ clock: systemClock, load: () => 0 }),
  countTls: () => {},
  settings: { retry: { firstMs: 1, totalMs: 60_000 }, limits: defaultLimits },
});
await delivery.drained();
await delivery[Symbol.asyncDispose]();
await store[Symbol.asyncDispose]();
