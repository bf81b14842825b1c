/**
 * An endpoint's requests: signed, signed in, compressed if its owner wants that, sent over the connection that it is to
 * have. One of these serves a sender, and goes with it.
 */
import { promisify } from 'node:util';
import { gzip } from 'node:zlib';
import type { Agent } from 'undici';
import type { Clock } from '../platform/clock.ts';
import type { Webhook, WebhookKey } from '../store/contract/webhooks.ts';
import { type Access, type MutualTls, SignIn, SignInError } from './access.ts';
import { dialectNamed } from './dialects.ts';
import type { Post, PostResult } from './post.ts';
import { Signer } from './sign.ts';

const compress = promisify(gzip);

/** Opens what is stored encrypted. */
export interface Vault {
  key(webhook: Webhook, key: WebhookKey): string;
  access(webhook: Webhook): Access;
}

export interface RequestDependencies {
  readonly post: Post;
  readonly vault: Vault;
  readonly clock: Clock;
  /** A guarded client with a certificate of its own. */
  readonly agentWith: (tls: MutualTls) => Agent;
}

export interface Sent {
  readonly result: PostResult;
  /** Name and value in turn, masked. */
  readonly headers: () => readonly string[];
  /** The beginning of the answer's body, masked as well, or why there was none. */
  readonly answer: (maxLength: number) => string;
}

export class Requests {
  readonly #deps: RequestDependencies;
  readonly #url: URL;
  readonly #gzips: boolean;
  readonly #signer: Signer;
  readonly #signIn: SignIn;
  readonly #agent: Agent | undefined;

  constructor(webhook: Webhook, deps: RequestDependencies) {
    const { vault, post, clock, agentWith } = deps;
    this.#deps = deps;
    this.#url = new URL(webhook.url);
    this.#gzips = webhook.sending.gzip;
    const own = dialectNamed(webhook.dialect).signature;
    const kinds = new Set<WebhookKey['kind']>([
      ...webhook.sending.signatures,
      ...(own === undefined ? [] : [own.key]),
    ]);
    const keys = webhook.keys.filter(({ kind }) => kinds.has(kind));
    this.#signer = new Signer(
      keys.map((key) => ({ key, secret: vault.key(webhook, key) })),
      own,
    );
    const access = vault.access(webhook);
    this.#agent = access.mutualTls && agentWith(access.mutualTls);
    this.#signIn = new SignIn(access, { post, clock, dispatcher: this.#agent });
  }

  /** @param extra further headers, as name and value in turn */
  async send(
    request: {
      readonly id: string;
      readonly contentType: string;
      readonly body: Buffer;
      readonly extra: readonly string[];
    },
    signal: AbortSignal,
  ): Promise<Sent> {
    const { id, contentType, body, extra } = request;
    let access: readonly string[];
    try {
      access = await this.#signIn.headers(signal);
    } catch (error) {
      if (!(error instanceof SignInError)) throw error;
      const result: PostResult = signal.aborted
        ? { kind: 'aborted' }
        : { kind: 'unanswered', reason: error.message };
      return { result, headers: () => [], answer: () => error.message };
    }
    const headers = [
      'content-type',
      contentType,
      'user-agent',
      'Aftersend',
      ...(this.#gzips ? ['content-encoding', 'gzip'] : []),
      ...this.#signer.headers(id, this.#deps.clock.now(), body),
      ...access,
      ...extra,
    ];
    // Receivers see what was signed when they have unpacked it, as their frameworks do before their code runs.
    const sent = this.#gzips ? await compress(body) : body;
    const result = await this.#deps.post(
      { url: this.#url, headers, body: sent, dispatcher: this.#agent },
      signal,
    );
    if (result.kind === 'answered' && result.status === 401) this.#signIn.refused();
    return {
      result,
      headers: () => this.#signIn.masked(headers),
      answer: (maxLength) => this.#answer(result).slice(0, maxLength),
    };
  }

  #answer(result: PostResult): string {
    switch (result.kind) {
      case 'answered':
        // Before it is cut: a piece of a secret would not be known as one.
        return this.#signIn.maskedText(result.body.toString('utf8'));
      case 'unanswered':
        return result.reason;
      case 'aborted':
        return 'given up';
    }
  }

  async close(): Promise<void> {
    await this.#agent?.destroy();
  }
}
