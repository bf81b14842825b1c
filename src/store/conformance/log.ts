/** What a store must do for the event log: appending reports, reading after a cursor. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import * as fc from 'fast-check';
import { type EventType, eventTypes, type LoggedEvent } from '../../events/types.ts';
import type { NumberedVisit } from '../contract/log.ts';
import type { Store } from '../contract/store.ts';
import { accepted, anAccount, aSubmission, deliverAll, type OpenStore, startMs } from './fixtures.ts';

const open1 = {
  type: 'opened',
  userAgent: 'Mail/1.0',
  address: '192.0.2.7',
  visitor: { kind: 'proxy', confidence: 0.9, reason: 'a reason' },
  atMs: startMs + 5,
} as const;

/** Reads from a cursor to the end, page by page. */
async function readAll(
  store: Store,
  accountId: number,
  {
    types,
    limit = 3,
    scanLimit = 7,
  }: { types?: readonly EventType[]; limit?: number; scanLimit?: number } = {},
): Promise<LoggedEvent[]> {
  const events: LoggedEvent[] = [];
  let afterId = 0;
  for (;;) {
    const page = await store.log.readAfter({ accountId, afterId, types, limit, scanLimit });
    assert.ok(page.events.length <= limit);
    assert.ok(page.scannedTo >= afterId);
    assert.ok(page.events.every((event) => event.id > afterId && event.id <= page.scannedTo));
    events.push(...page.events);
    if (page.atEnd) return events;
    assert.ok(page.scannedTo > afterId, 'a page that is not the last one moves on');
    afterId = page.scannedTo;
  }
}

export function logConformance(open: OpenStore): void {
  describe('the event log', () => {
    test('an event carries its message’s facts and the next number of its story', async () => {
      await using store = await open();
      const { id: accountId } = await anAccount(store);
      const submission = aSubmission(accountId, { tags: ['order'], metadataJson: '{"order":7}' });
      const [messageId = 0] = await accepted(store, submission);
      await deliverAll(store);
      await store.log.report({ ...open1, messageId });
      const story = await store.log.ofMessage(accountId, messageId);
      assert.deepEqual(
        story.map(({ type, number }) => [type, number]),
        [
          ['accepted', 1],
          ['delivered', 2],
          ['opened', 3],
        ],
      );
      for (const event of story) {
        assert.equal(event.recipient, 'ann@example.org');
        assert.equal(event.sender, 'shop@example.com');
        assert.equal(event.subject, 'Your order');
        assert.equal(event.tagsJson, '["order"]');
        assert.equal(event.metadataJson, '{"order":7}');
      }
      assert.deepEqual(
        [story[1]?.code, story[1]?.enhancedCode, story[1]?.response],
        ['250', '2.0.0', 'taken'],
      );
      assert.deepEqual(await store.log.byId(accountId, story[2]?.id ?? 0), story[2]);
      assert.deepEqual(JSON.parse(story[2]?.detailJson ?? ''), {
        userAgent: 'Mail/1.0',
        address: '192.0.2.7',
        first: true,
        visitor: 'proxy',
        confidence: 0.9,
        reason: 'a reason',
      });
      assert.deepEqual(
        story.map(({ visitor }) => visitor),
        ['', '', 'proxy'],
      );
    });

    test('the first open and the first click are told apart from later ones, and from what machines did before', async () => {
      await using store = await open();
      const { id: accountId } = await anAccount(store);
      const [messageId = 0] = await accepted(store, aSubmission(accountId));
      const machine = { kind: 'machine', confidence: 0.9, reason: 'a scanner' } as const;
      await store.log.report({ ...open1, messageId, visitor: machine });
      for (const _ of [1, 2]) {
        await store.log.report({ ...open1, messageId });
        await store.log.report({ ...open1, type: 'clicked', url: 'https://example.com/я', messageId });
      }
      const story = await store.log.ofMessage(accountId, messageId);
      const firsts = story
        .slice(1)
        .map(({ type, url, detailJson }) => [
          type,
          url,
          (JSON.parse(detailJson) as { first: boolean }).first,
        ]);
      assert.deepEqual(firsts, [
        ['opened', '', false],
        ['opened', '', true],
        ['clicked', 'https://example.com/я', true],
        ['opened', '', false],
        ['clicked', 'https://example.com/я', false],
      ]);
    });

    test('visits are told in batches: each once, however often, and by the same rules as one alone', async () => {
      await using store = await open();
      const [acme, other] = [await anAccount(store), await anAccount(store, 'other')];
      const ids = [
        ...(await accepted(store, aSubmission(acme.id))),
        ...(await accepted(store, aSubmission(other.id))),
      ] as const;
      const [one = 0, two = 0] = ids;
      const visit = (number: number, messageId: number, changes: object = {}): NumberedVisit => ({
        number,
        report: { ...open1, messageId, ...changes },
      });
      const machine = { kind: 'machine', confidence: 0.9, reason: 'a scanner' };
      const url = 'https://example.com/я\0';
      const visits = [
        visit(3, one, { visitor: machine, userAgent: 'nothing\0 and half a pair \ud800' }),
        visit(4, two, { type: 'clicked', url }),
        visit(5, one, { count: 17 }),
        visit(6, 4_000_000),
        visit(9, one),
        visit(8, two, { type: 'clicked', url }),
      ];
      const tell = (some: readonly NumberedVisit[], journal = 'a journal') =>
        store.log.reportVisits({ journal, visits: some, atMs: startMs });
      const heard: number[] = [];
      store.log.subscribe((accounts) => heard.push(...accounts));
      const told = () => store.log.visitsTold({ journal: 'a journal', atMs: startMs });
      assert.deepEqual(await told(), { opened: 0, clicked: 0 });
      assert.deepEqual(await tell(visits), [
        ...['appended', 'appended', 'appended', 'unknown', 'appended', 'appended'],
      ]);
      assert.deepEqual(new Set(heard), new Set([acme.id, other.id]));
      assert.deepEqual(await told(), { opened: 9, clicked: 8 });
      assert.deepEqual(
        await tell([...visits, visit(10, one)]),
        [...visits.map(() => 'repeated'), 'appended'],
        'what was told before counts once',
      );
      assert.deepEqual(await tell([visit(1, two)], 'another journal'), ['appended']);
      assert.deepEqual(await tell([]), []);
      const story = async (accountId: number, messageId: number) =>
        (await store.log.ofMessage(accountId, messageId))
          .slice(1)
          .map(({ number, type, visitor, detailJson }) => {
            const { first, count = 1 } = JSON.parse(detailJson) as { first: boolean; count?: number };
            return `${number} ${type} by ${visitor}${first ? ', first' : ''} x${count}`;
          });
      assert.deepEqual(await story(acme.id, one), [
        '2 opened by machine x1',
        '3 opened by proxy, first x17',
        '4 opened by proxy x1',
        '5 opened by proxy x1',
      ]);
      assert.deepEqual(await story(other.id, two), [
        '2 clicked by proxy, first x1',
        '3 clicked by proxy x1',
        '4 opened by proxy, first x1',
      ]);
    });

    test('an open before the delivery is appended as it comes, and invents no delivery', async () => {
      await using store = await open();
      const { id: accountId } = await anAccount(store);
      const [messageId = 0] = await accepted(store, aSubmission(accountId));
      assert.deepEqual([...(await store.log.finishedAtMs([messageId]))], []);
      assert.equal((await store.log.report({ ...open1, messageId })).kind, 'appended');
      assert.equal((await store.messages.byId(accountId, messageId))?.state, 'queued');
      await deliverAll(store);
      const story = await store.log.ofMessage(accountId, messageId);
      assert.deepEqual(
        story.map(({ number, type }) => `${number} ${type}`),
        ['1 accepted', '2 opened', '3 delivered'],
      );
      const [gone, waiting = 0] = [messageId + 99, ...(await accepted(store, aSubmission(accountId)))];
      const finished = await store.log.finishedAtMs([waiting, messageId, gone]);
      assert.deepEqual([...finished], [[messageId, startMs]]);
      assert.deepEqual([...(await store.log.finishedAtMs([]))], []);
    });

    test('an unsubscribe suppresses the stream and is told once', async () => {
      await using store = await open();
      const { id: accountId } = await anAccount(store);
      const [messageId = 0] = await accepted(store, aSubmission(accountId, { stream: 'news' }));
      const report = {
        type: 'unsubscribed',
        stream: 'news',
        how: 'one-click',
        messageId,
        atMs: startMs,
      } as const;
      const first = await store.log.report(report);
      assert.equal(first.kind, 'appended');
      assert.deepEqual(await store.log.report(report), { kind: 'repeated' });
      const [entry, ...rest] = await store.suppressions.find(accountId, 'Ann@Example.org');
      assert.deepEqual(rest, []);
      assert.deepEqual([entry?.stream, entry?.reason], ['news', 'unsubscribed']);
      assert.equal(entry?.eventId, first.kind === 'appended' ? first.eventId : undefined);
    });

    test('leaving all mail is told once, and outlives a complaint that suppressed all mail before', async () => {
      await using store = await open();
      const { id: accountId } = await anAccount(store);
      const [messageId = 0] = await accepted(store, aSubmission(accountId, { stream: 'news' }));
      const recipient = 'ann@example.org';
      const at = { messageId, atMs: startMs };
      await store.log.report({ ...at, type: 'complained', feedbackType: 'abuse', source: 'mail' });
      const report = { ...at, type: 'unsubscribed', stream: '*', how: 'page' } as const;
      assert.equal((await store.log.report(report)).kind, 'appended');
      assert.equal((await store.log.report(report)).kind, 'repeated');
      await store.suppressions.remove({ accountId, recipient, stream: '*' });
      assert.deepEqual(
        (await store.suppressions.find(accountId, recipient)).map(({ stream, reason }) => [stream, reason]),
        [['news', 'unsubscribed']],
      );
    });

    test('a complaint suppresses all mail and is told once a message', async () => {
      await using store = await open();
      const { id: accountId } = await anAccount(store);
      const [messageId = 0] = await accepted(store, aSubmission(accountId));
      const report = {
        type: 'complained',
        feedbackType: 'abuse',
        source: 'mail',
        messageId,
        atMs: startMs,
      } as const;
      assert.equal((await store.log.report(report)).kind, 'appended');
      assert.deepEqual(await store.log.report(report), { kind: 'repeated' });
      assert.deepEqual(
        (await store.suppressions.find(accountId, 'ann@example.org')).map(({ stream, reason }) => [
          stream,
          reason,
        ]),
        [['*', 'complained']],
      );
    });

    test('a bounce message ends a delivered message once, and suppresses only a recipient at fault', async () => {
      await using store = await open();
      const { id: accountId } = await anAccount(store);
      const bounce = {
        type: 'bounced',
        answer: { code: '550', enhancedCode: '5.2.2', text: 'mailbox full' },
        host: 'mx.example.org',
        category: 'mailbox-full',
        recipientAtFault: false,
        atMs: startMs + 9,
      } as const;
      const [full = 0] = await accepted(store, aSubmission(accountId));
      await deliverAll(store);
      assert.equal((await store.log.report({ ...bounce, messageId: full })).kind, 'appended');
      assert.deepEqual(await store.log.report({ ...bounce, messageId: full }), { kind: 'repeated' });
      assert.equal((await store.messages.byId(accountId, full))?.state, 'bounced');
      assert.deepEqual(await store.suppressions.find(accountId, 'ann@example.org'), []);

      const [gone = 0] = await accepted(store, aSubmission(accountId));
      await store.log.report({ ...bounce, recipientAtFault: true, messageId: gone });
      assert.equal(await store.queue.depth(), 0, 'it is not tried any more');
      assert.equal((await store.suppressions.find(accountId, 'ann@example.org'))[0]?.reason, 'bounced');
    });

    test('a report on a message that is not there stores nothing', async () => {
      await using store = await open();
      await anAccount(store);
      assert.deepEqual(await store.log.report({ ...open1, messageId: 99 }), { kind: 'unknown' });
    });

    test('nobody reads another account’s events', async () => {
      await using store = await open();
      const [acme, other] = [await anAccount(store), await anAccount(store, 'other')];
      const [messageId = 0] = await accepted(store, aSubmission(acme.id));
      const [event] = await store.log.ofMessage(acme.id, messageId);
      assert.deepEqual(await store.log.ofMessage(other.id, messageId), []);
      assert.equal(await store.log.byId(other.id, event?.id ?? 0), undefined);
      assert.deepEqual(await readAll(store, other.id), []);
      assert.equal(await store.log.lastId(other.id), 0);
    });

    test('whatever the page sizes and wanted types, a reader gets every wanted event once and in order', async () => {
      await using store = await open();
      const { id: accountId } = await anAccount(store);
      const { id: otherId } = await anAccount(store, 'other');
      const ids: number[] = [];
      for (let round = 0; round < 12; round++) {
        ids.push(...(await accepted(store, aSubmission(round % 3 === 2 ? otherId : accountId))));
        if (round % 4 === 1) await deliverAll(store);
        await store.log.report({ ...open1, messageId: ids[round >> 1] ?? 0 });
      }
      const all = await readAll(store, accountId, { limit: 1000, scanLimit: 1000 });
      assert.ok(all.length > 15);
      await fc.assert(
        fc.asyncProperty(
          fc.subarray([...eventTypes], { minLength: 1 }),
          fc.integer({ min: 1, max: 9 }),
          fc.integer({ min: 1, max: 9 }),
          async (types, limit, scanLimit) => {
            const read = await readAll(store, accountId, { types, limit, scanLimit });
            assert.deepEqual(
              read,
              all.filter((event) => types.includes(event.type)),
            );
            const counted = await store.log.countAfter({ accountId, afterId: 0, types, cap: 1000 });
            assert.equal(counted, read.length);
          },
        ),
        { numRuns: 60 },
      );
      assert.equal(await store.log.countAfter({ accountId, afterId: 0, cap: 4 }), 4);
      assert.equal(await store.log.lastId(accountId), all.at(-1)?.id);
    });

    test('subscribers hear which accounts have news, once it can be read', async () => {
      await using store = await open();
      const { id: accountId } = await anAccount(store);
      const heard: Promise<number>[] = [];
      const stop = store.log.subscribe((accounts) => {
        assert.deepEqual([...accounts], [accountId]);
        heard.push(store.log.lastId(accountId));
      });
      await accepted(store, aSubmission(accountId));
      assert.equal(heard.length, 1);
      assert.equal(await heard[0], await store.log.lastId(accountId));
      stop();
      await accepted(store, aSubmission(accountId));
      assert.equal(heard.length, 1);
    });
  });
}
