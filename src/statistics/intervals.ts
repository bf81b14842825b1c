/**
 * Hours and days as they are in a time zone: where each begins, and in which runs they are equally long, so that a run is
 * one question to the store. Pure.
 */

export const intervalKinds = ['hour', 'day'] as const;
export type IntervalKind = (typeof intervalKinds)[number];

/** A month of hours, or two years of days. */
export const mostIntervals = 800;

export class TooManyIntervalsError extends Error {
  override readonly name = 'TooManyIntervalsError';
}

/** @returns where each begins, and after them where the last ends @throws TooManyIntervalsError */
export function boundsOf(input: {
  kind: IntervalKind;
  /** The first one holds it. */
  fromMs: number;
  /** The last one ends at it or holds it. */
  toMs: number;
  /** An IANA name. */
  timeZone: string;
}): readonly number[] {
  const { kind, fromMs, toMs, timeZone } = input;
  const from = Temporal.Instant.fromEpochMilliseconds(fromMs).toZonedDateTimeISO(timeZone);
  let at = from.round({ smallestUnit: kind, roundingMode: 'floor' });
  const bounds = [at.epochMilliseconds];
  while (at.epochMilliseconds < toMs || bounds.length === 1) {
    if (bounds.length > mostIntervals) throw new TooManyIntervalsError();
    // A day begins at its first moment, which is not midnight where clocks are put forward then.
    at = kind === 'hour' ? at.add({ hours: 1 }) : at.add({ days: 1 }).startOfDay();
    bounds.push(at.epochMilliseconds);
  }
  return bounds;
}

/** Intervals of the same length, one after the other. */
export interface Run {
  /** The number of its first interval. */
  readonly first: number;
  readonly fromMs: number;
  readonly lengthMs: number;
  readonly intervals: number;
}

/** @param most intervals of a run */
export function runsOf(bounds: readonly number[], most: number): readonly Run[] {
  const runs: Run[] = [];
  for (let index = 0; index + 1 < bounds.length; index++) {
    const fromMs = bounds[index] ?? 0;
    const lengthMs = (bounds[index + 1] ?? 0) - fromMs;
    const last = runs.at(-1);
    if (last?.lengthMs === lengthMs && last.intervals < most) {
      runs[runs.length - 1] = { ...last, intervals: last.intervals + 1 };
    } else {
      runs.push({ first: index, fromMs, lengthMs, intervals: 1 });
    }
  }
  return runs;
}

/** The first moment of a day in a time zone. @param day as in 2026-11-21 @throws RangeError for what is no day */
export const startOfDayMs = (day: string, timeZone: string): number =>
  Temporal.PlainDate.from(day, { overflow: 'reject' }).toZonedDateTime(timeZone).startOfDay()
    .epochMilliseconds;
