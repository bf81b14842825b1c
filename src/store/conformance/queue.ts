/** What every store's queue and intake must do: leases, fencing, fairness between accounts, settling in one piece. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { ClaimedMessage, Settlement } from '../contract/queue.ts';
import type { Store } from '../contract/store.ts';
import { accepted, anAccount, aSubmission, delivered, type OpenStore, startMs } from './fixtures.ts';

const leaseMs = 60_000;
const claim = (store: Store, nowMs = startMs, limit = 1000) => store.queue.claim({ nowMs, leaseMs, limit });
const to = (...names: string[]) => ({
  recipients: names.map((name) => ({ address: `${name}@example.org`, role: 'to' as const })),
});
const answer = { code: '451', enhancedCode: '4.2.0', text: 'busy' };

function attempt(number: number, outcome: 'deferred' | 'bounced') {
  return {
    number,
    startedAtMs: startMs,
    durationMs: 7,
    outcome,
    host: 'mx.example.org',
    address: '192.0.2.1',
    sourceAddress: '192.0.2.9',
    tls: 'TLSv1.3 TLS_AES_256_GCM_SHA384',
    answer,
    category: 'remote-system',
    dialogue: '+0 ms > MAIL',
  } as const;
}

function deferred(message: ClaimedMessage, nextAttemptAtMs: number, refused: boolean): Settlement {
  const { messageId, lease, attemptsMade } = message;
  const number = attemptsMade + 1;
  return {
    messageId,
    lease,
    atMs: startMs,
    outcome: 'deferred',
    answer,
    attempt: attempt(number, 'deferred'),
    detail: {
      attempt: number,
      host: 'mx.example.org',
      address: '192.0.2.1',
      stage: 'rcpt',
      category: 'remote-system',
      refused,
      nextAttemptAtMs,
    },
  };
}

function bounced({ messageId, lease }: ClaimedMessage, recipientAtFault: boolean): Settlement {
  return {
    messageId,
    lease,
    atMs: startMs,
    outcome: 'bounced',
    answer: { code: '550', enhancedCode: '5.1.1', text: 'no such user' },
    attempt: undefined,
    detail: {
      attempt: 1,
      host: 'mx.example.org',
      address: '192.0.2.1',
      stage: 'rcpt',
      category: 'recipient-unknown',
      recipientAtFault,
      late: false,
    },
  };
}

export function queueConformance(open: OpenStore): void {
  describe('intake', () => intakeTests(open));
  describe('the queue', () => {
    leaseTests(open);
    fairnessTests(open);
    settlingTests(open);
  });
}

function intakeTests(open: OpenStore): void {
  test('a submission becomes one message a recipient, with consecutive ids, one body and an event each', async () => {
    await using store = await open();
    const { id: accountId } = await anAccount(store);
    const submission = aSubmission(accountId, to('ann', 'bob', 'cid'));
    const result = await store.intake.accept(submission);
    assert.equal(result.kind, 'accepted');
    const [first = 0] = result.messageIds;
    assert.deepEqual(result.messageIds, [first, first + 1, first + 2]);
    assert.deepEqual(
      Buffer.from((await store.queue.readBody(result.submissionId)) ?? []),
      Buffer.from(submission.raw),
    );
    const claimed = await claim(store);
    assert.deepEqual(
      claimed.map(({ messageId, submissionId, recipient, attemptsMade, sizeBytes }) => ({
        messageId,
        submissionId,
        recipient,
        attemptsMade,
        sizeBytes,
      })),
      ['ann', 'bob', 'cid'].map((name, index) => ({
        messageId: first + index,
        submissionId: result.submissionId,
        recipient: `${name}@example.org`,
        attemptsMade: 0,
        sizeBytes: submission.raw.byteLength,
      })),
    );
    for (const messageId of result.messageIds) {
      const [event] = await store.log.ofMessage(accountId, messageId);
      assert.deepEqual([event?.type, event?.number, event?.timeMs], ['accepted', 1, startMs]);
    }
  });

  test('a key used again gives the first answer, for another request a conflict, after its day a new one', async () => {
    await using store = await open();
    const { id: accountId } = await anAccount(store);
    const other = await anAccount(store, 'other');
    const under = (fingerprint: string, atMs = startMs, account = accountId) =>
      store.intake.accept(
        aSubmission(account, {
          ...to('ann', 'bob'),
          atMs,
          idempotency: { key: 'k', fingerprint, expiresAtMs: atMs + 86_400_000 },
        }),
      );
    const earlier = (fingerprint: string, atMs = startMs, account = accountId) =>
      store.intake.earlier({ accountId: account, key: 'k', fingerprint, atMs });
    assert.equal(await earlier('a'), undefined);
    const [first, again, conflict] = await Promise.all([under('a'), under('a'), under('b')]);
    assert.equal(first?.kind, 'accepted');
    assert.deepEqual(again, { ...first, kind: 'repeated' });
    assert.deepEqual(conflict, { kind: 'conflict' });
    assert.deepEqual([await earlier('a'), await earlier('b')], [again, conflict]);
    for (const id of again?.kind === 'repeated' ? again.messageIds : []) {
      assert.equal((await store.messages.byId(accountId, id))?.submissionId, again?.submissionId);
    }
    assert.equal(await earlier('a', startMs, other.id), undefined);
    assert.equal(await earlier('a', startMs + 86_400_000), undefined);
    assert.equal((await under('b', startMs, other.id)).kind, 'accepted', 'keys belong to their account');
    assert.equal((await under('b', startMs + 86_400_000)).kind, 'accepted');
    assert.equal(await store.queue.depth(), 6);
  });
}

function leaseTests(open: OpenStore): void {
  test('a claimed message is nobody else’s until its lease ends, and then the old claim settles nothing', async () => {
    await using store = await open();
    const { id: accountId } = await anAccount(store);
    await accepted(store, aSubmission(accountId));
    const [first] = await claim(store);
    assert.ok(first);
    assert.deepEqual(await claim(store, startMs + leaseMs - 1), []);
    assert.equal(await store.queue.nextDueAtMs(), startMs + leaseMs);
    const [second] = await claim(store, startMs + leaseMs);
    assert.ok(second);
    assert.notEqual(second.lease, first.lease);
    assert.equal(await store.queue.settle(delivered(first)), false);
    const { messageId, lease } = first;
    const released = { messageId, lease, atMs: startMs, outcome: 'released', dueAtMs: startMs } as const;
    assert.equal(await store.queue.settle(released), false);
    assert.deepEqual(await claim(store, startMs + leaseMs), [], 'it is the second’s still');
    assert.equal((await store.messages.byId(accountId, first.messageId))?.state, 'queued');
    assert.equal((await store.log.ofMessage(accountId, first.messageId)).length, 1);
    assert.equal(await store.queue.settle(delivered(second)), true);
    assert.equal(await store.queue.settle(delivered(second)), false, 'settled once');
    assert.equal((await store.log.ofMessage(accountId, first.messageId)).length, 2);
  });

  test('claims at the same time never give a message twice', async () => {
    await using store = await open();
    const { id: accountId } = await anAccount(store);
    const names = Array.from({ length: 100 }, (_, index) => `r${index}`);
    await accepted(store, aSubmission(accountId, to(...names)));
    const claims = await Promise.all(Array.from({ length: 8 }, () => claim(store, startMs, 20)));
    const ids = claims.flat().map(({ messageId }) => messageId);
    assert.equal(ids.length, 100);
    assert.equal(new Set(ids).size, 100);
  });

  test('freed leases are due at once, and what was claimed before is lost to its claimer', async () => {
    await using store = await open();
    const { id: accountId } = await anAccount(store);
    await accepted(store, aSubmission(accountId, to('ann', 'bob')));
    const [ann] = await claim(store, startMs, 1);
    assert.ok(ann);
    assert.equal(await store.queue.freeLeases({ nowMs: startMs + 5, longestWaitMs: 1000 }), 1);
    assert.equal(await store.queue.settle(delivered(ann)), false);
    assert.equal((await claim(store, startMs + 5)).length, 2);
  });

  test('what a clock that was ahead has put off for too long is due when the leases are freed', async () => {
    await using store = await open();
    const { id: accountId } = await anAccount(store);
    const [hourMs, dayMs] = [3_600_000, 86_400_000];
    await accepted(store, aSubmission(accountId, { ...to('ann'), atMs: startMs + 2 * dayMs }));
    await accepted(store, aSubmission(accountId, { ...to('bob'), atMs: startMs + hourMs }));
    assert.equal(await store.queue.freeLeases({ nowMs: startMs, longestWaitMs: 4 * hourMs }), 1);
    assert.deepEqual(
      (await claim(store, startMs)).map(({ recipient }) => recipient),
      ['ann@example.org'],
    );
    assert.equal(await store.queue.nextDueAtMs(), startMs + 60_000, 'the other keeps its time');
  });
}

function fairnessTests(open: OpenStore): void {
  test('accounts take turns, and what one leaves unused goes to the others; the longest due come first', async () => {
    await using store = await open();
    const [big, small, none] = [
      await anAccount(store, 'big'),
      await anAccount(store, 'small'),
      await anAccount(store, 'none'),
    ];
    const many = Array.from({ length: 500 }, (_, index) => `r${index}`);
    await accepted(store, aSubmission(big.id, to(...many)));
    const older = await accepted(store, aSubmission(big.id, { ...to('older'), atMs: startMs - 1 }));
    await accepted(store, aSubmission(small.id, to('ann', 'bob')));
    await accepted(store, aSubmission(none.id, { ...to('later'), atMs: startMs + 1 }));
    const claimed = await claim(store, startMs, 100);
    const of = (accountId: number) => claimed.filter((message) => message.accountId === accountId);
    assert.deepEqual([of(big.id).length, of(small.id).length, of(none.id).length], [98, 2, 0]);
    assert.equal(of(big.id)[0]?.messageId, older[0]);
  });
}

function settlingTests(open: OpenStore): void {
  test('a deferral puts the message back with its event, its record and one more attempt', async () => {
    await using store = await open();
    const { id: accountId } = await anAccount(store);
    await accepted(store, aSubmission(accountId));
    const nextAtMs = startMs + 1000;
    for (const [index, refused] of [false, true, true].entries()) {
      const [message] = await claim(store, startMs + index * 1000);
      assert.equal(message?.attemptsMade, index);
      assert.equal(
        message && (await store.queue.settle(deferred(message, nextAtMs + index * 1000, refused))),
        true,
      );
      assert.equal(await store.queue.nextDueAtMs(), nextAtMs + index * 1000);
    }
    const [{ messageId } = { messageId: 0 }] = await claim(store, startMs + 3000);
    const events = await store.log.ofMessage(accountId, messageId);
    assert.deepEqual(
      events.map(({ type, number, firstRefusal, code }) => [type, number, firstRefusal, code]),
      [
        ['accepted', 1, false, ''],
        ['deferred', 2, false, '451'],
        ['deferred', 3, true, '451'],
        ['deferred', 4, false, '451'],
      ],
    );
    assert.deepEqual(
      await store.messages.attempts(accountId, messageId),
      [1, 2, 3].map((n) => attempt(n, 'deferred')),
    );
  });

  test('a bounce ends the message and suppresses the recipient only when the recipient is at fault', async () => {
    await using store = await open();
    const { id: accountId } = await anAccount(store);
    await accepted(store, aSubmission(accountId, to('ann', 'bob')));
    const [ann, bob] = await claim(store);
    assert.ok(ann && bob);
    await Promise.all([store.queue.settle(bounced(ann, true)), store.queue.settle(bounced(bob, false))]);
    assert.equal(await store.queue.depth(), 0);
    const [suppression] = await store.suppressions.find(accountId, 'ann@example.org');
    const [, event] = await store.log.ofMessage(accountId, ann.messageId);
    assert.deepEqual([suppression?.reason, suppression?.eventId], ['bounced', event?.id]);
    assert.deepEqual(await store.suppressions.find(accountId, 'bob@example.org'), []);
  });

  test('a claim says who is suppressed for which mail; a release leaves no trace', async () => {
    await using store = await open();
    const { id: accountId } = await anAccount(store);
    const suppress = (recipient: string, stream: string, reason: 'unsubscribed' | 'complained') =>
      store.suppressions.add({ accountId, recipient, stream, reason, atMs: startMs });
    await suppress('ann@example.org', 'news', 'unsubscribed');
    await suppress('bob@example.org', '*', 'complained');
    const submissions = [
      aSubmission(accountId, { ...to('Ann', 'bob', 'cid'), stream: 'news' }),
      aSubmission(accountId, { ...to('ann'), stream: 'orders' }),
      aSubmission(accountId, { ...to('ann', 'bob'), stream: 'news', essential: true }),
    ];
    for (const submission of submissions) await accepted(store, submission);
    const claimed = await claim(store);
    assert.deepEqual(
      claimed.map(({ suppressed }) => suppressed),
      ['unsubscribed', 'complained', undefined, undefined, undefined, 'complained'],
    );
    for (const { messageId, lease } of claimed) {
      const settlement = {
        messageId,
        lease,
        atMs: startMs,
        outcome: 'released',
        dueAtMs: startMs + 9,
      } as const;
      assert.equal(await store.queue.settle(settlement), true);
    }
    assert.equal(await store.queue.nextDueAtMs(), startMs + 9);
    const again = await claim(store, startMs + 9);
    assert.deepEqual(
      again.map(({ attemptsMade }) => attemptsMade),
      [0, 0, 0, 0, 0, 0],
    );
    assert.equal((await store.log.ofMessage(accountId, again[0]?.messageId ?? 0)).length, 1);
  });
}
