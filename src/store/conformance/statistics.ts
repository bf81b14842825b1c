/** What a store must do for statistics: hand out what is not counted, add counts once, sum them, let go of old ones. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import {
  type Counted,
  type CountRow,
  type Counts,
  type Measure,
  measures,
  mostNamesInSlot,
  namesKeptInSlot,
  type NewCounts,
  slotMs,
  visitsLookedAt,
} from '../contract/statistics.ts';
import type { Store } from '../contract/store.ts';
import {
  accepted,
  anAccount,
  aSubmission,
  deliverAll,
  delivered,
  type OpenStore,
  startMs,
} from './fixtures.ts';

const dayMs = 86_400_000;

const counts = (some: Partial<Record<Measure, number>>): number[] =>
  measures.map((measure) => some[measure] ?? 0);

function row(changes: Partial<CountRow>, some: Partial<Record<Measure, number>>): CountRow {
  const ids = { firstId: 1, lastId: 1 };
  return { slotMs: startMs, scope: 'all', name: '', provider: '', ...ids, ...changes, counts: counts(some) };
}

const domain = (name: string, some: Partial<Record<Measure, number>>, provider = ''): CountRow =>
  row({ scope: 'domain', name, provider }, some);

/** Adds rows after what is counted, as if they stood for one more event. */
async function add(
  store: Store,
  accountId: number,
  rows: readonly CountRow[],
  changes: Partial<NewCounts> = {},
) {
  const afterId = await store.statistics.countedTo(accountId);
  const input = { accountId, afterId, lastId: afterId + 1, rows, providers: [], atMs: startMs };
  return store.statistics.add({ ...input, ...changes });
}

/** What is not nothing, of the first day. */
async function sumOfDay(store: Store, accountId: number, of: Counted = { kind: 'all' }) {
  const [sum] = await store.statistics.sums({
    accountId,
    of,
    fromMs: startMs,
    lengthMs: dayMs,
    intervals: 1,
  });
  return nonZero(sum?.counts);
}

const nonZero = (of: Counts | undefined) =>
  Object.fromEntries(Object.entries(of ?? {}).filter(([, count]) => count !== 0));

export function statisticsConformance(open: OpenStore): void {
  describe('statistics: what is not counted', () => {
    test('is handed out in order and in pieces, until a commit has moved the cursor over it', async () => {
      await using store = await open();
      const { id: accountId } = await anAccount(store);
      const { id: otherId } = await anAccount(store, 'other');
      assert.deepEqual(await store.statistics.uncountedAccounts(), []);
      const [messageId = 0] = await accepted(store, aSubmission(accountId, { tags: ['order'] }));
      await deliverAll(store);
      assert.deepEqual(await store.statistics.uncountedAccounts(), [accountId]);
      const { afterId, events } = await store.statistics.readUncounted({ accountId, limit: 10 });
      assert.equal(afterId, 0);
      assert.deepEqual(
        events.map(({ type, recipient, tagsJson, timeMs }) => [type, recipient, tagsJson, timeMs]),
        [
          ['accepted', 'ann@example.org', '["order"]', startMs],
          ['delivered', 'ann@example.org', '["order"]', startMs],
        ],
      );
      assert.equal(events[0]?.detailJson, '');
      assert.equal((JSON.parse(events[1]?.detailJson ?? '') as { host: string }).host, 'mx.example.org');
      const first = await store.statistics.readUncounted({ accountId, limit: 1 });
      assert.deepEqual(first.events, events.slice(0, 1));
      await add(store, accountId, [], { lastId: events[0]?.id ?? 0 });
      const rest = await store.statistics.readUncounted({ accountId, limit: 10 });
      assert.deepEqual([rest.afterId, rest.events], [events[0]?.id, events.slice(1)]);
      await add(store, accountId, [], { lastId: events[1]?.id ?? 0 });
      assert.deepEqual(await store.statistics.uncountedAccounts(), []);
      assert.deepEqual((await store.statistics.readUncounted({ accountId: otherId, limit: 10 })).events, []);
      assert.equal(messageId, 1);
    });

    test('says of an open or click who had made one before, and stops looking in a story without end', async () => {
      await using store = await open();
      const { id: accountId } = await anAccount(store);
      const [messageId = 0, otherId = 0] = await accepted(
        store,
        aSubmission(accountId, {
          recipients: [
            { address: 'ann@example.org', role: 'to' },
            { address: 'ben@example.org', role: 'to' },
          ],
        }),
      );
      const visit = async (
        type: 'opened' | 'clicked',
        kind: 'machine' | 'proxy' | 'human',
        id = messageId,
      ) => {
        const visitor = { kind, confidence: 1, reason: '' };
        const facts = { userAgent: '', address: '192.0.2.7', visitor, atMs: startMs, messageId: id };
        await store.log.report(type === 'opened' ? { type, ...facts } : { type, url: '', ...facts });
      };
      await visit('opened', 'machine');
      await visit('opened', 'proxy');
      await visit('opened', 'machine');
      await visit('clicked', 'human');
      await visit('opened', 'human');
      await visit('opened', 'proxy');
      const before = async () =>
        (await store.statistics.readUncounted({ accountId, limit: 1000 })).events
          .slice(2)
          .map(({ visitedBefore }) => visitedBefore);
      assert.deepEqual(await before(), ['nobody', 'machine', 'proxy', 'nobody', 'proxy', 'human']);
      for (let number = 2; number <= visitsLookedAt; number++) await visit('opened', 'machine', otherId);
      await visit('opened', 'human', otherId);
      const others = (await before()).slice(6);
      assert.deepEqual(
        [others[0], others[1], others.at(-2), others.at(-1)],
        ['nobody', 'machine', 'machine', 'human'],
      );
    });
  });

  describe('statistics: counts', () => {
    test('are added once: with a cursor that has moved meanwhile nothing is stored', async () => {
      await using store = await open();
      const { id: accountId } = await anAccount(store);
      const rows = [row({ firstId: 1, lastId: 3 }, { accepted: 2, delivered: 1 })];
      const batch = { accountId, afterId: 0, lastId: 3, rows, providers: [], atMs: startMs };
      const outcomes = await Promise.all([1, 2, 3].map(() => store.statistics.add(batch)));
      assert.deepEqual(outcomes.toSorted(), ['added', 'stale', 'stale']);
      assert.deepEqual(await sumOfDay(store, accountId), { accepted: 2, delivered: 1 });
      assert.equal(await store.statistics.countedTo(accountId), 3);
      assert.equal(await add(store, accountId, [row({}, { delivered: 1 })]), 'added');
      assert.deepEqual(await sumOfDay(store, accountId), { accepted: 2, delivered: 2 });
    });

    test('come as sums of any stretch of whole slots, by domain, provider and tag', async () => {
      await using store = await open();
      const { id: accountId } = await anAccount(store);
      const { id: otherId } = await anAccount(store, 'other');
      await add(store, accountId, [
        row({}, { accepted: 3 }),
        row({ slotMs: startMs + slotMs }, { accepted: 5 }),
        row({ slotMs: startMs + 4 * slotMs }, { accepted: 7 }),
        domain('gmail.com', { accepted: 1 }, 'google'),
        domain('example.com', { accepted: 1 }),
        domain('example.org', { accepted: 1, opened: 0 } as Partial<Record<Measure, number>>),
        row({ scope: 'tag', name: 'order' }, { accepted: 2 }),
      ]);
      // Where its mail goes has become known.
      await add(store, accountId, [domain('example.com', { delivered: 1 }, 'google')]);
      await add(store, accountId, [domain('example.com', { openedHuman: 1 })]);
      const ask = { accountId, of: { kind: 'all' }, fromMs: startMs, lengthMs: 3_600_000 } as const;
      assert.deepEqual(
        (await store.statistics.sums({ ...ask, intervals: 2 }))
          .toSorted((a, b) => a.index - b.index)
          .map(({ index, counts }) => [index, counts.accepted]),
        [
          [0, 8],
          [1, 7],
        ],
      );
      assert.deepEqual(
        (await store.statistics.sums({ ...ask, intervals: 1 })).map(({ counts }) => counts.accepted),
        [8],
      );
      assert.deepEqual(await store.statistics.sums({ ...ask, accountId: otherId, intervals: 9 }), []);
      const of = (counted: Counted) => sumOfDay(store, accountId, counted);
      assert.deepEqual(await of({ kind: 'domain', domain: 'gmail.com' }), { accepted: 1 });
      assert.deepEqual(await of({ kind: 'provider', provider: 'google' }), {
        accepted: 2,
        delivered: 1,
        openedHuman: 1,
      });
      assert.deepEqual(await of({ kind: 'provider', provider: '' }), { accepted: 1 });
      assert.deepEqual(await of({ kind: 'tag', tag: 'order' }), { accepted: 2 });
      const named = async (by: 'domain' | 'provider') =>
        (await store.statistics.sumsByName({ accountId, by, fromMs: startMs, toMs: startMs + dayMs }))
          .toSorted((a, b) => (a.name < b.name ? -1 : 1))
          .map(({ name, provider, counts }) => [name, provider, counts.accepted]);
      assert.deepEqual(await named('domain'), [
        ['example.com', 'google', 1],
        ['example.org', '', 1],
        ['gmail.com', 'google', 1],
      ]);
      assert.deepEqual(await named('provider'), [
        ['', '', 1],
        ['google', 'google', 2],
      ]);
    });

    test('of more domains than a slot holds, the largest keep their rows, and no event is lost', async () => {
      await using store = await open();
      const { id: accountId } = await anAccount(store);
      const range = { accountId, fromMs: startMs, toMs: startMs + dayMs };
      const names = Array.from({ length: mostNamesInSlot + 1 }, (_, index) => `d${index}.example`);
      const rows = names.map((name, index) =>
        domain(name, { accepted: index + 1 }, index % 2 === 0 ? 'google' : ''),
      );
      await add(store, accountId, rows.slice(0, mostNamesInSlot));
      assert.equal(await store.statistics.leavesOut({ ...range, what: 'domains' }), false);
      await add(store, accountId, rows.slice(mostNamesInSlot));
      assert.equal(await store.statistics.leavesOut({ ...range, what: 'domains' }), true);
      assert.equal(await store.statistics.leavesOut({ ...range, what: 'tags' }), false);
      const kept = await store.statistics.sumsByName({ ...range, by: 'domain' });
      assert.deepEqual(
        kept.flatMap(({ name }) => (name === '' ? [] : [name])).sort(),
        names.slice(-namesKeptInSlot).sort(),
      );
      assert.equal(kept.filter(({ name }) => name === '').length, 2);
      const total = (list: typeof kept) => list.reduce((sum, { counts }) => sum + counts.accepted, 0);
      const all = ((mostNamesInSlot + 1) * (mostNamesInSlot + 2)) / 2;
      assert.equal(total(kept), all);
      const providers = await store.statistics.sumsByName({ ...range, by: 'provider' });
      assert.equal(total(providers), all);
      assert.equal(
        providers.find(({ name }) => name === 'google')?.counts.accepted,
        rows.reduce((sum, { provider, counts }) => sum + (provider === 'google' ? (counts[0] ?? 0) : 0), 0),
      );

      const tags = names.map((name) => row({ scope: 'tag', name }, { accepted: 1 }));
      await add(store, accountId, tags);
      assert.equal(await store.statistics.leavesOut({ ...range, what: 'tags' }), true);
      assert.deepEqual(await sumOfDay(store, accountId, { kind: 'tag', tag: 'd0.example' }), { accepted: 1 });
    });

    test('what was learnt of domains is kept, the latest word counts', async () => {
      await using store = await open();
      const { id: accountId } = await anAccount(store);
      const learn = (domain: string, provider: string) =>
        add(store, accountId, [], { providers: [{ domain, provider }] });
      await learn('example.com', 'google');
      await learn('example.org', 'yandex');
      await learn('example.com', 'microsoft-365');
      const many = Array.from({ length: 45 }, (_, index) => `d${index}.example`);
      assert.deepEqual(
        await store.statistics.providersOf([...many, 'example.com', 'example.org']),
        new Map([
          ['example.com', 'microsoft-365'],
          ['example.org', 'yandex'],
        ]),
      );
    });

    test('old slots go, a part at a time; what is counted stays counted', async () => {
      await using store = await open();
      const { id: accountId } = await anAccount(store);
      const at = (slot: number) => [
        row({ slotMs: slot }, { accepted: 1 }),
        row({ slotMs: slot, scope: 'domain', name: 'example.org' }, { accepted: 1 }),
        row({ slotMs: slot, scope: 'tag', name: 'order' }, { accepted: 1 }),
      ];
      for (const days of [4, 0, 1, 9]) await add(store, accountId, at(startMs + days * dayMs));
      await add(store, accountId, [], { providers: [{ domain: 'example.com', provider: 'google' }] });
      const prune = (statisticsBeforeMs: number) =>
        store.retention.prune({
          eventsBeforeMs: 0,
          bodiesBeforeMs: 0,
          statisticsBeforeMs,
          nowMs: 0,
          limit: 100,
        });
      const left = async () => {
        const days = { accountId, of: { kind: 'all' }, fromMs: startMs, lengthMs: dayMs } as const;
        const sums = await store.statistics.sums({ ...days, intervals: 10 });
        return sums.map(({ index }) => index).toSorted((a, b) => a - b);
      };
      assert.equal(await prune(startMs), 0);
      assert.equal(await prune(startMs + 2 * dayMs), 4, 'the first day, and what was learnt');
      assert.deepEqual(await left(), [1, 4, 9]);
      assert.equal(await prune(startMs + 2 * dayMs), 3);
      assert.equal(await prune(startMs + 2 * dayMs), 0);
      assert.deepEqual(await left(), [4, 9]);
      assert.equal((await store.statistics.providersOf(['example.com'])).size, 0);
      assert.equal(await store.statistics.countedTo(accountId), 5);
      await add(store, accountId, at(startMs));
      assert.equal(await prune(startMs + dayMs), 3, 'a late event is let go of like an early one');
      while ((await prune(startMs + 30 * dayMs)) > 0);
      assert.deepEqual(await left(), []);
    });
  });

  describe('statistics: what waits', () => {
    test('how many, since when, what for; and what is under way', async () => {
      await using store = await open();
      const { id: accountId } = await anAccount(store);
      const { id: otherId } = await anAccount(store, 'other');
      const none = { messages: 0, oldestAtMs: undefined, nextAttemptAtMs: undefined, reasons: [] };
      const ask = (cap = 10, lookAt = 10) => store.statistics.waiting({ accountId, cap, lookAt });
      assert.deepEqual(await ask(), none);
      for (let index = 0; index < 3; index++)
        await accepted(store, aSubmission(accountId, { atMs: startMs + index }));
      const [first, second] = await store.queue.claim({ nowMs: startMs + 1, leaseMs: 60_000, limit: 2 });
      assert.ok(first && second);
      const { attempt, answer } = delivered(first) as Extract<
        ReturnType<typeof delivered>,
        { outcome: 'delivered' }
      >;
      await store.queue.settle({
        messageId: first.messageId,
        lease: first.lease,
        atMs: startMs,
        outcome: 'deferred',
        answer,
        attempt: { ...attempt, outcome: 'deferred', category: 'greylisted' },
        detail: {
          attempt: 1,
          host: 'mx.example.org',
          address: '192.0.2.1',
          stage: 'rcpt',
          category: 'greylisted',
          refused: true,
          nextAttemptAtMs: startMs + 90_000,
        },
      });
      const waiting = await ask();
      assert.deepEqual(
        [waiting.messages, waiting.oldestAtMs, waiting.nextAttemptAtMs],
        [3, startMs, startMs + 2],
      );
      assert.deepEqual(
        waiting.reasons.toSorted((a, b) => a.oldestAtMs - b.oldestAtMs),
        [
          { reason: 'greylisted', messages: 1, oldestAtMs: startMs },
          { reason: 'under-way', messages: 1, oldestAtMs: startMs + 1 },
          { reason: 'new', messages: 1, oldestAtMs: startMs + 2 },
        ],
      );
      const little = await ask(2, 1);
      assert.equal(little.messages, 2);
      assert.deepEqual(
        little.reasons.map(({ reason }) => reason),
        ['new'],
      );
      assert.deepEqual(await store.statistics.waiting({ accountId: otherId, cap: 9, lookAt: 9 }), none);
    });
  });
}
