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
import { type Post, type PostResult, type Target, targetOf } from './post.ts';
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

/** What a request came to, to be looked at without what lets one in. */
export class Sent {
  readonly result: PostResult;
  readonly #headers: readonly string[];
  readonly #signIn: SignIn;

  /** @param headers as they were sent: name and value in turn */
  constructor(result: PostResult, headers: readonly string[], signIn: SignIn) {
    this.result = result;
    this.#headers = headers;
    this.#signIn = signIn;
  }

  /** Name and value in turn, masked. */
  headers(): readonly string[] {
    return this.#signIn.masked(this.#headers);
  }

  /** The beginning of the answer's body, masked as well, or why there was none. */
  answer(maxLength: number): string {
    return this.#answer().slice(0, maxLength);
  }

  #answer(): string {
    switch (this.result.kind) {
      case 'answered':
        // Before it is cut: a piece of a secret would not be known as one.
        return this.#signIn.maskedText(this.result.body.toString('utf8'));
      case 'unanswered':
        return this.result.reason;
      case 'aborted':
        return 'given up';
    }
  }
}

export class Requests {
  readonly #deps: RequestDependencies;
  readonly #target: Target;
  readonly #gzips: boolean;
  readonly #signer: Signer;
  readonly #signIn: SignIn;
  readonly #agent: Agent | undefined;

  constructor(webhook: Webhook, deps: RequestDependencies) {
    const { vault, post, clock, agentWith } = deps;
    this.#deps = deps;
    this.#target = targetOf(new URL(webhook.url));
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
    let access = this.#signIn.headers(signal);
    if (access instanceof Promise) {
      try {
        access = await access;
      } catch (error) {
        if (!(error instanceof SignInError)) throw error;
        const result: PostResult = signal.aborted
          ? { kind: 'aborted' }
          : { kind: 'unanswered', reason: error.message };
        return new Sent(result, [], this.#signIn);
      }
    }
    // Joined and not spread: a list that grows takes more memory for a moment than all else of a request.
    const headers = ['content-type', contentType, 'user-agent', 'Aftersend'].concat(
      this.#gzips ? ['content-encoding', 'gzip'] : [],
      this.#signer.headers(id, this.#deps.clock.now(), body),
      access,
      extra,
    );
    // Receivers see what was signed when they have unpacked it, as their frameworks do before their code runs.
    const sent = this.#gzips ? await compress(body) : body;
    const result = await this.#deps.post(
      { target: this.#target, headers, body: sent, dispatcher: this.#agent },
      signal,
    );
    if (result.kind === 'answered' && result.status === 401) this.#signIn.refused();
    return new Sent(result, headers, this.#signIn);
  }

  async close(): Promise<void> {
    await this.#agent?.destroy();
  }
}
