/**
 * Bodies as objects of a bucket. A key is the hour in which a body was put and a random name; so all that is old, also
 * what a failed commit has left behind, is found by listing from the beginning, and nothing has to remember it.
 */
import type { Logger } from 'pino';
import type { Clock, Random } from '../../platform/clock.ts';
import { BodyMissingError, type BodyPlace } from '../contract/bodies.ts';
import { StoreBusyError } from '../contract/store.ts';
import { Bucket, BucketError, type BucketLimits, type BucketSettings } from './s3.ts';

export interface ObjectPlace extends BucketSettings {
  /** What keys begin with: '' or a path that ends with a slash. */
  readonly prefix: string;
}

export interface ObjectLimits extends BucketLimits {
  /** Bodies that are being put, or wait for it. */
  readonly puts: number;
  readonly putBytes: number;
  /** Of bodies that were just put: most are wanted at once, by delivery. */
  readonly cacheBytes: number;
  readonly deletes: number;
}

export const defaultObjectLimits: ObjectLimits = {
  connections: 64,
  connectMs: 3_000,
  tryMs: 6_000,
  bytesPerSecond: 2 ** 20,
  tries: 3,
  pauseMs: 200,
  // A message has at most 25 MiB by default; whoever sets more has one that is still below.
  answerBytes: 512 * 2 ** 20,
  puts: 5_000,
  putBytes: 256 * 2 ** 20,
  cacheBytes: 16 * 2 ** 20,
  deletes: 16,
};

export interface ObjectDependencies {
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
  readonly limits?: ObjectLimits;
}

const hourMs = 3_600_000;
/** A body may be put long before its row is committed: nothing younger goes. */
const youngestPrunedMs = 2 * hourMs;
const nameBytes = 16;
/** Trouble with the store is logged so often at most. */
const tellEveryMs = 10_000;
/** What was seen of the store holds so long, however often it is asked. */
const probeHoldsMs = 10_000;

export class ObjectBodies implements BodyPlace {
  readonly #prefix: string;
  readonly #where: string;
  readonly #limits: ObjectLimits;
  readonly #clock: Clock;
  readonly #random: Random;
  readonly #logger: Logger;
  readonly #bucket: Bucket;
  /** By key, longest there first. */
  readonly #justPut = new Map<string, Uint8Array>();
  #justPutBytes = 0;
  #puts = 0;
  #putBytes = 0;
  #toldAtMs = -Infinity;
  #probe: { readonly result: Promise<void>; readonly untilMs: number } | undefined;

  constructor(
    place: ObjectPlace,
    { clock, random, logger, limits = defaultObjectLimits }: ObjectDependencies,
  ) {
    this.#prefix = place.prefix;
    this.#where = `s3://${place.bucket}/${place.prefix}`;
    this.#limits = limits;
    this.#clock = clock;
    this.#random = random;
    this.#logger = logger;
    this.#bucket = new Bucket(place, { limits, clock, random });
  }

  async put(body: Uint8Array, atMs: number): Promise<string> {
    const { puts, putBytes } = this.#limits;
    // One alone may have more.
    const tooMuch = this.#puts > 0 && this.#putBytes + body.byteLength > putBytes;
    if (this.#puts >= puts || tooMuch) {
      throw new StoreBusyError('too many bodies wait for their store');
    }
    const key = `${hourOf(atMs)}/${this.#random.bytes(nameBytes).toString('base64url')}`;
    this.#puts++;
    this.#putBytes += body.byteLength;
    try {
      await this.#asked('a body could not be stored', this.#bucket.put(this.#keyOf(key), body));
    } finally {
      this.#puts--;
      this.#putBytes -= body.byteLength;
    }
    this.#keep(key, body);
    return key;
  }

  async get(key: string): Promise<Uint8Array> {
    const kept = this.#justPut.get(key);
    if (kept !== undefined) {
      this.#forget(key, kept);
      return kept;
    }
    const body = await this.#asked('a body could not be read', this.#bucket.get(this.#keyOf(key)));
    if (body !== undefined) return body;
    this.#tell('a body is missing', new Error(`there is no ${this.#where}bodies/${key}`));
    throw new BodyMissingError(`${this.#where} has no object for it`);
  }

  drop(key: string): void {
    const kept = this.#justPut.get(key);
    if (kept !== undefined) this.#forget(key, kept);
    // It is found by its age if this fails.
    void this.#bucket.delete(this.#keyOf(key)).catch(() => undefined);
  }

  async prune({ beforeMs, limit }: { beforeMs: number; limit: number }): Promise<number> {
    const endMs = Math.min(beforeMs, this.#clock.now() - youngestPrunedMs);
    try {
      const keys = await this.#bucket.list(this.#keyOf(''), limit);
      const old = keys.filter((key) => (hourEndOf(key.slice(this.#keyOf('').length)) ?? Infinity) <= endMs);
      for (let at = 0; at < old.length; at += this.#limits.deletes) {
        await Promise.all(old.slice(at, at + this.#limits.deletes).map((key) => this.#bucket.delete(key)));
      }
      return old.length;
    } catch (error) {
      this.#tell('old bodies could not be removed', error);
      return 0;
    }
  }

  async probe(): Promise<void> {
    const nowMs = this.#clock.now();
    if (this.#probe === undefined || this.#probe.untilMs <= nowMs) {
      const put = this.#bucket.put(`${this.#prefix}probe`, Buffer.from('written by /readyz'));
      const result = this.#asked('nothing could be stored', put);
      this.#probe = { result, untilMs: nowMs + probeHoldsMs };
    }
    await this.#probe.result;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#bucket[Symbol.asyncDispose]();
  }

  #keyOf(key: string): string {
    return `${this.#prefix}bodies/${key}`;
  }

  #keep(key: string, body: Uint8Array): void {
    this.#justPut.set(key, body);
    this.#justPutBytes += body.byteLength;
    for (const [oldest, itsBody] of this.#justPut) {
      if (this.#justPutBytes <= this.#limits.cacheBytes) return;
      this.#forget(oldest, itsBody);
    }
  }

  #forget(key: string, body: Uint8Array): void {
    this.#justPut.delete(key);
    this.#justPutBytes -= body.byteLength;
  }

  /** Whatever is wrong there, callers are to come back later, and nothing is lost by it. */
  async #asked<T>(what: string, answer: Promise<T>): Promise<T> {
    try {
      return await answer;
    } catch (error) {
      if (!(error instanceof BucketError)) throw error;
      this.#tell(what, error);
      throw new StoreBusyError('the store of bodies cannot be reached', { cause: error });
    }
  }

  #tell(what: string, error: unknown): void {
    const nowMs = this.#clock.now();
    if (nowMs - this.#toldAtMs < tellEveryMs) return;
    this.#toldAtMs = nowMs;
    this.#logger.error({ why: (error as Error).message, bodies: this.#where }, what);
  }
}

/** As in 2026-01-05T12: in the order of their bytes as in that of time. */
const hourOf = (atMs: number): string => new Date(atMs).toISOString().slice(0, 'YYYY-MM-DDTHH'.length);

/** @returns when the hour of a key was over; undefined if it is no key of ours */
function hourEndOf(key: string): number | undefined {
  const [, hour] = /^(\d{4}-\d\d-\d\dT\d\d)\/[\w-]+$/.exec(key) ?? [];
  return hour === undefined ? undefined : Date.parse(`${hour}:00:00Z`) + hourMs;
}
