/**
 * Measuring: what a row is, runs of its contenders in turn, and the figures made of them. Contenders run in the same
 * minute on the same machine, one after the other in every round, so that a ratio means something where a rate does not.
 */

/** One who does a row's work. `run` does it once and answers the rate in the row's unit. */
export interface Contender {
  readonly name: string;
  run(): Promise<number>;
}

export interface Bench extends AsyncDisposable {
  /** The service first: ratios are its rate by that of each other one. */
  readonly contenders: readonly Contender[];
  /** Who could not take part, and why. */
  readonly leftOut: readonly string[];
  /** What else was seen, told after the last round. */
  notes?(): Promise<readonly string[]>;
}

export interface Row {
  readonly name: string;
  /** What is done and counted, in one line. */
  readonly work: string;
  readonly unit: string;
  /** Whether a larger figure is the better one. */
  readonly better: 'more' | 'less';
  /** What the project wants of itself. */
  readonly toReach: string;
  /** Only when it is named: it takes long. */
  readonly byNameAlone?: boolean;
  /** @param scale shrinks the work: 1 is the row as it is published */
  open(scale: number): Promise<Bench>;
}

export interface Figure {
  readonly contender: string;
  readonly median: number;
  readonly lowest: number;
  readonly highest: number;
  /** The service's median by this one's; 1 for the service itself. */
  readonly ratio: number;
}

export interface RowResult extends Pick<Row, 'work' | 'unit' | 'better' | 'toReach'> {
  readonly row: string;
  readonly figures: readonly Figure[];
  readonly leftOut: readonly string[];
  readonly notes: readonly string[];
}

/** Runs every contender once to warm up and then `rounds` times, in turn. */
export async function measure(row: Row, rounds: number, scale: number): Promise<RowResult> {
  await using bench = await row.open(scale);
  const rates = new Map<string, number[]>(bench.contenders.map(({ name }) => [name, []]));
  for (const contender of bench.contenders) await contender.run();
  for (let round = 0; round < rounds; round++) {
    for (const contender of bench.contenders) rates.get(contender.name)?.push(await contender.run());
  }
  const medians = [...rates.values()].map(median);
  const figures = [...rates].map(([contender, values], index) => ({
    contender,
    median: medians[index] ?? 0,
    lowest: Math.min(...values),
    highest: Math.max(...values),
    ratio: (medians[0] ?? 0) / (medians[index] ?? 0),
  }));
  const { name, work, unit, better, toReach } = row;
  const notes = (await bench.notes?.()) ?? [];
  return { row: name, work, unit, better, toReach, figures, leftOut: bench.leftOut, notes };
}

/** @returns things a second: `count` of them, done while `work` ran */
export async function rateOf(count: number, work: () => Promise<void>): Promise<number> {
  const startedMs = performance.now();
  await work();
  return count / ((performance.now() - startedMs) / 1000);
}

function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  const middle = sorted.length >> 1;
  const upper = sorted[middle] ?? 0;
  return sorted.length % 2 === 1 ? upper : ((sorted[middle - 1] ?? 0) + upper) / 2;
}
