/** Remembering changes nothing that a caller of the same store can see, and ends for what others change. */
import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { anAccount } from '../../src/store/conformance/fixtures.ts';
import { accountsConformance } from '../../src/store/conformance/accounts.ts';
import { domainsConformance } from '../../src/store/conformance/domains.ts';
import { mailSettingsConformance } from '../../src/store/conformance/mail-settings.ts';
import type { Store } from '../../src/store/contract/store.ts';
import { remembering } from '../../src/store/remember.ts';
import { openSqliteStore } from '../../src/store/sqlite/open.ts';
import { ManualClock } from '../support/manual-clock.ts';

async function openRemembering(): Promise<Store> {
  const folder = await mkdtemp(join(tmpdir(), 'aftersend-remember-'));
  const store = await openSqliteStore(folder, 'serve');
  // Its clock stands still, so that nothing is asked again because of its age.
  return {
    ...remembering(store, new ManualClock()),
    async [Symbol.asyncDispose]() {
      await store[Symbol.asyncDispose]();
      await rm(folder, { recursive: true });
    },
  };
}

describe('remembering', () => {
  accountsConformance(openRemembering);
  domainsConformance(openRemembering);
  mailSettingsConformance(openRemembering);

  test('what another process revokes is good for a second at most', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'aftersend-remember-'));
    {
      await using opened = await openSqliteStore(folder, 'serve');
      await using other = await openSqliteStore(folder, 'command');
      const clock = new ManualClock();
      const store = remembering(opened, clock);
      assert.equal(await store.accounts.byTokenHash('token of acme'), undefined);
      const account = await anAccount(other);
      assert.deepEqual(await store.accounts.byTokenHash('token of acme'), account, 'known at once');
      const [token] = await other.accounts.listTokens({ accountId: account.id, limit: 1 });
      assert.ok(token);
      await other.accounts.revokeToken({ accountId: account.id, tokenId: token.id, atMs: 0 });
      await clock.advance(1000);
      assert.equal(await store.accounts.byTokenHash('token of acme'), undefined);
    }
    await rm(folder, { recursive: true });
  });

  test('an answer that was under way while something changed is not kept', async () => {
    await using opened = await openRemembering();
    const account = await anAccount(opened);
    const asked = Promise.withResolvers<void>();
    const goOn = Promise.withResolvers<void>();
    let isFirst = true;
    const slow: Store = {
      ...opened,
      accounts: {
        ...opened.accounts,
        async byTokenHash(hash) {
          const found = await opened.accounts.byTokenHash(hash);
          if (!isFirst) return found;
          isFirst = false;
          asked.resolve();
          await goOn.promise;
          return found;
        },
      },
    };
    const store = remembering(slow, new ManualClock());
    const before = store.accounts.byTokenHash('token of acme');
    await asked.promise;
    const [token] = await store.accounts.listTokens({ accountId: account.id, limit: 1 });
    assert.ok(token);
    await store.accounts.revokeToken({ accountId: account.id, tokenId: token.id, atMs: 0 });
    goOn.resolve();
    assert.deepEqual(await before, account);
    assert.equal(await store.accounts.byTokenHash('token of acme'), undefined);
  });
});
