/** What a store must do for the simulated world. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { keptRequestsOfAccount } from '../contract/simulator.ts';
import { anAccount, type OpenStore, startMs } from './fixtures.ts';

export function simulatorConformance(open: OpenStore): void {
  describe('the simulated world', () => {
    test('keeps each account’s newest requests', async () => {
      await using store = await open();
      const [acme, other] = [await anAccount(store), await anAccount(store, 'other')];
      const receive = (accountId: number, body: string) =>
        store.simulator.receive({ accountId, atMs: startMs, headers: { 'webhook-id': body }, body });
      await receive(other.id, 'its own');
      for (let number = 1; number <= keptRequestsOfAccount + 5; number++) await receive(acme.id, `${number}`);
      const kept = await store.simulator.received(acme.id);
      assert.equal(kept.length, keptRequestsOfAccount);
      assert.partialDeepStrictEqual(kept[0], { atMs: startMs, headers: { 'webhook-id': '55' }, body: '55' });
      assert.equal(kept.at(-1)?.body, '6');
      const numbers = kept.map(({ number }) => number);
      assert.deepEqual(
        numbers,
        numbers.toSorted((a, b) => b - a),
      );
      assert.deepEqual(
        (await store.simulator.received(other.id)).map(({ body }) => body),
        ['its own'],
      );
    });

    test('an envelope bounces softly once, however many ask at once', async () => {
      await using store = await open();
      const answers = await Promise.all(
        ['a@x b@y', 'a@x b@y', 'a@x c@y', 'a@x b@y'].map((envelope) => store.simulator.softBounce(envelope)),
      );
      assert.equal(answers.filter(Boolean).length, 2);
      assert.equal(answers[2], true);
      assert.equal(await store.simulator.softBounce('a@x b@y'), false);
    });
  });
}
