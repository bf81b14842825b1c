/**
 * The built-in receiver: a place inside the process that takes webhooks and shows them, to try the whole way out before
 * there is a receiver of one's own. The one exception to the address guard, and none: nothing is connected to. Each
 * account has an address of its own that nobody else can guess.
 */
import { createHmac, timingSafeEqual } from 'node:crypto';
import type { Clock } from '../platform/clock.ts';
import type { Resolve } from '../platform/guard-resolve.ts';
import type { Post, PostRequest } from './post.ts';

/** In a domain that is nobody's (RFC 6761). */
const host = 'receiver.simulator.test';

/** Requests of an account that are shown, and accounts whose requests are kept: those that were sent to last. */
const keptRequests = 50;
const keptAccounts = 1_000;
const keptBodyChars = 64 * 1024;

export interface ReceivedRequest {
  readonly number: number;
  readonly atMs: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
}

export class BuiltInReceiver {
  readonly #key: Buffer;
  readonly #clock: Clock;
  readonly #received = new Map<number, ReceivedRequest[]>();
  #last = 0;

  constructor(key: Buffer, clock: Clock) {
    this.#key = key;
    this.#clock = clock;
  }

  /** What an account sets as its webhook's URL. */
  urlOf(accountId: number): string {
    return `http://${host}/${accountId}/${this.#proof(accountId)}`;
  }

  /** Newest first. */
  requests(accountId: number): readonly ReceivedRequest[] {
    return (this.#received.get(accountId) ?? []).toReversed();
  }

  /** Takes what is for it; passes everything else on. */
  before(post: Post): Post {
    return async (request, signal) => {
      if (request.url.hostname !== host) return post(request, signal);
      const taken = this.#take(request);
      const answer = taken ? '{"received":true}' : '{"error":"no account has this address"}';
      const body = Buffer.from(answer);
      return { kind: 'answered', status: taken ? 200 : 404, body, retryAfter: '', timings: {} };
    };
  }

  /** Its name leads nowhere, and nobody is asked for it. */
  beforeResolve(resolve: Resolve): Resolve {
    return async (name) => {
      if (name === host) throw new Error(`${host} is inside the service`);
      return resolve(name);
    };
  }

  #take({ url, headers, body }: PostRequest): boolean {
    const [, id = '', proof = ''] = url.pathname.split('/');
    const accountId = Number(id);
    const expected = this.#proof(accountId);
    if (proof.length !== expected.length || !timingSafeEqual(Buffer.from(proof), Buffer.from(expected))) {
      return false;
    }
    const kept = this.#received.get(accountId) ?? [];
    const text = body.toString('utf8').slice(0, keptBodyChars);
    this.#last += 1;
    kept.push({ number: this.#last, atMs: this.#clock.now(), headers: byName(headers), body: text });
    // Set anew, so that the account that was sent to longest ago is the first.
    this.#received.delete(accountId);
    this.#received.set(accountId, kept.slice(-keptRequests));
    const [oldest] = this.#received.keys();
    if (this.#received.size > keptAccounts && oldest !== undefined) this.#received.delete(oldest);
    return true;
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
