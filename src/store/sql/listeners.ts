/** Those who want to hear of something; each can leave. */

export class Listeners<T> {
  readonly #listeners = new Set<(told: T) => void>();

  readonly subscribe = (listener: (told: T) => void): (() => void) => {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  };

  readonly tell = (told: T): void => {
    for (const listener of this.#listeners) listener(told);
  };
}
