/** What a store must do with what is known of destinations. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { PaceStore } from '../contract/paces.ts';
import { type OpenStore, startMs } from './fixtures.ts';

const awkward = `mx "quoted", {braced} \\ und ünïcode.example main`;

/** Adds one to a count, as one that reads and writes back. */
const count = (paces: PaceStore, names: readonly string[], nowMs = startMs) =>
  paces.change({ names, nowMs }, (state) => ({
    state: new Map(names.map((name) => [name, JSON.stringify(Number(state.get(name) ?? 0) + 1)])),
    result: undefined,
  }));

export function pacesConformance(open: OpenStore): void {
  describe('paces', () => {
    test('what is decided is kept, and what changed last is told first', async () => {
      await using store = await open();
      const { paces } = store;
      assert.deepEqual(await paces.recent(10), []);
      const result = await paces.change({ names: ['a', awkward], nowMs: startMs }, (state) => {
        assert.equal(state.size, 0);
        return { state: new Map([[awkward, '{"n":1}']]), result: 'told' };
      });
      assert.equal(result, 'told');
      await count(paces, ['b', 'c'], startMs + 1);
      await count(paces, ['c'], startMs + 2);
      assert.deepEqual(await paces.recent(3), [
        { name: 'c', state: '2' },
        { name: 'b', state: '1' },
        { name: awkward, state: '{"n":1}' },
      ]);
      assert.deepEqual(await paces.recent(1), [{ name: 'c', state: '2' }]);
    });

    test('changes of the same destinations, in whatever order they are named, do not undo one another', async () => {
      await using store = await open();
      const names = ['a', 'b', 'c', 'd'];
      await Promise.all(
        Array.from({ length: 24 }, (_, index) =>
          count(store.paces, index % 2 === 0 ? names : names.toReversed()),
        ),
      );
      const kept = await store.paces.recent(10);
      assert.deepEqual(
        kept.map(({ state }) => state),
        names.map(() => '24'),
      );
    });

    test('a decision that fails changes nothing', async () => {
      await using store = await open();
      await count(store.paces, ['a']);
      const failing = store.paces.change({ names: ['a', 'b'], nowMs: startMs }, () => {
        throw new Error('no decision');
      });
      await assert.rejects(failing, /no decision/);
      await count(store.paces, ['a']);
      assert.deepEqual(await store.paces.recent(10), [{ name: 'a', state: '2' }]);
    });

    test('what has not changed for long is forgotten', async () => {
      await using store = await open();
      for (const [index, name] of ['a', 'b', 'c', 'd'].entries()) {
        await count(store.paces, [name], startMs + index);
      }
      const prune = () =>
        store.retention.prune({
          eventsBeforeMs: startMs + 3,
          statisticsBeforeMs: 0,
          bodiesBeforeMs: startMs,
          nowMs: startMs + 3,
          limit: 2,
        });
      assert.deepEqual([await prune(), await prune(), await prune()], [2, 1, 0]);
      assert.deepEqual(await store.paces.recent(10), [{ name: 'd', state: '1' }]);
    });
  });
}
