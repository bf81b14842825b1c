/**
 * The loop of one stream of events to an endpoint: collect a batch, send it, move the cursor; after a failure wait and
 * send the same batch again. It never runs ahead of its receiver: nothing is collected while a batch waits to be tried
 * again, so an endpoint that is down holds nothing, and one that is slow holds what may be under way. What an answer
 * means for the stream is decided next door (`transitions.ts`).
 *
 * What is written, and when. A batch of several events is stored (its range, not its body) before it is sent, together
 * with the success of the one before, for its limits depend on when it was closed. A batch of one event needs no such
 * row: its range is the event. Cursors move lazily: after a crash, what was sent since the last save is sent again with
 * the same ids and bytes.
 */
import type { LoggedEvent } from '../events/types.ts';
import type { Random } from '../platform/clock.ts';
import { Wake } from '../platform/wake.ts';
import type { InFlightBatch, Suspect } from '../store/contract/webhook-progress.ts';
import type { WebhookStore } from '../store/contract/webhooks.ts';
import { type Attempt, type AttemptDependencies, Attempts } from './attempts.ts';
import { type Batch, Collector, collectAgain, Recipe } from './collect.ts';
import { digestToBegin } from './digest.ts';
import { Digests } from './digests.ts';
import { asSetAside, asSuspect } from './journal.ts';
import { goneNotice } from './notices.ts';
import { Patience } from './patience.ts';
import { retryWaitMs } from './retry.ts';
import type { Stream } from './sources.ts';
import { OutdatedError, StreamState } from './stream-state.ts';
import {
  byThisClock,
  counted,
  dropped,
  failed,
  giveUpSearch,
  opened,
  type Outcome,
  passed,
  refused,
  taken,
  takenInPart,
} from './transitions.ts';
import { asksToWait } from './verdict.ts';

export interface SenderDependencies extends AttemptDependencies {
  readonly webhooks: Pick<WebhookStore, 'saveProgress'>;
  readonly random: Random;
}

/** A cursor that moved over so many events that nobody wants is saved. */
const saveAfterPassed = 10_000;
/** How long a request under way may go on when the sender is stopped. */
const stopGraceMs = 5_000;
/** A batch that was refused for so long, by answers alone, is searched for what is at fault in it. */
const slowSearchAfterMs = 3_600_000;

export class Sender {
  readonly #deps: SenderDependencies;
  readonly #stream: Stream;
  readonly #recipe: Recipe;
  readonly #state: StreamState;
  readonly #attempts: Attempts;
  readonly #patience: Patience;
  readonly #digests: Digests;
  readonly #wake = new Wake();
  readonly #stopping = new AbortController();
  readonly #done: Promise<void>;
  #collector: Collector;
  /** A batch was not taken: it goes before anything new. */
  #isHeld = false;
  /** What ended a request that nobody waited for. */
  #fault: unknown;

  constructor(stream: Stream, deps: SenderDependencies) {
    const { webhook, replay } = stream;
    this.#deps = deps;
    this.#stream = stream;
    this.#recipe = new Recipe(webhook, replay?.id);
    const digest = replay === undefined ? digestToBegin(webhook, deps.clock.now()) : undefined;
    this.#state = new StreamState(
      stream,
      // What was suspected before a restart may be well by now.
      byThisClock({ ...giveUpSearch(stream.progress), digest }, deps.clock.now()),
      { ...deps, stopping: this.#stopping },
    );
    const parts = { stream, recipe: this.#recipe, state: this.#state };
    this.#attempts = new Attempts(parts, deps, this.#stopping.signal);
    this.#patience = new Patience(parts, deps, this.#stopping);
    const { clock } = deps;
    this.#digests = new Digests({ ...parts, attempts: this.#attempts, patience: this.#patience, clock });
    this.#collector = this.#collectOn();
    this.#done = this.#run();
  }

  /** The account's log has grown. */
  wake(): void {
    this.#wake.wake();
  }

  /** Resolves when the loop has ended, after `stop` or because it is outdated. @throws what the store threw */
  get done(): Promise<void> {
    return this.#done;
  }

  /** Lets a request under way end within a few seconds, saves, and ends. */
  async stop(): Promise<void> {
    this.#stopping.abort();
    const ended = new AbortController();
    void this.#deps.clock.sleep(stopGraceMs, ended.signal).then(() => this.#attempts.abort());
    await this.#done.catch(() => undefined);
    ended.abort();
  }

  async #run(): Promise<void> {
    try {
      while (!this.#stopping.signal.aborted) {
        if (this.#state.progress.inFlight[0] !== undefined)
          await this.#again(this.#state.progress.inFlight[0]);
        else if (this.#state.progress.digest?.due !== undefined) await this.#digests.send();
        else if (this.#state.progress.search !== undefined) await this.#witness();
        else await this.#flow();
      }
      this.#pass(1);
      await this.#state.save();
    } catch (error) {
      if (!(error instanceof OutdatedError)) throw error;
    } finally {
      await this.#attempts.close();
    }
  }

  #collectOn(): Collector {
    const { readId: id, readNumber: number } = this.#state.progress;
    return new Collector(this.#stream.source, this.#recipe, { id, number });
  }

  get #isTroubled(): boolean {
    const { search, digest } = this.#state.progress;
    return this.#isHeld || search !== undefined || digest?.due !== undefined;
  }

  /** Sends what comes, as many at a time as the endpoint is to have, until something is not as it should be. */
  async #flow(): Promise<void> {
    const { requests } = this.#stream.webhook.sending;
    const running = new Set<Promise<void>>();
    this.#isHeld = false;
    while (!this.#stopping.signal.aborted && !this.#isTroubled) {
      const batch = this.#ready() ?? (await this.#next(Infinity));
      if (batch === undefined) break;
      if (requests === 1) {
        await this.#send(batch);
        continue;
      }
      const sent = this.#send(batch)
        .catch((error: unknown) => {
          this.#fault ??= error;
        })
        .finally(() => {
          running.delete(sent);
          this.#wake.wake();
        });
      running.add(sent);
      if (running.size >= requests) await Promise.race(running);
      if (this.#fault !== undefined) break;
    }
    await Promise.all(running);
    if (this.#fault !== undefined) throw this.#fault;
    // The requests that were not taken are sent one by one from here on; what was read ahead is read again.
    if (this.#isTroubled) this.#collector = this.#collectOn();
    else if (this.#stream.replay !== undefined && !this.#stopping.signal.aborted) await this.#finish();
  }

  /** The next batch if it was read already and need not be stored before it is sent: that takes no promise. */
  #ready(): Batch | undefined {
    if (this.#recipe.maxEvents > 1) return undefined;
    const batch = this.#collector.atOnce(this.#deps.clock.now());
    if (batch !== undefined) this.#state.progress = opened(this.#state.progress, batch);
    return batch;
  }

  /** Waits for the next batch to be full or due; undefined when something else has to be done first. */
  async #next(untilMs: number): Promise<Batch | undefined> {
    const { clock } = this.#deps;
    const { replay } = this.#stream;
    while (!this.#stopping.signal.aborted) {
      const nowMs = clock.now();
      const full = await this.#collector.full(nowMs);
      const { dueAtMs = Infinity } = this.#collector;
      if (full !== undefined || dueAtMs <= nowMs || replay !== undefined) {
        const batch = full ?? this.#collector.close();
        if (batch !== undefined) this.#state.progress = opened(this.#state.progress, batch);
        // One of several is stored before it is sent for the first time.
        if (batch !== undefined && this.#recipe.maxEvents > 1) await this.#state.save(true);
        return batch;
      }
      this.#pass(saveAfterPassed);
      const digestAtMs = this.#digests.closesAtMs;
      if (digestAtMs <= nowMs) {
        await this.#digests.close();
        return undefined;
      }
      const { saveAtMs } = this.#state;
      const wakeAtMs = Math.min(dueAtMs, saveAtMs, digestAtMs, untilMs);
      if (saveAtMs <= nowMs) await this.#state.save();
      else if (untilMs <= nowMs) return undefined;
      else await this.#wake.wait(clock, wakeAtMs - nowMs, this.#stopping.signal);
      if (this.#fault !== undefined || (this.#isTroubled && untilMs === Infinity)) return undefined;
    }
    return undefined;
  }

  /** Moves the cursor over events that this endpoint does not want, once there are many. */
  #pass(many: number): void {
    const { passedId } = this.#collector;
    const { inFlight, search, cursorId } = this.#state.progress;
    if (inFlight.length > 0 || search !== undefined || passedId === undefined) return;
    if (passedId - cursorId < many) return;
    this.#state.moved(passed(this.#state.progress, passedId));
  }

  /** Waits until the first batch in flight is due again, and sends it. */
  async #again(inFlight: InFlightBatch): Promise<void> {
    await this.#patience.rest(this.#state.progress.nextTryAtMs);
    if (this.#stopping.signal.aborted) return;
    const batch = await collectAgain(this.#stream.source, this.#recipe, inFlight);
    if (batch !== undefined) return this.#send(batch);
    // Its events are older than the log is kept: nothing of it can be sent any more.
    this.#state.moved(dropped(this.#state.progress, inFlight));
  }

  /**
   * An event alone was refused, and nothing else was sent in this search: what comes next is to tell. If that is not
   * there yet, the event is asked again first: the receiver may have been mended while we waited.
   */
  async #witness(): Promise<void> {
    const { replay } = this.#stream;
    const atOnce = await this.#next(this.#deps.clock.now());
    if (atOnce !== undefined) return this.#send(atOnce);
    if (this.#stopping.signal.aborted) return;
    const {
      nextTryAtMs,
      lastAcceptedAtMs,
      search,
      readId: cursorId,
      readNumber: number,
    } = this.#state.progress;
    if (replay !== undefined && lastAcceptedAtMs !== undefined) {
      // A replay has no next event, but it has had others that were taken.
      this.#state.moved({ ...this.#state.progress, search: undefined, cursorId, number, nextTryAtMs: 0 });
      await this.#setAside(search?.suspects ?? [], []);
      return;
    }
    if (replay !== undefined) await this.#patience.rest(nextTryAtMs);
    const next = replay === undefined ? await this.#next(nextTryAtMs) : undefined;
    const { failures } = this.#state.progress;
    this.#state.progress = {
      ...giveUpSearch(this.#state.progress),
      ...(next === undefined ? { failures: failures + 1 } : { nextTryAtMs: 0 }),
    };
  }

  async #send(batch: Batch): Promise<void> {
    const attempt = await this.#attempts.make(batch);
    if (attempt === undefined) return;
    const { verdict } = attempt;
    if (verdict === 'taken') {
      const rest = this.#taken(attempt);
      if (rest !== undefined) await rest;
    } else if (verdict === 'gone') {
      const notice = goneNotice(this.#stream.webhook, attempt.endedAtMs);
      await this.#patience.switchOff('gone', notice);
    } else if (verdict === 'content') await this.#refused(attempt, 'content');
    else if (this.#isSlowlyRefused(attempt)) await this.#refused(attempt, 'slow');
    else await this.#failed(attempt);
  }

  #isSlowlyRefused({ batch, verdict, startedAtMs }: Attempt): boolean {
    if (verdict !== 'refused') return false;
    if (this.#state.progress.search?.kind === 'slow') return true;
    return startedAtMs - (batch.refusedSinceMs ?? Infinity) >= slowSearchAfterMs;
  }

  /** @returns what has to be done before the next request, undefined if nothing has: this is done for every request */
  #taken({ batch, again, endedAtMs: nowMs }: Attempt): Promise<void> | undefined {
    const { journal, progress: before } = this.#state;
    const outcome = again.length === 0 ? taken(before, batch, nowMs) : this.#inPart(batch, again, nowMs);
    journal.taken(batch, nowMs, again.length === 0 ? undefined : again);
    if (this.#stream.replay?.isOfSetAside === true) journal.takenAgain(batch);
    const { digest } = outcome.progress;
    this.#state.moved(
      digest === undefined
        ? outcome.progress
        : { ...outcome.progress, digest: counted(digest, batch, new Set(again)) },
    );
    if (before.search === undefined && again.length === 0) {
      this.#state.saveAside();
      return undefined;
    }
    this.#isHeld = true;
    this.#collector = this.#collectOn();
    return this.#setAside(outcome.setAside, []);
  }

  #inPart(batch: Batch, only: readonly number[], nowMs: number): Outcome {
    const waitMs = retryWaitMs(1, this.#deps.random.unit());
    return takenInPart(this.#state.progress, batch, { only, nowMs, waitMs });
  }

  async #refused(attempt: Attempt, kind: 'content' | 'slow'): Promise<void> {
    const { batch, sent, startedAtMs, endedAtMs: nowMs } = attempt;
    const suspect = asSuspect(batch, sent);
    const waitMs = this.#patience.waitMs(sent);
    const later = asksToWait(sent.result);
    const refusal = { kind, suspect, startedAtMs, nowMs, waitMs, asksToWait: later };
    // What was set aside before is so still: nothing else need be accepted first.
    const isKnown = this.#stream.replay?.isOfSetAside === true && this.#state.progress.search === undefined;
    const search = isKnown ? { roots: [], kind, accepted: true, suspects: [] } : this.#state.progress.search;
    const outcome: Outcome = refused({ ...this.#state.progress, search }, batch, refusal);
    this.#state.progress = outcome.progress;
    this.#isHeld = true;
    this.#collector = this.#collectOn();
    await this.#setAside(outcome.setAside, batch.items);
  }

  /** Keeps what is found at fault, and saves. @param known events that need not be read again */
  async #setAside(suspects: readonly Suspect[], known: readonly LoggedEvent[]): Promise<void> {
    for (const suspect of suspects) {
      const { firstId } = suspect.batch;
      const event =
        known.find(({ id }) => id === firstId) ??
        (await collectAgain(this.#stream.source, this.#recipe, suspect.batch))?.items[0];
      if (event !== undefined)
        this.#state.journal.setAside([asSetAside(suspect, event, this.#deps.clock.now())]);
    }
    const { digest } = this.#state.progress;
    if (digest !== undefined && suspects.length > 0) {
      const setAside = digest.setAside + suspects.length;
      this.#state.progress = { ...this.#state.progress, digest: { ...digest, setAside } };
    }
    await this.#state.save(true);
  }

  async #failed({ batch, sent, startedAtMs, endedAtMs: nowMs }: Attempt): Promise<void> {
    this.#state.progress = failed(this.#state.progress, batch, {
      answered: sent.result.kind === 'answered',
      startedAtMs,
      nowMs,
      waitMs: this.#patience.waitMs(sent),
    });
    this.#isHeld = true;
    // Lets go of what was read ahead, also when it is only needed again in hours.
    this.#collector = this.#collectOn();
    await this.#state.save(true);
  }

  async #finish(): Promise<void> {
    await this.#state.save(true, { finishedAtMs: this.#deps.clock.now() });
    this.#stopping.abort();
  }
}
