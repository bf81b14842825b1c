/**
 * A latch between those who make work and the one loop that does it: a wake that comes while the loop is busy is
 * not lost, many wakes are one. This is what stands where a poll would.
 */
import type { Clock } from './clock.ts';

export class Wake {
  #set = false;
  #wakeSleeper: (() => void) | undefined;

  wake(): void {
    this.#set = true;
    this.#wakeSleeper?.();
  }

  /** Resolves at the next `wake()` (at once if one came since the last wait), after `timeoutMs`, or on abort. */
  async wait(clock: Clock, timeoutMs: number, signal: AbortSignal): Promise<void> {
    if (!this.#set && !signal.aborted && timeoutMs > 0) {
      const woken = new AbortController();
      // A loop is woken thousands of times a second: without a reason of ours, each would make an error with its stack.
      const wake = () => woken.abort('woken');
      this.#wakeSleeper = wake;
      signal.addEventListener('abort', wake, { once: true });
      await clock.sleep(timeoutMs, woken.signal);
      signal.removeEventListener('abort', wake);
      this.#wakeSleeper = undefined;
    }
    this.#set = false;
  }
}
