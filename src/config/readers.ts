/** How the text of a setting becomes its value. Each reader throws an Error that says what the text should look like. */
import ipaddr from 'ipaddr.js';
import { serverUrls } from './database-url.ts';
import { shortestSecret, splitSecrets } from './secret-file.ts';

export interface ListenAddress {
  readonly host: string;
  /** 0 for any free port. */
  readonly port: number;
}

/** An address range: ipaddr.js's parsed form of a CIDR. */
export type Network = readonly [ipaddr.IPv4 | ipaddr.IPv6, number];

export interface TrustedNetwork {
  readonly network: Network;
  /** The name of the account whose mail it is. */
  readonly account: string;
}

export type Route =
  | { readonly kind: 'simulator' }
  | { readonly kind: 'mx' }
  | {
      readonly kind: 'smarthost';
      readonly host: string;
      readonly port: number;
      /** TLS from the first byte (`smtps:`); otherwise STARTTLS when it is offered. */
      readonly implicitTls: boolean;
      readonly login: { readonly username: string; readonly password: string } | undefined;
    };

const logLevels = ['debug', 'info', 'warn', 'error', 'silent'] as const;
export type LogLevel = (typeof logLevels)[number];

export const text = (value: string): string => value;

export interface PoolSource {
  readonly pool: string;
  readonly address: string;
  readonly ehloName: string;
}

/** `POOL=ADDRESS/NAME`, comma-separated; `*` as ADDRESS leaves the choice to the system. */
export function poolSources(value: string): readonly PoolSource[] {
  return commaSeparated(value).map((entry) => {
    const [, pool = '', address = '', name = ''] = /^([\w.-]+)=([^/\s]+)\/(\S+)$/.exec(entry) ?? [];
    if (pool === '' || (address !== '*' && !ipaddr.isValid(address))) {
      throw new Error(`'${entry}' is not POOL=ADDRESS/NAME, as in bulk=192.0.2.2/mail2.example.com`);
    }
    return { pool, address: address === '*' ? '' : address, ehloName: hostname(name) };
  });
}

export interface PoolChoice {
  readonly kind: 'account' | 'tag' | 'any';
  readonly of: string;
  readonly pool: string;
}

/** `account:NAME=POOL`, `tag:NAME=POOL`, `*=POOL`, comma-separated. */
export function poolChoices(value: string): readonly PoolChoice[] {
  return commaSeparated(value).map((entry) => {
    const [, what = '', pool = ''] = /^(\*|account:.+|tag:.+)=([\w.-]+)$/.exec(entry) ?? [];
    if (what === '') throw new Error(`'${entry}' is not account:NAME=POOL, tag:NAME=POOL or *=POOL`);
    if (what === '*') return { kind: 'any', of: '', pool };
    const [kind = '', ...of] = what.split(':');
    return { kind: kind === 'tag' ? 'tag' : 'account', of: of.join(':'), pool };
  });
}

interface DestinationSettings {
  readonly connections: number;
  readonly messagesPerConnection: number;
  readonly messagesPerMinute: number;
}

/** `HOST=CONNECTIONS/MESSAGES/PER-MINUTE`, comma-separated. */
export function destinationLimits(value: string): ReadonlyMap<string, DestinationSettings> {
  return new Map(
    commaSeparated(value).map((entry) => {
      const match = /^([\w.-]+)=(\d+)\/(\d+)\/(\d+)$/.exec(entry);
      const [connections = 0, messagesPerConnection = 0, messagesPerMinute = 0] = (match ?? [])
        .slice(2)
        .map(Number);
      if (connections < 1 || messagesPerConnection < 1 || messagesPerMinute < 1) {
        throw new Error(`'${entry}' is not HOST=CONNECTIONS/MESSAGES/PER-MINUTE, as in example.org=5/50/300`);
      }
      return [match?.[1]?.toLowerCase() ?? '', { connections, messagesPerConnection, messagesPerMinute }];
    }),
  );
}

export function domainNames(value: string): ReadonlySet<string> {
  return new Set(commaSeparated(value).map(hostname));
}

export function listenAddress(value: string): ListenAddress {
  const match = /^(?:\[(?<v6>[0-9a-fA-F:]+)\]|(?<host>[^:\s]+)):(?<port>\d{1,5})$/.exec(value);
  const port = Number(match?.groups?.['port']);
  if (match === null || port > 65535) throw new Error(`'${value}' is not HOST:PORT, as in 127.0.0.1:8080`);
  return { host: match.groups?.['v6'] ?? match.groups?.['host'] ?? '', port };
}

export function publicUrl(value: string): string | undefined {
  if (value === '') return undefined;
  const url = URL.parse(value);
  if (
    url === null ||
    !/^https?:$/.test(url.protocol) ||
    url.pathname !== '/' ||
    url.search ||
    url.hash ||
    url.username
  ) {
    throw new Error(`'${value}' is not http(s)://HOST or http(s)://HOST:PORT`);
  }
  return url.origin;
}

export function hostname(value: string): string {
  if (!/^(?=.{1,253}$)[a-z0-9]([a-z0-9-]*[a-z0-9])?(\.[a-z0-9]([a-z0-9-]*[a-z0-9])?)*$/i.test(value)) {
    throw new Error(`'${value}' is not a host name, as in mail.example.com`);
  }
  return value.toLowerCase();
}

export function route(value: string): Route {
  if (value === 'simulator' || value === 'mx') return { kind: value };
  const url = URL.parse(value);
  if (url === null || !/^smtps?:$/.test(url.protocol) || url.hostname === '') {
    // The value is not repeated: it may hold a password.
    throw new Error('is neither simulator, mx nor smtp://user:pass@host:port');
  }
  const implicitTls = url.protocol === 'smtps:';
  return {
    kind: 'smarthost',
    host: url.hostname.replace(/^\[|\]$/g, ''),
    port: url.port === '' ? (implicitTls ? 465 : 25) : Number(url.port),
    implicitTls,
    login: url.username
      ? { username: decodeURIComponent(url.username), password: decodeURIComponent(url.password) }
      : undefined,
  };
}

/** As its provider writes it, without the path of its document. */
export function oidcIssuer(value: string): string | undefined {
  if (value === '') return undefined;
  const url = URL.parse(value.replace(/\/\.well-known\/openid-configuration$/, ''));
  const isLocal = url !== null && /^(localhost|127\.[\d.]+|\[::1\])$/.test(url.hostname);
  if (url === null || (url.protocol !== 'https:' && !(url.protocol === 'http:' && isLocal))) {
    throw new Error(`'${value}' is not https://HOST/PATH, the issuer as the provider writes it`);
  }
  if (url.search || url.hash || url.username) throw new Error(`'${value}' is more than an issuer has`);
  return url.href;
}

const personRoles = ['support', 'developer', 'owner'] as const;

interface AdmittedDomain {
  readonly domain: string;
  readonly account: string;
  readonly role: (typeof personRoles)[number];
}

/** `DOMAIN=ACCOUNT:ROLE`, comma-separated. */
export function admittedDomains(value: string): readonly AdmittedDomain[] {
  return commaSeparated(value).map((entry) => {
    const [, domain = '', account = '', wanted] = /^([^=\s]+)=([\w.-]+):(\w+)$/.exec(entry) ?? [];
    const role = personRoles.find((known) => known === wanted);
    if (role === undefined) {
      throw new Error(`'${entry}' is not DOMAIN=ACCOUNT:ROLE with a role of ${personRoles.join(', ')}`);
    }
    return { domain: hostname(domain), account, role };
  });
}

export function secrets(value: string): readonly string[] {
  const list = splitSecrets(value);
  if (list.some((secret) => secret.length < shortestSecret)) {
    throw new Error(`a secret needs ${shortestSecret} characters or more`);
  }
  return list;
}

export function databaseUrl(value: string): string | undefined {
  if (value === '') return undefined;
  serverUrls(value);
  return value;
}

/** `s3://BUCKET/PREFIX`, of characters that need no encoding in a URL. */
export function bodyPlace(value: string): { readonly bucket: string; readonly prefix: string } | undefined {
  if (value === '') return undefined;
  const [, bucket, path = ''] =
    /^s3:\/\/([a-z0-9][a-z0-9.-]{1,61}[a-z0-9])((?:\/[\w.-]+)*)\/?$/.exec(value) ?? [];
  if (bucket === undefined || path.split('/').some((part) => /^\.\.?$/.test(part))) {
    throw new Error('is not s3://BUCKET/PREFIX, as in s3://mail.example.com/aftersend');
  }
  return { bucket, prefix: path === '' ? '' : `${path.slice(1)}/` };
}

/** @returns undefined for ''. The error does not repeat what may hold a password. */
export function origin(value: string): string | undefined {
  if (value === '') return undefined;
  const url = URL.parse(value);
  const isOrigin = url !== null && `${url.origin}/` === url.href && /^https?:$/.test(url.protocol);
  if (!isOrigin) throw new Error('is not a URL without a path, as in https://objects.example.com');
  return url.origin;
}

const roleNames = ['api', 'submission', 'inbound', 'delivery', 'webhooks'] as const;
/** What a process does; the rest does another one that shares the database. */
export type Role = (typeof roleNames)[number];

export function roles(value: string): ReadonlySet<Role> {
  const names = value === 'all' ? roleNames : commaSeparated(value);
  const isRole = (name: string): name is Role => roleNames.some((role) => role === name);
  if (names.length === 0 || !names.every(isRole)) {
    throw new Error(`'${value}' is neither all nor some of ${roleNames.join(', ')}`);
  }
  return new Set(names);
}

export function networks(value: string): readonly Network[] {
  return commaSeparated(value).map(network);
}

export function trustedNetworks(value: string): readonly TrustedNetwork[] {
  return commaSeparated(value).map((entry) => {
    const [cidr, account, ...rest] = entry.split('=').map((part) => part.trim());
    if (!cidr || !account || rest.length > 0) throw new Error(`'${entry}' is not CIDR=ACCOUNT`);
    return { network: network(cidr), account };
  });
}

export function bytes(value: string): number {
  return measured(
    value,
    { '': 1, b: 1, kib: 2 ** 10, mib: 2 ** 20, gib: 2 ** 30, kb: 1e3, mb: 1e6, gb: 1e9 },
    '25 MiB',
  );
}

export function duration(value: string): number {
  return measured(
    value,
    { ms: 1, s: 1e3, second: 1e3, m: 6e4, min: 6e4, minute: 6e4, h: 36e5, hour: 36e5, d: 864e5, day: 864e5 },
    '90 s, 5 minutes or 3 days',
  );
}

export function count(value: string): number {
  const number = Number(value);
  if (!Number.isSafeInteger(number) || number < 1)
    throw new Error(`'${value}' is not a whole number from 1 on`);
  return number;
}

export function logLevel(value: string): LogLevel {
  const level = logLevels.find((name) => name === value);
  if (level === undefined) throw new Error(`'${value}' is none of ${logLevels.join(', ')}`);
  return level;
}

function network(cidr: string): Network {
  try {
    return cidr.includes('/')
      ? ipaddr.parseCIDR(cidr)
      : [ipaddr.parse(cidr), ipaddr.parse(cidr).kind() === 'ipv4' ? 32 : 128];
  } catch {
    throw new Error(`'${cidr}' is not a network, as in 10.0.0.0/8 or fd00::/8`);
  }
}

function commaSeparated(value: string): string[] {
  return value
    .split(',')
    .map((part) => part.trim())
    .filter((part) => part !== '');
}

function measured(value: string, units: Readonly<Record<string, number>>, example: string): number {
  const match = /^(\d+(?:\.\d+)?)\s*([a-z]*)$/i.exec(value);
  const unit = match?.[2]?.toLowerCase() ?? '';
  const factor = units[unit] ?? (unit.length > 1 ? units[unit.replace(/s$/, '')] : undefined);
  if (match === null || factor === undefined)
    throw new Error(`'${value}' is not understood; write for example ${example}`);
  return Math.round(Number(match[1]) * factor);
}
