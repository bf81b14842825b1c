/** What a store must do for sending domains: whose they are, when mail from them may go, which keys sign. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { NewSigningKey } from '../contract/domains.ts';
import type { Store } from '../contract/store.ts';
import { anAccount, type OpenStore, startMs } from './fixtures.ts';

const keyPair = (version: string): readonly NewSigningKey[] => [
  {
    selector: `${version}r`,
    algorithm: 'rsa-sha256',
    publicKey: `rsa ${version}`,
    sealedPrivateKey: `sealed rsa ${version}`,
  },
  {
    selector: `${version}e`,
    algorithm: 'ed25519-sha256',
    publicKey: `ed ${version}`,
    sealedPrivateKey: `sealed ed ${version}`,
  },
];

async function added(store: Store, accountId: number, name: string) {
  const keys = keyPair('one');
  const result = await store.domains.add({ accountId, name, requireTls: false, keys, atMs: startMs });
  assert.equal(result.kind, 'created');
  return result.value;
}

export function domainsConformance(open: OpenStore): void {
  describe('sending domains', () => {
    test('a name is unique in its account, and nobody else sees or changes it', async () => {
      await using store = await open();
      const [acme, other] = [await anAccount(store), await anAccount(store, 'other')];
      const domain = await added(store, acme.id, 'example.com');
      assert.deepEqual(await store.domains.byId(acme.id, domain.id), domain);
      const again = { accountId: acme.id, name: 'example.com', requireTls: true, keys: [], atMs: startMs };
      assert.equal((await store.domains.add(again)).kind, 'taken');
      await added(store, other.id, 'example.com');

      const theirs = { accountId: other.id, domainId: domain.id };
      assert.equal(await store.domains.byId(other.id, domain.id), undefined);
      assert.deepEqual(await store.domains.keys(other.id, domain.id), []);
      assert.equal(await store.domains.setRequireTls({ ...theirs, requireTls: true }), false);
      assert.equal(await store.domains.addKeys({ ...theirs, keys: keyPair('two'), atMs: startMs }), false);
      assert.equal(await store.domains.remove(theirs), false);
      assert.equal((await store.domains.keys(acme.id, domain.id)).length, 2);

      assert.equal(
        await store.domains.setRequireTls({ accountId: acme.id, domainId: domain.id, requireTls: true }),
        true,
      );
      assert.equal((await store.domains.byId(acme.id, domain.id))?.requireTls, true);
      assert.equal(await store.domains.remove({ accountId: acme.id, domainId: domain.id }), true);
      assert.deepEqual(await store.domains.list({ accountId: acme.id, limit: 10 }), []);
    });

    test('a sender belongs to the nearest domain that it is or lies under', async () => {
      await using store = await open();
      const { id: accountId } = await anAccount(store);
      const parent = await added(store, accountId, 'example.com');
      const child = await added(store, accountId, 'news.example.com');
      const of = async (name: string) => (await store.domains.ofSender(accountId, name))?.id;
      assert.equal(await of('example.com'), parent.id);
      assert.equal(await of('Shop.Example.com'), parent.id);
      assert.equal(await of('a.news.example.com'), child.id);
      assert.equal(await of('notexample.com'), undefined);
      assert.equal(await of('com'), undefined);
      const page = await store.domains.list({ accountId, limit: 1 });
      assert.deepEqual(page, [child]);
      assert.deepEqual(await store.domains.list({ accountId, limit: 5, beforeId: child.id }), [parent]);
    });

    test('looking verifies and takes it back, but not what the operator has vouched for', async () => {
      await using store = await open();
      const { id: accountId } = await anAccount(store);
      const { id: domainId } = await added(store, accountId, 'example.com');
      const check = (verified: boolean, atMs: number) =>
        store.domains.recordCheck({
          accountId,
          domainId,
          verified,
          ownBounceHost: verified,
          seenKeyIds: [],
          checksJson: '["looked"]',
          atMs,
        });
      const state = async () => {
        const domain = await store.domains.byId(accountId, domainId);
        return [domain?.verifiedAtMs, domain?.ownBounceHost, domain?.checkedAtMs, domain?.checksJson];
      };
      assert.deepEqual(await state(), [undefined, false, undefined, '[]']);
      assert.equal(await check(true, startMs + 1), true);
      assert.equal(await check(true, startMs + 2), true);
      assert.deepEqual(await state(), [startMs + 1, true, startMs + 2, '["looked"]']);
      await check(false, startMs + 3);
      assert.deepEqual(await state(), [undefined, false, startMs + 3, '["looked"]']);
      const vouched = await store.domains.vouch({ accountId, name: 'example.com', atMs: startMs + 4 });
      assert.equal(vouched.id, domainId);
      await check(false, startMs + 5);
      assert.equal((await store.domains.byId(accountId, domainId))?.verifiedAtMs, startMs + 4);
      const fresh = await store.domains.vouch({ accountId, name: 'new.example', atMs: startMs });
      assert.deepEqual([fresh.verifiedAtMs, fresh.vouched], [startMs, true]);
    });

    test('a new key takes over once its record is seen', async () => {
      await using store = await open();
      const { id: accountId } = await anAccount(store);
      const { id: domainId } = await added(store, accountId, 'example.com');
      await store.domains.addKeys({ accountId, domainId, keys: keyPair('two'), atMs: startMs + 1 });
      const seen = async (...selectors: string[]) => {
        const keys = await store.domains.keys(accountId, domainId);
        const seenKeyIds = keys.filter(({ selector }) => selectors.includes(selector)).map(({ id }) => id);
        await store.domains.recordCheck({
          accountId,
          domainId,
          verified: true,
          ownBounceHost: false,
          seenKeyIds,
          checksJson: '[]',
          atMs: startMs + 2,
        });
        return (await store.domains.keys(accountId, domainId)).map(({ selector, seenAtMs, retiredAtMs }) => [
          selector,
          seenAtMs !== undefined,
          retiredAtMs !== undefined,
        ]);
      };
      assert.deepEqual(await seen('oner', 'onee'), [
        ['twoe', false, false],
        ['twor', false, false],
        ['onee', true, false],
        ['oner', true, false],
      ]);
      assert.deepEqual(await seen('oner', 'onee', 'twor'), [
        ['twoe', false, false],
        ['twor', true, false],
        ['onee', true, false],
        ['oner', true, true],
      ]);
    });
  });
}
