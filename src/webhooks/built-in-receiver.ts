/**
 * The built-in receiver: a place inside the service that takes webhooks and shows them, to try the whole way out before
 * there is a receiver of one's own. The one exception to the address guard, and none: nothing is connected to. Each
 * account has an address of its own that nobody else can guess. What came is in the store: whoever shows it need not be the
 * process that sent it.
 */
import { createHmac, timingSafeEqual } from 'node:crypto';
import type { Clock } from '../platform/clock.ts';
import type { Resolve } from '../platform/guard-resolve.ts';
import type { ReceivedRequest, SimulatorStore } from '../store/contract/simulator.ts';
import type { Post, PostRequest, PostResult } from './post.ts';

/** In a domain that is nobody's (RFC 6761). */
const host = 'receiver.simulator.test';

const keptBodyChars = 64 * 1024;

const answers = {
  200: '{"received":true}',
  404: '{"error":"no account has this address"}',
  503: '{"error":"it cannot be kept just now"}',
} as const;

type Received = Pick<SimulatorStore, 'receive' | 'received'>;

export class BuiltInReceiver {
  readonly #key: Buffer;
  readonly #clock: Clock;
  readonly #store: Received;

  constructor(key: Buffer, clock: Clock, store: Received) {
    this.#key = key;
    this.#clock = clock;
    this.#store = store;
  }

  /** What an account sets as its webhook's URL. */
  urlOf(accountId: number): string {
    return `http://${host}/${accountId}/${this.#proof(accountId)}`;
  }

  /** Newest first. */
  requests(accountId: number): Promise<readonly ReceivedRequest[]> {
    return this.#store.received(accountId);
  }

  /** Takes what is for it; passes everything else on. */
  before(post: Post): Post {
    return (request, signal) =>
      request.target.hostname === host ? this.#answer(request) : post(request, signal);
  }

  /** Its name leads nowhere, and nobody is asked for it. */
  beforeResolve(resolve: Resolve): Resolve {
    return async (name) => {
      if (name === host) throw new Error(`${host} is inside the service`);
      return resolve(name);
    };
  }

  async #answer(request: PostRequest): Promise<PostResult> {
    const status = await this.#take(request);
    const body = Buffer.from(answers[status]);
    return { kind: 'answered', status, body, retryAfter: '', timings: {} };
  }

  async #take({ target, headers, body }: PostRequest): Promise<keyof typeof answers> {
    const [, id = '', proof = ''] = target.url.pathname.split('/');
    const accountId = Number(id);
    const expected = this.#proof(accountId);
    if (proof.length !== expected.length || !timingSafeEqual(Buffer.from(proof), Buffer.from(expected))) {
      return 404;
    }
    const text = body.toString('utf8').slice(0, keptBodyChars);
    try {
      const atMs = this.#clock.now();
      await this.#store.receive({ accountId, atMs, headers: byName(headers), body: text });
      return 200;
    } catch {
      return 503;
    }
  }

  #proof(accountId: number): string {
    return createHmac('sha256', this.#key).update(`account ${accountId}`).digest('hex').slice(0, 32);
  }
}

function byName(headers: readonly string[]): Record<string, string> {
  const pairs: [string, string][] = [];
  for (let at = 0; at + 1 < headers.length; at += 2) pairs.push([headers[at] ?? '', headers[at + 1] ?? '']);
  return Object.fromEntries(pairs);
}
