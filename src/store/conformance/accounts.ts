/** What a store must do for accounts, tokens and SMTP logins. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { anAccount, type OpenStore, startMs } from './fixtures.ts';

export function accountsConformance(open: OpenStore): void {
  describe('accounts', () => {
    test('an account comes with its first token and SMTP login', async () => {
      await using store = await open();
      const account = await anAccount(store);
      assert.deepEqual(await store.accounts.byId(account.id), account);
      assert.deepEqual(await store.accounts.byName('acme'), account);
      assert.deepEqual(await store.accounts.byTokenHash('token of acme'), account);
      assert.deepEqual(await store.accounts.bySmtpUsername('acme'), { account, hash: 'password of acme' });
    });

    test('a name that is taken makes nothing', async () => {
      await using store = await open();
      const { settings } = await anAccount(store);
      const again = await store.accounts.create({
        name: 'acme',
        email: '',
        timeZone: 'UTC',
        settings,
        token: { name: 'first', hash: 'another' },
        smtpLogin: { username: 'other', hash: 'another' },
        atMs: startMs,
      });
      assert.deepEqual(again, { kind: 'taken' });
      assert.equal((await store.accounts.list()).length, 1);
      assert.equal(await store.accounts.byTokenHash('another'), undefined);
    });

    test('a revoked token opens nothing, and only its account can revoke it', async () => {
      await using store = await open();
      const [acme, other] = [await anAccount(store), await anAccount(store, 'other')];
      const { id } = await store.accounts.createToken({
        accountId: acme.id,
        name: 'second',
        hash: 'h',
        atMs: startMs,
      });
      const revoke = (accountId: number) =>
        store.accounts.revokeToken({ accountId, tokenId: id, atMs: startMs + 1 });
      assert.equal(await revoke(other.id), false);
      assert.equal((await store.accounts.byTokenHash('h'))?.id, acme.id);
      assert.equal(await revoke(acme.id), true);
      assert.equal(await store.accounts.byTokenHash('h'), undefined);
      assert.equal(await revoke(acme.id), false, 'revoked once');
      const tokens = await store.accounts.listTokens({ accountId: acme.id, limit: 10 });
      assert.deepEqual(
        tokens.map(({ name, revokedAtMs }) => [name, revokedAtMs]),
        [
          ['second', startMs + 1],
          ['first', undefined],
        ],
      );
      const page = { accountId: acme.id, limit: 1, beforeId: id };
      assert.deepEqual(
        (await store.accounts.listTokens(page)).map(({ name }) => name),
        ['first'],
      );
    });

    test('a revoked SMTP login opens nothing, and its name stays taken', async () => {
      await using store = await open();
      const { id: accountId } = await anAccount(store);
      const login = { accountId, username: 'printer', atMs: startMs };
      assert.equal((await store.accounts.createSmtpLogin({ ...login, hash: 'p' })).kind, 'created');
      assert.equal((await store.accounts.bySmtpUsername('printer'))?.account.id, accountId);
      assert.equal(await store.accounts.revokeSmtpLogin(login), true);
      assert.equal(await store.accounts.bySmtpUsername('printer'), undefined);
      assert.equal((await store.accounts.createSmtpLogin({ ...login, hash: 'q' })).kind, 'taken');
      const [printer] = await store.accounts.listSmtpLogins({ accountId, limit: 1 });
      assert.equal(printer?.username, 'printer');
      const rest = await store.accounts.listSmtpLogins({ accountId, limit: 9, beforeId: printer.id });
      assert.deepEqual(
        rest.map(({ username }) => username),
        ['acme'],
      );
    });
  });
}
