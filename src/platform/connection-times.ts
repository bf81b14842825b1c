/** How long the connections of an HTTP client took to come about, for whoever uses one first. */

export interface ConnectionTimes {
  readonly dnsMs?: number | undefined;
  readonly connectMs?: number | undefined;
  readonly tlsMs?: number | undefined;
}

/** Of connections that nobody has used, beyond which the oldest is forgotten. */
const maxUnused = 1_000;

export class ConnectionLog {
  readonly #unused = new Map<string, ConnectionTimes>();

  note(origin: string, times: ConnectionTimes): void {
    this.#unused.delete(origin);
    this.#unused.set(origin, times);
    const [oldest] = this.#unused.keys();
    if (this.#unused.size > maxUnused && oldest !== undefined) this.#unused.delete(oldest);
  }

  /** Of the newest connection to an origin, once; undefined if there was none since. */
  take(origin: string): ConnectionTimes | undefined {
    const times = this.#unused.get(origin);
    if (times !== undefined) this.#unused.delete(origin);
    return times;
  }
}
