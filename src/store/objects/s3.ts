/**
 * A bucket of an S3-compatible store: put, get, delete and list, signed, each in bounded time and tried again where that
 * can help. Errors say what the store said and never what was signed with.
 */
import { Pool } from 'undici';
import type { Clock, Random } from '../../platform/clock.ts';
import { type Credentials, sha256, sign } from './signature.ts';

export interface BucketSettings extends Credentials {
  /** http or https, without a path. */
  readonly endpoint: string;
  readonly bucket: string;
}

export interface BucketLimits {
  readonly connections: number;
  readonly connectMs: number;
  /** For one try, until the answer begins and between any two pieces of it. */
  readonly tryMs: number;
  /** What is put may take longer, as long as it goes so fast. */
  readonly bytesPerSecond: number;
  readonly tries: number;
  /** After the first try; doubled with each. */
  readonly pauseMs: number;
  readonly answerBytes: number;
}

/** The store said no, or said nothing in time. */
export class BucketError extends Error {
  override readonly name = 'BucketError';
  /** 0 if it said nothing. */
  readonly status: number;

  constructor(status: number, message: string, options?: ErrorOptions) {
    super(message, options);
    this.status = status;
  }
}

interface Request {
  readonly method: 'GET' | 'PUT' | 'DELETE';
  /** '' for the bucket itself. */
  readonly key: string;
  readonly query?: string;
  readonly content?: Uint8Array;
}

interface Answer {
  readonly status: number;
  readonly content: Buffer;
}

/** When a try is given up; it moves as long as the answer comes. */
interface Deadline {
  atMs: number;
}

interface Waiting {
  readonly start: () => void;
  readonly giveUp: (error: BucketError) => void;
}

const nothing = sha256('');
/** Of an error's text, as much as is told. */
const toldChars = 300;

export class Bucket implements AsyncDisposable {
  readonly #settings: BucketSettings;
  readonly #limits: BucketLimits;
  readonly #clock: Clock;
  readonly #random: Random;
  readonly #pool: Pool;
  readonly #host: string;
  #running = 0;
  /** Requests without a connection: their time has not begun. */
  #waiting: Waiting[] = [];

  constructor(
    settings: BucketSettings,
    { limits, clock, random }: { limits: BucketLimits; clock: Clock; random: Random },
  ) {
    this.#settings = settings;
    this.#limits = limits;
    this.#clock = clock;
    this.#random = random;
    const { connections, connectMs } = limits;
    this.#host = new URL(settings.endpoint).host;
    this.#pool = new Pool(settings.endpoint, {
      connections,
      connect: { timeout: connectMs },
      // Each try has a deadline of its own.
      headersTimeout: 0,
      bodyTimeout: 0,
    });
  }

  /** Resolves when the store has it. @throws BucketError */
  async put(key: string, content: Uint8Array): Promise<void> {
    await this.#ask({ method: 'PUT', key, content });
  }

  /** @returns undefined if it is not there. @throws BucketError, also when there is no such bucket */
  async get(key: string): Promise<Buffer | undefined> {
    try {
      return (await this.#ask({ method: 'GET', key })).content;
    } catch (error) {
      if (error instanceof BucketError && error.status === 404 && !error.message.includes('NoSuchBucket'))
        return undefined;
      throw error;
    }
  }

  /** Also of what is not there. @throws BucketError */
  async delete(key: string): Promise<void> {
    try {
      await this.#ask({ method: 'DELETE', key });
    } catch (error) {
      if (!(error instanceof BucketError && error.status === 404)) throw error;
    }
  }

  /** The first keys of those that begin so, in the order of their bytes. @throws BucketError */
  async list(beginning: string, limit: number): Promise<readonly string[]> {
    const query = `list-type=2&max-keys=${limit}&prefix=${encodeURIComponent(beginning)}`;
    const { content } = await this.#ask({ method: 'GET', key: '', query });
    return [...content.toString().matchAll(/<Key>([^<]*)<\/Key>/g)].map(([, key = '']) => key);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#pool.destroy();
  }

  #ask(request: Request): Promise<Answer> {
    return this.#inTurn(async () => {
      const { tries, pauseMs } = this.#limits;
      for (let tried = 1; ; tried++) {
        try {
          return await this.#askOnce(request);
        } catch (error) {
          if (!(error instanceof BucketError) || !mayHelp(error)) throw error;
          if (tried >= tries) {
            // Whoever waits would wait as long for nothing.
            for (const { giveUp } of this.#waiting.splice(0)) giveUp(error);
            throw error;
          }
          await this.#clock.sleep(pauseMs * 2 ** (tried - 1) * (0.5 + this.#random.unit()));
        }
      }
    });
  }

  async #inTurn<T>(work: () => Promise<T>): Promise<T> {
    if (this.#running >= this.#limits.connections) {
      await new Promise<void>((start, giveUp) => this.#waiting.push({ start, giveUp }));
    } else {
      this.#running++;
    }
    try {
      return await work();
    } finally {
      const next = this.#waiting.shift();
      if (next === undefined) this.#running--;
      else next.start();
    }
  }

  async #askOnce({ method, key, query = '', content }: Request): Promise<Answer> {
    const { tryMs, bytesPerSecond, answerBytes } = this.#limits;
    const path = `/${this.#settings.bucket}${key === '' ? '' : `/${key}`}`;
    const contentHash = content === undefined ? nothing : sha256(content);
    const headers = { host: this.#host };
    const nowMs = this.#clock.now();
    const signed = sign({ method, path, query, headers, contentHash }, this.#settings, nowMs);
    const sendMs = ((content?.byteLength ?? 0) / bytesPerSecond) * 1000;
    const deadline = { atMs: nowMs + tryMs + sendMs };
    const { status, content: answer } = await this.#inTime(deadline, async (signal) => {
      const { statusCode, body } = await this.#pool.request({
        method,
        path: query === '' ? path : `${path}?${query}`,
        headers: signed,
        body: content ?? null,
        signal,
      });
      const chunks: Buffer[] = [];
      let bytes = 0;
      for await (const chunk of body as AsyncIterable<Buffer>) {
        deadline.atMs = this.#clock.now() + tryMs;
        chunks.push(chunk);
        bytes += chunk.byteLength;
        if (bytes > answerBytes) throw new BucketError(0, `an answer of more than ${answerBytes} bytes`);
      }
      return { status: statusCode, content: Buffer.concat(chunks) };
    });
    if (status >= 200 && status < 300) return { status, content: answer };
    const text = answer.toString();
    const said = ['Code', 'Message'].map((name) => new RegExp(`<${name}>([^<]*)<`).exec(text)?.[1] ?? '');
    throw new BucketError(status, `${status} ${said.join(' ')}`.trim().slice(0, toldChars));
  }

  /** @throws BucketError of status 0 when nothing was said in time, or the connection failed */
  async #inTime(deadline: Deadline, work: (signal: AbortSignal) => Promise<Answer>): Promise<Answer> {
    const over = new AbortController();
    const late = new AbortController();
    void this.#abortLate(late, deadline, over.signal);
    try {
      return await work(late.signal);
    } catch (error) {
      if (error instanceof BucketError) throw error;
      const { code = '', message } = error as NodeJS.ErrnoException;
      const why = late.signal.aborted ? 'no answer in time' : code || message;
      throw new BucketError(0, why, { cause: error });
    } finally {
      over.abort();
    }
  }

  async #abortLate(late: AbortController, deadline: Deadline, over: AbortSignal): Promise<void> {
    for (;;) {
      const leftMs = deadline.atMs - this.#clock.now();
      if (over.aborted) return;
      if (leftMs <= 0) return late.abort();
      await this.#clock.sleep(leftMs, over);
    }
  }
}

/** What is wrong with the request stays wrong; what is wrong with the store may be over. */
const mayHelp = ({ status }: BucketError): boolean =>
  status === 0 || status === 408 || status === 429 || status >= 500;
