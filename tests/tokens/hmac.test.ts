/** The MACs of tokens are those of node:crypto, whatever was made before with the same buffers. */
import assert from 'node:assert/strict';
import { createHmac } from 'node:crypto';
import { test } from 'node:test';
import * as fc from 'fast-check';
import { hmacSha256 } from '../../src/tokens/hmac.ts';

const bytes = (maxLength: number) => fc.uint8Array({ maxLength }).map((array) => Buffer.from(array));
const ofAnySize = fc.oneof(
  { weight: 5, arbitrary: bytes(200) },
  // Around the room that there is.
  {
    weight: 1,
    arbitrary: fc.integer({ min: 4090, max: 4100 }).map((length) => Buffer.alloc(length, length)),
  },
);

test('whatever key, mark and payloads, in any order, the MACs are HMAC-SHA256', () => {
  fc.assert(
    fc.property(
      bytes(64),
      fc.array(fc.tuple(fc.constantFrom('', 'o', 'c', 'kind'), ofAnySize), { minLength: 1, maxLength: 8 }),
      (key, messages) => {
        const hmac = hmacSha256(key);
        for (const [mark, payload] of messages) {
          const expected = createHmac('sha256', key).update(mark).update(payload).digest('latin1');
          assert.equal(hmac(mark, payload), expected);
        }
      },
    ),
  );
  assert.throws(() => hmacSha256(Buffer.alloc(65)), RangeError);
});
