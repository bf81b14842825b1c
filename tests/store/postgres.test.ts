/** The shared store, held to the contract on a real PostgreSQL. */
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { describe, test } from 'node:test';
import { systemClock } from '../../src/platform/clock.ts';
import { anAccount, aSubmission, startMs } from '../../src/store/conformance/fixtures.ts';
import { storeConformance } from '../../src/store/conformance/store.ts';
import { Database, defaultDatabaseLimits } from '../../src/store/postgres/database.ts';
import { openPostgresStore } from '../../src/store/postgres/open.ts';
import { freshDatabase } from '../support/fresh-database.ts';
import { withoutPostgres } from '../support/postgres.ts';

const openAt = (url: string) =>
  openPostgresStore({ url, clock: systemClock, processName: randomBytes(6).toString('hex') });

describe('on PostgreSQL', { skip: withoutPostgres }, () => {
  storeConformance(async () => openAt(await freshDatabase()));

  test('a key that came from a data folder, where submissions have ids of their own, answers with those', async () => {
    const url = await freshDatabase();
    await using store = await openAt(url);
    const { id: accountId } = await anAccount(store);
    const idempotency = { key: 'k', fingerprint: 'f', expiresAtMs: startMs + 86_400_000 };
    const submission = aSubmission(accountId, { idempotency });
    const first = await store.intake.accept(submission);
    assert.equal(first.kind, 'accepted');
    const database = new Database(url, defaultDatabaseLimits);
    await database.run('UPDATE idempotency_keys SET submission_id = 1000');
    await database.close();
    const answer = { ...first, kind: 'repeated', submissionId: 1000 };
    assert.deepEqual(await store.intake.accept(submission), answer);
    assert.deepEqual(await store.intake.earlier({ accountId, ...idempotency, atMs: startMs }), answer);
  });
});
