/**
 * Windows over the ranges of ids that a process knows of: a few partitions each, ever more as a search goes on. What is
 * known may be old: ranges that were made since lie in the window that has no end, those that were dropped are empty. So
 * nothing is missed, whatever is made or dropped meanwhile.
 */
import { endOfIds, type IdWindow, type MessageWindow } from '../sql/windows.ts';

/** How many ranges are made before their ids are needed. */
export const rangesAhead = 2;

/** The range that is written to, and those ahead of it, which have nothing in them yet. */
const firstRanges = rangesAhead + 1;
/** Bounds what a statement opens, and the locks that it takes in a table of the server's of fixed size. */
const mostRanges = 16;

export interface KnownRange extends IdWindow {
  readonly submissions: IdWindow;
}

/** The last range that begins at or before an id; -1 if it is before all of them. */
const indexOf = (ranges: readonly IdWindow[], id: number): number =>
  ranges.findLastIndex(({ fromId }) => fromId <= id);

/**
 * From range to range, both inclusive; the outermost ones reach to the end of all ids. What is written to counts as the
 * newest: there is nothing beyond it, and without statistics of a table that is new the planner takes two bounds for so
 * narrow that it would read all between them.
 */
function messageWindow(ranges: readonly KnownRange[], first: number, last: number): MessageWindow {
  const [from, to] = [first <= 0 ? undefined : ranges[first], ranges[last]];
  const isNewest = last >= ranges.length - firstRanges;
  return {
    fromId: from?.fromId ?? 0,
    toId: isNewest ? endOfIds : (to?.toId ?? ranges[0]?.fromId ?? endOfIds),
    submissions: {
      fromId: from?.submissions.fromId ?? 0,
      toId: isNewest ? endOfIds : (to?.submissions.toId ?? ranges[0]?.submissions.fromId ?? endOfIds),
    },
  };
}

export function* messageWindows(ranges: readonly KnownRange[], beforeId: number): Generator<MessageWindow> {
  let last = indexOf(ranges, beforeId - 1);
  for (let count = firstRanges; ; count = Math.min(2 * count, mostRanges)) {
    const first = last - count + 1;
    const window = messageWindow(ranges, first, last);
    yield { ...window, toId: Math.min(window.toId, beforeId) };
    if (first <= 0) return;
    last = first - 1;
  }
}

export function windowAround(ranges: readonly KnownRange[], messageId: number): MessageWindow {
  const index = indexOf(ranges, messageId);
  return messageWindow(ranges, index, index);
}

export function* eventWindows(ranges: readonly IdWindow[], fromId: number): Generator<IdWindow> {
  let from = fromId;
  let index = Math.max(0, indexOf(ranges, fromId));
  for (let count = firstRanges; ; count = Math.min(2 * count, mostRanges)) {
    index += count;
    const next = ranges[index];
    yield { fromId: from, toId: next?.fromId ?? endOfIds };
    if (next === undefined) return;
    from = next.fromId;
  }
}

export function* endsAfter(ranges: readonly IdWindow[], afterId: number): Generator<number> {
  let index = Math.max(0, indexOf(ranges, afterId));
  // Whoever is near the end, as most are, asks once.
  for (let count = 2 * firstRanges; index + count < ranges.length; count *= 4) {
    index += count;
    yield ranges[index]?.fromId ?? endOfIds;
  }
  yield endOfIds;
}

export function* beginningsBefore(ranges: readonly IdWindow[]): Generator<number> {
  for (let count = firstRanges; count < ranges.length; count *= 4) yield ranges.at(-count)?.fromId ?? 0;
  yield 0;
}
