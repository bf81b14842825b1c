/** Bodies of submissions that are being sent, so that one with many recipients is read once. */
import type { QueueStore } from '../store/contract/queue.ts';

export class BodyCache {
  readonly #queue: Pick<QueueStore, 'readBody'>;
  readonly #maxBytes: number;
  /** Longest unused first. */
  readonly #bodies = new Map<number, Promise<Uint8Array | undefined>>();
  readonly #sizes = new Map<number, number>();
  #bytes = 0;

  constructor(queue: Pick<QueueStore, 'readBody'>, maxBytes: number) {
    this.#queue = queue;
    this.#maxBytes = maxBytes;
  }

  read(submissionId: number): Promise<Uint8Array | undefined> {
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
