/**
 * From the log to batches: reads what comes after a place in the log, has the dialect write it, and cuts it into batches
 * by the endpoint's limits. Each event is read and written once. The same range under the same settings always gives the
 * same bytes, which is why no body is stored.
 */
import type { LoggedEvent } from '../events/types.ts';
import { turnOfTheLoop } from '../platform/turn.ts';
import type { EventLog } from '../store/contract/log.ts';
import type { InFlightBatch, Webhook } from '../store/contract/webhooks.ts';
import type { Dialect } from './dialects/contract/dialect.ts';
import { dialectNamed } from './dialects.ts';

/** How many events one read may return, and how many it may look over for them. */
const pageEvents = 1000;
const pageScan = 5000;

export interface Batch {
  /** Follows from endpoint, settings and range alone, so that a batch sent again has it again. */
  readonly id: string;
  readonly firstId: number;
  readonly lastId: number;
  readonly events: number;
  readonly body: Buffer;
}

/** An endpoint as the collector and the sender need it. */
export class Recipe {
  readonly webhook: Webhook;
  readonly #dialect: Dialect;
  readonly #options: Record<string, unknown>;
  readonly maxEvents: number;

  constructor(webhook: Webhook) {
    this.webhook = webhook;
    this.#dialect = dialectNamed(webhook.dialect);
    this.#options = JSON.parse(webhook.optionsJson) as Record<string, unknown>;
    this.maxEvents = this.#dialect.framing === 'single' ? 1 : webhook.limits.count;
  }

  write(event: LoggedEvent): string | undefined {
    return this.#dialect.write(event, this.#options);
  }

  /** @param texts of all its events; one of them for a dialect that frames none */
  batch(firstId: number, lastId: number, texts: readonly string[]): Batch {
    const { id, settingsVersion } = this.webhook;
    const text = this.#dialect.framing === 'single' ? texts.join('') : `[${texts.join(',')}]`;
    return {
      id: `${id}-${settingsVersion}-${firstId}-${lastId}`,
      firstId,
      lastId,
      events: texts.length,
      body: Buffer.from(text),
    };
  }
}

export class Collector {
  readonly #log: EventLog;
  readonly #recipe: Recipe;
  /** What was read and not yet put into a batch: `#page` from `#next` on. */
  #page: readonly LoggedEvent[] = [];
  #next = 0;
  #scannedTo: number;
  /** The open batch. */
  #texts: string[] = [];
  #bytes = 0;
  #firstId = 0;
  #lastId = 0;
  #waitsSinceMs = 0;

  constructor(log: EventLog, recipe: Recipe, afterId: number) {
    this.#log = log;
    this.#recipe = recipe;
    this.#scannedTo = afterId;
  }

  /** When the oldest event of the open batch has waited long enough, undefined if none waits. */
  get dueAtMs(): number | undefined {
    return this.#texts.length === 0 ? undefined : this.#waitsSinceMs + this.#recipe.webhook.limits.ageMs;
  }

  /** Up to here there is nothing wanted that is not in a batch; undefined while something waits. */
  get passedId(): number | undefined {
    return this.#texts.length === 0 && this.#next === this.#page.length ? this.#scannedTo : undefined;
  }

  /** The next full batch, undefined when the log ends before one is full. */
  async full(nowMs: number): Promise<Batch | undefined> {
    const { accountId, types } = this.#recipe.webhook;
    for (;;) {
      while (this.#next < this.#page.length) {
        if (this.#take(this.#page[this.#next] as LoggedEvent, nowMs) === 'full') return this.close();
      }
      const page = await this.#log.readAfter({
        accountId,
        afterId: this.#scannedTo,
        types,
        limit: pageEvents,
        scanLimit: pageScan,
      });
      this.#page = page.events;
      this.#next = 0;
      this.#scannedTo = page.scannedTo;
      if (page.events.length === 0) {
        if (page.atEnd) return undefined;
        // A long stretch that nobody here wants must not keep the process from its other work.
        await turnOfTheLoop();
      }
    }
  }

  /** Closes the open batch, if something is in it. */
  close(): Batch | undefined {
    if (this.#texts.length === 0) return undefined;
    const batch = this.#recipe.batch(this.#firstId, this.#lastId, this.#texts);
    this.#texts = [];
    this.#bytes = 0;
    return batch;
  }

  /** Puts an event into the open batch. `full`: the batch is to be closed, before or after this event. */
  #take(event: LoggedEvent, nowMs: number): 'full' | 'room' {
    const { limits } = this.#recipe.webhook;
    const text = this.#recipe.write(event);
    if (text === undefined) {
      this.#next += 1;
      return 'room';
    }
    // Two bytes for the brackets of the array, one for each comma.
    const bytes = Buffer.byteLength(text) + 1;
    if (this.#texts.length > 0 && this.#bytes + bytes + 1 > limits.bytes) return 'full';
    if (this.#texts.length === 0) {
      this.#firstId = event.id;
      this.#waitsSinceMs = Math.min(event.timeMs, nowMs);
    }
    this.#texts.push(text);
    this.#bytes += bytes;
    this.#lastId = event.id;
    this.#next += 1;
    return this.#texts.length >= this.#recipe.maxEvents || this.#bytes + 1 >= limits.bytes ? 'full' : 'room';
  }
}

/** The batch of a range, again; undefined when none of its events is kept any more. */
export async function collectAgain(
  log: EventLog,
  recipe: Recipe,
  { firstId, lastId }: InFlightBatch,
): Promise<Batch | undefined> {
  const { accountId, types } = recipe.webhook;
  const texts: string[] = [];
  for (let afterId = firstId - 1; afterId < lastId; ) {
    const page = await log.readAfter({ accountId, afterId, types, limit: pageEvents, scanLimit: pageScan });
    for (const event of page.events) {
      const text = event.id <= lastId ? recipe.write(event) : undefined;
      if (text !== undefined) texts.push(text);
    }
    if (page.atEnd) break;
    afterId = page.scannedTo;
    await turnOfTheLoop();
  }
  return texts.length === 0 ? undefined : recipe.batch(firstId, lastId, texts);
}
