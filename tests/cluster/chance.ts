/** Chance that can be had again: all of a run's plans come from its seed. */

export type Chance = () => number;

/** Mulberry32. @returns numbers in [0, 1) */
export function chanceFrom(seed: number): Chance {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

export const between = (chance: Chance, least: number, most: number): number =>
  least + chance() * (most - least);

export function oneOf<T>(chance: Chance, things: readonly T[]): T {
  const thing = things[Math.floor(chance() * things.length)];
  if (thing === undefined) throw new Error('there is nothing to choose from');
  return thing;
}
