/**
 * The servers that take a domain's mail (RFC 5321 section 5.1): MX by preference, the domain itself where it has none,
 * nobody where it says so (RFC 7505). Every address passes the guard here, and connections go to these addresses.
 */
import { isIP } from 'node:net';
import { domainToASCII } from 'node:url';
import type { Random } from '../../platform/clock.ts';
import { AttemptError } from '../attempt-error.ts';
import { NameServerError } from '../../platform/dns/exchange.ts';
import type { Resolver } from '../../platform/dns/resolver.ts';

/** MX hosts that an attempt goes through. */
const maxHosts = 6;

/** A server that takes a domain's mail. */
export interface MailHost {
  readonly name: string;
  readonly preference: number;
  readonly addresses: readonly string[];
  /** A trusted resolver vouches for the way from the domain to these addresses (DNSSEC). */
  readonly secure: boolean;
}

/** The hosts that take a domain's mail, best first. @throws AttemptError */
export type MailHosts = (domain: string) => Promise<readonly MailHost[]>;

/** @returns all addresses that may be connected to */
export function createMailHosts({
  resolver,
  mayConnect,
  ownNames,
  random,
}: {
  resolver: Resolver;
  /** The guard: false for an address that delivery must not reach. */
  mayConnect: (address: string) => boolean;
  /** Under which this service is itself a mail server, in lower case. */
  ownNames: readonly string[];
  random: Random;
}): MailHosts {
  return async (recipientDomain) => {
    const literal = literalAddress(recipientDomain);
    if (literal !== undefined) {
      if (!mayConnect(literal)) throw notPublic(recipientDomain);
      return [{ name: recipientDomain, preference: 0, addresses: [literal], secure: false }];
    }
    const domain = domainToASCII(recipientDomain);
    if (domain === '') throw AttemptError.impossible('dns', '5.4.4', `${recipientDomain} is no domain name`);
    const names = withoutOurselves(domain, await mailNames(domain), ownNames).slice(0, maxHosts);
    const hosts = await Promise.allSettled(
      names.map(async ({ name, preference, secure }): Promise<MailHost> => {
        const found = await addressesOf(name);
        return { name, preference, addresses: found.addresses, secure: secure && found.secure };
      }),
    );
    const known = hosts.flatMap((host) => (host.status === 'fulfilled' ? [host.value] : []));
    const withAddress = known.filter(({ addresses }) => addresses.length > 0);
    const permitted = permittedBy(mayConnect, withAddress);
    if (permitted.length > 0) return permitted;
    // One that could not be asked for may be the good one: nothing is for good yet.
    for (const host of hosts) if (host.status === 'rejected') throw asAttemptError(domain, host.reason);
    if (withAddress.length > 0) throw notPublic(domain);
    throw AttemptError.impossible('dns', '5.4.4', `no mail server of ${domain} has an address`);
  };

  /** Best first; hosts of the same preference in an order of chance, which spreads the mail over them. */
  async function mailNames(
    domain: string,
  ): Promise<readonly Pick<MailHost, 'name' | 'preference' | 'secure'>[]> {
    const found = await resolver.lookup(domain, 'MX').catch((error: unknown) => {
      throw asAttemptError(domain, error);
    });
    switch (found.kind) {
      case 'no-such-name':
        throw AttemptError.impossible('dns', '5.4.4', `there is no domain ${domain}`);
      case 'empty':
        return [{ name: domain.toLowerCase(), preference: 0, secure: found.authenticated }];
      case 'found': {
        const records = found.records.map(({ preference = 0, exchange }) => ({
          preference,
          name: exchange.toLowerCase().replace(/\.$/, ''),
          lot: random.unit(),
        }));
        if (records.every(({ name }) => name === '')) {
          throw AttemptError.impossible('dns', '5.4.4', `${domain} takes no mail (null MX, RFC 7505)`);
        }
        const sorted = records
          .filter(({ name }) => name !== '')
          .sort((a, b) => a.preference - b.preference || a.lot - b.lot);
        return sorted
          .filter(({ name }, index) => sorted.findIndex((other) => other.name === name) === index)
          .map(({ name, preference }) => ({ name, preference, secure: found.authenticated }));
      }
    }
  }

  /** Of both families in turn, so that a family that cannot be reached from here costs one try each. */
  async function addressesOf(name: string): Promise<Pick<MailHost, 'addresses' | 'secure'>> {
    // Some write an address where a name belongs. It is not worth losing mail for.
    if (isIP(name) !== 0) return { addresses: [name], secure: false };
    const families = await Promise.allSettled([resolver.lookup(name, 'A'), resolver.lookup(name, 'AAAA')]);
    const [v4 = [], v6 = []] = families.map((family) =>
      family.status === 'fulfilled' && family.value.kind === 'found' ? family.value.records : [],
    );
    const addresses = v4.length >= v6.length ? interleaved(v4, v6) : interleaved(v6, v4);
    const failed = families.find((family) => family.status === 'rejected');
    if (addresses.length === 0 && failed !== undefined) throw failed.reason;
    // By the addresses that are used: a family that could not be asked for must not take the others' worth away.
    const secure = families.every(
      (family) => family.status === 'rejected' || family.value.kind !== 'found' || family.value.authenticated,
    );
    return { addresses, secure };
  }
}

/** RFC 5321 section 5.1: a host that is no better than ourselves would only send the message back here. */
function withoutOurselves<Named extends Pick<MailHost, 'name' | 'preference'>>(
  domain: string,
  hosts: readonly Named[],
  ownNames: readonly string[],
): readonly Named[] {
  const ours = hosts.filter(({ name }) => ownNames.includes(name)).map(({ preference }) => preference);
  const better = hosts.filter(({ preference }) => preference < Math.min(...ours));
  if (better.length > 0) return better;
  throw AttemptError.impossible('dns', '5.4.6', `the mail server of ${domain} is this service itself`);
}

/** The hosts with the addresses that delivery may reach. */
function permittedBy(
  mayConnect: (address: string) => boolean,
  hosts: readonly MailHost[],
): readonly MailHost[] {
  return hosts
    .map((host) => ({ ...host, addresses: host.addresses.filter(mayConnect) }))
    .filter(({ addresses }) => addresses.length > 0);
}

const notPublic = (domain: string): AttemptError =>
  AttemptError.impossible('connect', '5.4.1', `the mail servers of ${domain} have no public address`);

function interleaved(longer: readonly string[], shorter: readonly string[]): string[] {
  return longer.flatMap((address, index) => [address, ...shorter.slice(index, index + 1)]);
}

/** `[192.0.2.1]`, `[IPv6:2001:db8::1]` (RFC 5321 section 4.1.3). */
function literalAddress(domain: string): string | undefined {
  const address = /^\[(?:ipv6:)?([^\]]+)\]$/i.exec(domain)?.[1];
  return address !== undefined && isIP(address) !== 0 ? address : undefined;
}

function asAttemptError(domain: string, error: unknown): unknown {
  if (!(error instanceof NameServerError)) return error;
  return AttemptError.unanswered(
    'dns',
    `the name servers of ${domain} cannot be asked: ${error.message}`,
    error,
  );
}
