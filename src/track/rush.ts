/** Whether visits come faster than so many in a time, judged over times of at least that length: a few at once are no rush. */
export class Rush {
  readonly #visits: number;
  readonly #withinMs: number;
  #since: { readonly taken: number; readonly atMs: number };
  #isOn = false;

  constructor(visits: number, withinMs: number, taken: number, nowMs: number) {
    this.#visits = visits;
    this.#withinMs = withinMs;
    this.#since = { taken, atMs: nowMs };
  }

  /** @param taken how many there have been, ever */
  isOn(taken: number, nowMs: number): boolean {
    const sinceMs = nowMs - this.#since.atMs;
    // Less than nothing: the clock was set back.
    if (sinceMs >= 0 && sinceMs < this.#withinMs) return this.#isOn;
    this.#isOn = taken - this.#since.taken >= (this.#visits * sinceMs) / this.#withinMs && sinceMs > 0;
    this.#since = { taken, atMs: nowMs };
    return this.#isOn;
  }
}
