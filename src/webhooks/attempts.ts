/**
 * One request of a stream: from its place among all that are under way, over the wire, to its line in the journal. What
 * the answer means for the stream is not decided here.
 */
import type { Logger } from 'pino';
import type { Stream } from './sources.ts';
import type { Batch, Recipe } from './collect.ts';
import type { PostResult } from './post.ts';
import { type RequestDependencies, Requests, type Sent } from './requests.ts';
import type { Slots } from './slots.ts';
import type { StreamState } from './stream-state.ts';
import { askedAgain, type Verdict, verdictOf } from './verdict.ts';

export interface AttemptDependencies extends RequestDependencies {
  readonly slots: Pick<Slots, 'take' | 'acquire'>;
  readonly logger: Logger;
}

/** A request that was answered, or was not. */
export interface Attempt {
  readonly batch: Batch;
  readonly sent: Sent;
  readonly verdict: Verdict;
  /** The events of it that the receiver asks for again; none unless it has taken the others. */
  readonly again: readonly number[];
  readonly startedAtMs: number;
  readonly endedAtMs: number;
}

export class Attempts {
  readonly #deps: AttemptDependencies;
  readonly #stream: Stream;
  readonly #recipe: Recipe;
  readonly #state: StreamState;
  readonly #requests: Requests;
  readonly #stopping: AbortSignal;
  readonly #aborting = new AbortController();

  /** @param stopping what is not under way yet is not begun any more */
  constructor(
    { stream, recipe, state }: { stream: Stream; recipe: Recipe; state: StreamState },
    deps: AttemptDependencies,
    stopping: AbortSignal,
  ) {
    this.#deps = deps;
    this.#stream = stream;
    this.#recipe = recipe;
    this.#state = state;
    this.#requests = new Requests(stream.webhook, deps);
    this.#stopping = stopping;
  }

  /**
   * @returns undefined when nobody knows what became of it, or the sender is stopped: a failure may be that of settings
   *   which have just been mended
   */
  async make(batch: Batch): Promise<Attempt | undefined> {
    if (this.#stopping.aborted) return undefined;
    const { slots, clock } = this.#deps;
    const kind = this.#state.progress.failures > 0 ? 'probe' : 'quick';
    const slot = slots.take(kind) ?? (await slots.acquire(kind, this.#stopping));
    if (slot === undefined) return undefined;
    const startedAtMs = clock.now();
    let sent: Sent;
    try {
      sent = await this.#send(batch);
    } finally {
      slot.release();
    }
    const { result } = sent;
    if (result.kind === 'aborted') return undefined;
    const { verdict, again } = this.#judge(batch, result);
    const accepted = verdict === 'taken';
    if (!accepted && this.#stopping.aborted) return undefined;
    const endedAtMs = clock.now();
    const durationMs = endedAtMs - startedAtMs;
    this.#state.journal.keep(batch, sent, accepted, { atMs: startedAtMs, durationMs });
    this.#log(batch, sent, accepted);
    return { batch, sent, verdict, again, startedAtMs, endedAtMs };
  }

  /** Gives up what is under way. */
  abort(): void {
    this.#aborting.abort();
  }

  async close(): Promise<void> {
    await this.#requests.close();
  }

  #send({ id, body }: Batch): Promise<Sent> {
    const { replay } = this.#stream;
    const extra = replay === undefined ? [] : ['aftersend-replay', `${replay.id}`];
    const { contentType } = this.#recipe;
    return this.#requests.send({ id, contentType, body, extra }, this.#aborting.signal);
  }

  #judge(
    { items }: Batch,
    result: Exclude<PostResult, { kind: 'aborted' }>,
  ): Pick<Attempt, 'verdict' | 'again'> {
    const verdict = verdictOf(result);
    const isPartial = verdict === 'taken' && this.#stream.webhook.sending.partialAck;
    const again = isPartial && result.kind === 'answered' ? askedAgain(result.body, items) : [];
    return again.length > 0 && again.length === items.length
      ? { verdict: 'refused', again: [] }
      : { verdict, again };
  }

  #log({ id: batch, events }: Batch, { result }: Sent, accepted: boolean): void {
    const { logger } = this.#deps;
    const { id, accountId } = this.#stream.webhook;
    const line = { webhook: id, account: accountId, batch, events };
    if (accepted) {
      logger.debug(line, 'webhook batch taken');
      return;
    }
    const status = result.kind === 'answered' ? result.status : 0;
    logger.info({ ...line, status }, 'webhook batch not taken');
  }
}
