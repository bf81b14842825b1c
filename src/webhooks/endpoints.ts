/**
 * What an owner may do with webhook endpoints, whichever API asks: check what was set, fill in what was left out by the
 * dialect's defaults, make secrets, try an endpoint out. Sends no events: that is the service's.
 */
import type { Clock, Random } from '../platform/clock.ts';
import type { AddressGuard } from '../platform/guard.ts';
import { AddressRefusedError, resolveGuarded } from '../platform/guard-agent.ts';
import type { Resolve } from '../platform/guard-resolve.ts';
import { judgeUrl, literalAddress } from '../platform/guard-url.ts';
import type {
  NewWebhook,
  SendingSettings,
  Webhook,
  WebhookChange,
  WebhookKey,
  WebhookStore,
} from '../store/contract/webhooks.ts';
import type { Agent } from 'undici';
import { type Access, type MutualTls, noAccess } from './access.ts';
import { accessFault, closeAccess, keyOwner, type MaskedAccess, masked, openVault } from './vault.ts';
import type { Post } from './post.ts';
import type { Seal } from '../tokens/sealed-secret.ts';
import {
  changedSettings,
  dialectOf,
  EndpointRefusedError,
  type EndpointInput,
  keyKinds,
  sendingOf,
  settingsOf,
} from './settings.ts';
import { makeKey } from './sign.ts';
import { type TrialResult, tryOut } from './trial.ts';

export const maxWebhooksOfAccount = 100;

export interface EndpointDependencies {
  readonly webhooks: WebhookStore;
  readonly guard: AddressGuard;
  readonly resolve: Resolve;
  readonly post: Post;
  readonly seal: Seal;
  readonly clock: Clock;
  readonly random: Random;
  readonly agentWith: (tls: MutualTls) => Agent;
}

/** @throws EndpointRefusedError from everything that sets something */
export interface Endpoints {
  create(
    accountId: number,
    input: EndpointInput & { readonly url: string; readonly dialect: string },
  ): Promise<WithSecret>;
  /** @returns undefined if the account has no such endpoint */
  change(
    accountId: number,
    webhookId: number,
    input: EndpointInput & { readonly paused?: boolean | undefined },
  ): Promise<Webhook | undefined>;
  /**
   * Makes new keys; the old ones sign beside them until the overlap is over.
   * @returns undefined if the account has no such endpoint
   */
  rotate(accountId: number, webhookId: number, overlapMs: number): Promise<WithSecret | undefined>;
  /** What is set for signing in, for its owner to look at: nothing secret is in it. */
  maskedAccess(webhook: Webhook): MaskedAccess;
  /** Sets where the one endpoint of the msndr API sends to, or makes it. */
  setMsndr(accountId: number, url: string): Promise<Webhook>;
  /** Sends a sample of each event type to the endpoint's URL. */
  test(webhook: Webhook, signal: AbortSignal): Promise<readonly TrialResult[]>;
}

/** An endpoint with the secret of its `v1` signatures, '' if it makes none: shown once. */
export interface WithSecret {
  readonly webhook: Webhook;
  readonly secret: string;
}

export const maxRotationOverlapMs = 7 * 24 * 3_600_000;
export const rotationOverlapMs = 24 * 3_600_000;
/** Keys of a kind that sign beside the newest. */
const maxOldKeys = 3;

const plainSending: SendingSettings = {
  gzip: false,
  requests: 1,
  partialAck: false,
  signatures: ['v1'],
  digest: 'off',
};

export function createEndpoints(deps: EndpointDependencies): Endpoints {
  const { webhooks, clock, random, seal, post, agentWith } = deps;

  const vault = openVault(seal);
  const makeKeys = (accountId: number, kinds: readonly WebhookKey['kind'][]) =>
    madeKeys(deps, accountId, kinds);

  const prepare = (accountId: number, input: NewInput, origin: NewWebhook['origin']) => {
    const settings = settingsOf(dialectOf(input.dialect), input);
    const sending = sendingOf(settings, plainSending, input.sending);
    const { keys, secret } = makeKeys(accountId, keyKinds(settings.dialect, sending));
    const fresh: NewWebhook = {
      ...settings,
      accountId,
      origin,
      url: input.url,
      keys,
      sending,
      sealedAccess: closeAccess(seal, accountId, input.access ?? noAccess),
      atMs: clock.now(),
    };
    return { fresh, secret };
  };

  return {
    async create(accountId, input) {
      const { fresh, secret } = prepare(accountId, input, 'native');
      await checkUrl(input.url, 'url', deps);
      await checkAccess(input.access, deps);
      const result = await webhooks.create({ ...fresh, limit: maxWebhooksOfAccount });
      if (result.kind === 'full') {
        throw new EndpointRefusedError('', `an account may have ${maxWebhooksOfAccount} webhooks`);
      }
      return { webhook: result.webhook, secret };
    },

    async change(accountId, webhookId, input) {
      const before = await webhooks.byId(accountId, webhookId);
      if (before === undefined) return undefined;
      const settings = changedSettings(before, input);
      if (input.url !== undefined) await checkUrl(input.url, 'url', deps);
      await checkAccess(input.access, deps);
      const after = { ...before, ...settings };
      const sending = sendingOf(after, before.sending, input.sending);
      const missing = keyKinds(after.dialect, sending).filter(
        (kind) => !before.keys.some((key) => key.kind === kind),
      );
      const change: WebhookChange = {
        ...settings,
        sending,
        ...(missing.length > 0 && { keys: [...before.keys, ...makeKeys(accountId, missing).keys] }),
        ...(input.access !== undefined && { sealedAccess: closeAccess(seal, accountId, input.access) }),
        accountId,
        webhookId,
        atMs: clock.now(),
        ...(input.url !== undefined && { url: input.url }),
        ...(input.paused !== undefined && { paused: input.paused }),
      };
      return webhooks.change(change);
    },

    async rotate(accountId, webhookId, overlapMs) {
      const before = await webhooks.byId(accountId, webhookId);
      if (before === undefined) return undefined;
      const atMs = clock.now();
      const made = makeKeys(accountId, keyKinds(before.dialect, before.sending));
      const keys = rotated(before.keys, made.keys, atMs, overlapMs);
      const webhook = await webhooks.change({ accountId, webhookId, keys, atMs });
      return webhook && { webhook, secret: made.secret };
    },

    maskedAccess: (webhook) => masked(vault.access(webhook)),

    async setMsndr(accountId, url) {
      await checkUrl(url, 'url', deps);
      return webhooks.createOrMove(prepare(accountId, { url, dialect: 'msndr' }, 'msndr').fresh);
    },

    test: (webhook, signal) => tryOut(webhook, { post, clock, random, vault, agentWith }, signal),
  };
}

/** New keys, sealed, and the secret of the one that is shared. */
function madeKeys(
  { seal, random, clock }: EndpointDependencies,
  accountId: number,
  kinds: readonly WebhookKey['kind'][],
): { readonly keys: readonly WebhookKey[]; readonly secret: string } {
  const made = kinds.map((kind) => ({ kind, ...makeKey(kind, random) }));
  const keys = made.map(({ kind, secret, publicKey }) => ({
    kind,
    sealed: seal.close(secret, keyOwner(accountId)),
    publicKey,
    createdAtMs: clock.now(),
  }));
  return { keys, secret: made.find(({ kind }) => kind === 'v1')?.secret ?? '' };
}

/** The new keys, and beside them the old ones until their time is over. */
function rotated(
  before: readonly WebhookKey[],
  made: readonly WebhookKey[],
  atMs: number,
  overlapMs: number,
): readonly WebhookKey[] {
  const kinds = new Set(made.map(({ kind }) => kind));
  const good = before.filter(({ expiresAtMs = Infinity }) => expiresAtMs > atMs);
  const old = [...kinds].flatMap((kind) =>
    good
      .filter((key) => key.kind === kind)
      .slice(0, maxOldKeys)
      .map((key) => ({ ...key, expiresAtMs: Math.min(key.expiresAtMs ?? Infinity, atMs + overlapMs) })),
  );
  return [...made, ...old, ...good.filter(({ kind }) => !kinds.has(kind))];
}

type NewInput = EndpointInput & { readonly url: string; readonly dialect: string };

/** Also looks where the name leads now: told at once, a mistake is mended at once. What counts is each connection. */
async function checkUrl(
  text: string,
  field: string,
  { guard, resolve }: EndpointDependencies,
): Promise<void> {
  const verdict = judgeUrl(text, guard);
  if (verdict.kind === 'refused') throw new EndpointRefusedError(field, verdict.reason);
  const { hostname } = verdict.url;
  if (literalAddress(hostname) !== undefined) return;
  try {
    await resolveGuarded(hostname, guard, resolve);
  } catch (error) {
    // A name that has no address today may have one when there is something to send.
    if (error instanceof AddressRefusedError) throw new EndpointRefusedError(field, error.message);
  }
}

async function checkAccess(access: Access | undefined, deps: EndpointDependencies): Promise<void> {
  if (access === undefined) return;
  const fault = accessFault(access);
  if (fault !== undefined) throw new EndpointRefusedError(fault.field, fault.message);
  const { authentication } = access;
  if (authentication?.kind === 'oauth2') {
    await checkUrl(authentication.tokenUrl, 'authentication.token_url', deps);
  }
}
