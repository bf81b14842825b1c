/** How much of other systems' mail is read right: the figures as counts, so that a change of a rule shows what it costs. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { measureRecall } from './recall.ts';

test('real bounce and feedback mail is read as well as it was', async () => {
  const { scores, misses } = await measureRecall(new URL('../data/bounces', import.meta.url).pathname);
  const atLeast = { parsed: [177, 177], status: [174, 178], hard: [171, 179], category: [175, 179] } as const;
  for (const [what, [right, of]] of Object.entries(atLeast)) {
    const got = scores[what as keyof typeof scores];
    assert.equal(got.of, of, `${what}: the labels have changed`);
    assert.ok(got.right >= right, `${what}: ${got.right} of ${of}, was ${right}\n${misses.join('\n')}`);
  }
});
