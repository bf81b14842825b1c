/**
 * Counts that are to be told later: which of them changed since they were written down, and in which file each stands,
 * which has to stay for that long.
 */
import type { Tally } from './repeats.ts';

/** One that stands in no file yet. */
const nowhere = 0;

export class KeptTallies {
  readonly #changed = new Set<Tally>();
  readonly #segmentOf = new Map<Tally, number>();
  readonly #standing = new Map<number, Set<Tally>>();

  get changed(): readonly Tally[] {
    return [...this.#changed];
  }

  get haveChanged(): boolean {
    return this.#changed.size > 0;
  }

  /** @param segment where it stands, of another process's */
  change(tally: Tally, segment = nowhere): void {
    this.#changed.add(tally);
    if (!this.#segmentOf.has(tally)) this.#put(tally, segment);
  }

  wereWritten(tallies: readonly Tally[], segment: number): void {
    for (const tally of tallies) {
      this.letGo(tally);
      this.#put(tally, segment);
    }
  }

  /** It was told, or something else stands for it. */
  letGo(tally: Tally): void {
    const segment = this.#segmentOf.get(tally) ?? nowhere;
    this.#segmentOf.delete(tally);
    this.#changed.delete(tally);
    const others = this.#standing.get(segment);
    others?.delete(tally);
    if (others?.size === 0) this.#standing.delete(segment);
  }

  isNeeded(segment: number): boolean {
    return this.#standing.has(segment);
  }

  /** Written down once more they stand in the newest file, and this one can go. */
  moveFrom(segment: number): void {
    for (const tally of this.#standing.get(segment) ?? []) this.#changed.add(tally);
  }

  #put(tally: Tally, segment: number): void {
    this.#segmentOf.set(tally, segment);
    const others = this.#standing.get(segment);
    if (others === undefined) this.#standing.set(segment, new Set([tally]));
    else others.add(tally);
  }
}
