/** What the console says that differs between two versions of a text is true, whatever the texts. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { differenceOf, folded, type Line } from '../../console/src/difference.ts';

const lines = fc.array(fc.constantFrom('', 'a', 'b', 'one two', 'one  three', '<p>x</p>'), { maxLength: 20 });

const textOf = (difference: readonly Line[], kinds: readonly Line['kind'][]): string =>
  difference
    .filter(({ kind }) => kinds.includes(kind))
    .map(({ parts }) => `${parts.map(({ text }) => text).join('')}\n`)
    .join('');

test('what stays and what goes is the first text; what stays and what comes is the second', () => {
  fc.assert(
    fc.property(lines, lines, (before, after) => {
      const [first, second] = [before, after].map((text) => text.map((line) => `${line}\n`).join(''));
      const difference = differenceOf(first ?? '', second ?? '');
      assert.equal(textOf(difference, ['same', 'gone']), first);
      assert.equal(textOf(difference, ['same', 'new']), second);
    }),
  );
});

test('only lines that are the same are folded away, and unfolding gives all of them', () => {
  fc.assert(
    fc.property(lines, lines, (before, after) => {
      const difference = differenceOf(before.join('\n'), after.join('\n'));
      const shown = folded(difference);
      assert.deepEqual(
        shown.flatMap((line) => (line.kind === 'fold' ? line.lines : [line])),
        difference,
      );
      for (const line of shown) {
        if (line.kind === 'fold') assert.ok(line.lines.every(({ kind }) => kind === 'same'));
      }
    }),
  );
});

test('a changed word is marked within its line', () => {
  const [gone, come] = differenceOf('Dear {{ name }}, it left', 'Dear {{ name }}, it arrived');
  const marked = (line: Line | undefined) =>
    line?.parts.filter((part) => part.marked).map(({ text }) => text);
  assert.deepEqual([marked(gone), marked(come)], [['left'], ['arrived']]);
});
