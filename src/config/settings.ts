/**
 * Every setting of the program in one table: name, default, meaning, how it is read. The environment is read once, at
 * start; a `.env` file in the working folder fills in what the environment leaves out. `aftersend config` prints this
 * table, so what is not here does not exist.
 */
import { existsSync, readFileSync } from 'node:fs';
import { parseEnv } from 'node:util';
import * as read from './readers.ts';

interface Setting<T> {
  readonly default: string;
  readonly meaning: string;
  readonly read: (text: string) => T;
  readonly secret?: true;
}

function setting<T>(
  fallback: string,
  reader: (text: string) => T,
  meaning: string,
  secret?: true,
): Setting<T> {
  return { default: fallback, read: reader, meaning, ...(secret && { secret }) };
}

const settings = {
  AFTERSEND_DATA: setting(
    './data',
    read.text,
    'Folder of the embedded store, the secret and the certificate',
  ),
  AFTERSEND_DATABASE_URL: setting(
    '',
    read.databaseUrl,
    'PostgreSQL that all processes share, postgres://USER:PASSWORD@HOST:PORT/DATABASE, with HOST:PORT,HOST:PORT for a primary and its standbys (the data folder’s own store when empty)',
    true,
  ),
  AFTERSEND_DATABASE_LISTEN_URL: setting(
    '',
    read.databaseUrl,
    'The same database without the pooler between, for the one connection that listens (AFTERSEND_DATABASE_URL when empty)',
    true,
  ),
  AFTERSEND_DATABASE_CONNECTIONS: setting(
    '10',
    read.count,
    'Most connections of this process to the database, beside the one that listens',
  ),
  AFTERSEND_ROLES: setting(
    'all',
    read.roles,
    'What this process does of what those that share the database do: all, or some of api (console, APIs, opens and clicks), submission (mail in by SMTP), inbound (mail that comes back), delivery (mail out), webhooks; how it is, each tells on AFTERSEND_HTTP',
  ),
  AFTERSEND_HTTP: setting(
    '127.0.0.1:8080',
    read.listenAddress,
    'Where HTTP is served: console, API, opens and clicks; without the role api, /healthz, /readyz and /metrics alone',
  ),
  AFTERSEND_SUBMISSION: setting(
    '127.0.0.1:2587',
    read.listenAddress,
    'Where programs submit mail by SMTP; without the role, where another process lets them',
  ),
  AFTERSEND_INBOUND: setting(
    '127.0.0.1:2525',
    read.listenAddress,
    'Where bounce and complaint mail comes in; without the role, where another process takes it (the simulator’s recipients send it there)',
  ),
  AFTERSEND_PUBLIC_URL: setting(
    '',
    read.publicUrl,
    'The URL under which recipients and users reach the API and what links in mail lead to, the same for all processes (http://AFTERSEND_HTTP when empty)',
  ),
  AFTERSEND_HOSTNAME: setting(
    'localhost',
    read.hostname,
    'This server’s name in mail: EHLO, return path, Message-ID',
  ),
  AFTERSEND_ROUTE: setting(
    'simulator',
    read.route,
    'Where mail goes: simulator, mx, or smtp://user:pass@host:port (smtps:// for TLS from the start)',
    true,
  ),
  AFTERSEND_SECRET_KEY: setting(
    '',
    read.secrets,
    'The secret that every key is derived from, 32 characters or more; several after a rotation, oldest first (made in the data folder when empty)',
    true,
  ),
  AFTERSEND_TRUSTED: setting(
    '',
    read.trustedNetworks,
    'CIDR=ACCOUNT, comma-separated: networks that submit by SMTP without signing in',
  ),
  AFTERSEND_WEBHOOK_ALLOW: setting('', read.networks, 'Private networks that webhooks may reach, CIDRs'),
  AFTERSEND_DELIVERY_ALLOW: setting(
    '',
    read.networks,
    'Private networks that delivery by MX may reach, CIDRs',
  ),
  AFTERSEND_SOURCES: setting(
    '',
    read.poolSources,
    'Addresses that mail by MX goes out from, POOL=ADDRESS/EHLO-NAME, comma-separated (the system’s choice when empty)',
  ),
  AFTERSEND_POOLS: setting(
    '',
    read.poolChoices,
    'Which pool is for whom: account:NAME=POOL, tag:NAME=POOL or *=POOL, comma-separated; the first that fits',
  ),
  AFTERSEND_DESTINATIONS: setting(
    '',
    read.destinationLimits,
    'Limits by MX host or provider, HOST=CONNECTIONS/MESSAGES-A-CONNECTION/MESSAGES-A-MINUTE, comma-separated',
  ),
  AFTERSEND_TLS_REQUIRED: setting(
    '',
    read.domainNames,
    'Recipients’ domains that mail goes to by TLS or not at all, comma-separated',
  ),
  AFTERSEND_DNS: setting('', read.text, 'Resolver to ask, HOST:PORT (the system’s when empty)'),
  AFTERSEND_PROXIES: setting('', read.networks, 'Proxies whose forwarded client address is believed, CIDRs'),
  AFTERSEND_TLS_CERT: setting(
    '',
    read.text,
    'PEM certificate for STARTTLS at submission (a self-signed one is made in the data folder when empty)',
  ),
  AFTERSEND_TLS_KEY: setting('', read.text, 'PEM key of AFTERSEND_TLS_CERT'),
  AFTERSEND_MAX_MESSAGE: setting('25 MiB', read.bytes, 'Largest message taken, as it stands on the wire'),
  AFTERSEND_MAX_RECIPIENTS: setting('100', read.count, 'Most recipients of one submission'),
  AFTERSEND_RETRY_FIRST: setting('1 minute', read.duration, 'Wait after the first failed delivery attempt'),
  AFTERSEND_RETRY_FOR: setting(
    '3 days',
    read.duration,
    'How long delivery is tried before the message bounces',
  ),
  AFTERSEND_KEEP_EVENTS: setting('30 days', read.duration, 'How long events and messages are kept'),
  AFTERSEND_KEEP_BODIES: setting('7 days', read.duration, 'How long a finished message’s body is kept'),
  AFTERSEND_BODIES: setting(
    '',
    read.bodyPlace,
    'Where the bodies of new messages are kept: s3://BUCKET/PREFIX of any S3-compatible store (in the database when empty)',
  ),
  AFTERSEND_S3_ENDPOINT: setting(
    '',
    read.origin,
    'Its URL without a path (https://s3.REGION.amazonaws.com when empty)',
  ),
  AFTERSEND_S3_REGION: setting('us-east-1', read.text, 'Its region'),
  AFTERSEND_S3_ACCESS_KEY: setting('', read.text, 'Name of the key to it'),
  AFTERSEND_S3_SECRET_KEY: setting('', read.text, 'The key to it', true),
  AFTERSEND_KEEP_STATISTICS: setting('400 days', read.duration, 'How long counts of events are kept'),
  AFTERSEND_NOTICE_FROM: setting(
    '',
    read.text,
    'Address that accounts are mailed notices from, as of failing webhooks (none are mailed when empty)',
  ),
  AFTERSEND_OIDC_ISSUER: setting(
    '',
    read.oidcIssuer,
    'OpenID provider by which people sign in to the console, as https://id.example.com (by password alone when empty)',
  ),
  AFTERSEND_OIDC_CLIENT_ID: setting('', read.text, 'What the provider calls this service'),
  AFTERSEND_OIDC_CLIENT_SECRET: setting(
    '',
    read.text,
    'What proves to the provider that it is this service (empty for a public client)',
    true,
  ),
  AFTERSEND_OIDC_ADMIT: setting(
    '',
    read.admittedDomains,
    'Whom the provider’s word lets in without an invitation, DOMAIN=ACCOUNT:ROLE, comma-separated: whose verified address is there',
  ),
  AFTERSEND_METRICS_TOKEN: setting(
    '',
    read.text,
    'Bearer token for /metrics from elsewhere than loopback (only loopback may ask when empty)',
    true,
  ),
  AFTERSEND_LOG: setting('info', read.logLevel, 'Log level: debug, info, warn, error or silent'),
} as const;

type SettingName = keyof typeof settings;
type SettingValues = { readonly [Name in SettingName]: ReturnType<(typeof settings)[Name]['read']> };

/** A setting that cannot be read. The message names the setting and says what it should look like. */
export class ConfigError extends Error {
  override readonly name = 'ConfigError';
}

function readSettings(environment: Readonly<Record<string, string | undefined>>): SettingValues {
  const unknown = Object.keys(environment).filter(
    (name) => name.startsWith('AFTERSEND_') && !(name in settings),
  );
  if (unknown.length > 0) {
    throw new ConfigError(`${unknown.join(', ')}: no such setting. 'aftersend config' lists all of them.`);
  }
  const values: Record<string, unknown> = {};
  for (const [name, { default: fallback, read: reader }] of Object.entries(settings)) {
    try {
      values[name] = reader(environment[name]?.trim() || fallback);
    } catch (error) {
      throw new ConfigError(`${name}: ${(error as Error).message}`, { cause: error });
    }
  }
  return values as SettingValues;
}

function environmentWithFile(folder: string): Record<string, string | undefined> {
  const file = `${folder}/.env`;
  const fromFile = existsSync(file) ? parseEnv(readFileSync(file, 'utf8')) : {};
  const ours = Object.entries(fromFile).filter(([name]) => name.startsWith('AFTERSEND_'));
  return { ...Object.fromEntries(ours), ...process.env };
}

export interface Config {
  readonly dataFolder: string;
  /** Undefined when the data folder has the store. */
  readonly database:
    | { readonly url: string; readonly listenUrl: string | undefined; readonly connections: number }
    | undefined;
  readonly roles: ReadonlySet<read.Role>;
  readonly http: read.ListenAddress;
  readonly submission: read.ListenAddress;
  readonly inbound: read.ListenAddress;
  /** Without a trailing slash; undefined when it follows from the address that HTTP listens on. */
  readonly publicUrl: string | undefined;
  readonly hostname: string;
  readonly route: read.Route;
  /** Oldest first; empty when the data folder's own secret is to be used. */
  readonly secrets: readonly string[];
  readonly trusted: readonly read.TrustedNetwork[];
  readonly webhookAllow: readonly read.Network[];
  readonly deliveryAllow: readonly read.Network[];
  readonly proxies: readonly read.Network[];
  readonly sources: readonly read.PoolSource[];
  readonly pools: readonly read.PoolChoice[];
  readonly destinations: ReturnType<typeof read.destinationLimits>;
  readonly tlsRequired: ReadonlySet<string>;
  readonly dnsServer: string;
  readonly tls: { readonly certificateFile: string; readonly keyFile: string } | undefined;
  readonly limits: { readonly messageBytes: number; readonly recipients: number };
  readonly retry: { readonly firstMs: number; readonly totalMs: number };
  readonly keep: { readonly eventsMs: number; readonly bodiesMs: number; readonly statisticsMs: number };
  /** Undefined when the database keeps bodies. */
  readonly bodies:
    | {
        readonly bucket: string;
        /** '' or a path that ends with a slash. */
        readonly prefix: string;
        readonly endpoint: string;
        readonly region: string;
        readonly accessKey: string;
        readonly secretKey: string;
      }
    | undefined;
  /** Undefined when people sign in by password alone. */
  readonly oidc:
    | {
        readonly issuer: string;
        readonly clientId: string;
        readonly clientSecret: string;
        readonly admit: ReturnType<typeof read.admittedDomains>;
      }
    | undefined;
  /** '' when notices are not mailed. */
  readonly noticeFrom: string;
  readonly metricsToken: string;
  readonly logLevel: read.LogLevel;
}

/** What processes that share a database have to have in common, and what makes no sense without one. */
function checkShared(value: SettingValues): void {
  if (value.AFTERSEND_DATABASE_URL !== undefined) {
    if (value.AFTERSEND_SECRET_KEY.length === 0) {
      throw new ConfigError(
        'AFTERSEND_SECRET_KEY: all processes of AFTERSEND_DATABASE_URL need the same one.',
      );
    }
    if (!value.AFTERSEND_ROLES.has('api') && value.AFTERSEND_PUBLIC_URL === undefined) {
      throw new ConfigError(
        'AFTERSEND_PUBLIC_URL: without the role api, a process has to be told where the API is: links in mail lead there.',
      );
    }
  } else if (value.AFTERSEND_ROLES.size < read.roles('all').size) {
    throw new ConfigError('AFTERSEND_ROLES: one process has a data folder for itself and does everything.');
  }
}

function oidcOf(value: SettingValues): Config['oidc'] {
  const {
    AFTERSEND_OIDC_ISSUER: issuer,
    AFTERSEND_OIDC_CLIENT_ID: clientId,
    AFTERSEND_OIDC_CLIENT_SECRET: clientSecret,
    AFTERSEND_OIDC_ADMIT: admit,
  } = value;
  if (issuer === undefined) {
    if (clientId === '' && clientSecret === '' && admit.length === 0) return undefined;
    throw new ConfigError('AFTERSEND_OIDC_ISSUER: the other AFTERSEND_OIDC settings need it.');
  }
  if (clientId === '') {
    throw new ConfigError('AFTERSEND_OIDC_CLIENT_ID: AFTERSEND_OIDC_ISSUER needs it; the provider gives it.');
  }
  return { issuer, clientId, clientSecret, admit };
}

function bodiesOf(value: SettingValues): Config['bodies'] {
  const { AFTERSEND_BODIES: place, AFTERSEND_S3_REGION: region, AFTERSEND_S3_ENDPOINT: endpoint } = value;
  if (place === undefined) return undefined;
  const { AFTERSEND_S3_ACCESS_KEY: accessKey, AFTERSEND_S3_SECRET_KEY: secretKey } = value;
  if (accessKey === '' || secretKey === '') {
    throw new ConfigError(
      'AFTERSEND_BODIES: set AFTERSEND_S3_ACCESS_KEY and AFTERSEND_S3_SECRET_KEY as well.',
    );
  }
  return {
    ...place,
    endpoint: endpoint ?? `https://s3.${region}.amazonaws.com`,
    region,
    accessKey,
    secretKey,
  };
}

/** @throws ConfigError naming the setting that cannot be read */
export function readConfig(
  environment: Readonly<Record<string, string | undefined>> = environmentWithFile(process.cwd()),
): Config {
  const value = readSettings(environment);
  if ((value.AFTERSEND_TLS_CERT === '') !== (value.AFTERSEND_TLS_KEY === '')) {
    throw new ConfigError('AFTERSEND_TLS_CERT and AFTERSEND_TLS_KEY go together: set both or neither.');
  }
  const unknownPool = value.AFTERSEND_POOLS.find(
    ({ pool }) => !value.AFTERSEND_SOURCES.some((source) => source.pool === pool),
  );
  if (unknownPool !== undefined) {
    throw new ConfigError(`AFTERSEND_POOLS: pool '${unknownPool.pool}' has no source in AFTERSEND_SOURCES.`);
  }
  checkShared(value);
  return Object.freeze({
    dataFolder: value.AFTERSEND_DATA,
    database: value.AFTERSEND_DATABASE_URL
      ? {
          url: value.AFTERSEND_DATABASE_URL,
          listenUrl: value.AFTERSEND_DATABASE_LISTEN_URL,
          connections: value.AFTERSEND_DATABASE_CONNECTIONS,
        }
      : undefined,
    roles: value.AFTERSEND_ROLES,
    http: value.AFTERSEND_HTTP,
    submission: value.AFTERSEND_SUBMISSION,
    inbound: value.AFTERSEND_INBOUND,
    publicUrl: value.AFTERSEND_PUBLIC_URL,
    hostname: value.AFTERSEND_HOSTNAME,
    route: value.AFTERSEND_ROUTE,
    secrets: value.AFTERSEND_SECRET_KEY,
    trusted: value.AFTERSEND_TRUSTED,
    webhookAllow: value.AFTERSEND_WEBHOOK_ALLOW,
    deliveryAllow: value.AFTERSEND_DELIVERY_ALLOW,
    proxies: value.AFTERSEND_PROXIES,
    sources: value.AFTERSEND_SOURCES,
    pools: value.AFTERSEND_POOLS,
    destinations: value.AFTERSEND_DESTINATIONS,
    tlsRequired: value.AFTERSEND_TLS_REQUIRED,
    dnsServer: value.AFTERSEND_DNS,
    tls: value.AFTERSEND_TLS_CERT
      ? { certificateFile: value.AFTERSEND_TLS_CERT, keyFile: value.AFTERSEND_TLS_KEY }
      : undefined,
    limits: { messageBytes: value.AFTERSEND_MAX_MESSAGE, recipients: value.AFTERSEND_MAX_RECIPIENTS },
    retry: { firstMs: value.AFTERSEND_RETRY_FIRST, totalMs: value.AFTERSEND_RETRY_FOR },
    keep: {
      eventsMs: value.AFTERSEND_KEEP_EVENTS,
      bodiesMs: value.AFTERSEND_KEEP_BODIES,
      statisticsMs: value.AFTERSEND_KEEP_STATISTICS,
    },
    bodies: bodiesOf(value),
    oidc: oidcOf(value),
    noticeFrom: value.AFTERSEND_NOTICE_FROM,
    metricsToken: value.AFTERSEND_METRICS_TOKEN,
    logLevel: value.AFTERSEND_LOG,
  });
}

/** The table that `aftersend config` prints: one line a setting, secrets never shown. */
export function describeSettings(environment = environmentWithFile(process.cwd())): string {
  return Object.entries<Setting<unknown>>(settings)
    .map(([name, { default: fallback, meaning, secret }]) => {
      const set = environment[name];
      const now = set === undefined ? '' : `\n    now: ${secret ? '(set, not shown)' : set}`;
      return `${name}  [${fallback || 'empty'}]\n    ${meaning}${now}`;
    })
    .join('\n');
}
