/** How soon an endpoint that takes everything at once is told, whatever others do. */
import { once } from 'node:events';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { Pool } from 'undici';
import { freePorts, type TestAccount, TestService } from '../../tests/support/service.ts';
import type { Contender, Row } from '../measure.ts';
import { startStillServer } from '../still-server.ts';
import { linksOf, sendMessages } from '../tracked-messages.ts';
import { createSender } from '../sender.ts';

const eventsPerSecond = 500;
const seconds = 8;
const badEndpoints = 200;
/** An account may have 100. The first one has the good endpoint too, and the others get a tenth of its events. */
const badEndpointsPerAccount = 99;
const othersShare = 10;
/** Opened in turn: a message is not opened again before it was told of. */
const messages = 2000;
const tickMs = 10;

export const webhookLatency: Row = {
  name: 'webhook-latency',
  work: `${eventsPerSecond} opens/s to a good endpoint (msndr), from the pixel's request to the event's arrival, p99, while ${badEndpoints} others hang or refuse`,
  unit: 'ms (p99)',
  better: 'less',
  toReach: '50 ms, and 1.5 times of that without the bad ones',
  async open(scale) {
    await using stack = new AsyncDisposableStack();
    const still = stack.use(await startStillServer());
    const [refusing = 0] = await freePorts(1);
    const bad = [still.port, refusing];
    const contenders = [
      await timing(stack, 'aftersend', seconds * scale, bad),
      await timing(stack, 'without the bad ones', seconds * scale, []),
    ];
    const open = stack.move();
    return { contenders, leftOut: [], [Symbol.asyncDispose]: () => open.disposeAsync() };
  },
};

async function timing(
  stack: AsyncDisposableStack,
  name: string,
  forSeconds: number,
  badPorts: readonly number[],
): Promise<Contender> {
  const service = stack.use(await TestService.start({ AFTERSEND_WEBHOOK_ALLOW: '127.0.0.0/8' }));
  const accounts: TestAccount[] = [await createSender(service)];
  for (let made = 0; badPorts.length > 0 && made < badEndpoints; made++) {
    const index = Math.floor(made / badEndpointsPerAccount);
    const account = (accounts[index] ??= await createSender(service, `bench-${index}`));
    await addWebhook(service, account, `http://127.0.0.1:${badPorts[made % badPorts.length]}/`);
  }
  const receiver = stack.use(await startTimingReceiver());
  const [first, ...others] = accounts;
  if (first === undefined) throw new Error('there is no account');
  await addWebhook(service, first, receiver.url);
  const paths = linksAsPaths(service, await sendMessages(service, first, messages));
  const otherPaths: string[] = [];
  for (const other of others) {
    for (const { path } of linksAsPaths(service, await sendMessages(service, other, 100)))
      otherPaths.push(path);
  }
  const pool = new Pool(service.url, { connections: 8 });
  stack.defer(() => pool.destroy());
  const get = async (path: string) => (await pool.request({ path, method: 'GET' })).body.dump();

  return {
    name,
    async run() {
      const count = Math.ceil(eventsPerSecond * forSeconds);
      const taken = receiver.take(count);
      const startedMs = performance.now();
      for (let sent = 0; sent < count; ) {
        const due = Math.min(count, ((performance.now() - startedMs) / 1000) * eventsPerSecond);
        for (; sent < due; sent++) {
          const { messageId, path } = paths[sent % paths.length] as (typeof paths)[number];
          receiver.expect(messageId);
          void get(path);
          const other = otherPaths[(sent / othersShare) % (otherPaths.length || 1)];
          if (other !== undefined) void get(other);
        }
        await sleep(tickMs);
      }
      const waits = (await taken).toSorted((a, b) => a - b);
      return waits[Math.floor(waits.length * 0.99)] ?? 0;
    },
  };
}

async function addWebhook(service: TestService, account: TestAccount, url: string): Promise<void> {
  await service.call(account, 'POST', '/api/webhooks', { url, dialect: 'msndr', types: ['opened'] });
}

function linksAsPaths(service: TestService, messageIds: readonly number[]) {
  const links = linksOf(service);
  return messageIds.map((messageId) => ({ messageId, path: new URL(links.pixelUrl(messageId)).pathname }));
}

interface TimingReceiver extends AsyncDisposable {
  readonly url: string;
  /** An event of this message is caused now. */
  expect(messageId: number): void;
  /** @returns the waits in ms of the next so many events */
  take(count: number): Promise<readonly number[]>;
}

async function startTimingReceiver(): Promise<TimingReceiver> {
  const causedMs = new Map<number, number>();
  let waits: number[] = [];
  let wanted = 0;
  let done: (waits: readonly number[]) => void = () => {};
  const take = async (request: IncomingMessage, response: ServerResponse) => {
    const arrivedMs = performance.now();
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk as Buffer);
    response.end();
    const { message } = JSON.parse(Buffer.concat(chunks).toString()) as { message: { id: number } };
    waits.push(arrivedMs - (causedMs.get(message.id) ?? arrivedMs));
    if (waits.length === wanted) done(waits);
  };
  const server = createServer((request, response) => void take(request, response));
  await once(server.listen(0, '127.0.0.1'), 'listening');
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/`,
    expect: (messageId) => causedMs.set(messageId, performance.now()),
    take(count) {
      waits = [];
      wanted = count;
      return new Promise((resolve) => {
        done = resolve;
      });
    },
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}
