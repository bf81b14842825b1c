/** A line of things that come and go, against a list that does the same slowly. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';
import { Line, type Place } from '../../src/platform/line.ts';

test('whoever leaves, also twice, leaves all others in the order in which they came', () => {
  const steps = fc.array(fc.oneof(fc.constant('come' as const), fc.nat(12)), {
    minLength: 30,
    maxLength: 60,
  });
  fc.assert(
    fc.property(steps, (all) => {
      const line = new Line<number>();
      const places: Place<number>[] = [];
      const expected: number[] = [];
      for (const step of all) {
        if (step === 'come') {
          expected.push(places.length);
          places.push(line.add(places.length));
        } else {
          const place = places[step];
          if (place === undefined) continue;
          const at = expected.indexOf(place.item);
          assert.equal(line.remove(place), at !== -1);
          if (at !== -1) expected.splice(at, 1);
        }
        assert.deepEqual(line.items(), expected);
        assert.equal(line.first, expected[0]);
        assert.equal(line.length, expected.length);
      }
    }),
  );
});
