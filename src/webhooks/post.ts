/**
 * One POST to a receiver: bounded in time, in what is read of the answer, and in where it may go (the dispatcher is the
 * guarded one). Follows no redirect and tries nothing twice: when to try again is the sender's business.
 */
import type { Dispatcher } from 'undici';
import type { Clock } from '../platform/clock.ts';
import type { ConnectionLog, ConnectionTimes } from '../platform/connection-times.ts';
import { AddressRefusedError } from '../platform/guard-agent.ts';

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
  const deadlines = new Deadlines(clock, closing.signal);
  const groups = new WeakMap<AbortSignal, Group>();
  const groupOf = (signal: AbortSignal): Group => {
    let group = groups.get(signal);
    if (group === undefined) {
      group = new Group(signal);
      groups.set(signal, group);
    }
    return group;
  };
  return {
    post(request, signal) {
      if (signal.aborted) return Promise.resolve(givenUp);
      const { origin } = request.target;
      const exchange = new Exchange(clock, times && { log: times, origin }, [groupOf(signal), deadlines]);
      dispatch(request.dispatcher ?? dispatcher, request, exchange);
      return exchange.result;
    },
    [Symbol.dispose]: () => closing.abort(),
  };
}

/** What is told of exchanges that begin and end. */
interface Watcher {
  add(exchange: Exchange): void;
  delete(exchange: Exchange): void;
}

/** The exchanges that one signal ends: a listener for each of them would cost more than all else that is done here. */
class Group extends Set<Exchange> {
  constructor(signal: AbortSignal) {
    super();
    const end = () => {
      for (const exchange of this) exchange.settle(givenUp);
    };
    signal.addEventListener('abort', end, { once: true });
  }
}

/**
 * Gives up what takes too long. Every exchange has the same time, so they end in the order in which they began, and one
 * sleeper for the oldest is enough: a timer for each request cost a tenth of the request.
 */
class Deadlines implements Watcher {
  readonly #clock: Clock;
  readonly #closing: AbortSignal;
  readonly #running = new Map<Exchange, number>();
  #watching = false;

  constructor(clock: Clock, closing: AbortSignal) {
    this.#clock = clock;
    this.#closing = closing;
  }

  add(exchange: Exchange): void {
    this.#running.set(exchange, this.#clock.now() + exchangeTimeoutMs);
    if (!this.#watching) void this.#watch();
  }

  delete(exchange: Exchange): void {
    this.#running.delete(exchange);
  }

  async #watch(): Promise<void> {
    this.#watching = true;
    while (this.#running.size > 0 && !this.#closing.aborted) {
      for (const [exchange, deadlineMs] of this.#running) {
        const leftMs = deadlineMs - this.#clock.now();
        if (leftMs > 0) {
          await this.#clock.sleep(leftMs, this.#closing);
          break;
        }
        exchange.settle(tooLate);
      }
    }
    this.#watching = false;
  }
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
  readonly #resolve: (result: PostResult) => void;
  #settled = false;
  #controller: Dispatcher.DispatchController | undefined;
  #status = 0;
  #chunks: Buffer[] = [];
  #bytes = 0;
  #retryAfter = '';
  readonly #clock: Clock;
  readonly #connections: { readonly log: ConnectionLog; readonly origin: string } | undefined;
  readonly #watchers: readonly Watcher[];
  #connection: ConnectionTimes | undefined;
  #startedAtMs = 0;
  #firstByteMs: number | undefined;

  constructor(
    clock: Clock,
    connections: { readonly log: ConnectionLog; readonly origin: string } | undefined,
    watchers: readonly Watcher[],
  ) {
    this.#clock = clock;
    this.#connections = connections;
    this.#watchers = watchers;
    const { promise, resolve } = Promise.withResolvers<PostResult>();
    this.result = promise;
    this.#resolve = resolve;
    for (const watcher of watchers) watcher.add(this);
  }

  /** Settles it and, when that was not by its own end, lets go of the connection. */
  settle(result: PostResult): void {
    this.#finish(result);
    this.#controller?.abort(new Error('given up'));
  }

  onRequestStart(controller: Dispatcher.DispatchController): void {
    this.#controller = controller;
    this.#startedAtMs = this.#clock.now();
    this.#connection = this.#connections?.log.take(this.#connections.origin);
    // Given up while it waited for its connection.
    if (this.#settled) controller.abort(new Error('given up'));
  }

  onResponseStart(
    _controller: Dispatcher.DispatchController,
    status: number,
    headers: Record<string, string | string[] | undefined>,
  ): void {
    this.#status = status;
    this.#retryAfter = String(headers['retry-after'] ?? '');
    this.#firstByteMs = this.#clock.now() - this.#startedAtMs;
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
    for (const watcher of this.#watchers) watcher.delete(this);
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
