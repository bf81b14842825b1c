/** The embedded store, held to the contract on real files. */
import assert from 'node:assert/strict';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { describe, test } from 'node:test';
import { accepted, anAccount, aSubmission } from '../../src/store/conformance/fixtures.ts';
import { storeConformance } from '../../src/store/conformance/store.ts';
import { type Store, StoreBusyError } from '../../src/store/contract/store.ts';
import { FolderLockedError, openSqliteStore } from '../../src/store/sqlite/open.ts';

const freshFolder = () => mkdtemp(join(tmpdir(), 'aftersend-store-'));

async function openFresh(): Promise<Store> {
  const folder = await freshFolder();
  const store = await openSqliteStore(folder, 'serve');
  return {
    ...store,
    async [Symbol.asyncDispose]() {
      await store[Symbol.asyncDispose]();
      await rm(folder, { recursive: true });
    },
  };
}

storeConformance(openFresh);

describe('the data folder', () => {
  test('one service at a time; commands may write beside it, and each sees what the other wrote', async () => {
    const folder = await freshFolder();
    {
      await using service = await openSqliteStore(folder, 'serve');
      await assert.rejects(openSqliteStore(folder, 'serve'), FolderLockedError);
      await using command = await openSqliteStore(folder, 'command');
      const account = await anAccount(command);
      assert.deepEqual(await service.accounts.byTokenHash('token of acme'), account);
      const ids = [
        ...(await accepted(service, aSubmission(account.id))),
        ...(await accepted(command, aSubmission(account.id))),
        ...(await accepted(service, aSubmission(account.id))),
      ];
      assert.deepEqual(ids, [1, 2, 3], 'both take ids from one sequence');
    }
    await using again = await openSqliteStore(folder, 'serve');
    assert.equal((await again.accounts.list()).length, 1);
    await rm(folder, { recursive: true });
  });

  test('a thousand messages that come at once share a handful of commits', async () => {
    const folder = await freshFolder();
    {
      await using store = await openSqliteStore(folder, 'serve');
      const { id: accountId } = await anAccount(store);
      const wal = join(folder, 'aftersend.db-wal');
      const before = commitsIn(await readFile(wal));
      await Promise.all(Array.from({ length: 1000 }, () => store.intake.accept(aSubmission(accountId))));
      const commits = commitsIn(await readFile(wal)) - before;
      assert.ok(commits >= 1 && commits <= 3, `${commits} commits`);
    }
    await rm(folder, { recursive: true });
  });

  test('each of many callers gets the answer to its own call, and no commit has more than 4096 of them', async () => {
    const folder = await freshFolder();
    {
      await using store = await openSqliteStore(folder, 'serve');
      const { id: accountId } = await anAccount(store);
      const wal = join(folder, 'aftersend.db-wal');
      const before = commitsIn(await readFile(wal));
      const recipients = Array.from({ length: 9000 }, (_, index) => `reader-${index}@example.org`);
      const answers = await Promise.all(
        recipients.map((recipient, index) =>
          index % 3 === 2
            ? store.suppressions.remove({ accountId, recipient: recipients[index - 1] ?? '' })
            : store.suppressions.add({ accountId, recipient, stream: '*', reason: 'manual', atMs: index }),
        ),
      );
      assert.deepEqual(
        answers.map((answer) => (typeof answer === 'object' ? answer.recipient : answer)),
        recipients.map((recipient, index) => (index % 3 === 2 ? 1 : recipient)),
      );
      const commits = commitsIn(await readFile(wal)) - before;
      assert.ok(commits >= 3 && commits <= 5, `${commits} commits`);
    }
    await rm(folder, { recursive: true });
  });

  test('many writers share commits, and one whose write fails takes no other with it', async () => {
    await using store = await openFresh();
    const { id: accountId } = await anAccount(store);
    const results = await Promise.allSettled(
      Array.from({ length: 500 }, (_, index) =>
        // An account id that is no number breaks the write inside the transaction.
        store.intake.accept(aSubmission(index % 100 === 50 ? (undefined as unknown as number) : accountId)),
      ),
    );
    assert.deepEqual(
      results.flatMap(({ status }, index) => (status === 'rejected' ? [index] : [])),
      [50, 150, 250, 350, 450],
    );
    assert.equal(await store.messages.count({ accountId }, 1000), 495);
    assert.equal(await store.queue.depth(), 495);
  });

  test('a process that does not let go of the database makes callers come later, and only until it does', async () => {
    const folder = await freshFolder();
    await using store = await openSqliteStore(folder, 'serve');
    const { id: accountId } = await anAccount(store);
    const other = new DatabaseSync(join(folder, 'aftersend.db'));
    other.exec('BEGIN IMMEDIATE');
    const accept = () => store.intake.accept(aSubmission(accountId));
    const outcomes = await Promise.allSettled([accept(), accept(), accept()]);
    for (const outcome of outcomes) {
      assert.ok(outcome.status === 'rejected' && outcome.reason instanceof StoreBusyError);
    }
    other.exec('ROLLBACK');
    other.close();
    assert.deepEqual(await accepted(store, aSubmission(accountId)), [1]);
    await rm(folder, { recursive: true });
  });
});

/**
 * The commits that a write-ahead log holds: frames whose header gives the size of the database after them
 * (sqlite.org/fileformat2.html, section 4.1).
 */
function commitsIn(wal: Buffer): number {
  const pageBytes = wal.readUInt32BE(8);
  let commits = 0;
  for (let frame = 32; frame < wal.length; frame += 24 + pageBytes) {
    if (wal.readUInt32BE(frame + 4) !== 0) commits++;
  }
  return commits;
}
