/** Hours and days as they are in any time zone, against the calendar of Intl. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';
import {
  boundsOf,
  intervalKinds,
  mostIntervals,
  runsOf,
  startOfDayMs,
  TooManyIntervalsError,
} from '../../src/statistics/intervals.ts';
import { slotMs } from '../../src/store/contract/statistics.ts';

const hourMs = 3_600_000;
const zone = fc.constantFrom(...Intl.supportedValuesOf('timeZone'));
const when = fc.integer({ min: Date.UTC(2024, 0, 1), max: Date.UTC(2027, 11, 31) });

/** The hour or the day that a moment is in, as a clock on the wall there says it. */
function wallOf(atMs: number, timeZone: string, kind: 'hour' | 'day'): string {
  const hour = kind === 'hour' ? ({ hour: '2-digit' } as const) : {};
  return new Intl.DateTimeFormat('en', {
    timeZone,
    dateStyle: undefined,
    year: 'numeric',
    month: 'numeric',
    day: 'numeric',
    ...hour,
  }).format(atMs);
}

test('in every time zone an interval is one hour or day of its clocks, and is made of whole slots', () => {
  fc.assert(
    fc.property(
      zone,
      when,
      fc.integer({ min: 1, max: 40 }),
      fc.constantFrom(...intervalKinds),
      (timeZone, fromMs, length, kind) => {
        const toMs = fromMs + length * (kind === 'hour' ? hourMs : 24 * hourMs);
        const bounds = boundsOf({ kind, fromMs, toMs, timeZone });
        const [first = 0, last = 0] = [bounds[0], bounds.at(-1)];
        assert.ok(first <= fromMs && toMs <= last);
        assert.ok((bounds[1] ?? 0) > fromMs && (bounds.at(-2) ?? 0) < toMs, 'none more than needed');
        for (const [index, startMs] of bounds.slice(0, -1).entries()) {
          const endMs = bounds[index + 1] ?? 0;
          assert.equal(startMs % slotMs, 0);
          assert.ok(endMs > startMs);
          if (kind === 'day') {
            assert.equal(wallOf(startMs, timeZone, kind), wallOf(endMs - 1, timeZone, kind));
            assert.notEqual(wallOf(startMs, timeZone, kind), wallOf(startMs - 1, timeZone, kind));
          } else assert.equal(endMs - startMs, hourMs);
        }
        const runs = runsOf(bounds, 7);
        assert.deepEqual(
          runs.flatMap(({ fromMs, lengthMs, intervals }) =>
            Array.from({ length: intervals }, (_, index) => fromMs + index * lengthMs),
          ),
          bounds.slice(0, -1),
        );
        assert.ok(runs.every(({ first, fromMs, intervals }) => bounds[first] === fromMs && intervals <= 7));
      },
    ),
    { numRuns: 300 },
  );
});

test('a day is as long as it is there', () => {
  const days = (timeZone: string, fromMs: number) =>
    boundsOf({ kind: 'day', fromMs, toMs: fromMs + 1, timeZone }).map((at) => new Date(at).toISOString());
  assert.deepEqual(days('Europe/Berlin', Date.UTC(2026, 9, 25, 12)), [
    '2026-10-24T22:00:00.000Z',
    '2026-10-25T23:00:00.000Z',
  ]);
  // Clocks there are put forward at midnight: the day begins at one.
  assert.deepEqual(days('America/Santiago', Date.UTC(2026, 8, 6, 12)), [
    '2026-09-06T04:00:00.000Z',
    '2026-09-07T03:00:00.000Z',
  ]);
  assert.equal(startOfDayMs('2026-11-21', 'Asia/Kolkata'), Date.UTC(2026, 10, 20, 18, 30));
});

test('a range without end is refused before it is built', () => {
  const far = { fromMs: 0, toMs: Date.UTC(2026, 0, 1), timeZone: 'UTC' } as const;
  assert.throws(() => boundsOf({ kind: 'hour', ...far }), TooManyIntervalsError);
  const fits = boundsOf({ kind: 'day', fromMs: 0, toMs: mostIntervals * 24 * hourMs, timeZone: 'UTC' });
  assert.equal(fits.length, mostIntervals + 1);
});
