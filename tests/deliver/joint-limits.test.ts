/**
 * Processes on one PostgreSQL that send to one server, some of them stopped, killed and started: a server that nobody
 * here wrote counts its connections and its messages.
 */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { SMTPServer } from 'smtp-server';
import type { SharedPace } from '../../src/deliver/pace/sharing.ts';
import { systemClock } from '../../src/platform/clock.ts';
import { accepted, anAccount, aSubmission } from '../../src/store/conformance/fixtures.ts';
import { openPostgresStore } from '../../src/store/postgres/open.ts';
import { freshDatabase } from '../support/fresh-database.ts';
import { withoutPostgres } from '../support/postgres.ts';
import { type Companion, startProgram } from '../support/program.ts';
import { jointLimits } from './joint-limits.ts';
import { mostWithin } from './most-within.ts';
import { hostAt } from './post-office.ts';

const messages = 120;
/** So slow that all connections are needed. */
const serviceMs = 600;

/** Counts connections from their beginning to their end, and messages by who brought them. */
async function startCountingServer() {
  const taken: { readonly to: string; readonly from: string; readonly atMs: number }[] = [];
  const watchers = new Set<() => void>();
  let open = 0;
  let mostOpen = 0;
  const server = new SMTPServer({
    authOptional: true,
    disabledCommands: ['STARTTLS', 'AUTH'],
    onConnect(_, callback) {
      mostOpen = Math.max(mostOpen, ++open);
      callback();
    },
    onClose: () => void open--,
    onData(stream, session, callback) {
      stream.resume();
      stream.once('end', () => {
        const to = session.envelope.rcptTo[0]?.address ?? '';
        taken.push({ to, from: session.hostNameAppearsAs || '', atMs: systemClock.now() });
        for (const watcher of watchers) watcher();
        setTimeout(callback, serviceMs);
      });
    },
  });
  server.on('error', () => {});
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.server.address();
  return {
    port: typeof address === 'object' ? (address?.port ?? 0) : 0,
    taken,
    mostOpen: () => mostOpen,
    /** Resolves when so many different messages have come. */
    async took(count: number): Promise<void> {
      while (new Set(taken.map(({ to }) => to)).size < count) {
        await new Promise<void>((resolve) => {
          const watcher = () => {
            watchers.delete(watcher);
            resolve();
          };
          watchers.add(watcher);
        });
      }
    },
    [Symbol.asyncDispose]: () => new Promise<void>((resolve) => server.close(resolve)),
  };
}

/** A destination that has long shown what it takes. */
const grown = {
  learnt: {
    connections: jointLimits.connections,
    perMinute: jointLimits.messagesPerMinute,
    paidUntilMs: 0,
    restUntilMs: 0,
    rests: 0,
  },
  shares: {},
} satisfies SharedPace;

describe('processes that deliver together', { skip: withoutPostgres }, () => {
  test('pass no limit of a destination, whether they are stopped, killed or started meanwhile', async () => {
    const url = await freshDatabase();
    await using server = await startCountingServer();
    await using store = await openPostgresStore({ url, clock: systemClock, processName: 'watcher' });
    const destination = hostAt(server.port).name;
    await store.paces.change({ names: [destination], nowMs: systemClock.now() }, () => ({
      state: new Map([[destination, JSON.stringify(grown)]]),
      result: undefined,
    }));
    await using children = new AsyncDisposableStack();
    const start = async (name: string): Promise<Companion> => {
      const child = startProgram(process.execPath, [
        `${import.meta.dirname}/joint-child.ts`,
        url,
        String(server.port),
        name,
      ]);
      children.use(child);
      await child.stdout.match(/delivering/);
      return child;
    };
    const [stopped, killed] = await Promise.all(['stopped', 'killed', 'third'].map(start));
    const account = (await anAccount(store)).id;
    const to = (index: number) => ({ address: `r${index}@example.org`, role: 'to' as const });
    await accepted(
      store,
      aSubmission(account, {
        recipients: Array.from({ length: messages }, (_, n) => to(n)),
        atMs: Date.now(),
      }),
    );

    await server.took(30);
    process.kill(stopped?.pid ?? 0, 'SIGSTOP');
    await server.took(60);
    await killed?.end('SIGKILL');
    await start('fourth');
    await server.took(100);
    process.kill(stopped?.pid ?? 0, 'SIGCONT');
    await server.took(messages);

    assert.ok(server.mostOpen() <= jointLimits.connections, `${server.mostOpen()} connections`);
    // A twentieth of a minute’s at once, those that were given out before, and then one every 275 ms.
    const most = mostWithin(
      10_000,
      server.taken.map(({ atMs }) => atMs),
    );
    assert.ok(most <= 12 + 13_000 / 275 + 2, `${most} messages in ten seconds`);
    const senders = new Set(server.taken.map(({ from }) => from));
    assert.deepEqual([...senders].sort(), ['fourth.test', 'killed.test', 'stopped.test', 'third.test']);
  });
});
