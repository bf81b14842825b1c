/**
 * A week of a shop's mail for the pictures: written into the data folder of a service that stands still, with times of the
 * past. It rises and falls with the hours, and one afternoon a provider takes nothing.
 */
import { accepted, aSubmission, delivered } from '../../src/store/conformance/fixtures.ts';
import type { Store } from '../../src/store/contract/store.ts';
import { openSqliteStore } from '../../src/store/sqlite/open.ts';

const hourMs = 3_600_000;
const hours = 7 * 24;
const domains = [
  'gmail.com',
  'gmail.com',
  'mail.ru',
  'yandex.ru',
  'outlook.com',
  'icloud.com',
  'example.org',
  'yahoo.com',
];
/** Two days back, so long no mail goes to the second of them. */
const troubleFrom = hours - 56;
const troubleHours = 6;

export async function writeWeek(folder: string, accountId: number): Promise<void> {
  await using store = await openSqliteStore(folder, 'serve');
  const startMs = Date.now() - hours * hourMs;
  for (let hour = 0; hour < hours; hour++) {
    const atMs = startMs + hour * hourMs;
    const ofDay = new Date(atMs).getUTCHours();
    const count = Math.round(4 + 9 * Math.max(0, Math.sin(((ofDay - 5) / 24) * 2 * Math.PI)) + (hour % 5));
    await Promise.all(
      Array.from({ length: count }, (_, index) => send(store, accountId, { hour, index, atMs })),
    );
    await settle(store, hour, atMs);
  }
}

interface When {
  readonly hour: number;
  readonly index: number;
  readonly atMs: number;
}

async function send(store: Store, accountId: number, { hour, index, atMs }: When): Promise<void> {
  const address = `reader${hour}-${index}@${domains[(hour * 3 + index) % domains.length]}`;
  const recipients = [{ address, role: 'to' }] as const;
  await accepted(store, aSubmission(accountId, { recipients, tags: ['order'], atMs: atMs + index * 60_000 }));
}

async function settle(store: Store, hour: number, atMs: number): Promise<void> {
  const claimed = await store.queue.claim({ nowMs: atMs + hourMs, leaseMs: hourMs, limit: 1000 });
  const inTrouble = hour >= troubleFrom && hour < troubleFrom + troubleHours;
  await Promise.all(
    claimed.map(async (message, index) => {
      const settled = delivered(message, atMs + index * 60_000 + 2000);
      if (settled.outcome !== 'delivered') return;
      const { messageId } = message;
      const isLost = (inTrouble && message.recipient.endsWith('@mail.ru')) || messageId % 43 === 0;
      if (isLost) {
        const { lease, answer, attempt, atMs: at } = settled;
        const why = { host: 'mxs.mail.ru', address: '192.0.2.1', stage: 'rcpt', category: 'policy' } as const;
        const detail = { ...why, attempt: 1, recipientAtFault: false, late: false };
        const held = { messageId, lease, atMs: at, answer };
        await store.queue.settle({
          ...held,
          outcome: 'bounced',
          attempt: { ...attempt, outcome: 'bounced' },
          detail,
        });
        return;
      }
      await store.queue.settle(settled);
      const visitor = {
        kind: messageId % 9 === 0 ? 'machine' : 'proxy',
        confidence: 0.9,
        reason: '',
      } as const;
      const visit = { messageId, visitor, userAgent: '', address: '192.0.2.7', atMs: settled.atMs + 600_000 };
      if (messageId % 5 < 3) await store.log.report({ type: 'opened', ...visit });
      if (messageId % 6 === 1)
        await store.log.report({ type: 'clicked', url: 'https://example.com/', ...visit });
    }),
  );
}
