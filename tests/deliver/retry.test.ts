/** The schedule of attempts, for any settings and any luck. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { array, assert as check, double, integer, property } from 'fast-check';
import { nextAttemptAtMs } from '../../src/deliver/retry.ts';

const settings = { firstMs: 60_000, totalMs: 3 * 86_400_000 };
const hourMs = 3_600_000;

/** The waits between attempts that all fail at once, with the given luck. */
function waits(units: () => number, { firstMs, totalMs } = settings): number[] {
  const found: number[] = [];
  let nowMs = 0;
  for (let attempt = 1; ; attempt++) {
    const input = { attempt, acceptedAtMs: 0, nowMs, unit: units() };
    const next = nextAttemptAtMs(input, { firstMs, totalMs });
    if (next === 'expired') return found;
    found.push(next - nowMs);
    nowMs = next;
  }
}

test('the first wait is a minute, each next one double, none beyond three hours, for three days', () => {
  const found = waits(() => 0);
  assert.deepEqual(
    found.slice(0, 9).map((ms) => ms / 60_000),
    [1, 2, 4, 8, 16, 32, 64, 128, 180],
  );
  assert.equal(
    found.reduce((sum, ms) => sum + ms, 0),
    settings.totalMs,
    'the last attempt is made when the time is up',
  );
});

test('chance makes a wait longer by a quarter at most, and the schedule always ends', () => {
  check(
    property(
      array(double({ min: 0, max: 0.999, noNaN: true }), { minLength: 1, maxLength: 50 }),
      integer({ min: 1000, max: 6 * hourMs }),
      integer({ min: 1000, max: 10 * 24 * hourMs }),
      (units, firstMs, totalMs) => {
        let drawn = 0;
        const found = waits(() => units[drawn++ % units.length] ?? 0, { firstMs, totalMs });
        assert.ok(found.length > 0 && found.length < 20_000);
        assert.ok(Math.max(...found) <= Math.max(3 * hourMs, firstMs) * 1.25 + 1);
        assert.ok(found.every((ms) => ms > 0));
        assert.ok(Math.abs(found.reduce((sum, ms) => sum + ms, 0) - totalMs) < 1);
      },
    ),
  );
});
