/**
 * From events to batches: reads what comes after a place, has the dialect write it, and cuts it into batches by the
 * endpoint's limits. Each event is read and written once. The same range under the same settings always gives the same
 * bytes, which is why no body is stored.
 */
import { hash } from 'node:crypto';
import type { LoggedEvent } from '../events/types.ts';
import { turnOfTheLoop } from '../platform/turn.ts';
import type { InFlightBatch } from '../store/contract/webhook-progress.ts';
import type { Webhook } from '../store/contract/webhooks.ts';
import type { Dialect, Place } from './dialects/contract/dialect.ts';
import { dialectNamed } from './dialects.ts';
import type { Source } from './sources.ts';

export interface Batch extends InFlightBatch {
  /** Follows from endpoint, settings and range alone, so that a batch sent again has it again. */
  readonly id: string;
  /** What is in it, in order. */
  readonly items: readonly LoggedEvent[];
  /** The number of each item less that of the first of the range; left out where they follow one another. */
  readonly offsets?: readonly number[];
  readonly body: Buffer;
}

/** How the events of a stream become requests. */
export class Recipe {
  readonly webhook: Webhook;
  /** 0 for the live stream. */
  readonly replayId: number;
  readonly dialect: Dialect;
  readonly options: Record<string, unknown>;
  readonly contentType: string;
  readonly maxEvents: number;
  readonly #isSingle: boolean;
  readonly #place: { -readonly [Key in keyof Place]: Place[Key] };

  constructor(webhook: Webhook, replayId = 0) {
    this.webhook = webhook;
    this.replayId = replayId;
    this.dialect = dialectNamed(webhook.dialect);
    this.options = JSON.parse(webhook.optionsJson) as Record<string, unknown>;
    this.contentType = this.dialect.contentType?.(this.options) ?? 'application/json';
    this.#isSingle = this.dialect.framing(this.options) === 'single';
    this.maxEvents = this.#isSingle ? 1 : webhook.limits.count;
    this.#place = { webhookId: webhook.id, number: 0, replayId };
  }

  write(event: LoggedEvent, number: number): string | undefined {
    this.#place.number = number;
    return this.dialect.write(event, this.options, this.#place);
  }

  /** @param texts of the items; one of them for a dialect that frames none */
  batch(range: InFlightBatch, items: readonly LoggedEvent[], texts: readonly string[]): Batch {
    const text = this.#isSingle ? texts.join('') : `[${texts.join(',')}]`;
    return { ...range, id: this.#idOf(range), items, body: Buffer.from(text) };
  }

  #idOf({ firstId, lastId, only }: InFlightBatch): string {
    const { id, settingsVersion } = this.webhook;
    const stream = this.replayId === 0 ? `${id}` : `${id}r${this.replayId}`;
    const part = only === undefined ? '' : `-${hash('sha256', only.join()).slice(0, 12)}`;
    return `${stream}-${settingsVersion}-${firstId}-${lastId}${part}`;
  }
}

export class Collector {
  readonly #source: Source;
  readonly #recipe: Recipe;
  /** What was read and not yet put into a batch: `#page` from `#next` on. */
  #page: readonly LoggedEvent[] = [];
  #next = 0;
  #scannedTo: number;
  /** Numbered so far. */
  #number: number;
  /** The open batch. */
  #texts: string[] = [];
  #items: LoggedEvent[] = [];
  #bytes = 0;
  #waitsSinceMs = 0;

  constructor(source: Source, recipe: Recipe, after: { readonly id: number; readonly number: number }) {
    this.#source = source;
    this.#recipe = recipe;
    this.#scannedTo = after.id;
    this.#number = after.number;
  }

  /** When the oldest event of the open batch has waited long enough, undefined if none waits. */
  get dueAtMs(): number | undefined {
    return this.#texts.length === 0 ? undefined : this.#waitsSinceMs + this.#recipe.webhook.limits.ageMs;
  }

  /** Up to here there is nothing wanted that is not in a batch; undefined while something waits. */
  get passedId(): number | undefined {
    return this.#texts.length === 0 && this.#next === this.#page.length ? this.#scannedTo : undefined;
  }

  /** The next full batch of what was read already, undefined if that is not enough for one. */
  atOnce(nowMs: number): Batch | undefined {
    if (this.#recipe.maxEvents === 1) return this.#alone();
    while (this.#next < this.#page.length) {
      if (this.#take(this.#page[this.#next] as LoggedEvent, nowMs) === 'full') return this.close();
    }
    return undefined;
  }

  /** The next full batch, undefined when the source ends before one is full. */
  async full(nowMs: number): Promise<Batch | undefined> {
    for (;;) {
      const batch = this.atOnce(nowMs);
      if (batch !== undefined) return batch;
      const page = await this.#source(this.#scannedTo);
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
    const items = this.#items;
    const events = items.length;
    if (events === 0) return undefined;
    const range = {
      firstId: items[0]?.id ?? 0,
      lastId: items[events - 1]?.id ?? 0,
      events,
      firstNumber: this.#number - events + 1,
    };
    const batch = this.#recipe.batch(range, items, this.#texts);
    this.#texts = [];
    this.#items = [];
    this.#bytes = 0;
    return batch;
  }

  /** The next event that is wanted, as a batch of its own: no batch is open meanwhile. */
  #alone(): Batch | undefined {
    while (this.#next < this.#page.length) {
      const event = this.#page[this.#next] as LoggedEvent;
      this.#next += 1;
      const text = this.#recipe.write(event, this.#number + 1);
      if (text === undefined) continue;
      this.#number += 1;
      const range = { firstId: event.id, lastId: event.id, events: 1, firstNumber: this.#number };
      return this.#recipe.batch(range, [event], [text]);
    }
    return undefined;
  }

  /** Puts an event into the open batch. `full`: the batch is to be closed, before or after this event. */
  #take(event: LoggedEvent, nowMs: number): 'full' | 'room' {
    const { limits } = this.#recipe.webhook;
    const text = this.#recipe.write(event, this.#number + 1);
    if (text === undefined) {
      this.#next += 1;
      return 'room';
    }
    // Two bytes for the brackets of the array, one for each comma.
    const bytes = Buffer.byteLength(text) + 1;
    if (this.#texts.length > 0 && this.#bytes + bytes + 1 > limits.bytes) return 'full';
    if (this.#texts.length === 0) this.#waitsSinceMs = Math.min(event.timeMs, nowMs);
    this.#texts.push(text);
    this.#items.push(event);
    this.#bytes += bytes;
    this.#number += 1;
    this.#next += 1;
    return this.#texts.length >= this.#recipe.maxEvents || this.#bytes + 1 >= limits.bytes ? 'full' : 'room';
  }
}

/** The batch of a range, again; undefined when none of its events is kept any more. */
export async function collectAgain(
  source: Source,
  recipe: Recipe,
  range: InFlightBatch,
): Promise<Batch | undefined> {
  const { firstId, lastId, firstNumber, only } = range;
  const texts: string[] = [];
  const items: LoggedEvent[] = [];
  const offsets: number[] = [];
  let number = firstNumber;
  for (let afterId = firstId - 1; afterId < lastId; ) {
    const page = await source(afterId);
    for (const event of page.events) {
      const text = event.id <= lastId ? recipe.write(event, number) : undefined;
      if (text === undefined) continue;
      number += 1;
      if (only !== undefined && !only.includes(event.id)) continue;
      texts.push(text);
      items.push(event);
      offsets.push(number - 1 - firstNumber);
    }
    if (page.atEnd) break;
    afterId = page.scannedTo;
    await turnOfTheLoop();
  }
  return items.length === 0 ? undefined : { ...recipe.batch(range, items, texts), offsets };
}
