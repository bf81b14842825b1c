/** The digests of a live stream, each from the end of its period to the answer that settles it. */
import type { Clock } from '../platform/clock.ts';
import type { Attempts } from './attempts.ts';
import type { Recipe } from './collect.ts';
import { closeDue, digestBatch, nextDigestAtMs } from './digest.ts';
import { goneNotice } from './notices.ts';
import type { Patience } from './patience.ts';
import type { Stream } from './sources.ts';
import type { StreamState } from './stream-state.ts';
import { digestFailed, digestOver } from './transitions.ts';

interface Parts {
  readonly stream: Stream;
  readonly recipe: Recipe;
  readonly state: StreamState;
  readonly attempts: Attempts;
  readonly patience: Patience;
  readonly clock: Clock;
}

export class Digests {
  readonly #parts: Parts;

  constructor(parts: Parts) {
    this.#parts = parts;
  }

  /** When the period ends; Infinity for an endpoint that has no digests, and for a replay. */
  get closesAtMs(): number {
    const { stream, state } = this.#parts;
    if (stream.replay !== undefined) return Infinity;
    return nextDigestAtMs(state.progress.digest, stream.webhook.sending.digest);
  }

  /** Begins the next period; what was counted is due to be sent. */
  async close(): Promise<void> {
    const { stream, state, clock } = this.#parts;
    const digest = closeDue(state.progress.digest, stream.webhook.sending.digest, clock.now());
    state.progress = { ...state.progress, digest };
    await state.save(true);
  }

  /** Sends the one that is due when it may be. One that is refused for what it is is not sent again: it holds no event. */
  async send(): Promise<void> {
    const { stream, recipe, state, attempts, patience } = this.#parts;
    await patience.rest(state.progress.nextTryAtMs);
    const due = state.progress.digest?.due;
    if (due === undefined) return;
    const attempt = await attempts.make(digestBatch(recipe, due));
    if (attempt === undefined) return;
    const { sent, verdict, startedAtMs, endedAtMs: nowMs } = attempt;
    if (verdict === 'gone') {
      await patience.switchOff('gone', goneNotice(stream.webhook, nowMs));
      return;
    }
    const isOver = verdict === 'taken' || verdict === 'content';
    state.progress = isOver
      ? digestOver(state.progress)
      : digestFailed(state.progress, { startedAtMs, nowMs, waitMs: patience.waitMs(sent) });
    await state.save(true);
  }
}
