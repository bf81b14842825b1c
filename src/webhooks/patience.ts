/**
 * What a stream does while its receiver fails: waits for the next try, tells the owner meanwhile, and switches the
 * endpoint off in the end.
 */
import type { Clock, Random } from '../platform/clock.ts';
import type { NewNotice } from '../store/contract/webhook-progress.ts';
import { failingNotice, nextNotice, pausedNotice } from './notices.ts';
import type { Sent } from './requests.ts';
import { longestWaitMs, retryAfterMsOf, retryWaitMs } from './retry.ts';
import type { Stream } from './sources.ts';
import type { StreamState } from './stream-state.ts';

export class Patience {
  readonly #deps: { readonly clock: Clock; readonly random: Random };
  readonly #stream: Stream;
  readonly #state: StreamState;
  readonly #stopping: AbortController;

  /** @param stopping ends what waits here; aborted when the endpoint is switched off */
  constructor(
    { stream, state }: { stream: Stream; state: StreamState },
    deps: { readonly clock: Clock; readonly random: Random },
    stopping: AbortController,
  ) {
    this.#deps = deps;
    this.#stream = stream;
    this.#state = state;
    this.#stopping = stopping;
  }

  /** Sleeps until then, telling the owner what is to be told meanwhile. */
  async rest(untilMs: number): Promise<void> {
    const { clock } = this.#deps;
    let endMs = untilMs;
    while (!this.#stopping.signal.aborted && clock.now() < endMs) {
      // A clock that is set back meanwhile must not lengthen the wait by as much.
      endMs = Math.min(endMs, clock.now() + longestWaitMs);
      const notice = this.#nextNotice();
      if (notice !== undefined && notice.atMs <= clock.now()) await this.#tell(notice);
      else {
        const wakeAtMs = Math.min(endMs, notice?.atMs ?? Infinity);
        await clock.sleep(wakeAtMs - clock.now(), this.#stopping.signal);
      }
    }
  }

  /** Until the next try, should this have been a failure. */
  waitMs({ result }: Sent): number {
    const { clock, random } = this.#deps;
    const asked = result.kind === 'answered' ? retryAfterMsOf(result.retryAfter, clock.now()) : undefined;
    return retryWaitMs(this.#state.progress.failures + 1, random.unit(), asked);
  }

  async switchOff(pause: 'gone' | 'failing', notice: NewNotice): Promise<void> {
    await this.#state.save(true, { notices: [notice], pause });
    this.#stopping.abort();
  }

  #nextNotice() {
    if (this.#stream.replay !== undefined) return undefined;
    return nextNotice(this.#state.progress.failingSinceMs, this.#state.progress.noticedMs);
  }

  async #tell({ afterMs, pauses }: { afterMs: number; pauses: boolean }): Promise<void> {
    const { webhook } = this.#stream;
    const nowMs = this.#deps.clock.now();
    const sinceMs = this.#state.progress.failingSinceMs ?? nowMs;
    this.#state.progress = { ...this.#state.progress, noticedMs: afterMs };
    if (pauses) await this.switchOff('failing', pausedNotice(webhook, sinceMs, nowMs));
    else await this.#state.save(true, { notices: [failingNotice(webhook, sinceMs, afterMs, nowMs)] });
  }
}
