/** What a store must do to know its secret again. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { OpenStore } from './fixtures.ts';

export function identityConformance(open: OpenStore): void {
  describe('identity', () => {
    test('a store is bound to the first secret it meets', async () => {
      await using store = await open();
      assert.equal(await store.identity.bindSecret('one'), true);
      assert.equal(await store.identity.bindSecret('two'), false);
      assert.equal(await store.identity.bindSecret('one'), true);
    });
  });
}
