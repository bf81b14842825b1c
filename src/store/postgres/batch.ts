/**
 * Group commit: calls that come while the last batch is being committed wait here and become the next one, so that a
 * thousand callers share a handful of round trips and one flush of the server's log. How much waits is bounded.
 */
import { StoreBusyError } from '../contract/store.ts';

interface Waiting<Input, Result> {
  readonly input: Input;
  readonly resolve: (result: Result) => void;
  readonly reject: (error: unknown) => void;
}

export interface BatchLimits<Input> {
  /** Of one batch, which bounds how long its first caller waits. */
  readonly calls: number;
  /** Of one batch; a call that is larger goes alone. */
  readonly bytes: number;
  readonly waitingCalls: number;
  readonly waitingBytes: number;
  readonly bytesOf: (input: Input) => number;
}

export class Batches<Input, Result> {
  readonly #run: (inputs: readonly Input[]) => Promise<readonly Result[]>;
  readonly #limits: BatchLimits<Input>;
  #waiting: Waiting<Input, Result>[] = [];
  #waitingBytes = 0;
  #loop: Promise<void> | undefined;

  /** @param run all of them in one transaction; it resolves with their results in the same order */
  constructor(run: (inputs: readonly Input[]) => Promise<readonly Result[]>, limits: BatchLimits<Input>) {
    this.#run = run;
    this.#limits = limits;
  }

  readonly call = (input: Input): Promise<Result> => {
    const { waitingCalls, waitingBytes, bytesOf } = this.#limits;
    const bytes = bytesOf(input);
    if (this.#waiting.length >= waitingCalls || this.#waitingBytes + bytes > waitingBytes) {
      return Promise.reject(new StoreBusyError('too many writes wait for the database'));
    }
    this.#waitingBytes += bytes;
    return new Promise((resolve, reject) => {
      this.#waiting.push({ input, resolve, reject });
      this.#loop ??= this.#drain();
    });
  };

  /** Resolves when nothing waits any more. */
  async drained(): Promise<void> {
    await this.#loop;
  }

  async #drain(): Promise<void> {
    // One turn later, so that calls made together go together.
    await Promise.resolve();
    while (this.#waiting.length > 0) await this.#commit(this.#take());
    this.#loop = undefined;
  }

  #take(): Waiting<Input, Result>[] {
    const { calls, bytes, bytesOf } = this.#limits;
    let count = 0;
    let total = 0;
    for (const { input } of this.#waiting) {
      const size = bytesOf(input);
      if (count === calls || (count > 0 && total + size > bytes)) break;
      count++;
      total += size;
    }
    this.#waitingBytes -= total;
    return this.#waiting.splice(0, count);
  }

  /** A call that fails must not take its neighbours with it: then each runs again alone. Never rejects. */
  async #commit(batch: readonly Waiting<Input, Result>[]): Promise<void> {
    try {
      const results = await this.#run(batch.map(({ input }) => input));
      for (const [index, { resolve }] of batch.entries()) resolve(results[index] as Result);
    } catch (error) {
      if (batch.length > 1 && !(error instanceof StoreBusyError)) {
        for (const one of batch) await this.#commit([one]);
      } else {
        for (const { reject } of batch) reject(error);
      }
    }
  }
}
