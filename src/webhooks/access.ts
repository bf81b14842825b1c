/**
 * How an endpoint signs in at its receiver: what its owner chose, kept encrypted and shown masked, and the headers and
 * connection that come of it. A token is fetched from the owner's authorisation server by the same guarded client.
 */
import type { Dispatcher } from 'undici';
import type { Clock } from '../platform/clock.ts';
import { type Post, targetOf } from './post.ts';

export type Authentication =
  | { readonly kind: 'basic'; readonly username: string; readonly password: string }
  | { readonly kind: 'bearer'; readonly token: string }
  | {
      readonly kind: 'oauth2';
      readonly tokenUrl: string;
      readonly clientId: string;
      readonly clientSecret: string;
      readonly scope: string;
    };

export interface MutualTls {
  /** PEM texts. */
  readonly certificate: string;
  readonly privateKey: string;
  /** Whom to believe beside the system's authorities, '' for nobody. */
  readonly serverCa: string;
}

export interface Access {
  readonly authentication?: Authentication | undefined;
  readonly headers: Readonly<Record<string, string>>;
  readonly mutualTls?: MutualTls | undefined;
}

export const noAccess: Access = { headers: {} };

/** Headers that are ours, or the connection's. */
const reserved =
  /^(content-.*|host|connection|transfer-encoding|upgrade|te|trailer|keep-alive|proxy-.*|expect|user-agent|webhook-.*|aftersend-.*|x-twilio-.*)$/;

/** @returns what is wrong with a custom header, undefined if nothing is */
export function headerFault(name: string, value: string): string | undefined {
  if (!/^[!#$%&'*+.^_`|~0-9A-Za-z-]{1,100}$/.test(name)) return `'${name}' is no header name`;
  if (reserved.test(name.toLowerCase())) return `${name} is set by the service`;
  if (!/^[\t\x20-\x7e]{0,2000}$/.test(value)) return `the value of ${name} is no header text`;
  return undefined;
}

/** A token is not used in its last minute: it has to be good on arrival. */
const tokenMarginMs = 60_000;
/** For a server that does not say how long its token is good (RFC 6749, section 5.1 leaves it out). */
const assumedTokenMs = 5 * 60_000;
const maxTokenMs = 24 * 3_600_000;

/** Shorter texts are found in any answer, and are no secrets that hold. */
const shortestMasked = 6;

/** The token could not be had. The message is for the owner and holds nothing secret. */
export class SignInError extends Error {
  override readonly name = 'SignInError';
}

/** Signs requests in; caches the token of an authorisation server. */
export class SignIn {
  readonly #access: Access;
  readonly #deps: {
    readonly post: Post;
    readonly clock: Clock;
    readonly dispatcher?: Dispatcher | undefined;
  };
  readonly #fixed: readonly string[];
  #token: { readonly text: string; readonly untilMs: number } | undefined;
  #fetching: Promise<string> | undefined;

  constructor(access: Access, deps: { post: Post; clock: Clock; dispatcher?: Dispatcher | undefined }) {
    this.#access = access;
    this.#deps = deps;
    const { authentication } = access;
    this.#fixed = Object.entries(access.headers).flatMap(([name, value]) => [name.toLowerCase(), value]);
    if (authentication?.kind === 'basic') {
      const pair = Buffer.from(`${authentication.username}:${authentication.password}`).toString('base64');
      this.#fixed = [...this.#fixed, 'authorization', `Basic ${pair}`];
    }
    if (authentication?.kind === 'bearer') {
      this.#fixed = [...this.#fixed, 'authorization', `Bearer ${authentication.token}`];
    }
  }

  /** Names and values in turn; at once if nothing has to be fetched. @throws SignInError */
  headers(signal: AbortSignal): readonly string[] | Promise<readonly string[]> {
    return this.#access.authentication?.kind === 'oauth2' ? this.#withToken(signal) : this.#fixed;
  }

  async #withToken(signal: AbortSignal): Promise<readonly string[]> {
    return [...this.#fixed, 'authorization', `Bearer ${await this.#goodToken(signal)}`];
  }

  /** The receiver did not believe the token: the next request brings a new one. */
  refused(): void {
    this.#token = undefined;
  }

  /** The same headers, with what lets one in taken out. */
  masked(headers: readonly string[]): readonly string[] {
    const own = new Set([
      'authorization',
      ...Object.keys(this.#access.headers).map((name) => name.toLowerCase()),
    ]);
    return headers.map((text, index) =>
      index % 2 === 1 && own.has(headers[index - 1] ?? '') ? '***' : text,
    );
  }

  /** A receiver's answer without what it may repeat of that: it is shown, and stored as it is. */
  maskedText(text: string): string {
    const secrets = Object.values(this.#access.headers);
    const { authentication } = this.#access;
    if (authentication?.kind === 'basic') secrets.push(authentication.password);
    if (authentication?.kind === 'bearer') secrets.push(authentication.token);
    if (authentication?.kind === 'oauth2') secrets.push(authentication.clientSecret, this.#token?.text ?? '');
    const sent = this.#fixed
      .filter((_, index) => index % 2 === 1)
      .map((value) => value.replace(/^Basic /, ''));
    return [...secrets, ...sent]
      .filter(({ length }) => length >= shortestMasked)
      .flatMap((secret) => [secret, JSON.stringify(secret).slice(1, -1)])
      .reduce((masked, secret) => masked.replaceAll(secret, '***'), text);
  }

  async #goodToken(signal: AbortSignal): Promise<string> {
    const { clock } = this.#deps;
    if (this.#token !== undefined && clock.now() < this.#token.untilMs) return this.#token.text;
    this.#fetching ??= this.#fetch(signal).finally(() => {
      this.#fetching = undefined;
    });
    return this.#fetching;
  }

  async #fetch(signal: AbortSignal): Promise<string> {
    const { authentication } = this.#access;
    if (authentication?.kind !== 'oauth2') throw new Error('no authorisation server is set');
    const { tokenUrl, clientId, clientSecret, scope } = authentication;
    const { post, clock, dispatcher } = this.#deps;
    // RFC 6749, section 2.3.1: both parts in form encoding before they are joined.
    const pair = `${encodeURIComponent(clientId)}:${encodeURIComponent(clientSecret)}`;
    const form = new URLSearchParams({ grant_type: 'client_credentials', ...(scope !== '' && { scope }) });
    const headers = [
      'content-type',
      'application/x-www-form-urlencoded',
      'accept',
      'application/json',
      'authorization',
      `Basic ${Buffer.from(pair).toString('base64')}`,
    ];
    const target = targetOf(new URL(tokenUrl));
    const result = await post({ target, headers, body: Buffer.from(form.toString()), dispatcher }, signal);
    if (result.kind === 'aborted') throw new SignInError('given up');
    if (result.kind === 'unanswered') throw new SignInError(`no token: ${result.reason}`);
    if (result.status !== 200) throw new SignInError(`no token: its server answered ${result.status}`);
    const { text, lifeMs } = tokenOf(result.body);
    this.#token = { text, untilMs: clock.now() + Math.max(0, lifeMs - tokenMarginMs) };
    return text;
  }
}

function tokenOf(body: Buffer): { text: string; lifeMs: number } {
  let answer: { access_token?: unknown; expires_in?: unknown } | null;
  try {
    answer = JSON.parse(body.toString('utf8')) as typeof answer;
  } catch {
    throw new SignInError('no token: its server did not answer JSON');
  }
  const text = answer?.access_token;
  if (typeof text !== 'string' || !/^[\x21-\x7e]{1,16000}$/.test(text)) {
    throw new SignInError('no token: there is none in the answer of its server');
  }
  const lifeS = Number(answer?.expires_in);
  return { text, lifeMs: lifeS > 0 ? Math.min(lifeS * 1000, maxTokenMs) : assumedTokenMs };
}
