/**
 * The promise that webhooks stand on: whoever reads "id > cursor" misses no event, however many processes append,
 * however long their transactions stay open, and in whatever order they commit.
 */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import * as fc from 'fast-check';
import { systemClock } from '../../src/platform/clock.ts';
import {
  accepted,
  anAccount,
  aSubmission,
  deliverAll,
  startMs,
} from '../../src/store/conformance/fixtures.ts';
import type { Store } from '../../src/store/contract/store.ts';
import { Database, defaultDatabaseLimits } from '../../src/store/postgres/database.ts';
import { openPostgresStore } from '../../src/store/postgres/open.ts';
import { Transaction } from '../../src/store/postgres/transaction.ts';
import { freshDatabase } from '../support/fresh-database.ts';
import { withoutPostgres } from '../support/postgres.ts';

const process = (url: string, name: string): Promise<Store> =>
  openPostgresStore({ url, clock: systemClock, processName: name });

/** A reader as a webhook is one: it moves its cursor to what it has scanned and never back. */
class Follower {
  readonly seen: number[] = [];
  readonly #store: Store;
  readonly #accountId: number;
  #cursorId = 0;
  #reading: Promise<void> = Promise.resolve();

  constructor(store: Store, accountId: number) {
    this.#store = store;
    this.#accountId = accountId;
  }

  /** To the end, after any reading under way. */
  read(): Promise<void> {
    this.#reading = this.#reading.then(() => this.#toEnd());
    return this.#reading;
  }

  async #toEnd(): Promise<void> {
    for (;;) {
      const page = await this.#store.log.readAfter({
        accountId: this.#accountId,
        afterId: this.#cursorId,
        limit: 7,
        scanLimit: 9,
      });
      this.seen.push(...page.events.map(({ id }) => id));
      this.#cursorId = page.scannedTo;
      if (page.atEnd) return;
    }
  }
}

const event = (accountId: number, messageId: number, number: number) => ({
  account_id: accountId,
  message_id: messageId,
  number,
  type: 'opened',
  time_ms: startMs,
  recipient: '',
  sender: '',
  subject: '',
  code: '',
  enhanced_code: '',
  response: '',
  url: '',
  first_refusal: 0,
  visitor: '',
  tags: '[]',
  metadata: '{}',
  detail: '{}',
});

describe('the log on PostgreSQL', { skip: withoutPostgres }, () => {
  test('a transaction that stays open holds back whoever would get a greater id, and nobody skips its events', async () => {
    const url = await freshDatabase();
    await using store = await process(url, 'reader');
    const [acme, other] = [await anAccount(store), await anAccount(store, 'other')];
    const database = new Database(url, defaultDatabaseLimits);
    const follower = new Follower(store, acme.id);

    const appended = Promise.withResolvers<void>();
    const mayCommit = Promise.withResolvers<void>();
    const slow = database.transaction(async (sender) => {
      const transaction = new Transaction(sender);
      await transaction.lockLogs([acme.id]);
      await transaction.appendEvents([event(acme.id, 1_000_000, 1)]);
      appended.resolve();
      await mayCommit.promise;
    });
    await appended.promise;
    // Another account is not held back, and its events have greater ids than the one that nobody sees yet.
    await accepted(store, aSubmission(other.id));
    const late = accepted(store, aSubmission(acme.id));
    const waiters = "SELECT 1 FROM pg_locks WHERE locktype = 'advisory' AND NOT granted";
    while ((await database.get(waiters)) === undefined) await follower.read();
    await follower.read();
    assert.deepEqual(follower.seen, []);
    mayCommit.resolve();
    await Promise.all([slow, late]);
    await follower.read();
    assert.equal(follower.seen.length, 2);
    assert.deepEqual(
      follower.seen,
      follower.seen.toSorted((a, b) => a - b),
    );
    await database.close();
  });

  test('whatever processes do at the same time, a follower sees every event once and in order', async () => {
    const url = await freshDatabase();
    await using first = await process(url, 'first');
    await using second = await process(url, 'second');
    const stores = [first, second];
    const database = new Database(url, defaultDatabaseLimits);
    let round = 0;
    let held = 0;
    /** Appends an event, and commits only after so many reads. */
    const hold = (accountId: number, read: () => Promise<void> | undefined, reads: number) =>
      database.transaction(async (sender) => {
        const transaction = new Transaction(sender);
        await transaction.lockLogs([accountId]);
        await transaction.appendEvents([event(accountId, 1_000_000 + ++held, 1)]);
        for (let count = 0; count < 3 * reads; count++) await read();
      });
    const step = fc.record({
      store: fc.nat(1),
      account: fc.nat(1),
      does: fc.constantFrom(
        'accept' as const,
        'deliver' as const,
        'open' as const,
        'read' as const,
        'hold' as const,
      ),
      recipients: fc.integer({ min: 1, max: 4 }),
    });
    await fc.assert(
      fc.asyncProperty(fc.array(step, { minLength: 5, maxLength: 40 }), async (steps) => {
        round++;
        const accounts = [await anAccount(first, `a${round}`), await anAccount(first, `b${round}`)];
        const followers = accounts.map(({ id }) => new Follower(second, id));
        const messages: number[] = [];
        await Promise.all(
          steps.map(async ({ store: index, account, does, recipients }) => {
            const store = stores[index] ?? first;
            const accountId = accounts[account]?.id ?? 0;
            if (does === 'read') return followers[account]?.read();
            if (does === 'hold') return hold(accountId, () => followers[account]?.read(), recipients);
            if (does === 'deliver') return void (await deliverAll(store));
            if (does === 'open') {
              const visitor = { kind: 'human', confidence: 1, reason: '' } as const;
              const at = { messageId: messages.at(-1) ?? 0, atMs: startMs };
              return void (await store.log.report({
                ...at,
                type: 'opened',
                userAgent: '',
                address: '',
                visitor,
              }));
            }
            const to = Array.from({ length: recipients }, (_, n) => `r${n}@example.org`);
            const submission = aSubmission(accountId, {
              recipients: to.map((address) => ({ address, role: 'to' as const })),
            });
            messages.push(...(await accepted(store, submission)));
          }),
        );
        for (const [index, { id: accountId }] of accounts.entries()) {
          const follower = followers[index];
          await follower?.read();
          const all = await first.log.readAfter({ accountId, afterId: 0, limit: 1000, scanLimit: 1000 });
          assert.deepEqual(
            follower?.seen,
            all.events.map(({ id }) => id),
          );
        }
      }),
      { numRuns: 15 },
    );
    await database.close();
  });

  test('what one process appends, queues and changes, the others hear of', async () => {
    const url = await freshDatabase();
    await using first = await process(url, 'first');
    await using second = await process(url, 'second');
    const { id: accountId } = await anAccount(first);
    const heardLog = new Promise<ReadonlySet<number>>((resolve) => second.log.subscribe(resolve));
    const heardQueue = new Promise<void>((resolve) => second.queue.subscribe(resolve));
    await accepted(first, aSubmission(accountId));
    assert.deepEqual([...(await heardLog)], [accountId]);
    await heardQueue;
  });

  test('a batch that holds one bad call stores the others', async () => {
    await using store = await process(await freshDatabase(), 'only');
    const { id: accountId } = await anAccount(store);
    const results = await Promise.allSettled(
      Array.from({ length: 50 }, (_, index) =>
        store.intake.accept(aSubmission(index === 20 ? (undefined as unknown as number) : accountId)),
      ),
    );
    assert.equal(results.filter(({ status }) => status === 'fulfilled').length, 49);
    assert.equal(await store.queue.depth(), 49);
  });
});
