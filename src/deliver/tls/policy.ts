/**
 * What each mail server of a domain has to show: DANE where its records are signed, else the domain's MTA-STS policy, else
 * what the operator asks for it. DANE wins over MTA-STS (RFC 8461 section 2).
 */
import { NameServerError } from '../../platform/dns/exchange.ts';
import type { Resolver } from '../../platform/dns/resolver.ts';
import { AttemptError } from '../attempt-error.ts';
import type { MailHost } from '../dns/mail-hosts.ts';
import { isUsable } from './dane.ts';
import type { CountTls, TlsDemand, TlsPolicyType } from './demand.ts';
import { type FindStsPolicy, namesHost, type StsPolicy } from './mta-sts.ts';

export interface HostWithDemand {
  readonly host: MailHost;
  readonly tls: TlsDemand;
  readonly policy: TlsPolicyType;
}

/** @throws AttemptError of stage `tls` if mail may go to none of the hosts for now */
export type DemandsOf = (domain: string, hosts: readonly MailHost[]) => Promise<readonly HostWithDemand[]>;

export function createDemands({
  resolver,
  findStsPolicy,
  tlsRequired,
  port,
  count,
}: {
  resolver: Resolver;
  findStsPolicy: FindStsPolicy;
  /** Recipients' domains that the operator wants mail to go to by TLS alone. */
  tlsRequired: ReadonlySet<string>;
  port: number;
  count: CountTls;
}): DemandsOf {
  return async (domain, hosts) => {
    const sts = await findStsPolicy(domain);
    const usual: TlsDemand = tlsRequired.has(domain) ? 'required' : 'opportunistic';
    const demands = await Promise.all(
      hosts.map(async (host) => {
        const dane = await daneDemand(host);
        if (dane === 'unknown') return undefined;
        if (dane !== undefined) return { host, tls: dane, policy: 'tlsa' as const };
        return stsDemand(host, sts, usual, count);
      }),
    );
    const reachable = demands.filter((demand) => demand !== undefined);
    if (reachable.length > 0) return reachable;
    const text = `no mail server of ${domain} may be used: its TLS policy (DANE or MTA-STS) allows none of them`;
    throw AttemptError.unanswered('tls', text);
  };

  /** RFC 7672 section 2.2. `unknown`: there may be records, but they cannot be had, so the host must not be used. */
  async function daneDemand({ name, secure }: MailHost): Promise<TlsDemand | undefined | 'unknown'> {
    if (!secure) return undefined;
    try {
      const found = await resolver.lookup(`_${port}._tcp.${name}`, 'TLSA');
      if (found.kind !== 'found' || !found.authenticated) return undefined;
      const records = found.records.filter(isUsable);
      return records.length > 0 ? { kind: 'dane', records } : 'required';
    } catch (error) {
      if (!(error instanceof NameServerError)) throw error;
      count('tlsa', 'dnssec-invalid');
      return 'unknown';
    }
  }
}

function stsDemand(
  host: MailHost,
  sts: StsPolicy | undefined,
  usual: TlsDemand,
  count: CountTls,
): HostWithDemand | undefined {
  if (sts === undefined || sts.mode === 'none') return { host, tls: usual, policy: 'no-policy-found' };
  const named = namesHost(sts, host.name);
  if (!named) count('sts', 'certificate-host-mismatch');
  // Section 5: in testing, mail goes as if there were no policy, and only the count tells.
  if (sts.mode === 'testing') return { host, tls: usual, policy: 'sts' };
  return named ? { host, tls: 'verified', policy: 'sts' } : undefined;
}
