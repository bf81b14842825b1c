/**
 * What an owner may do with webhook endpoints, whichever API asks: check what was set, fill in what was left out by the
 * dialect's defaults, make secrets, try an endpoint out. Sends no events: that is the service's.
 */
import { Value } from 'typebox/value';
import type { EventType } from '../events/types.ts';
import type { Clock, Random } from '../platform/clock.ts';
import type { AddressGuard } from '../platform/guard.ts';
import { AddressRefusedError, resolveGuarded } from '../platform/guard-agent.ts';
import type { Resolve } from '../platform/guard-resolve.ts';
import { judgeUrl, literalAddress } from '../platform/guard-url.ts';
import type {
  BatchLimits,
  BatchSettings,
  NewWebhook,
  Webhook,
  WebhookChange,
  WebhookStore,
} from '../store/contract/webhooks.ts';
import type { Dialect } from './dialects/contract/dialect.ts';
import { dialectNamed, dialects } from './dialects.ts';
import type { Post } from './post.ts';
import type { Seal } from '../tokens/sealed-secret.ts';
import { makeSecret } from './sign.ts';
import { type TrialResult, tryOut } from './trial.ts';

export const maxWebhooksOfAccount = 100;
export const batchBounds = {
  count: { minimum: 1, maximum: 10_000 },
  ageMs: { minimum: 0, maximum: 60 * 60 * 1000 },
  bytes: { minimum: 1024, maximum: 8 * 1024 * 1024 },
} as const;

/** What was asked cannot be done. `field` is the part of the request at fault, in the native API's words. */
export class EndpointRefusedError extends Error {
  override readonly name = 'EndpointRefusedError';
  readonly field: 'url' | 'dialect' | 'types' | 'options' | 'batch' | '';

  constructor(field: EndpointRefusedError['field'], message: string) {
    super(message);
    this.field = field;
  }
}

/** What is left out is the dialect's default, or stays as it is. */
export interface EndpointInput {
  readonly url?: string | undefined;
  readonly dialect?: string | undefined;
  readonly types?: readonly EventType[] | undefined;
  readonly options?: Readonly<Record<string, unknown>> | undefined;
  readonly batch?: Partial<BatchLimits> | undefined;
}

export interface EndpointDependencies {
  readonly webhooks: WebhookStore;
  readonly guard: AddressGuard;
  readonly resolve: Resolve;
  readonly post: Post;
  readonly seal: Seal;
  readonly clock: Clock;
  readonly random: Random;
}

/** @throws EndpointRefusedError from everything that sets something */
export interface Endpoints {
  create(
    accountId: number,
    input: EndpointInput & { readonly url: string; readonly dialect: string },
  ): Promise<{ readonly webhook: Webhook; readonly secret: string }>;
  /** @returns undefined if the account has no such endpoint */
  change(
    accountId: number,
    webhookId: number,
    input: EndpointInput & { readonly paused?: boolean | undefined },
  ): Promise<Webhook | undefined>;
  /** Sets where the one endpoint of the msndr API sends to, or makes it. */
  setMsndr(accountId: number, url: string): Promise<Webhook>;
  /** Sends a sample of each event type to the endpoint's URL. */
  test(webhook: Webhook, signal: AbortSignal): Promise<readonly TrialResult[]>;
}

/** The part of a `Webhook` that its secret is sealed for. */
const sealOwner = ({ accountId }: { accountId: number }): string => `webhook of account ${accountId}`;

export const openSecret =
  (seal: Seal) =>
  (webhook: Webhook): string =>
    seal.open(webhook.sealedSecret, sealOwner(webhook));

export function createEndpoints(deps: EndpointDependencies): Endpoints {
  const { webhooks, clock, random, seal, post } = deps;

  const prepare = (accountId: number, input: NewInput, origin: NewWebhook['origin']) => {
    const secret = makeSecret(random);
    const fresh: NewWebhook = {
      ...settingsOf(dialectOf(input.dialect), input),
      accountId,
      origin,
      url: input.url,
      sealedSecret: seal.close(secret, sealOwner({ accountId })),
      atMs: clock.now(),
    };
    return { fresh, secret };
  };

  return {
    async create(accountId, input) {
      const { fresh, secret } = prepare(accountId, input, 'native');
      await checkUrl(input.url, deps);
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
      if (input.url !== undefined) await checkUrl(input.url, deps);
      const change: WebhookChange = {
        ...settings,
        accountId,
        webhookId,
        atMs: clock.now(),
        ...(input.url !== undefined && { url: input.url }),
        ...(input.paused !== undefined && { paused: input.paused }),
      };
      return webhooks.change(change);
    },

    async setMsndr(accountId, url) {
      await checkUrl(url, deps);
      return webhooks.createOrMove(prepare(accountId, { url, dialect: 'msndr' }, 'msndr').fresh);
    },

    test: (webhook, signal) => tryOut(webhook, openSecret(seal)(webhook), { post, clock, random }, signal),
  };
}

type NewInput = EndpointInput & { readonly url: string; readonly dialect: string };

/** Also looks where the name leads now: told at once, a mistake is mended at once. What counts is each connection. */
async function checkUrl(text: string, { guard, resolve }: EndpointDependencies): Promise<void> {
  const verdict = judgeUrl(text, guard);
  if (verdict.kind === 'refused') throw new EndpointRefusedError('url', verdict.reason);
  const { hostname } = verdict.url;
  if (literalAddress(hostname) !== undefined) return;
  try {
    await resolveGuarded(hostname, guard, resolve);
  } catch (error) {
    // A name that has no address today may have one when there is something to send.
    if (error instanceof AddressRefusedError) throw new EndpointRefusedError('url', error.message);
  }
}

function dialectOf(name: string): Dialect {
  const dialect = dialects.get(name);
  if (dialect === undefined) {
    throw new EndpointRefusedError('dialect', `'${name}' is none of ${[...dialects.keys()].join(', ')}`);
  }
  return dialect;
}

/** With another dialect, what is not set anew is that one's default: the old dialect's numbers mean nothing there. */
function changedSettings(before: Webhook, input: EndpointInput): Partial<BatchSettings> {
  if (input.dialect !== undefined && input.dialect !== before.dialect) {
    return settingsOf(dialectOf(input.dialect), input);
  }
  const dialect = dialectNamed(before.dialect);
  return {
    ...(input.types !== undefined && { types: typesOf(dialect, input.types) }),
    ...(input.options !== undefined && { optionsJson: optionsOf(dialect, input.options) }),
    ...(input.batch !== undefined && { limits: limitsOf(dialect, input.batch, before.limits) }),
  };
}

function settingsOf(dialect: Dialect, input: EndpointInput): BatchSettings {
  return {
    dialect: dialect.name,
    types: typesOf(dialect, input.types ?? (Object.keys(dialect.eventNames) as EventType[])),
    optionsJson: optionsOf(dialect, input.options ?? {}),
    limits: limitsOf(dialect, input.batch ?? {}, dialect.limits),
  };
}

function typesOf({ name, eventNames }: Dialect, types: readonly EventType[]): readonly EventType[] {
  const untold = types.filter((type) => eventNames[type] === undefined);
  if (untold.length > 0) {
    const told = Object.keys(eventNames).join(', ');
    throw new EndpointRefusedError('types', `${name} cannot tell of ${untold.join(', ')}, only of ${told}`);
  }
  if (types.length === 0) throw new EndpointRefusedError('types', 'choose at least one event type');
  // In the dialect's order and once each, so that the same choice is the same settings.
  return (Object.keys(eventNames) as EventType[]).filter((type) => types.includes(type));
}

function optionsOf(dialect: Dialect, given: Readonly<Record<string, unknown>>): string {
  const options = Value.Default(dialect.options, { ...given });
  if (!Value.Check(dialect.options, options)) {
    const [first] = Value.Errors(dialect.options, options);
    const where = first?.instancePath.slice(1) ?? '';
    const known = Object.keys(dialect.options.properties).join(', ');
    throw new EndpointRefusedError(
      'options',
      `${where === '' ? 'options' : where} ${first?.message ?? 'is wrong'}; ${dialect.name} has: ${known}`,
    );
  }
  return JSON.stringify(options);
}

function limitsOf(dialect: Dialect, given: Partial<BatchLimits>, before: BatchLimits): BatchLimits {
  if (dialect.framing === 'single' && given.count !== undefined && given.count !== 1) {
    throw new EndpointRefusedError('batch', `${dialect.name} sends one event a request`);
  }
  const limits = { ...before, ...given };
  for (const key of ['count', 'ageMs', 'bytes'] as const) {
    const { minimum, maximum } = batchBounds[key];
    if (!(limits[key] >= minimum && limits[key] <= maximum)) {
      throw new EndpointRefusedError('batch', `${key} must be from ${minimum} to ${maximum}`);
    }
  }
  return limits;
}
