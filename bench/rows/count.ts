/** How fast a log is counted that has not been: what an installation that is older than its statistics has to catch up. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { systemClock } from '../../src/platform/clock.ts';
import { countBatch } from '../../src/statistics/follow.ts';
import { Providers } from '../../src/statistics/learn.ts';
import { openSqliteStore } from '../../src/store/sqlite/open.ts';
import { type Contender, rateOf, type Row } from '../measure.ts';

const events = 1_000_000;
const accountId = 1;
const spanMs = 30 * 86_400_000;
/** Two thirds of the mail goes to large providers, the rest to so many domains. */
const smallDomains = 5000;
const readAtOnce = 500;

export const count: Row = {
  name: 'count',
  work: 'events of a month, to some thousand domains, counted into the statistics; the loop reads the same columns',
  unit: 'events/s',
  better: 'more',
  toReach: '50,000 events/s',
  async open(scale) {
    const folder = mkdtempSync(join(tmpdir(), 'aftersend-bench-'));
    const store = await openSqliteStore(folder, 'serve');
    const database = new DatabaseSync(join(folder, 'aftersend.db'));
    const total = fill(database, Math.ceil(events * scale));
    const { statistics } = store;
    const counting: Contender = {
      name: 'aftersend',
      async run() {
        database.exec('DELETE FROM statistics; DELETE FROM statistics_cursors; DELETE FROM domain_providers');
        const providers = new Providers({ store: statistics, clock: systemClock, hostsAreMx: true });
        return rateOf(total, async () => {
          while ((await countBatch({ statistics, clock: systemClock }, providers, accountId)).more);
        });
      },
    };
    return {
      contenders: [counting, reading(database, total)],
      leftOut: [],
      async notes() {
        const rows = database.prepare('SELECT count(*) AS n FROM statistics').get();
        return [`${total} events became ${String(rows?.['n'])} rows`];
      },
      async [Symbol.asyncDispose]() {
        database.close();
        await store[Symbol.asyncDispose]();
        rmSync(folder, { recursive: true });
      },
    };
  },
};

function reading(database: DatabaseSync, total: number): Contender {
  const statement = database.prepare(
    'SELECT id, type, time_ms, recipient, visitor, tags, detail FROM events WHERE account_id = 1 AND id > ? ORDER BY id LIMIT ?',
  );
  statement.setReturnArrays(true);
  return {
    name: 'bare reading loop',
    run: () =>
      rateOf(total, async () => {
        for (let last = 0; ; ) {
          const rows = statement.all(last, readAtOnce) as unknown as readonly (readonly [number])[];
          last = rows.at(-1)?.[0] ?? last;
          if (rows.length < readAtOnce) return;
        }
      }),
  };
}

const large = ['gmail.com', 'mail.ru', 'yandex.ru', 'outlook.com', 'yahoo.com', 'icloud.com'];

/** Writes beside the store: by way of it, it would take longer than what is measured. @returns how many events */
function fill(database: DatabaseSync, least: number): number {
  const insert = database.prepare(
    `INSERT INTO events (id, account_id, message_id, number, type, time_ms, recipient, sender, subject, code,
       enhanced_code, response, url, first_refusal, visitor, tags, metadata, detail)
     VALUES (?, ${accountId}, ?, ?, ?, ?, ?, 'shop@example.com', 'Your order', '', '', '', '', 0, ?, '["order"]', '{}', ?)`,
  );
  let id = 0;
  database.exec('BEGIN');
  // Eight messages have 16 + 4 + 1 events.
  for (let message = 1; message <= Math.ceil(least / 21) * 8; message++) {
    const small = `company-${(message * 7919) % smallDomains}.example`;
    const domain = message % 3 === 0 ? small : large[message % large.length];
    const atMs = Math.floor((id / least) * spanMs);
    let number = 0;
    const add = (type: string, visitor: string, detail: object) =>
      insert.run(++id, message, ++number, type, atMs, `reader@${domain}`, visitor, JSON.stringify(detail));
    add('accepted', '', { door: 'api' });
    add('delivered', '', { attempt: 1, host: `mx.${domain}`, address: '192.0.2.1' });
    const visitor = message % 4 === 0 ? 'human' : 'proxy';
    if (message % 2 === 0) add('opened', visitor, { visitor, first: true, userAgent: 'Mozilla/5.0' });
    if (message % 8 === 0)
      add('clicked', 'human', { visitor: 'human', first: true, userAgent: 'Mozilla/5.0' });
  }
  database.exec('COMMIT');
  return id;
}
