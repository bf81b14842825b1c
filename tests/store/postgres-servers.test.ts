/** The server that is written to: a primary that goes, a standby that takes its place, and an outage for all. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { serverUrls } from '../../src/config/database-url.ts';
import { systemClock } from '../../src/platform/clock.ts';
import { accepted, anAccount, aSubmission, startMs } from '../../src/store/conformance/fixtures.ts';
import { StoreBusyError } from '../../src/store/contract/store.ts';
import { shareHoldsForMs } from '../../src/store/contract/webhooks.ts';
import { openPostgresStore } from '../../src/store/postgres/open.ts';
import { DatabaseProxy } from '../support/database-proxy.ts';
import { freshDatabase } from '../support/fresh-database.ts';
import { ManualClock } from '../support/manual-clock.ts';
import { withoutPostgres } from '../support/postgres.ts';
import { PostgresPair } from '../support/postgres-pair.ts';
import { until } from '../support/until.ts';

test('a URL may name a primary and its standbys', () => {
  assert.deepEqual(serverUrls('postgres://me:p%40ss@db:5433/mail?sslmode=require'), [
    'postgres://me:p%40ss@db:5433/mail?sslmode=require',
  ]);
  assert.deepEqual(
    serverUrls('postgresql://me@one,[::1]:5433,192.0.2.1:1/mail?target_session_attrs=read-write&a=b'),
    [
      'postgresql://me@one/mail?a=b',
      'postgresql://me@[::1]:5433/mail?a=b',
      'postgresql://me@192.0.2.1:1/mail?a=b',
    ],
  );
  for (const wrong of [
    'mysql://me:secret@db/mail',
    'postgres://me:secret@db',
    'postgres://me:secret@/mail',
    'postgres://me:secret@one,,two/mail',
    'postgres://me:secret@one:99999/mail',
    'postgres://me:secret@one,two/mail?target_session_attrs=any',
    'secret',
  ]) {
    assert.throws(
      () => serverUrls(wrong),
      ({ message }: Error) =>
        !message.includes('secret') && /^is not postgres:|^target_session_attrs/.test(message),
    );
  }
});

describe('a PostgreSQL that fails', { skip: withoutPostgres }, () => {
  test('what was answered is at the promoted standby, and the store goes on there by itself', async () => {
    await using pair = await PostgresPair.start();
    const open = (processName: string) =>
      openPostgresStore({ url: pair.url('postgres'), clock: systemClock, processName });
    await using store = await open('first');
    await using other = await open('second');
    const { id: accountId } = await anAccount(store);

    const answered = new Set<number>();
    let refused = 0;
    let wanted = 2000;
    const write = async () => {
      while (wanted > 0) {
        wanted -= 1;
        try {
          for (const id of await accepted(store, aSubmission(accountId))) answered.add(id);
        } catch (error) {
          assert.ok(error instanceof StoreBusyError, String(error));
          refused += 1;
          // Not one of those to be written: the writers go on until the standby has taken over.
          wanted += 1;
          await systemClock.sleep(20);
        }
      }
    };
    const writers = [write(), write(), write(), write()];
    await until(
      () => answered.size,
      (count) => count > 50,
    );
    await pair.killPrimary();
    await until(
      () => refused,
      (count) => count > 0,
    );
    await pair.promote();
    await Promise.all(writers);

    const kept = await store.log.readAfter({
      accountId,
      afterId: 0,
      types: ['accepted'],
      limit: 10_000,
      scanLimit: 10_000,
    });
    const ids = new Set(kept.events.map(({ messageId }) => messageId));
    assert.deepEqual(
      [...answered].filter((id) => !ids.has(id)),
      [],
      'answered and lost',
    );

    const { promise: heard, resolve } = Promise.withResolvers<void>();
    other.log.subscribe((accountIds) => accountIds.has(accountId) && resolve());
    await accepted(store, aSubmission(accountId));
    await heard;
  });

  test('after an outage for all, nobody is taken for dead, and what waited long is not begun', async () => {
    await using proxy = await DatabaseProxy.start(await freshDatabase());
    const start = async (processName: string) => {
      const clock = new ManualClock(startMs);
      const store = await openPostgresStore({ url: proxy.url, clock, processName });
      return { store, clock, [Symbol.asyncDispose]: () => store[Symbol.asyncDispose]() };
    };
    await using first = await start('first');
    await using second = await start('second');
    const pass = async (ms: number, ...clocks: readonly ManualClock[]) => {
      for (let passed = 0; passed < ms; passed += 1000) {
        for (const clock of clocks) await clock.advance(1000);
        await proxy.quiet();
      }
    };
    const { id: accountId } = await anAccount(first.store);
    await accepted(first.store, aSubmission(accountId));
    const claim = { nowMs: startMs, leaseMs: 20 * 60_000, limit: 10 };
    const [claimed] = await first.store.queue.claim(claim);
    assert.ok(claimed);
    const { lease } = claimed;

    proxy.cut();
    await pass(3 * shareHoldsForMs, first.clock, second.clock);
    assert.ok(
      first.store.queue.heldUntilMs(lease) < first.clock.now(),
      'what it has claimed may be another’s',
    );
    proxy.mend();
    // The second comes back well before the first, whose word has run out, too.
    await pass(6000, second.clock);
    await pass(6000, first.clock, second.clock);
    await pass(3 * shareHoldsForMs, first.clock, second.clock);
    assert.ok(first.store.queue.heldUntilMs(lease) > first.clock.now());
    const later = { ...claim, nowMs: startMs + 10 * 60_000 };
    assert.deepEqual(await second.store.queue.claim(later), [], 'it is the first one’s still');
    await pass(3 * shareHoldsForMs, second.clock);
    assert.equal((await second.store.queue.claim(later)).length, 1, 'now that one is silent alone');
  });
});
