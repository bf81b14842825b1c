/**
 * One POST to a receiver: bounded in time, in what is read of the answer, and in where it may go (the dispatcher is the
 * guarded one). Follows no redirect and tries nothing twice: when to try again is the sender's business.
 */
import type { Dispatcher } from 'undici';
import type { Clock } from '../platform/clock.ts';
import type { ConnectionLog, ConnectionTimes } from '../platform/connection-times.ts';
import { AddressRefusedError } from '../platform/guard-agent.ts';
import { Line, type Place } from '../platform/line.ts';

/** For the whole exchange, from looking up the name to the answer's last byte. */
export const exchangeTimeoutMs = 30_000;
/** What is read of an answer's body; then the connection is closed. */
const maxAnswerBytes = 64 * 1024;

/** Where requests go. Taking a URL apart costs a microsecond, so that is done once. */
export interface Target {
  readonly url: URL;
  readonly hostname: string;
  readonly origin: string;
  /** With its query. */
  readonly path: string;
}

export function targetOf(url: URL): Target {
  const { hostname, origin, pathname, search } = url;
  return { url, hostname, origin, path: pathname + search };
}

export interface PostRequest {
  readonly target: Target;
  /** Name and value in turn. */
  readonly headers: readonly string[];
  readonly body: Buffer;
  /** Where the connection is made, when the shared client will not do. */
  readonly dispatcher?: Dispatcher | undefined;
}

/** How long an exchange took, in parts. Of a connection that was open already there is the last alone. */
export interface PostTimings extends ConnectionTimes {
  readonly firstByteMs?: number | undefined;
}

/** `aborted`: we gave it up ourselves; whether the receiver has taken it is not known. */
export type PostResult =
  | {
      readonly kind: 'answered';
      readonly status: number;
      readonly body: Buffer;
      /** As it came, '' if there was none. */
      readonly retryAfter: string;
      readonly timings: PostTimings;
    }
  | { readonly kind: 'unanswered'; readonly reason: string }
  | { readonly kind: 'aborted' };

export type Post = (request: PostRequest, signal: AbortSignal) => Promise<PostResult>;

/**
 * Dispose it when no request is to be made any more.
 * @param times what the dispatcher notes of its connections
 */
export function openPost(
  dispatcher: Dispatcher,
  clock: Clock,
  times?: ConnectionLog,
): Disposable & { readonly post: Post } {
  const closing = new AbortController();
  const running = new Running(clock, closing.signal);
  const tools: Tools = { clock, times, running };
  return {
    post(request, signal) {
      if (signal.aborted) return Promise.resolve(givenUp);
      const exchange = new Exchange(tools, request.target.origin, signal);
      dispatch(request.dispatcher ?? dispatcher, request, exchange);
      return exchange.result;
    },
    [Symbol.dispose]: () => closing.abort(),
  };
}

/**
 * Gives up what takes too long, and what nobody wants any more. Every exchange has the same time, so they end in the
 * order in which they began, and one sleeper for the oldest is enough: a timer for each request cost a tenth of the
 * request. A signal has one listener for all of its exchanges.
 */
class Running {
  readonly #clock: Clock;
  readonly #closing: AbortSignal;
  readonly #exchanges = new Line<Exchange>();
  readonly #signals = new WeakSet<AbortSignal>();
  #watching = false;

  constructor(clock: Clock, closing: AbortSignal) {
    this.#clock = clock;
    this.#closing = closing;
  }

  add(exchange: Exchange): Place<Exchange> {
    const place = this.#exchanges.add(exchange);
    if (!this.#signals.has(exchange.signal)) this.#listen(exchange.signal);
    if (!this.#watching) void this.#watch();
    return place;
  }

  remove(place: Place<Exchange>): void {
    this.#exchanges.remove(place);
  }

  #listen(signal: AbortSignal): void {
    this.#signals.add(signal);
    const giveUp = () => {
      for (const exchange of this.#exchanges.items()) {
        if (exchange.signal === signal) exchange.settle(givenUp);
      }
    };
    signal.addEventListener('abort', giveUp, { once: true });
  }

  async #watch(): Promise<void> {
    this.#watching = true;
    while (!this.#closing.aborted) {
      const oldest = this.#exchanges.first;
      if (oldest === undefined) break;
      const leftMs = oldest.beganAtMs + exchangeTimeoutMs - this.#clock.now();
      if (leftMs > 0) await this.#clock.sleep(leftMs, this.#closing);
      else oldest.settle(tooLate);
    }
    this.#watching = false;
  }
}

/** What all exchanges of a client have. */
interface Tools {
  readonly clock: Clock;
  readonly times: ConnectionLog | undefined;
  readonly running: Running;
}

function dispatch(dispatcher: Dispatcher, { target, headers, body }: PostRequest, exchange: Exchange): void {
  const options: Dispatcher.DispatchOptions = {
    origin: target.origin,
    path: target.path,
    method: 'POST',
    headers: headers as string[],
    body,
  };
  dispatcher.dispatch(options, exchange);
}

/** Takes undici's calls for one request; the first thing that settles it counts. */
class Exchange implements Dispatcher.DispatchHandler {
  readonly result: Promise<PostResult>;
  /** Ends it. */
  readonly signal: AbortSignal;
  readonly beganAtMs: number;
  readonly #resolve: (result: PostResult) => void;
  #settled = false;
  #controller: Dispatcher.DispatchController | undefined;
  #status = 0;
  #chunks: Buffer[] = [];
  #bytes = 0;
  #retryAfter = '';
  readonly #tools: Tools;
  readonly #origin: string;
  readonly #place: Place<Exchange>;
  #connection: ConnectionTimes | undefined;
  #startedAtMs = 0;
  #firstByteMs: number | undefined;

  constructor(tools: Tools, origin: string, signal: AbortSignal) {
    this.#tools = tools;
    this.#origin = origin;
    this.signal = signal;
    this.beganAtMs = tools.clock.now();
    const { promise, resolve } = Promise.withResolvers<PostResult>();
    this.result = promise;
    this.#resolve = resolve;
    this.#place = tools.running.add(this);
  }

  /** Settles it and, when that was not by its own end, lets go of the connection. */
  settle(result: PostResult): void {
    const controller = this.#controller;
    this.#finish(result);
    controller?.abort(new Error('given up'));
  }

  onRequestStart(controller: Dispatcher.DispatchController): void {
    // Given up while it waited for its connection.
    if (this.#settled) {
      controller.abort(new Error('given up'));
      return;
    }
    this.#controller = controller;
    this.#startedAtMs = this.#tools.clock.now();
    this.#connection = this.#tools.times?.take(this.#origin);
  }

  onResponseStart(
    _controller: Dispatcher.DispatchController,
    status: number,
    headers: Record<string, string | string[] | undefined>,
  ): void {
    this.#status = status;
    this.#retryAfter = String(headers['retry-after'] ?? '');
    this.#firstByteMs = this.#tools.clock.now() - this.#startedAtMs;
  }

  onResponseData(_controller: Dispatcher.DispatchController, chunk: Buffer): void {
    this.#chunks.push(chunk);
    this.#bytes += chunk.length;
    if (this.#bytes >= maxAnswerBytes) this.settle(this.#answer());
  }

  onResponseEnd(): void {
    this.#finish(this.#answer());
  }

  onResponseError(_controller: Dispatcher.DispatchController, error: Error): void {
    this.#finish({ kind: 'unanswered', reason: reasonOf(error) });
  }

  #finish(result: PostResult): void {
    if (this.#settled) return;
    this.#settled = true;
    this.#chunks = [];
    this.#controller = undefined;
    this.#tools.running.remove(this.#place);
    this.#resolve(result);
  }

  #answer(): PostResult {
    const body =
      this.#chunks.length === 0 ? noBytes : Buffer.concat(this.#chunks).subarray(0, maxAnswerBytes);
    return {
      kind: 'answered',
      status: this.#status,
      body,
      retryAfter: this.#retryAfter,
      timings: { ...this.#connection, firstByteMs: this.#firstByteMs },
    };
  }
}

const givenUp: PostResult = { kind: 'aborted' };
const tooLate: PostResult = {
  kind: 'unanswered',
  reason: `no answer within ${exchangeTimeoutMs / 1000} s`,
};
const noBytes = Buffer.alloc(0);

const reasons: Readonly<Record<string, string>> = {
  ECONNREFUSED: 'the connection was refused',
  ECONNRESET: 'the connection was closed before the answer',
  EPIPE: 'the connection was closed before the answer',
  UND_ERR_SOCKET: 'the connection was closed before the answer',
  UND_ERR_CONNECT_TIMEOUT: 'no connection within 10 s',
  ETIMEDOUT: 'no connection: the host does not answer',
  EHOSTUNREACH: 'no connection: the host cannot be reached',
  ENETUNREACH: 'no connection: the network cannot be reached',
  ENOTFOUND: 'the host name does not exist',
  ENODATA: 'the host name has no address',
  ETIMEOUT: 'the host name’s servers do not answer',
  ESERVFAIL: 'the host name’s servers fail',
};

/** In the owner's words, without addresses of our network. */
function reasonOf(error: Error): string {
  if (error instanceof AddressRefusedError) return error.message;
  const inner = error instanceof AggregateError ? (error.errors[0] as Error) : error;
  const code = (inner as NodeJS.ErrnoException).code ?? '';
  return reasons[code] ?? (code === '' ? 'the request failed' : `the request failed (${code})`);
}
