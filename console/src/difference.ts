/** What differs between two texts, line by line and, where a line was changed, word by word. Pure, and bounded. */
import { diffLines, diffWordsWithSpace } from 'diff';

/** Texts that differ in more lines are told apart as a whole: nobody reads such a difference, and finding it takes long. */
const mostDifferentLines = 2000;
/** Longer lines are not looked into. */
const longestLookedInto = 2000;
/** Lines that stay the same and are shown around those that do not. */
const contextLines = 3;

interface Part {
  readonly text: string;
  /** This is what differs within the line. */
  readonly marked: boolean;
}

/** `gone` stands in the first text alone, `new` in the second. */
export interface Line {
  readonly kind: 'same' | 'gone' | 'new';
  readonly parts: readonly Part[];
}

/** Lines that are the same in both and not shown. */
export interface Fold {
  readonly kind: 'fold';
  readonly lines: readonly Line[];
}

/** Every line of both texts, in order. */
export function differenceOf(before: string, after: string): readonly Line[] {
  const runs = diffLines(before, after, { maxEditLength: mostDifferentLines }) ?? [
    { value: before, added: false, removed: true },
    { value: after, added: true, removed: false },
  ];
  return runs.flatMap((run, index) => {
    if (!run.added && !run.removed) return whole('same', linesOf(run.value));
    const next = runs[index + 1];
    if (run.removed && next?.added) return changed(linesOf(run.value), linesOf(next.value));
    // What comes in the place of something else was told with it.
    if (run.added && runs[index - 1]?.removed) return [];
    return whole(run.added ? 'new' : 'gone', linesOf(run.value));
  });
}

/** Without the lines that are far from any difference. */
export function folded(lines: readonly Line[]): readonly (Line | Fold)[] {
  const isNear = (index: number) =>
    lines
      .slice(Math.max(0, index - contextLines), index + contextLines + 1)
      .some(({ kind }) => kind !== 'same');
  const shown: (Line | Fold)[] = [];
  let far: Line[] = [];
  const endFold = () => {
    // A fold of one line would take the room of the line.
    if (far.length > 1) shown.push({ kind: 'fold', lines: far });
    else shown.push(...far);
    far = [];
  };
  for (const [index, line] of lines.entries()) {
    if (isNear(index)) {
      endFold();
      shown.push(line);
    } else {
      far.push(line);
    }
  }
  endFold();
  return shown;
}

function linesOf(text: string): readonly string[] {
  const lines = text.split('\n');
  return lines.at(-1) === '' ? lines.slice(0, -1) : lines;
}

const whole = (kind: Line['kind'], lines: readonly string[]): readonly Line[] =>
  lines.map((text) => ({ kind, parts: [{ text, marked: false }] }));

/** As many lines in the place of as many are taken for the same lines, changed. */
function changed(gone: readonly string[], added: readonly string[]): readonly Line[] {
  if (gone.length !== added.length) return [...whole('gone', gone), ...whole('new', added)];
  const pairs = gone.map((text, index) => pairOf(text, added[index] ?? ''));
  return [...pairs.map(([before]) => before), ...pairs.map(([, after]) => after)];
}

function pairOf(before: string, after: string): readonly [Line, Line] {
  const isLong = Math.max(before.length, after.length) > longestLookedInto;
  const words = isLong ? [] : diffWordsWithSpace(before, after);
  const side = (kind: 'gone' | 'new', text: string): Line => {
    const parts = words
      .filter(({ added, removed }) => (kind === 'gone' ? !added : !removed))
      .map(({ value, added, removed }) => ({ text: value, marked: added || removed }));
    return { kind, parts: parts.length > 0 ? parts : [{ text, marked: false }] };
  };
  return [side('gone', before), side('new', after)];
}
