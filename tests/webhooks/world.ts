/** What webhook tests stand on: a real store, a clock they move, receivers that listen and behave as they are told. */
import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { createServer, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import ipaddr from 'ipaddr.js';
import { pino } from 'pino';
import { systemRandom } from '../../src/platform/clock.ts';
import { ConnectionLog } from '../../src/platform/connection-times.ts';
import { addressGuard } from '../../src/platform/guard.ts';
import { guardedAgent } from '../../src/platform/guard-agent.ts';
import { systemResolve } from '../../src/platform/guard-resolve.ts';
import { accepted, anAccount, aSubmission } from '../../src/store/conformance/fixtures.ts';
import type { Store } from '../../src/store/contract/store.ts';
import type { Webhook } from '../../src/store/contract/webhooks.ts';
import { openSqliteStore } from '../../src/store/sqlite/open.ts';
import { deriveKeys } from '../../src/tokens/keys.ts';
import type { MutualTls } from '../../src/webhooks/access.ts';
import { createEndpoints } from '../../src/webhooks/endpoints.ts';
import { createSeal } from '../../src/tokens/sealed-secret.ts';
import { openPost, type Post } from '../../src/webhooks/post.ts';
import { createReplays } from '../../src/webhooks/replays.ts';
import { startWebhooks } from '../../src/webhooks/service.ts';
import type { EndpointInput } from '../../src/webhooks/settings.ts';
import { openVault } from '../../src/webhooks/vault.ts';
import { ManualClock } from '../support/manual-clock.ts';

export const loopbackGuard = addressGuard([ipaddr.parseCIDR('127.0.0.0/8')]);
const visitor = { kind: 'human', confidence: 0.8, reason: '' } as const;
const silent = pino({ level: 'silent' });

export interface Received {
  readonly path: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
}

/** Answers as the function says; the default takes everything. */
export type Behaviour = (request: Received, response: ServerResponse, index: number) => void;

export const take: Behaviour = (_request, response) => response.end('taken');
export const answer =
  (status: number): Behaviour =>
  (_request, response) => {
    response.writeHead(status).end('no');
  };
/** Says nothing, ever. */
export const hang: Behaviour = () => undefined;

export class Receiver implements AsyncDisposable {
  /** Requests of all receivers that are left without an end of their answer. */
  static held = 0;
  readonly requests: Received[] = [];
  behave: Behaviour = take;
  /** Requests that wait for their answer now. */
  open = 0;
  #onBody: (body: Buffer) => void = () => undefined;
  readonly #server = createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('end', () => {
      const bytes = Buffer.concat(chunks);
      this.#onBody(bytes);
      const body = bytes.toString('utf8');
      const headers = Object.fromEntries(
        Object.entries(request.headers).map(([name, value]) => [name, String(value)]),
      );
      const received = { path: request.url ?? '', headers, body };
      this.requests.push(received);
      this.open += 1;
      response.once('close', () => {
        this.open -= 1;
      });
      this.behave(received, response, this.requests.length - 1);
      if (!response.writableEnded) {
        Receiver.held += 1;
        response.once('close', () => {
          Receiver.held -= 1;
        });
      }
      this.#changed();
    });
  });
  #watchers: (() => void)[] = [];

  /** @param onBody is given each body as it came */
  static async open(onBody: (body: Buffer) => void = () => undefined): Promise<Receiver> {
    const receiver = new Receiver();
    receiver.#onBody = onBody;
    await new Promise<void>((resolve) => receiver.#server.listen(0, '127.0.0.1', resolve));
    return receiver;
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  get url(): string {
    return `http://127.0.0.1:${this.port}/hook`;
  }

  /** Resolves when so many requests have come in. */
  async got(count: number): Promise<readonly Received[]> {
    await this.until(() => this.requests.length >= count);
    return this.requests;
  }

  /** Resolves when it holds, looking after each request. */
  async until(holds: () => boolean): Promise<void> {
    while (!holds()) await new Promise<void>((resolve) => this.#watchers.push(resolve));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
  }

  #changed(): void {
    const watchers = this.#watchers;
    this.#watchers = [];
    for (const watcher of watchers) watcher();
  }
}

export class World implements AsyncDisposable {
  readonly clock: ManualClock;
  readonly times: { readonly log: ConnectionLog; readonly clock: ManualClock };
  readonly agent: ReturnType<typeof guardedAgent>;
  readonly agentWith = ({ certificate: cert, privateKey: key, serverCa: ca }: MutualTls) =>
    guardedAgent(loopbackGuard, systemResolve(), { tls: { cert, key, ca } });
  readonly #client: ReturnType<typeof openPost>;
  readonly post: Post;
  readonly seal = createSeal(deriveKeys(['a secret of the tests, long enough']), systemRandom);
  store: Store;
  accountId = 0;
  messageId = 0;
  /** Progress saves so far, and who waits for the next. */
  saves = 0;
  /** What the service has read of the log. */
  readonly reads: { readonly limit: number; readonly scanLimit: number }[] = [];
  /** What is under way: requests, and saves that the disk has not taken. */
  #posting = 0;
  #saving = 0;
  readonly folder: string;
  #service: AsyncDisposable | undefined;
  /** Goes up with each crash. */
  #life = 0;
  #watchers: (() => void)[] = [];

  private constructor(folder: string, store: Store, nowMs: number) {
    this.clock = new ManualClock(nowMs);
    this.times = { log: new ConnectionLog(), clock: this.clock };
    this.agent = guardedAgent(loopbackGuard, systemResolve(), { times: this.times });
    this.#client = openPost(this.agent, this.clock, this.times.log);
    this.post = this.#client.post;
    this.folder = folder;
    this.store = store;
  }

  static async open(nowMs = Date.UTC(2026, 0, 5, 12)): Promise<World> {
    const folder = await mkdtemp(join(tmpdir(), 'aftersend-webhooks-'));
    const world = new World(folder, await openSqliteStore(folder, 'serve'), nowMs);
    world.accountId = (await anAccount(world.store)).id;
    [world.messageId = 0] = await accepted(world.store, aSubmission(world.accountId));
    return world;
  }

  get endpoints() {
    const { clock, seal, post } = this;
    const { webhooks } = this.store;
    return createEndpoints({
      webhooks,
      guard: loopbackGuard,
      resolve: systemResolve(),
      post,
      seal,
      clock,
      random: systemRandom,
      agentWith: this.agentWith,
    });
  }

  get replays() {
    const { clock } = this;
    return createReplays({ ...this.store, clock });
  }

  async webhook(receiver: { url: string }, input: EndpointInput & { dialect: string }): Promise<Webhook> {
    return (await this.endpoints.create(this.accountId, { ...input, url: receiver.url })).webhook;
  }

  async start(): Promise<void> {
    const { log, webhooks } = this.store;
    const life = this.#life;
    const isCrashed = () => life !== this.#life;
    this.#service = await startWebhooks({
      log: {
        ...log,
        readAfter: (input) => {
          this.reads.push(input);
          return log.readAfter(input);
        },
      },
      webhooks: {
        ...webhooks,
        saveProgress: async (input) => {
          if (isCrashed()) return new Promise(() => undefined);
          this.#saving += 1;
          const result = await webhooks.saveProgress(input).finally(() => {
            this.#saving -= 1;
          });
          this.saves += 1;
          const watchers = this.#watchers;
          this.#watchers = [];
          for (const watcher of watchers) watcher();
          return result;
        },
      },
      post: async (request, signal) => {
        if (isCrashed()) return new Promise(() => undefined);
        this.#posting += 1;
        const result = await this.post(request, signal).finally(() => {
          this.#posting -= 1;
        });
        return isCrashed() ? new Promise(() => undefined) : result;
      },
      vault: openVault(this.seal),
      agentWith: this.agentWith,
      replays: this.store.replays,
      clock: this.clock,
      random: { unit: () => 0, bytes: (count) => systemRandom.bytes(count) },
      logger: silent,
    });
  }

  /** Ends the service as a power cut would: what it has not saved is gone, what it has sent is sent. */
  crash(): void {
    this.#life += 1;
    this.#service = undefined;
  }

  /** Resolves when nothing moves any more but by the clock. */
  async idle(): Promise<void> {
    for (let quietTurns = 0; quietTurns < 8; ) {
      await new Promise((resolve) => setImmediate(resolve));
      const isQuiet = this.#posting <= Receiver.held && this.#saving === 0;
      quietTurns = isQuiet ? quietTurns + 1 : 0;
    }
  }

  /** Moves the clock from sleeper to sleeper until it holds. @throws when that takes longer than `maxMs` */
  async drive(holds: () => boolean | Promise<boolean>, maxMs = 30 * 86_400_000): Promise<void> {
    const endMs = this.clock.now() + maxMs;
    for (;;) {
      await this.idle();
      if (await holds()) return;
      const nextMs = this.clock.nextWakeAtMs;
      assert.ok(nextMs !== undefined && nextMs <= endMs, 'it does not come to pass');
      await this.clock.advance(nextMs - this.clock.now());
    }
  }

  /** Lets time go by, sleeper by sleeper. */
  async pass(ms: number): Promise<void> {
    const endMs = this.clock.now() + ms;
    for (;;) {
      await this.idle();
      const nextMs = Math.min(this.clock.nextWakeAtMs ?? Infinity, endMs);
      await this.clock.advance(Math.max(0, nextMs - this.clock.now()));
      if (nextMs >= endMs) return this.idle();
    }
  }

  async stop(): Promise<void> {
    await this.#service?.[Symbol.asyncDispose]();
    this.#service = undefined;
  }

  /** Resolves when the stored endpoint is as asked, looking after each save. */
  async until(webhookId: number, holds: (webhook: Webhook) => boolean): Promise<Webhook> {
    for (;;) {
      const webhook = await this.store.webhooks.load(webhookId);
      assert.ok(webhook);
      if (holds(webhook)) return webhook;
      await new Promise<void>((resolve) => this.#watchers.push(resolve));
    }
  }

  /** Appends so many `opened` events. @returns their ids */
  async opened(count: number, messageId = this.messageId): Promise<number[]> {
    const results = await Promise.all(
      Array.from({ length: count }, (_, index) =>
        this.store.log.report({
          messageId,
          atMs: this.clock.now() + index * 1000,
          type: 'opened',
          userAgent: 'test',
          address: '192.0.2.1',
          visitor,
        }),
      ),
    );
    return results.map((result) => (result.kind === 'appended' ? result.eventId : 0));
  }

  /** Appends so many copies of the last event, beside the store: many of them by way of it would take long. */
  copyLastEvent(count: number): void {
    using stack = new DisposableStack();
    const database = new DatabaseSync(`${this.folder}/aftersend.db`);
    stack.defer(() => database.close());
    const { last } = database.prepare('SELECT max(id) AS last FROM events').get() as { last: number };
    const names = database
      .prepare("SELECT name FROM pragma_table_info('events')")
      .all()
      .map((column) => String(column['name']));
    const values = names.map((name) => (name === 'id' || name === 'number' ? `${name} + n` : name));
    database.exec(`BEGIN; WITH RECURSIVE numbers (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM numbers WHERE n < ${count})
      INSERT INTO events (${names.join(', ')}) SELECT ${values.join(', ')} FROM events, numbers WHERE id = ${last};
      UPDATE sequences SET last = ${last + count} WHERE name = 'events';
      UPDATE messages SET last_number = last_number + ${count + 10}; COMMIT`);
  }

  async clicked(url: string): Promise<void> {
    const { messageId } = this;
    await this.store.log.report({
      messageId,
      atMs: this.clock.now(),
      type: 'clicked',
      url,
      userAgent: '',
      address: '',
      visitor,
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop();
    this.#client[Symbol.dispose]();
    await this.agent.destroy();
    await this.store[Symbol.asyncDispose]();
    await rm(this.folder, { recursive: true });
  }
}
