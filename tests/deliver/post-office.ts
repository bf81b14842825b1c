/** Delivery as it runs: a real store in a fresh folder, the real loop, a clock that the test moves. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pino } from 'pino';
import type { RouteHost } from '../../src/deliver/connections.ts';
import {
  defaultLimits,
  type Delivery,
  type DeliveryLimits,
  startDelivery,
} from '../../src/deliver/deliver.ts';
import { GiveWay } from '../../src/deliver/give-way.ts';
import type { DestinationLimits } from '../../src/deliver/pace/destinations.ts';
import type { Prepare } from '../../src/deliver/prepare.ts';
import type { Router } from '../../src/deliver/route.ts';
import type { LoggedEvent } from '../../src/events/types.ts';
import { anAccount, aSubmission } from '../../src/store/conformance/fixtures.ts';
import type { NewSubmission } from '../../src/store/contract/intake.ts';
import type { AttemptRecord } from '../../src/store/contract/queue.ts';
import type { Store } from '../../src/store/contract/store.ts';
import { openSqliteStore } from '../../src/store/sqlite/open.ts';
import { ManualClock } from '../support/manual-clock.ts';

export interface PostOffice extends AsyncDisposable {
  readonly store: Store;
  readonly clock: ManualClock;
  readonly delivery: Delivery;
  readonly accountId: number;
  /** Lets a second pass, and store and servers keep up with it. */
  aSecond(): Promise<void>;
  /** Accepts a submission to these recipients. @returns the messages' ids */
  post(recipients: readonly string[], changes?: Partial<NewSubmission>): Promise<readonly number[]>;
  events(messageId: number): Promise<readonly LoggedEvent[]>;
  attempts(messageId: number): Promise<readonly AttemptRecord[]>;
}

export interface PostOfficeOptions {
  readonly router: Router;
  readonly limits?: Partial<DeliveryLimits>;
  readonly prepare?: Prepare;
  /** Is given each line of the log from `info` on. */
  readonly onLog?: (line: { readonly level: number; readonly msg: string }) => void;
}

/** So many that what servers on loopback answer at once has come in, too. */
const commitsInASecond = 10;

/** The body as it is, from a return path that names the message. */
export const unchanged: Prepare = async ({ messageId, recipient }, content) => ({
  envelopeSender: `b${messageId}@bounce.test`,
  recipient,
  content,
  requireTls: false,
});

export function hostAt(port: number, changes: Partial<RouteHost> = {}): RouteHost {
  return {
    name: `host-${port}.test`,
    port,
    addresses: ['127.0.0.1'],
    implicitTls: false,
    tls: 'opportunistic',
    policy: 'no-policy-found',
    login: undefined,
    maxMessages: 200,
    pool: { name: '', sources: [{ address: '', ehloName: 'aftersend.test' }] },
    ...changes,
  };
}

export const unhurried: DestinationLimits = {
  connections: 20,
  messagesPerConnection: 200,
  messagesPerMinute: Infinity,
};

/** All mail to the hosts, in their order. */
export const routeTo = (...hosts: readonly RouteHost[]): Router => routeWithin(unhurried, ...hosts);

export const routeWithin = (limits: DestinationLimits, ...hosts: readonly RouteHost[]): Router => {
  const plan = { destination: { name: hosts[0]?.name ?? '', limits }, hosts };
  return async () => plan;
};

export async function openPostOffice(options: PostOfficeOptions): Promise<PostOffice> {
  const { router, limits, prepare, onLog = () => undefined } = options;
  const folder = await mkdtemp(join(tmpdir(), 'aftersend-deliver-'));
  const store = await openSqliteStore(folder, 'serve');
  const clock = new ManualClock();
  const { id: accountId } = await anAccount(store);
  const delivery = await startDelivery({
    queue: store.queue,
    paceStore: store.paces,
    router,
    prepare: prepare ?? unchanged,
    clock,
    random: { unit: () => 0, bytes: (count) => Buffer.alloc(count) },
    logger: pino({}, { write: (line: string) => onLog(JSON.parse(line) as { level: number; msg: string }) }),
    giveWay: new GiveWay({ clock, load: () => 0 }),
    countTls: () => {},
    settings: {
      retry: { firstMs: 60_000, totalMs: 3 * 86_400_000 },
      limits: { ...defaultLimits, ...limits },
    },
  });
  const aSecond = async () => {
    await clock.advance(1000);
    for (let commit = 0; commit < commitsInASecond; commit++) {
      await store.suppressions.remove({ accountId, recipient: 'nobody@example.org' });
    }
  };
  return {
    store,
    clock,
    delivery,
    accountId,
    aSecond,
    async post(recipients, changes) {
      const result = await store.intake.accept(
        aSubmission(accountId, {
          recipients: recipients.map((address) => ({ address, role: 'to' })),
          atMs: clock.now(),
          ...changes,
        }),
      );
      delivery.wake();
      return result.kind === 'conflict' ? [] : result.messageIds;
    },
    events: (messageId) => store.log.ofMessage(accountId, messageId),
    attempts: (messageId) => store.messages.attempts(accountId, messageId),
    async [Symbol.asyncDispose]() {
      const stopped = new AbortController();
      const stopping = (async () => {
        await delivery[Symbol.asyncDispose]();
        stopped.abort();
      })();
      while (!stopped.signal.aborted) await aSecond();
      await stopping;
      await store[Symbol.asyncDispose]();
      await rm(folder, { recursive: true });
    },
  };
}
