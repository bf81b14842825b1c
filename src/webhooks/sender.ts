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
import type { Logger } from 'pino';
import type { LoggedEvent } from '../events/types.ts';
import type { Random } from '../platform/clock.ts';
import { Wake } from '../platform/wake.ts';
import type {
  InFlightBatch,
  NewNotice,
  StreamProgress,
  Suspect,
} from '../store/contract/webhook-progress.ts';
import type { Webhook, WebhookStore } from '../store/contract/webhooks.ts';
import { type Batch, Collector, collectAgain, Recipe } from './collect.ts';
import { closeDue, digestRequest, digestToBegin, nextDigestAtMs } from './digest.ts';
import { asSetAside, asSuspect } from './journal.ts';
import { failingNotice, goneNotice, nextNotice, pausedNotice } from './notices.ts';
import { type RequestDependencies, Requests, type Sent } from './requests.ts';
import { longestWaitMs, retryAfterMsOf, retryWaitMs } from './retry.ts';
import type { Slot, Slots } from './slots.ts';
import type { Source } from './sources.ts';
import { OutdatedError, StreamState } from './stream-state.ts';
import {
  byThisClock,
  counted,
  digestFailed,
  digestOver,
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
import { askedAgain, asksToWait, verdictOf } from './verdict.ts';

export interface SenderDependencies extends RequestDependencies {
  readonly webhooks: Pick<WebhookStore, 'saveProgress'>;
  readonly slots: Pick<Slots, 'acquire'>;
  readonly random: Random;
  readonly logger: Logger;
}

/** What a sender sends. */
export interface Stream {
  readonly webhook: Webhook;
  readonly progress: StreamProgress;
  readonly source: Source;
  /** Undefined for the live stream, which has no end. */
  readonly replay: { readonly id: number; readonly isOfSetAside: boolean } | undefined;
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
  readonly #requests: Requests;
  readonly #state: StreamState;
  readonly #wake = new Wake();
  readonly #stopping = new AbortController();
  readonly #aborting = new AbortController();
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
    this.#requests = new Requests(webhook, deps);
    const digest = replay === undefined ? digestToBegin(webhook, deps.clock.now()) : undefined;
    this.#state = new StreamState(
      webhook,
      replay?.id ?? 0,
      // What was suspected before a restart may be well by now.
      byThisClock({ ...giveUpSearch(stream.progress), digest }, deps.clock.now()),
      { ...deps, stopping: this.#stopping },
    );
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
    void this.#deps.clock.sleep(stopGraceMs, ended.signal).then(() => this.#aborting.abort());
    await this.#done.catch(() => undefined);
    ended.abort();
  }

  async #run(): Promise<void> {
    try {
      while (!this.#stopping.signal.aborted) {
        if (this.#state.progress.inFlight[0] !== undefined)
          await this.#again(this.#state.progress.inFlight[0]);
        else if (this.#state.progress.digest?.due !== undefined) await this.#sendDigest();
        else if (this.#state.progress.search !== undefined) await this.#witness();
        else await this.#flow();
      }
      this.#pass(1);
      await this.#state.save();
    } catch (error) {
      if (!(error instanceof OutdatedError)) throw error;
    } finally {
      await this.#requests.close();
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
      const batch = await this.#next(Infinity);
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

  /** Waits for the next batch to be full or due; undefined when something else has to be done first. */
  async #next(untilMs: number): Promise<Batch | undefined> {
    const { clock } = this.#deps;
    const { replay } = this.#stream;
    while (!this.#stopping.signal.aborted) {
      const nowMs = clock.now();
      const full = await this.#collector.full(nowMs);
      if (full !== undefined) return this.#open(full);
      const { dueAtMs = Infinity } = this.#collector;
      if (dueAtMs <= nowMs || replay !== undefined) return this.#open(this.#collector.close());
      this.#pass(saveAfterPassed);
      const digestAtMs = this.#digestAtMs();
      if (digestAtMs <= nowMs) {
        await this.#closeDigest();
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

  /** Stores a batch of several before it is sent for the first time. */
  async #open(batch: Batch | undefined): Promise<Batch | undefined> {
    if (batch === undefined) return undefined;
    this.#state.progress = opened(this.#state.progress, batch);
    if (this.#recipe.maxEvents > 1) await this.#state.save(true);
    return batch;
  }

  /** Waits until the first batch in flight is due again, and sends it. */
  async #again(inFlight: InFlightBatch): Promise<void> {
    await this.#rest(this.#state.progress.nextTryAtMs);
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
    if (replay !== undefined) await this.#rest(nextTryAtMs);
    const next = replay === undefined ? await this.#next(nextTryAtMs) : undefined;
    const { failures } = this.#state.progress;
    this.#state.progress = {
      ...giveUpSearch(this.#state.progress),
      ...(next === undefined ? { failures: failures + 1 } : { nextTryAtMs: 0 }),
    };
  }

  /** Sleeps until then, telling the owner what is to be told meanwhile. */
  async #rest(untilMs: number): Promise<void> {
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

  #nextNotice() {
    if (this.#stream.replay !== undefined) return undefined;
    return nextNotice(this.#state.progress.failingSinceMs, this.#state.progress.noticedMs);
  }

  async #tell({ afterMs, pauses }: { afterMs: number; pauses: boolean }): Promise<void> {
    const { webhook } = this.#stream;
    const nowMs = this.#deps.clock.now();
    const sinceMs = this.#state.progress.failingSinceMs ?? nowMs;
    this.#state.progress = { ...this.#state.progress, noticedMs: afterMs };
    if (pauses) await this.#switchOff('failing', pausedNotice(webhook, sinceMs, nowMs));
    else await this.#state.save(true, { notices: [failingNotice(webhook, sinceMs, afterMs, nowMs)] });
  }

  async #switchOff(pause: 'gone' | 'failing', notice: NewNotice): Promise<void> {
    await this.#state.save(true, { notices: [notice], pause });
    this.#stopping.abort();
  }

  #place(): Promise<Slot | undefined> {
    const kind = this.#state.progress.failures > 0 ? 'probe' : 'quick';
    return this.#deps.slots.acquire(kind, this.#stopping.signal);
  }

  async #send(batch: Batch): Promise<void> {
    const { clock } = this.#deps;
    const slot = await this.#place();
    if (slot === undefined) return;
    const startedAtMs = clock.now();
    const { replay } = this.#stream;
    const extra = replay === undefined ? [] : ['aftersend-replay', `${replay.id}`];
    const { id, body } = batch;
    const { contentType } = this.#recipe;
    let sent: Sent;
    try {
      sent = await this.#requests.send({ id, contentType, body, extra }, this.#aborting.signal);
    } finally {
      slot.release();
    }
    await this.#record(batch, sent, startedAtMs);
  }

  async #record(batch: Batch, sent: Sent, startedAtMs: number): Promise<void> {
    const { result } = sent;
    if (result.kind === 'aborted') return;
    let verdict = verdictOf(result);
    // A stopped sender leaves the batch as it was: its failure may be that of settings which have just been mended.
    if (verdict !== 'taken' && this.#stopping.signal.aborted) return;
    const { webhook } = this.#stream;
    const body = result.kind === 'answered' ? result.body : undefined;
    const again =
      verdict === 'taken' && webhook.sending.partialAck && body ? askedAgain(body, batch.items) : [];
    if (again.length === batch.items.length) verdict = 'refused';
    const nowMs = this.#deps.clock.now();
    this.#state.journal.keep(batch, sent, verdict === 'taken', {
      atMs: startedAtMs,
      durationMs: nowMs - startedAtMs,
    });
    this.#log(batch, result, verdict === 'taken');
    if (verdict === 'taken') await this.#taken(batch, again, nowMs);
    else if (verdict === 'gone') await this.#switchOff('gone', goneNotice(webhook, nowMs));
    else if (verdict === 'content' || this.#isSlowlyRefused(batch, verdict, startedAtMs)) {
      await this.#refused(batch, sent, verdict === 'content' ? 'content' : 'slow', startedAtMs);
    } else await this.#failed(batch, sent, startedAtMs);
  }

  #isSlowlyRefused(batch: Batch, verdict: string, atMs: number): boolean {
    if (verdict !== 'refused') return false;
    if (this.#state.progress.search?.kind === 'slow') return true;
    return atMs - (batch.refusedSinceMs ?? Infinity) >= slowSearchAfterMs;
  }

  async #taken(batch: Batch, again: readonly number[], nowMs: number): Promise<void> {
    const waitMs = retryWaitMs(1, this.#deps.random.unit());
    const before = this.#state.progress;
    const outcome =
      again.length === 0
        ? taken(before, batch, nowMs)
        : takenInPart(before, batch, { only: again, nowMs, waitMs });
    const inDigest = again.length === 0 ? batch.items : batch.items.filter(({ id }) => !again.includes(id));
    this.#state.journal.taken(batch, nowMs, again.length === 0 ? undefined : again);
    if (this.#stream.replay?.isOfSetAside === true) this.#state.journal.takenAgain(batch);
    const { digest } = outcome.progress;
    const lastNumber = batch.firstNumber + batch.events - 1;
    this.#state.moved(
      digest === undefined
        ? outcome.progress
        : { ...outcome.progress, digest: counted(digest, inDigest, batch.firstNumber, lastNumber) },
    );
    if (before.search !== undefined || again.length > 0) {
      this.#isHeld = true;
      this.#collector = this.#collectOn();
      await this.#setAside(outcome.setAside, []);
      return;
    }
    this.#state.saveAside();
  }

  async #refused(batch: Batch, sent: Sent, kind: 'content' | 'slow', startedAtMs: number): Promise<void> {
    const { clock } = this.#deps;
    const suspect = asSuspect(batch, sent);
    const waitMs = this.#waitMs(sent);
    const later = asksToWait(sent.result);
    const refusal = { kind, suspect, startedAtMs, nowMs: clock.now(), waitMs, asksToWait: later };
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

  async #failed(batch: Batch, sent: Sent, startedAtMs: number): Promise<void> {
    this.#state.progress = failed(this.#state.progress, batch, {
      answered: sent.result.kind === 'answered',
      startedAtMs,
      nowMs: this.#deps.clock.now(),
      waitMs: this.#waitMs(sent),
    });
    this.#isHeld = true;
    // Lets go of what was read ahead, also when it is only needed again in hours.
    this.#collector = this.#collectOn();
    await this.#state.save(true);
  }

  #waitMs({ result }: Sent): number {
    const { clock, random } = this.#deps;
    const asked = result.kind === 'answered' ? retryAfterMsOf(result.retryAfter, clock.now()) : undefined;
    return retryWaitMs(this.#state.progress.failures + 1, random.unit(), asked);
  }

  #digestAtMs(): number {
    const { replay, webhook } = this.#stream;
    return replay === undefined
      ? nextDigestAtMs(this.#state.progress.digest, webhook.sending.digest)
      : Infinity;
  }

  async #closeDigest(): Promise<void> {
    const { digest } = this.#stream.webhook.sending;
    this.#state.progress = {
      ...this.#state.progress,
      digest: closeDue(this.#state.progress.digest, digest, this.#deps.clock.now()),
    };
    await this.#state.save(true);
  }

  /** A digest that is refused for what it is is not sent again: it holds no event. */
  async #sendDigest(): Promise<void> {
    const { clock } = this.#deps;
    await this.#rest(this.#state.progress.nextTryAtMs);
    const { digest } = this.#state.progress;
    if (digest?.due === undefined || this.#stopping.signal.aborted) return;
    const request = digestRequest(this.#recipe, digest.due);
    // Every endpoint's hour ends at once: they take their turns.
    const slot = await this.#place();
    if (slot === undefined) return;
    const startedAtMs = clock.now();
    const sent = await this.#requests
      .send({ ...request, extra: [] }, this.#aborting.signal)
      .finally(() => slot.release());
    const { result } = sent;
    if (result.kind === 'aborted') return;
    const verdict = verdictOf(result);
    if (verdict !== 'taken' && this.#stopping.signal.aborted) return;
    this.#state.journal.keep(request.batch, sent, verdict === 'taken', {
      atMs: startedAtMs,
      durationMs: clock.now() - startedAtMs,
    });
    if (verdict === 'gone') {
      await this.#switchOff('gone', goneNotice(this.#stream.webhook, clock.now()));
      return;
    }
    const isOver = verdict === 'taken' || verdict === 'content';
    this.#state.progress = isOver
      ? digestOver(this.#state.progress)
      : digestFailed(this.#state.progress, { startedAtMs, nowMs: clock.now(), waitMs: this.#waitMs(sent) });
    await this.#state.save(true);
  }

  async #finish(): Promise<void> {
    await this.#state.save(true, { finishedAtMs: this.#deps.clock.now() });
    this.#stopping.abort();
  }

  #log({ id: batch, events }: Batch, result: Sent['result'], accepted: boolean): void {
    const { logger } = this.#deps;
    const { id, accountId } = this.#stream.webhook;
    const line = { webhook: id, account: accountId, batch, events };
    if (accepted) logger.debug(line, 'webhook batch taken');
    else
      logger.info(
        { ...line, status: result.kind === 'answered' ? result.status : 0 },
        'webhook batch not taken',
      );
  }
}
