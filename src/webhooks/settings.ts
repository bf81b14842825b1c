/** What an owner may set for an endpoint: checked, and filled in by the dialect's defaults. Pure. */
import { Value } from 'typebox/value';
import type { EventType } from '../events/types.ts';
import type {
  BatchLimits,
  BatchSettings,
  SendingSettings,
  Webhook,
  WebhookKey,
} from '../store/contract/webhooks.ts';
import type { Access } from './access.ts';
import type { Dialect } from './dialects/contract/dialect.ts';
import { dialectNamed, dialects } from './dialects.ts';

export const batchBounds = {
  count: { minimum: 1, maximum: 10_000 },
  ageMs: { minimum: 0, maximum: 60 * 60 * 1000 },
  bytes: { minimum: 1024, maximum: 8 * 1024 * 1024 },
} as const;

/** What was asked cannot be done. `field` is the part of the request at fault, in the native API's words. */
export class EndpointRefusedError extends Error {
  override readonly name = 'EndpointRefusedError';
  readonly field: string;

  constructor(field: string, message: string) {
    super(message);
    this.field = field;
  }
}

/** What is left out is the dialect's default, or stays as it is. */
export interface EndpointInput {
  readonly url?: string | undefined;
  readonly dialect?: string | undefined;
  /** Canonical names, or those that the dialect has for them. */
  readonly types?: readonly string[] | undefined;
  readonly options?: Readonly<Record<string, unknown>> | undefined;
  readonly batch?: Partial<BatchLimits> | undefined;
  readonly sending?: Partial<SendingSettings> | undefined;
  /** Set as a whole. */
  readonly access?: Access | undefined;
}

type Options = Record<string, unknown>;

/** @throws EndpointRefusedError */
export function dialectOf(name: string): Dialect {
  const dialect = dialects.get(name);
  if (dialect === undefined) {
    throw new EndpointRefusedError('dialect', `'${name}' is none of ${[...dialects.keys()].join(', ')}`);
  }
  return dialect;
}

/**
 * With another dialect, what is not set anew is that one's default: the old dialect's numbers mean nothing there.
 * @throws EndpointRefusedError
 */
export function changedSettings(before: Webhook, input: EndpointInput): Partial<BatchSettings> {
  if (input.dialect !== undefined && input.dialect !== before.dialect) {
    return settingsOf(dialectOf(input.dialect), input);
  }
  const dialect = dialectNamed(before.dialect);
  const optionsJson = input.options === undefined ? before.optionsJson : optionsOf(dialect, input.options);
  const framing = framingOf(dialect, optionsJson);
  const limits =
    framing === framingOf(dialect, before.optionsJson) ? before.limits : defaultLimits(dialect, framing);
  return {
    ...(input.types !== undefined && { types: typesOf(dialect, input.types) }),
    optionsJson,
    limits: limitsOf(dialect, framing, input.batch ?? {}, limits),
  };
}

/** @throws EndpointRefusedError */
export function settingsOf(dialect: Dialect, input: EndpointInput): BatchSettings {
  const optionsJson = optionsOf(dialect, input.options ?? {});
  const framing = framingOf(dialect, optionsJson);
  return {
    dialect: dialect.name,
    types: typesOf(dialect, input.types ?? Object.keys(dialect.eventNames)),
    optionsJson,
    limits: limitsOf(dialect, framing, input.batch ?? {}, defaultLimits(dialect, framing)),
  };
}

const framingOf = (dialect: Dialect, optionsJson: string) =>
  dialect.framing(JSON.parse(optionsJson) as Options);

const defaultLimits = ({ limits }: Dialect, framing: ReturnType<Dialect['framing']>): BatchLimits =>
  framing === 'single' ? { ...limits, count: 1, ageMs: 0 } : limits;

/** The canonical types of the names given, in the dialect's order and once each: the same choice is the same settings. */
function typesOf({ name, eventNames }: Dialect, given: readonly string[]): readonly EventType[] {
  if (given.length === 0) throw new EndpointRefusedError('types', 'choose at least one event type');
  const told = Object.entries(eventNames) as (readonly [EventType, string])[];
  const chosen = new Set<EventType>();
  const unknown: string[] = [];
  for (const wish of given) {
    // Its own word first: what a dialect calls by a canonical name may be another event.
    const [type] =
      told.find(([, own]) => own === wish) ?? told.find(([canonical]) => canonical === wish) ?? [];
    if (type === undefined) unknown.push(wish);
    else chosen.add(type);
  }
  if (unknown.length > 0) {
    const words = told.map(([type, own]) => (type === own ? type : `${own} (${type})`)).join(', ');
    throw new EndpointRefusedError('types', `${name} cannot tell of ${unknown.join(', ')}, only of ${words}`);
  }
  return told.map(([type]) => type).filter((type) => chosen.has(type));
}

function optionsOf(dialect: Dialect, given: Readonly<Record<string, unknown>>): string {
  const options = Value.Default(dialect.options, { ...given });
  if (!Value.Check(dialect.options, options)) {
    const errors = Value.Errors(dialect.options, options);
    const [first] = errors;
    const where = first?.instancePath.slice(1) ?? '';
    const words = errors.flatMap((error) =>
      error.keyword === 'const' && error.instancePath === first?.instancePath
        ? [error.params.allowedValue]
        : [],
    );
    const fault = words.length > 0 ? `is none of ${words.join(', ')}` : (first?.message ?? 'is wrong');
    const known = Object.keys(dialect.options.properties).join(', ') || 'none';
    throw new EndpointRefusedError(
      'options',
      `${where === '' ? 'options' : where} ${fault}; ${dialect.name} has: ${known}`,
    );
  }
  return JSON.stringify(options);
}

function limitsOf(
  dialect: Dialect,
  framing: ReturnType<Dialect['framing']>,
  given: Partial<BatchLimits>,
  before: BatchLimits,
): BatchLimits {
  if (framing === 'single' && given.count !== undefined && given.count !== 1) {
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

/** @throws EndpointRefusedError */
export function sendingOf(
  settings: Pick<BatchSettings, 'dialect'>,
  before: SendingSettings,
  given: Partial<SendingSettings> = {},
): SendingSettings {
  const dialect = dialectOf(settings.dialect);
  const sending = { ...before, ...given };
  if (sending.partialAck && !dialect.tellsIds) {
    throw new EndpointRefusedError(
      'sending',
      `events of ${dialect.name} have no id that an answer could name`,
    );
  }
  if (sending.digest !== 'off' && dialect.writeDigest === undefined) {
    throw new EndpointRefusedError('sending', `${dialect.name} has no word for a digest`);
  }
  if (sending.digest !== 'off' && sending.requests > 1) {
    throw new EndpointRefusedError('sending', 'a digest needs the order that one request at a time keeps');
  }
  if (sending.signatures.length === 0) {
    throw new EndpointRefusedError('sending', 'choose at least one signature');
  }
  return { ...sending, signatures: [...new Set(sending.signatures)].toSorted() };
}

/** The keys that an endpoint needs. */
export function keyKinds(dialect: string, { signatures }: SendingSettings): WebhookKey['kind'][] {
  const own = dialectNamed(dialect).signature;
  return [...signatures, ...(own === undefined ? [] : [own.key])];
}
