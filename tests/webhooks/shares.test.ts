/** An endpoint that changes hands between processes on one PostgreSQL: nobody sends for it but who holds it. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { Client } from 'pg';
import { pino } from 'pino';
import { systemRandom } from '../../src/platform/clock.ts';
import { guardedAgent } from '../../src/platform/guard-agent.ts';
import { systemResolve } from '../../src/platform/guard-resolve.ts';
import { accepted, anAccount, aSubmission } from '../../src/store/conformance/fixtures.ts';
import { shareHoldsForMs } from '../../src/store/contract/webhooks.ts';
import { openPostgresStore } from '../../src/store/postgres/open.ts';
import { deriveKeys } from '../../src/tokens/keys.ts';
import { createSeal } from '../../src/tokens/sealed-secret.ts';
import { createEndpoints, type Endpoints } from '../../src/webhooks/endpoints.ts';
import { openPost } from '../../src/webhooks/post.ts';
import { startWebhooks } from '../../src/webhooks/service.ts';
import { openVault } from '../../src/webhooks/vault.ts';
import { freshDatabase } from '../support/fresh-database.ts';
import { ManualClock } from '../support/manual-clock.ts';
import { withoutPostgres } from '../support/postgres.ts';
import { until } from '../support/until.ts';
import { loopbackGuard, Receiver } from './world.ts';

const seal = createSeal(deriveKeys(['a secret of the tests, long enough']), systemRandom);
const agentWith = () => guardedAgent(loopbackGuard, systemResolve());

/** Time that can go by without waking anybody, as it does for a process that is stopped. */
class PausableClock extends ManualClock {
  pausedMs = 0;

  override now(): number {
    return super.now() + this.pausedMs;
  }
}

/** A process that sends to webhooks. */
async function start(url: string, processName: string, listenUrl = url) {
  await using stack = new AsyncDisposableStack();
  const clock = new PausableClock();
  const store = stack.use(await openPostgresStore({ url, listenUrl, clock, processName }));
  const agent = stack.adopt(agentWith(), (open) => open.destroy());
  const { post } = stack.use(openPost(agent, clock));
  const { log, webhooks, replays } = store;
  const deps = { log, webhooks, replays, post, vault: openVault(seal), agentWith, clock };
  stack.use(await startWebhooks({ ...deps, random: systemRandom, logger: pino({ level: 'silent' }) }));
  const endpoints = createEndpoints({
    ...{ webhooks, guard: loopbackGuard, resolve: systemResolve(), post, seal, clock, agentWith },
    random: systemRandom,
  });
  const running = stack.move();
  return { clock, store, endpoints, [Symbol.asyncDispose]: () => running.disposeAsync() };
}

type Process = Awaited<ReturnType<typeof start>>;

/** An endpoint that is told of each message that is accepted, one a request. */
const oneByOne = ({ url }: Receiver): Parameters<Endpoints['create']>[1] => ({
  url,
  dialect: 'aftersend',
  types: ['accepted'],
  options: { framing: 'single' },
});

/** Makes an endpoint and lets a first message through it. @returns the account's id */
async function sendsTo(receiver: Receiver, { store, endpoints }: Process): Promise<number> {
  const { id: accountId } = await anAccount(store);
  await endpoints.create(accountId, oneByOne(receiver));
  await accepted(store, aSubmission(accountId));
  await receiver.got(1);
  return accountId;
}

/** Waits until a process has the one endpoint, whose holder is silent. */
async function takesOver({ store, clock }: Process): Promise<void> {
  const held = async () => (await store.webhooks.takeShare()).held.size;
  for (let tries = 0; (await held()) === 0 && tries < 100; tries++) {
    await clock.advance(shareHoldsForMs / 4);
  }
  assert.equal(await held(), 1);
  // Its service asks for itself.
  await clock.advance(shareHoldsForMs / 4);
}

describe('endpoints of several processes', { skip: withoutPostgres }, () => {
  test('a process that was paused sends nothing for an endpoint that another has taken over', async () => {
    const url = await freshDatabase();
    await using receiver = await Receiver.open();
    await using paused = await start(url, 'paused');
    const accountId = await sendsTo(receiver, paused);

    await using other = await start(url, 'other');
    await takesOver(other);
    paused.clock.pausedMs = 3 * shareHoldsForMs;
    for (const number of [2, 3]) {
      // Its own process tells the paused one of the event: it would send at once.
      await accepted(paused.store, aSubmission(accountId));
      await until(
        async () => other.clock.advance(1000),
        () => receiver.requests.some(({ body }) => body.includes(`"number":${number},`)),
      );
    }
    const times = Map.groupBy(receiver.requests, ({ body }) => (JSON.parse(body) as { id: number }).id);
    // The first may come again: its taking was not stored when the process fell silent.
    assert.deepEqual(
      [...times.values()].slice(1).map(({ length }) => length),
      [1, 1],
    );
  });

  test('an endpoint that comes back to a paused process goes on where the other has ended', async () => {
    const url = await freshDatabase();
    await using receiver = await Receiver.open();
    // Paused, it hears nothing either.
    await using paused = await start(url, 'paused', await freshDatabase());
    const accountId = await sendsTo(receiver, paused);
    {
      await using other = await start(url, 'other');
      await takesOver(other);
      await accepted(other.store, aSubmission(accountId));
      await until(
        async () => other.clock.advance(1000),
        () => receiver.requests.some(({ body }) => body.includes('"number":2,')),
      );
    }
    const before = receiver.requests.length;
    // It comes to say that it lives before it asks for its share, so that asking tells it of no loss.
    const database = new Client({ connectionString: url });
    await database.connect();
    await database.query("INSERT INTO processes (name, alive_until_ms) VALUES ('paused', $1)", [
      paused.clock.now() + 5 * shareHoldsForMs,
    ]);
    await database.end();
    paused.clock.pausedMs = 3 * shareHoldsForMs;
    await accepted(paused.store, aSubmission(accountId));
    await until(
      async () => paused.clock.advance(1000),
      () => receiver.requests.some(({ body }) => body.includes('"number":3,')),
    );
    const sent = receiver.requests.slice(before).map(({ body }) => JSON.parse(body) as { id: number });
    assert.deepEqual(
      sent.map(({ id }) => id),
      [3],
    );
  });

  test('what an owner changes is done also when no notice tells of it', async () => {
    const url = await freshDatabase();
    await using receiver = await Receiver.open();
    // It listens where nobody says anything.
    await using deaf = await start(url, 'deaf', await freshDatabase());
    const clock = new ManualClock();
    await using console = await openPostgresStore({ url, clock, processName: 'console' });
    const { id: accountId } = await anAccount(console);
    const { webhook } = await deaf.endpoints.create(accountId, oneByOne(receiver));
    await deaf.clock.advance(shareHoldsForMs / 4);
    const moved = {
      accountId,
      webhookId: webhook.id,
      url: new URL('/moved', receiver.url).href,
      atMs: clock.now() + 1,
    };
    assert.ok(await console.webhooks.change(moved));
    await accepted(console, aSubmission(accountId));
    await until(
      async () => deaf.clock.advance(1000),
      () => receiver.requests.some(({ path }) => path === '/moved'),
    );
  });
});
