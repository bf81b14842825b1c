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
  /** For one try, to the last byte of the answer. */
  readonly tryMs: number;
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

  constructor(
    settings: BucketSettings,
    { limits, clock, random }: { limits: BucketLimits; clock: Clock; random: Random },
  ) {
    this.#settings = settings;
    this.#limits = limits;
    this.#clock = clock;
    this.#random = random;
    const { connections, connectMs, tryMs } = limits;
    this.#host = new URL(settings.endpoint).host;
    this.#pool = new Pool(settings.endpoint, {
      connections,
      connect: { timeout: connectMs },
      headersTimeout: tryMs,
      bodyTimeout: tryMs,
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

  async #ask(request: Request): Promise<Answer> {
    const { tries, pauseMs } = this.#limits;
    for (let tried = 1; ; tried++) {
      try {
        return await this.#askOnce(request);
      } catch (error) {
        if (tried >= tries || !(error instanceof BucketError) || !mayHelp(error)) throw error;
        await this.#clock.sleep(pauseMs * 2 ** (tried - 1) * (0.5 + this.#random.unit()));
      }
    }
  }

  async #askOnce({ method, key, query = '', content }: Request): Promise<Answer> {
    const { bucket } = this.#settings;
    const path = `/${bucket}${key === '' ? '' : `/${key}`}`;
    const headers = sign(
      {
        method,
        path,
        query,
        headers: { host: this.#host },
        contentHash: content === undefined ? nothing : sha256(content),
      },
      this.#settings,
      this.#clock.now(),
    );
    const { status, content: answer } = await this.#inTime(async (signal) => {
      const { statusCode, body } = await this.#pool.request({
        method,
        path: query === '' ? path : `${path}?${query}`,
        headers,
        body: content ?? null,
        signal,
      });
      return { status: statusCode, content: await read(body, this.#limits.answerBytes) };
    });
    if (status >= 200 && status < 300) return { status, content: answer };
    const text = answer.toString();
    const said = ['Code', 'Message'].map((name) => new RegExp(`<${name}>([^<]*)<`).exec(text)?.[1] ?? '');
    throw new BucketError(status, `${status} ${said.join(' ')}`.trim().slice(0, toldChars));
  }

  /** @throws BucketError of status 0 when nothing was said in time, or the connection failed */
  async #inTime(work: (signal: AbortSignal) => Promise<Answer>): Promise<Answer> {
    const over = new AbortController();
    const late = new AbortController();
    void this.#abortLate(late, over.signal);
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

  async #abortLate(late: AbortController, over: AbortSignal): Promise<void> {
    await this.#clock.sleep(this.#limits.tryMs, over);
    if (!over.aborted) late.abort();
  }
}

/** What is wrong with the request stays wrong; what is wrong with the store may be over. */
const mayHelp = ({ status }: BucketError): boolean =>
  status === 0 || status === 408 || status === 429 || status >= 500;

async function read(body: AsyncIterable<Buffer>, mostBytes: number): Promise<Buffer> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of body) {
    chunks.push(chunk);
    bytes += chunk.byteLength;
    if (bytes > mostBytes) throw new BucketError(0, `an answer of more than ${mostBytes} bytes`);
  }
  return Buffer.concat(chunks);
}
