/** How fast events are appended, each answered after its durable commit, by many at once. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import type { Store } from '../../src/store/contract/store.ts';
import { openSqliteStore } from '../../src/store/sqlite/open.ts';
import { type Contender, rateOf, type Row } from '../measure.ts';

const events = 50_000;
const writers = 256;
/** Opens are told of so many messages in turn. */
const messages = 1000;
const bareBatch = 1000;

export const append: Row = {
  name: 'append',
  work: `${writers} writers at once append opens; the bare loop writes the same rows in batches of ${bareBatch}`,
  unit: 'events/s',
  better: 'more',
  toReach: '0.5 of the bare loop',
  async open(scale) {
    const count = Math.ceil(events * scale);
    const folder = mkdtempSync(join(tmpdir(), 'aftersend-bench-'));
    const store = await openSqliteStore(folder, 'serve');
    const messageIds = await acceptMessages(store);
    const bare = bareCopy(join(folder, 'aftersend.db'), join(folder, 'bare.db'));
    return {
      contenders: [appending(store, messageIds, count), copying(bare, count)],
      leftOut: [],
      async [Symbol.asyncDispose]() {
        bare.close();
        await store[Symbol.asyncDispose]();
        rmSync(folder, { recursive: true });
      },
    };
  },
};

async function acceptMessages(store: Store): Promise<readonly number[]> {
  const account = await store.accounts.create({
    name: 'bench',
    email: '',
    timeZone: 'UTC',
    settings: { trackOpens: true, trackClicks: true, trackText: false, listUnsubscribe: true },
    token: { name: 'first', hash: 'of nothing' },
    smtpLogin: { username: 'bench', hash: 'of nothing' },
    atMs: 0,
  });
  if (account.kind === 'taken') throw new Error('the store is not empty');
  const result = await store.intake.accept({
    accountId: account.value.id,
    door: 'api',
    envelopeSender: '',
    sender: 'shop@example.com',
    senderName: 'Shop',
    subject: 'Your order 12345 is on its way',
    internetMessageId: '<1@example.com>',
    recipients: Array.from({ length: messages }, (_, index) => ({
      address: `reader-${index}@example.org`,
      role: 'bcc',
    })),
    raw: Buffer.from('Subject: Your order 12345 is on its way\r\n\r\nThank you.\r\n'),
    tags: ['order'],
    metadataJson: '{"order":12345}',
    stream: 'default',
    essential: false,
    trackOpens: true,
    trackClicks: true,
    trackText: false,
    listUnsubscribe: true,
    trackingHost: '',
    templateId: undefined,
    templateVersion: undefined,
    idempotency: undefined,
    atMs: 0,
  });
  if (result.kind === 'conflict') throw new Error('there was no key');
  return result.messageIds;
}

function appending({ log }: Store, messageIds: readonly number[], count: number): Contender {
  return {
    name: 'aftersend',
    run: () =>
      rateOf(count, async () => {
        let begun = 0;
        const write = async () => {
          while (begun < count) {
            const messageId = messageIds[begun++ % messageIds.length] ?? 0;
            const { kind } = await log.report({
              type: 'opened',
              messageId,
              atMs: begun,
              userAgent: 'Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0',
              address: '192.0.2.1',
              visitor: { kind: 'human', confidence: 0.9, reason: 'a browser' },
            });
            if (kind !== 'appended') throw new Error(`the event of message ${messageId} is ${kind}`);
          }
        };
        await Promise.all(Array.from({ length: writers }, write));
      }),
  };
}

/** A database with the table of events, its indexes, and nothing else; as durable as the service's. */
function bareCopy(serviceFile: string, file: string): DatabaseSync {
  const bare = new DatabaseSync(file);
  bare.exec('PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA wal_autocheckpoint = 4000');
  bare.exec(`ATTACH '${serviceFile}' AS service`);
  const schema = bare
    .prepare(
      "SELECT sql FROM service.sqlite_schema WHERE tbl_name = 'events' AND sql IS NOT NULL ORDER BY rootpage",
    )
    .all();
  for (const { sql } of schema) bare.exec(String(sql));
  return bare;
}

function copying(bare: DatabaseSync, count: number): Contender {
  return {
    name: 'bare SQLite loop',
    async run() {
      const rows = bare.prepare(`SELECT * FROM service.events ORDER BY id DESC LIMIT ${count}`).all();
      bare.exec('DELETE FROM events');
      const names = Object.keys(rows[0] ?? {});
      const insert = bare.prepare(
        `INSERT INTO events (${names.join(', ')}) VALUES (${names.map(() => '?').join(', ')})`,
      );
      return rateOf(rows.length, async () => {
        for (let start = 0; start < rows.length; start += bareBatch) {
          bare.exec('BEGIN IMMEDIATE');
          for (const row of rows.slice(start, start + bareBatch)) insert.run(...Object.values(row));
          bare.exec('COMMIT');
        }
      });
    },
  };
}
