/** Windows over ranges of ids: whatever ranges a process knows of, none of the ids is left out or looked at twice. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';
import {
  beginningsBefore,
  endsAfter,
  eventWindows,
  type KnownRange,
  messageWindows,
  windowAround,
} from '../../src/store/postgres/windows.ts';
import { endOfIds, type IdWindow } from '../../src/store/sql/windows.ts';

/** Ranges that follow one another; the first may be any, as those before it were dropped. */
const someRanges = fc
  .tuple(fc.integer({ min: 1, max: 50 }), fc.array(fc.integer({ min: 1, max: 20 }), { maxLength: 90 }))
  .map(([start, sizes]) => {
    let fromId = start;
    return sizes.map((size): KnownRange => {
      const ids = { fromId, toId: (fromId += size) };
      // Submissions have smaller ids where messages came from a data folder.
      return { ...ids, submissions: { fromId: Math.ceil(ids.fromId / 2), toId: Math.ceil(ids.toId / 2) } };
    });
  });
const anId = fc.integer({ min: 1, max: 2000 });
const holds = ({ fromId, toId }: IdWindow, id: number) => fromId <= id && id < toId;

test('every message below a cursor lies in one window, and its submission in that of the window', () => {
  fc.assert(
    fc.property(someRanges, anId, anId, (ranges, beforeId, id) => {
      const windows = [...messageWindows(ranges, beforeId)];
      assert.equal(windows.filter((window) => holds(window, id)).length, id < beforeId ? 1 : 0);
      const around = windowAround(ranges, id);
      assert.ok(holds(around, id));
      const range = ranges.find((known) => holds(known, id));
      for (const window of [around, ...windows.filter((one) => holds(one, id))]) {
        if (range !== undefined) assert.ok(holds(window.submissions, range.submissions.fromId));
        if (range !== undefined) assert.ok(holds(window.submissions, range.submissions.toId - 1));
      }
    }),
  );
});

test('every event from a cursor on lies in one window; what grows from a cursor holds all in the end', () => {
  fc.assert(
    fc.property(someRanges, anId, anId, (ranges, fromId, id) => {
      const windows = [...eventWindows(ranges, fromId)];
      assert.equal(windows.filter((window) => holds(window, id)).length, id >= fromId ? 1 : 0);
      const ends = [...endsAfter(ranges, fromId)];
      assert.deepEqual(
        ends,
        ends.toSorted((a, b) => a - b),
      );
      assert.equal(ends.at(-1), endOfIds);
      const beginnings = [...beginningsBefore(ranges)];
      assert.deepEqual(
        beginnings,
        beginnings.toSorted((a, b) => b - a),
      );
      assert.equal(beginnings.at(-1), 0);
    }),
  );
});
