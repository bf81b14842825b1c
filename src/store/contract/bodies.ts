/** A place for bodies outside the database: told of in the row of a body, and asked by its key. */

export interface BodyPlace extends AsyncDisposable {
  /**
   * Resolves when the body is durable there. A commit that does not follow leaves it behind; `prune` finds it.
   * @returns its key, under which nothing else has ever been
   * @throws StoreBusyError when it could not be put there: come back later
   */
  put(body: Uint8Array, atMs: number): Promise<string>;
  /** @throws StoreBusyError when the place cannot be reached; BodyMissingError when it is not there */
  get(key: string): Promise<Uint8Array>;
  /** It will not be asked for: it may go. What fails here is left to `prune`. */
  drop(key: string): void;
  /**
   * Removes up to `limit` bodies that were put before a time, oldest first, whether a row tells of them or not.
   * @returns how many went; 0 also when the place cannot be reached
   */
  prune(input: { beforeMs: number; limit: number }): Promise<number>;
  /** Puts something small there, to see whether it can be done. @throws StoreBusyError */
  probe(): Promise<void>;
}

/** A row tells of a body that its place does not have. It may have it again: nothing is given up for it at once. */
export class BodyMissingError extends Error {
  override readonly name = 'BodyMissingError';
}
