/**
 * The loop of one endpoint: collect a batch, send it, move the cursor; after a failure wait and send the same batch
 * again. It never runs ahead of its receiver: nothing is collected while a batch waits to be tried again, so an endpoint
 * that is down holds nothing, and one that is slow holds one batch.
 *
 * What is written, and when. A batch of several events is stored (its range, not its body) before it is sent, together
 * with the success of the one before, for its limits depend on when it was closed. A batch of one event needs no such
 * row: its range is the event. Cursors move lazily: after a crash, what was sent since the last save is sent again with
 * the same ids and bytes.
 */
import type { Logger } from 'pino';
import type { Clock, Random } from '../platform/clock.ts';
import { Wake } from '../platform/wake.ts';
import type { EventLog } from '../store/contract/log.ts';
import {
  keptAttempts,
  type InFlightBatch,
  type Webhook,
  type WebhookAttempt,
  type WebhookProgress,
  type WebhookStore,
} from '../store/contract/webhooks.ts';
import { type Batch, Collector, collectAgain, Recipe } from './collect.ts';
import { type Post, type PostResult, requestHeaders } from './post.ts';
import { retryWaitMs } from './retry.ts';
import { signingKey } from './sign.ts';
import type { Slots } from './slots.ts';

export interface SenderDependencies {
  readonly log: EventLog;
  readonly webhooks: WebhookStore;
  readonly post: Post;
  readonly slots: Slots;
  readonly openSecret: (webhook: Webhook) => string;
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
}

/** A cursor that moved is saved after so long, or so many requests, or so many events passed over. */
const saveAfterMs = 1_000;
const saveAfterRequests = 500;
const saveAfterPassed = 10_000;
/** How long a request under way may go on when the sender is stopped. */
const stopGraceMs = 5_000;
/** How much of an answer is kept for looking at. */
const keptAnswerLength = 1_000;

/** The settings changed or the endpoint went while a batch was under way: whoever runs the sender starts it anew. */
class Outdated extends Error {}

export class Sender {
  readonly #deps: SenderDependencies;
  readonly #recipe: Recipe;
  readonly #key: Buffer;
  readonly #url: URL;
  readonly #wake = new Wake();
  readonly #stopping = new AbortController();
  readonly #aborting = new AbortController();
  readonly #done: Promise<void>;
  #collector: Collector;
  #progress: WebhookProgress;
  #attempts: WebhookAttempt[] = [];
  #counts = { accepted: 0, failed: 0 };
  /** Since when something of the progress is not saved. */
  #unsavedSinceMs: number | undefined;
  #saving: Promise<void> = Promise.resolve();

  constructor(webhook: Webhook, deps: SenderDependencies) {
    this.#deps = deps;
    this.#recipe = new Recipe(webhook);
    this.#key = signingKey(deps.openSecret(webhook));
    this.#url = new URL(webhook.url);
    this.#progress = webhook.progress;
    this.#collector = this.#collectAfter(this.#progress.inFlight?.lastId ?? this.#progress.cursorId);
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
        const { inFlight } = this.#progress;
        const batch = inFlight === undefined ? await this.#next() : await this.#again(inFlight);
        if (batch !== undefined) await this.#send(batch);
      }
      this.#pass(1);
      await this.#save();
    } catch (error) {
      if (!(error instanceof Outdated)) throw error;
    }
  }

  #collectAfter(id: number): Collector {
    return new Collector(this.#deps.log, this.#recipe, id);
  }

  /** Waits for the next batch to be full or due. */
  async #next(): Promise<Batch | undefined> {
    const { clock } = this.#deps;
    while (!this.#stopping.signal.aborted) {
      const nowMs = clock.now();
      const full = await this.#collector.full(nowMs);
      if (full !== undefined) return this.#open(full);
      const { dueAtMs = Infinity } = this.#collector;
      if (dueAtMs <= nowMs) return this.#open(this.#collector.close());
      this.#pass(saveAfterPassed);
      const saveAtMs = (this.#unsavedSinceMs ?? Infinity) + saveAfterMs;
      if (saveAtMs <= nowMs) await this.#save();
      else await this.#wake.wait(clock, Math.min(dueAtMs, saveAtMs) - nowMs, this.#stopping.signal);
    }
    return undefined;
  }

  /** Moves the cursor over events that this endpoint does not want, once there are many. */
  #pass(many: number): void {
    const { passedId } = this.#collector;
    if (this.#progress.inFlight !== undefined || passedId === undefined) return;
    if (passedId - this.#progress.cursorId < many) return;
    this.#progress = { ...this.#progress, cursorId: passedId };
    this.#unsavedSinceMs ??= this.#deps.clock.now();
  }

  /** Stores a batch of several before it is sent for the first time. */
  async #open(batch: Batch | undefined): Promise<Batch | undefined> {
    if (batch === undefined || this.#recipe.maxEvents === 1) return batch;
    const { firstId, lastId, events } = batch;
    const inFlight = { firstId, lastId, events, failures: 0, nextTryAtMs: this.#deps.clock.now() };
    this.#progress = { ...this.#progress, inFlight };
    await this.#save(true);
    return batch;
  }

  /** Waits until the batch in flight is due again. */
  async #again(inFlight: InFlightBatch): Promise<Batch | undefined> {
    const { clock, log } = this.#deps;
    await clock.sleep(inFlight.nextTryAtMs - clock.now(), this.#stopping.signal);
    if (this.#stopping.signal.aborted) return undefined;
    const batch = await collectAgain(log, this.#recipe, inFlight);
    // Its events are older than the log is kept: nothing of it can be sent any more.
    if (batch === undefined) this.#passBatch(inFlight.lastId);
    return batch;
  }

  async #send(batch: Batch): Promise<void> {
    const { clock, slots, post } = this.#deps;
    const failures = this.#progress.inFlight?.failures ?? 0;
    const slot = await slots.acquire(failures > 0 ? 'probe' : 'quick', this.#stopping.signal);
    if (slot === undefined) return;
    const startedAtMs = clock.now();
    const headers = requestHeaders(batch, this.#key, startedAtMs);
    let result: PostResult;
    try {
      result = await post({ url: this.#url, headers, body: batch.body }, this.#aborting.signal);
    } finally {
      slot.release();
    }
    await this.#record(batch, result, startedAtMs, failures);
  }

  async #record(batch: Batch, result: PostResult, startedAtMs: number, failures: number): Promise<void> {
    const accepted = result.kind === 'answered' && result.status >= 200 && result.status < 300;
    // A stopped sender leaves the batch as it was: its failure may be that of settings which have just been mended.
    if (result.kind === 'aborted' || (!accepted && this.#stopping.signal.aborted)) return;
    this.#keep(batch, result, accepted, startedAtMs);
    const nowMs = this.#deps.clock.now();
    if (accepted) {
      this.#passBatch(batch.lastId);
      this.#progress = { ...this.#progress, failingSinceMs: undefined, lastAcceptedAtMs: nowMs };
      const sinceMs = this.#unsavedSinceMs ?? nowMs;
      const requests = this.#counts.accepted + this.#counts.failed;
      if (requests >= saveAfterRequests || nowMs - sinceMs >= saveAfterMs) this.#saveAside();
      return;
    }
    const { firstId, lastId, events } = batch;
    const nextTryAtMs = nowMs + retryWaitMs(failures + 1, this.#deps.random.unit());
    this.#progress = {
      ...this.#progress,
      inFlight: { firstId, lastId, events, failures: failures + 1, nextTryAtMs },
      failingSinceMs: this.#progress.failingSinceMs ?? startedAtMs,
    };
    // Lets go of what was read ahead, also when it is only needed again in hours.
    this.#collector = this.#collectAfter(lastId);
    await this.#save(true);
  }

  #passBatch(lastId: number): void {
    this.#progress = { ...this.#progress, cursorId: lastId, inFlight: undefined };
    this.#unsavedSinceMs ??= this.#deps.clock.now();
  }

  #keep(batch: Batch, result: PostResult, accepted: boolean, atMs: number): void {
    const answered = result.kind === 'answered';
    this.#counts[accepted ? 'accepted' : 'failed'] += 1;
    if (this.#attempts.length >= 2 * keptAttempts) this.#attempts = this.#attempts.slice(-keptAttempts);
    this.#attempts.push({
      atMs,
      durationMs: this.#deps.clock.now() - atMs,
      batchId: batch.id,
      firstId: batch.firstId,
      lastId: batch.lastId,
      events: batch.events,
      accepted,
      status: answered ? result.status : 0,
      answer: answered
        ? result.body.toString('utf8').slice(0, keptAnswerLength)
        : result.kind === 'unanswered'
          ? result.reason
          : '',
    });
    const { logger } = this.#deps;
    const { id, accountId } = this.#recipe.webhook;
    const line = { webhook: id, account: accountId, batch: batch.id, events: batch.events };
    if (accepted) logger.debug(line, 'webhook batch taken');
    else logger.info({ ...line, status: answered ? result.status : 0 }, 'webhook batch not taken');
  }

  /** Saves beside the sending; what fails here is saved with the next one, or fails there. */
  #saveAside(): void {
    const saving = this.#save();
    this.#saving = saving.catch(() => undefined);
  }

  /** @param always also when nothing has moved since the last save */
  async #save(always = false): Promise<void> {
    await this.#saving;
    if (!always && this.#unsavedSinceMs === undefined) return;
    const attempts = this.#attempts;
    const counts = this.#counts;
    this.#attempts = [];
    this.#counts = { accepted: 0, failed: 0 };
    this.#unsavedSinceMs = undefined;
    const { id: webhookId, settingsVersion } = this.#recipe.webhook;
    const progress = this.#progress;
    const { webhooks, clock } = this.#deps;
    const saved = await webhooks
      .saveProgress({ webhookId, settingsVersion, progress, attempts, counts })
      .catch((error: unknown) => {
        this.#unsavedSinceMs ??= clock.now();
        throw error;
      });
    if (saved !== 'saved') {
      this.#stopping.abort();
      throw new Outdated();
    }
  }
}
