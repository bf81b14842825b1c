/**
 * The counts against the log: whatever happens to messages, however the log is cut into batches, and whatever goes wrong
 * while they are added, the sums are those that counting the whole log gives.
 */
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import * as fc from 'fast-check';
import { eventTypes, type LoggedEvent, visitorKinds } from '../../src/events/types.ts';
import { systemClock } from '../../src/platform/clock.ts';
import { countBatch } from '../../src/statistics/follow.ts';
import { Providers } from '../../src/statistics/learn.ts';
import {
  accepted,
  anAccount,
  aSubmission,
  delivered,
  startMs,
} from '../../src/store/conformance/fixtures.ts';
import {
  type Counted,
  type Measure,
  measures,
  mostNamesInSlot,
  slotMs,
  type StatisticsStore,
} from '../../src/store/contract/statistics.ts';
import type { Store } from '../../src/store/contract/store.ts';
import { openPostgresStore } from '../../src/store/postgres/open.ts';
import { openSqliteStore } from '../../src/store/sqlite/open.ts';
import { freshDatabase } from '../support/fresh-database.ts';
import { withoutPostgres } from '../support/postgres.ts';

const domains = ['gmail.com', 'mail.ru', 'example.org', 'hosted.example'];
/** Whose servers they are is seen by where mail to them goes. */
const mxOf: Readonly<Record<string, string>> = { 'hosted.example': 'aspmx.l.google.com' };
const tags = ['order', 'reminder', 'x y'];
const slots = 3;

/** What happens next, each to a message chosen by a number, at a time within the slots. */
const step = fc.record({
  what: fc.constantFrom(
    'accept',
    'accept',
    'accept',
    'deliver',
    'defer',
    'bounce',
    'open',
    'open',
    'click',
    'unsubscribe',
    'complain',
    'bounce-late',
    'count',
    'count',
  ),
  message: fc.nat(),
  atMs: fc.integer({ min: startMs, max: startMs + slots * slotMs - 1 }),
  visitor: fc.constantFrom('human', 'proxy', 'machine'),
  tags: fc.subarray(tags),
  together: fc.constantFrom(undefined, undefined, 17),
  limit: fc.integer({ min: 1, max: 5 }),
  trouble: fc.constantFrom('none', 'none', 'lost', 'unanswered', 'rival'),
} as const);
type Step = typeof step extends fc.Arbitrary<infer T> ? T : never;

const steps = fc.array(step, { minLength: 10, maxLength: 60 });

class TroubleError extends Error {}

/** A store whose adding fails before or after its commit, or comes after another's. */
function troubled(
  statistics: StatisticsStore,
  trouble: Step['trouble'],
  rival: () => Promise<unknown>,
): StatisticsStore {
  return {
    ...statistics,
    async add(input) {
      if (trouble === 'lost') throw new TroubleError();
      if (trouble === 'rival') await rival();
      const added = await statistics.add(input);
      if (trouble === 'unanswered') throw new TroubleError();
      return added;
    },
  };
}

async function count(store: Store, accountId: number, { limit, trouble }: Pick<Step, 'limit' | 'trouble'>) {
  // A follower that was started anew remembers nothing.
  const parts = { clock: systemClock, hostsAreMx: true };
  const by = (statistics: StatisticsStore, limit: number) =>
    countBatch(
      { statistics, clock: systemClock },
      new Providers({ ...parts, store: statistics }),
      accountId,
      limit,
    );
  try {
    return await by(
      troubled(store.statistics, trouble, () => by(store.statistics, 2)),
      limit,
    );
  } catch (error) {
    if (error instanceof TroubleError) return { counted: 0, more: true };
    throw error;
  }
}

async function settleOne(
  store: Store,
  outcome: 'delivered' | 'deferred' | 'bounced',
  { atMs, message }: Step,
) {
  const nowMs = startMs + slots * slotMs;
  const [claimed] = await store.queue.claim({ nowMs, leaseMs: 1, limit: 1 });
  if (claimed === undefined) return;
  const host = mxOf[claimed.recipient.split('@')[1] ?? ''] ?? 'mx.example.org';
  const settled = delivered(claimed, atMs);
  if (settled.outcome !== 'delivered') return;
  const answered = { host, address: '192.0.2.1', stage: 'rcpt', category: 'mailbox-full' } as const;
  const { attempt, lease, messageId, answer } = settled;
  const held = { messageId, lease, atMs, answer };
  switch (outcome) {
    case 'delivered':
      await store.queue.settle({ ...settled, detail: { attempt: 1, host, address: '192.0.2.1' } });
      return;
    case 'deferred': {
      const detail = { ...answered, attempt: 1, refused: true, nextAttemptAtMs: nowMs };
      await store.queue.settle({ ...held, outcome, attempt: { ...attempt, outcome }, detail });
      return;
    }
    case 'bounced': {
      const detail = { ...answered, attempt: 1, recipientAtFault: message % 2 === 0, late: false };
      await store.queue.settle({ ...held, outcome, attempt: { ...attempt, outcome }, detail });
    }
  }
}

async function take(store: Store, accountId: number, ids: number[], given: Step): Promise<void> {
  const { what, message, atMs, tags } = given;
  const messageId = ids[message % Math.max(1, ids.length)] ?? 0;
  const visitor = { kind: given.visitor, confidence: 1, reason: '' };
  const { together } = given;
  const counted = together !== undefined && { count: together };
  // A program may call itself whatever it likes.
  const visit = { messageId, atMs, visitor, userAgent: '"count":5', address: '192.0.2.7', ...counted };
  switch (what) {
    case 'accept': {
      const address = `reader${ids.length}@${domains[message % domains.length]}`;
      const recipients = [{ address, role: 'to' }] as const;
      ids.push(...(await accepted(store, aSubmission(accountId, { recipients, tags, atMs }))));
      return;
    }
    case 'deliver':
      return settleOne(store, 'delivered', given);
    case 'defer':
      return settleOne(store, 'deferred', given);
    case 'bounce':
      return settleOne(store, 'bounced', given);
    case 'open':
      await store.log.report({ type: 'opened', ...visit });
      return;
    case 'click':
      await store.log.report({ type: 'clicked', url: 'https://example.com/', ...visit });
      return;
    case 'unsubscribe':
      await store.log.report({ type: 'unsubscribed', stream: 'default', how: 'page', messageId, atMs });
      return;
    case 'complain':
      await store.log.report({ type: 'complained', feedbackType: 'abuse', source: 'api', messageId, atMs });
      return;
    case 'bounce-late': {
      const answer = { code: '550', enhancedCode: '5.2.2', text: 'full' };
      const why = { host: '', category: 'mailbox-full', recipientAtFault: false };
      await store.log.report({ type: 'bounced', answer, ...why, messageId, atMs });
      return;
    }
    case 'count':
      await count(store, accountId, given);
  }
}

type Tally = Map<string, number>;
const tell = (tally: Tally, slot: number, measure: Measure, amount = 1) =>
  tally.set(`${slot} ${measure}`, (tally.get(`${slot} ${measure}`) ?? 0) + amount);

/** The plain way: every event in turn, with all that came before at hand. */
function tallyOf(events: readonly LoggedEvent[]): Tally {
  const tally: Tally = new Map();
  const seen = new Set<string>();
  for (const event of events) {
    const slot = Math.floor((event.timeMs - startMs) / slotMs);
    const detail = JSON.parse(event.detailJson) as {
      late?: boolean;
      recipientAtFault?: boolean;
      count?: number;
    };
    const first = (kinds: string) => {
      const key = `${event.messageId} ${event.type} ${kinds}`;
      return seen.has(key) ? false : seen.add(key);
    };
    if (event.type === 'opened' || event.type === 'clicked') {
      const { type, visitor } = event;
      if (visitor === 'human') tell(tally, slot, `${type}Human`, detail.count);
      if (visitor === 'proxy') tell(tally, slot, `${type}Proxy`, detail.count);
      if (visitor === 'machine') tell(tally, slot, `${type}Machine`, detail.count);
      if (first('any')) tell(tally, slot, `${type}First`);
      if (visitor !== 'machine' && first('seen')) tell(tally, slot, `${type}FirstSeen`);
      if (visitor === 'human' && first('human')) tell(tally, slot, `${type}FirstHuman`);
      continue;
    }
    tell(tally, slot, event.type);
    if (event.type === 'bounced' && detail.late === true) tell(tally, slot, 'bouncedLate');
    if (event.type === 'bounced' && detail.recipientAtFault === true) tell(tally, slot, 'bouncedAtFault');
  }
  return tally;
}

async function counted(store: Store, accountId: number, of: Counted): Promise<Tally> {
  const range = { accountId, of, fromMs: startMs, lengthMs: slotMs, intervals: slots };
  const tally: Tally = new Map();
  for (const { index, counts } of await store.statistics.sums(range)) {
    for (const measure of measures) {
      if (counts[measure] !== 0) tally.set(`${index} ${measure}`, counts[measure]);
    }
  }
  return tally;
}

async function check(store: Store, accountId: number): Promise<void> {
  const input = { accountId, afterId: 0, limit: 1000, scanLimit: 1000 };
  const { events } = await store.log.readAfter(input);
  // The order of the story is that of the log; times may stand otherwise.
  assert.deepEqual(await counted(store, accountId, { kind: 'all' }), tallyOf(events));
  for (const domain of domains) {
    const own = events.filter(({ recipient }) => recipient.endsWith(`@${domain}`));
    assert.deepEqual(await counted(store, accountId, { kind: 'domain', domain }), tallyOf(own), domain);
  }
  for (const tag of tags) {
    const own = events.filter(({ tagsJson }) => (JSON.parse(tagsJson) as string[]).includes(tag));
    assert.deepEqual(await counted(store, accountId, { kind: 'tag', tag }), tallyOf(own), tag);
  }
  const range = { accountId, fromMs: startMs, toMs: startMs + slots * slotMs };
  const accepted = events.filter(({ type }) => type === 'accepted').length;
  for (const by of ['domain', 'provider'] as const) {
    const sums = await store.statistics.sumsByName({ ...range, by });
    assert.equal(
      sums.reduce((sum, { counts }) => sum + counts.accepted, 0),
      accepted,
      by,
    );
  }
}

const happening = fc.record({
  type: fc.constantFrom('accepted', 'opened', ...eventTypes),
  fromMs: fc.integer({ min: startMs - slotMs, max: startMs + 2 * slotMs }),
  lengthMs: fc.integer({ min: 1, max: slots * slotMs }),
  domain: fc.option(fc.constantFrom(...domains), { nil: undefined }),
  provider: fc.option(fc.constantFrom('google', 'mail.ru', ''), { nil: undefined }),
  visitors: fc.option(fc.subarray([...visitorKinds], { minLength: 1 }), { nil: undefined }),
  first: fc.constantFrom(undefined, true),
  limit: fc.integer({ min: 1, max: 4 }),
  lookAt: fc.integer({ min: 1, max: 30 }),
});
type Asked = typeof happening extends fc.Arbitrary<infer T> ? T : never;

/** Messages to which it happened, page by page to the end. */
async function foundBy(store: Store, accountId: number, asked: Asked): Promise<readonly number[]> {
  const { type, fromMs, lengthMs, domain, provider, limit, lookAt } = asked;
  const isVisit = type === 'opened' || type === 'clicked';
  const visits = isVisit ? { visitors: asked.visitors, first: asked.first } : {};
  const ids: number[] = [];
  for (let beforeId: number | undefined; ; ) {
    const page = await store.messages.happened(
      { accountId },
      { type, fromMs, toMs: fromMs + lengthMs, domain, provider, ...visits },
      { limit, beforeId, lookAt },
    );
    assert.ok(page.messages.length <= limit);
    ids.push(...page.messages.map(({ id }) => id));
    if (page.nextBeforeId === undefined) return ids;
    beforeId = page.nextBeforeId;
  }
}

/** The plain way, by a look at every event. @param learnt providers of domains as they are known now */
function expectedBy(
  events: readonly LoggedEvent[],
  asked: Asked,
  learnt: ReadonlyMap<string, string>,
): ReadonlySet<number> {
  const { type, fromMs, lengthMs, domain, provider } = asked;
  const isVisit = type === 'opened' || type === 'clicked';
  const found = new Set<number>();
  const before = new Set<number>();
  for (const event of events) {
    const isOf =
      event.type === type &&
      (!isVisit || asked.visitors === undefined || asked.visitors.some((kind) => kind === event.visitor));
    if (!isOf) continue;
    const isLater = before.has(event.messageId);
    before.add(event.messageId);
    const own = event.recipient.split('@')[1] ?? '';
    if (event.timeMs < fromMs || event.timeMs >= fromMs + lengthMs) continue;
    if (domain !== undefined && own !== domain) continue;
    if (provider !== undefined && (learnt.get(own) ?? '') !== provider) continue;
    if (isVisit && asked.first && isLater) continue;
    found.add(event.messageId);
  }
  return found;
}

async function checkSearch(store: Store, accountId: number, asked: readonly Asked[]): Promise<void> {
  const input = { accountId, afterId: 0, limit: 1000, scanLimit: 1000 };
  const { events } = await store.log.readAfter(input);
  const learnt = await store.statistics.providersOf(domains);
  for (const one of asked) {
    const found = await foundBy(store, accountId, one);
    assert.equal(new Set(found).size, found.length, 'each message once');
    const sorted = (ids: Iterable<number>) => [...ids].sort((a, b) => a - b);
    assert.deepEqual(sorted(found), sorted(expectedBy(events, one, learnt)), JSON.stringify(one));
  }
}

function holds(open: () => Promise<Store>, numRuns: number): void {
  test('counted in any batches, with any trouble, the sums are those of the log, and lead to their messages', async () => {
    await using store = await open();
    let runs = 0;
    await fc.assert(
      fc.asyncProperty(steps, fc.array(happening, { minLength: 15, maxLength: 15 }), async (steps, asked) => {
        const { id: accountId } = await anAccount(store, `run ${runs++}`);
        const ids: number[] = [];
        for (const given of steps) await take(store, accountId, ids, given);
        // Also while a part of the log is not counted.
        await checkSearch(store, accountId, asked);
        while ((await count(store, accountId, { limit: 7, trouble: 'none' })).more);
        await check(store, accountId);
        await checkSearch(store, accountId, asked);
        // What waits would be delivered in the next run.
        for (let waits = true; waits; ) {
          const left = await store.queue.claim({
            nowMs: startMs + 2 * slots * slotMs,
            leaseMs: 1,
            limit: 100,
          });
          for (const claimed of left) await store.queue.settle(delivered(claimed));
          waits = left.length > 0;
        }
      }),
      { numRuns },
    );
  });
}

async function openSqlite(): Promise<Store> {
  const folder = await mkdtemp(join(tmpdir(), 'aftersend-counting-'));
  const store = await openSqliteStore(folder, 'serve');
  const dispose = async () => {
    await store[Symbol.asyncDispose]();
    await rm(folder, { recursive: true });
  };
  return { ...store, [Symbol.asyncDispose]: dispose };
}

describe('on SQLite', () => holds(openSqlite, 60));

test('a domain that has no row of its own is found among the rest', async () => {
  await using store = await openSqlite();
  const { id: accountId } = await anAccount(store);
  const names = Array.from({ length: mostNamesInSlot + 20 }, (_, index) => `d${index}.example`);
  for (const name of names) {
    const recipients = [{ address: `ann@${name}`, role: 'to' }] as const;
    await accepted(store, aSubmission(accountId, { recipients }));
  }
  while ((await count(store, accountId, { limit: 30, trouble: 'none' })).more);
  const range = { accountId, fromMs: startMs, toMs: startMs + slotMs };
  assert.equal(await store.statistics.leavesOut({ ...range, what: 'domains' }), true);
  for (const domain of names) {
    const happening = { type: 'accepted', ...range, domain } as const;
    const page = await store.messages.happened({ accountId }, happening, { limit: 5, lookAt: 1000 });
    assert.deepEqual(
      page.messages.map(({ recipient }) => recipient),
      [`ann@${domain}`],
    );
  }
});

describe('on PostgreSQL', { skip: withoutPostgres }, () => {
  holds(async () => {
    const processName = randomBytes(6).toString('hex');
    return openPostgresStore({ url: await freshDatabase(), clock: systemClock, processName });
  }, 10);
});
