/** What the suites build on: a fresh store each test, accounts, submissions and deliveries with as little said as can be. */
import assert from 'node:assert/strict';
import type { Account } from '../contract/accounts.ts';
import type { NewSubmission } from '../contract/intake.ts';
import type { Settlement } from '../contract/queue.ts';
import type { Store } from '../contract/store.ts';

/** Opens a store with nothing in it. The test that asked for it disposes it. */
export type OpenStore = () => Promise<Store>;

/** The instant at which the suites begin: a Monday noon. */
export const startMs = Date.UTC(2026, 0, 5, 12);

export async function anAccount(store: Store, name = 'acme'): Promise<Account> {
  const created = await store.accounts.create({
    name,
    email: '',
    timeZone: 'UTC',
    settings: { trackOpens: true, trackClicks: true, trackText: false, listUnsubscribe: false },
    token: { name: 'first', hash: `token of ${name}` },
    smtpLogin: { username: name, hash: `password of ${name}` },
    atMs: startMs,
  });
  assert.equal(created.kind, 'created');
  return created.value;
}

export function aSubmission(accountId: number, changes: Partial<NewSubmission> = {}): NewSubmission {
  return {
    accountId,
    door: 'api',
    envelopeSender: '',
    sender: 'shop@example.com',
    senderName: 'Shop',
    subject: 'Your order',
    internetMessageId: '<1@example.com>',
    recipients: [{ address: 'ann@example.org', role: 'to' }],
    raw: Buffer.from('From: shop@example.com\r\nTo: ann@example.org\r\n\r\nhello\r\n'),
    tags: [],
    metadataJson: '{}',
    stream: 'default',
    essential: false,
    trackOpens: true,
    trackClicks: true,
    trackText: false,
    listUnsubscribe: false,
    trackingHost: '',
    templateId: undefined,
    templateVersion: undefined,
    idempotency: undefined,
    atMs: startMs,
    ...changes,
  };
}

/** @returns the ids of the messages it became */
export async function accepted(store: Store, submission: NewSubmission): Promise<readonly number[]> {
  const result = await store.intake.accept(submission);
  assert.equal(result.kind, 'accepted');
  return result.messageIds;
}

/** Claims everything that is due and settles it as delivered. @returns the ids of the messages, in order */
export async function deliverAll(store: Store, nowMs = startMs): Promise<number[]> {
  const claimed = await store.queue.claim({ nowMs, leaseMs: 60_000, limit: 1000 });
  await Promise.all(
    claimed.map(({ messageId, lease, attemptsMade }) =>
      store.queue.settle(delivered({ messageId, lease, attemptsMade }, nowMs)),
    ),
  );
  return claimed.map(({ messageId }) => messageId).toSorted((a, b) => a - b);
}

export function delivered(
  { messageId, lease, attemptsMade }: { messageId: number; lease: number; attemptsMade: number },
  atMs = startMs,
): Settlement {
  const answer = { code: '250', enhancedCode: '2.0.0', text: 'taken' };
  const number = attemptsMade + 1;
  return {
    messageId,
    lease,
    atMs,
    outcome: 'delivered',
    answer,
    attempt: {
      number,
      startedAtMs: atMs,
      durationMs: 5,
      outcome: 'delivered',
      host: 'mx.example.org',
      address: '192.0.2.1',
      sourceAddress: '192.0.2.9',
      tls: '',
      answer,
      category: '',
      dialogue: '',
    },
    detail: { attempt: number, host: 'mx.example.org', address: '192.0.2.1' },
  };
}
