/**
 * Bodies of submissions that are being sent, so that one with many recipients is read once. While the place that has
 * them is away, nobody asks it for each message.
 */
import type { Logger } from 'pino';
import type { Clock } from '../platform/clock.ts';
import { BodyMissingError } from '../store/contract/bodies.ts';
import type { QueueStore } from '../store/contract/queue.ts';
import { StoreBusyError } from '../store/contract/store.ts';

/** `gone`: kept no more. `missing`: its place should have it, and may have it later. `away`: the place is. */
export type BodyRead =
  | { readonly kind: 'read'; readonly body: Uint8Array }
  | { readonly kind: 'gone' }
  | { readonly kind: 'missing'; readonly error: BodyMissingError }
  | { readonly kind: 'away' };

/** After a failure nothing is asked for so long. */
const awayMs = 5_000;

export interface BodyCacheDependencies {
  readonly queue: Pick<QueueStore, 'readBody'>;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly maxBytes: number;
}

export class BodyCache {
  readonly #queue: Pick<QueueStore, 'readBody'>;
  readonly #clock: Clock;
  readonly #logger: Logger;
  readonly #maxBytes: number;
  /** Longest unused first. */
  readonly #bodies = new Map<number, Promise<Uint8Array | undefined>>();
  readonly #sizes = new Map<number, number>();
  #bytes = 0;
  #awayUntilMs = 0;

  constructor({ queue, clock, logger, maxBytes }: BodyCacheDependencies) {
    this.#queue = queue;
    this.#clock = clock;
    this.#logger = logger;
    this.#maxBytes = maxBytes;
  }

  /** Until when no body can be had; in the past if they can. */
  get awayUntilMs(): number {
    return this.#awayUntilMs;
  }

  async read(submissionId: number): Promise<BodyRead> {
    if (this.#clock.now() < this.#awayUntilMs) return { kind: 'away' };
    try {
      const body = await this.#once(submissionId);
      return body === undefined ? { kind: 'gone' } : { kind: 'read', body };
    } catch (error) {
      if (error instanceof BodyMissingError) return { kind: 'missing', error };
      if (!(error instanceof StoreBusyError)) throw error;
      const nowMs = this.#clock.now();
      if (nowMs >= this.#awayUntilMs) this.#logger.error({ err: error }, 'bodies cannot be read');
      this.#awayUntilMs = nowMs + awayMs;
      return { kind: 'away' };
    }
  }

  #once(submissionId: number): Promise<Uint8Array | undefined> {
    const known = this.#bodies.get(submissionId);
    if (known !== undefined) {
      this.#bodies.delete(submissionId);
      this.#bodies.set(submissionId, known);
      return known;
    }
    const reading = this.#read(submissionId);
    this.#bodies.set(submissionId, reading);
    return reading;
  }

  async #read(submissionId: number): Promise<Uint8Array | undefined> {
    try {
      const body = await this.#queue.readBody(submissionId);
      this.#keep(submissionId, body?.byteLength ?? 0);
      return body;
    } catch (error) {
      this.#bodies.delete(submissionId);
      throw error;
    }
  }

  #keep(submissionId: number, sizeBytes: number): void {
    this.#sizes.set(submissionId, sizeBytes);
    this.#bytes += sizeBytes;
    for (const id of this.#bodies.keys()) {
      if (this.#bytes <= this.#maxBytes) return;
      const size = this.#sizes.get(id);
      // One that is still being read has no size yet.
      if (size === undefined) continue;
      this.#bodies.delete(id);
      this.#sizes.delete(id);
      this.#bytes -= size;
    }
  }
}
