/**
 * MTA-STS policies (RFC 8461): what a domain says, over HTTPS, of its mail servers and their TLS. A policy holds as long as
 * it says, also when it cannot be fetched again: who can stop the fetching must not be able to stop the policy.
 */
import type { Dispatcher } from 'undici';
import type { Clock } from '../../platform/clock.ts';
import { NameServerError } from '../../platform/dns/exchange.ts';
import type { Resolver } from '../../platform/dns/resolver.ts';
import type { CountTls } from './demand.ts';

export interface StsPolicy {
  readonly mode: 'enforce' | 'testing' | 'none';
  /** Host names, or `*.` and what follows one label. */
  readonly hosts: readonly string[];
  readonly maxAgeS: number;
}

/** The policy that holds for a domain's mail, undefined if there is none. Never rejects for what others do. */
export type FindStsPolicy = (domain: string) => Promise<StsPolicy | undefined>;

/** Section 3.3 says a minute at most; mail waits for it. */
const fetchTimeoutMs = 10_000;
/** A policy that could not be had is not asked for again within this. */
const failureKeptMs = 5 * 60_000;
const maxPolicyBytes = 64 * 1024;
/** Section 3.2: about a year. */
const longestAgeS = 31_557_600;
const maxKept = 10_000;

interface Kept {
  readonly id: string;
  readonly policy: Promise<StsPolicy | undefined>;
  untilMs: number;
}

export function createStsPolicies({
  resolver,
  agent,
  clock,
  count,
  httpsPort = 443,
}: {
  resolver: Resolver;
  /** Guarded: policy hosts are strangers' machines. */
  agent: Dispatcher;
  clock: Clock;
  count: CountTls;
  httpsPort?: number;
}): FindStsPolicy {
  const kept = new Map<string, Kept>();

  return async (domain) => {
    const id = await publishedId(domain, resolver);
    const known = kept.get(domain);
    const holds = known !== undefined && known.untilMs > clock.now();
    if (holds && (id === undefined || known.id === id)) return known.policy;
    if (id === undefined) return undefined;
    for (const oldest of kept.keys()) {
      if (kept.size < maxKept) break;
      kept.delete(oldest);
    }
    const before = holds ? known.policy : undefined;
    const entry: { -readonly [Name in keyof Kept]: Kept[Name] } = {
      id,
      policy: Promise.resolve(undefined),
      untilMs: Infinity,
    };
    entry.policy = renew(domain, entry, before, known?.untilMs ?? 0);
    kept.delete(domain);
    kept.set(domain, entry);
    return entry.policy;
  };

  async function renew(
    domain: string,
    entry: { untilMs: number },
    before: Promise<StsPolicy | undefined> | undefined,
    beforeUntilMs: number,
  ): Promise<StsPolicy | undefined> {
    const policy = await fetchPolicy(domain);
    if (policy !== undefined) {
      entry.untilMs = clock.now() + policy.maxAgeS * 1000;
      return policy;
    }
    const earlier = await before;
    entry.untilMs = clock.now() + failureKeptMs;
    if (earlier !== undefined) entry.untilMs = Math.min(entry.untilMs, beforeUntilMs);
    return earlier;
  }

  async function fetchPolicy(domain: string): Promise<StsPolicy | undefined> {
    const over = new AbortController();
    const timeUp = new AbortController();
    void clock.sleep(fetchTimeoutMs, over.signal).then(() => timeUp.abort());
    try {
      const host = `mta-sts.${domain}${httpsPort === 443 ? '' : `:${httpsPort}`}`;
      const { statusCode, headers, body } = await agent.request({
        origin: `https://${host}`,
        path: '/.well-known/mta-sts.txt',
        method: 'GET',
        signal: timeUp.signal,
      });
      let text = '';
      for await (const chunk of body) {
        text += String(chunk);
        if (text.length > maxPolicyBytes) throw new Error('the policy has no end');
      }
      // Section 3.3: redirects are not followed.
      const served = statusCode === 200 && /^text\/plain\b/i.test(String(headers['content-type']));
      const policy = served ? parsePolicy(text) : undefined;
      if (policy === undefined) count('sts', 'sts-policy-invalid');
      return policy;
    } catch {
      count('sts', 'sts-policy-fetch-error');
      return undefined;
    } finally {
      over.abort();
    }
  }
}

/** The id in the domain's `_mta-sts` record (section 3.1), undefined if it has none, or one that cannot be asked for. */
async function publishedId(domain: string, resolver: Resolver): Promise<string | undefined> {
  try {
    const found = await resolver.lookup(`_mta-sts.${domain}`, 'TXT');
    if (found.kind !== 'found') return undefined;
    const records = found.records
      .map((data) => (Array.isArray(data) ? data : [data]).map(String).join(''))
      .filter((text) => /^v=STSv1\s*;/.test(text));
    const [record] = records;
    // Several records are as good as none.
    if (record === undefined || records.length > 1) return undefined;
    return /;\s*id\s*=\s*([A-Za-z0-9]{1,32})\s*(?:;|$)/.exec(record)?.[1];
  } catch (error) {
    if (error instanceof NameServerError) return undefined;
    throw error;
  }
}

/** Section 3.2. @returns undefined for what is no policy */
export function parsePolicy(text: string): StsPolicy | undefined {
  const fields = text
    .split(/\r?\n/)
    .map((line) => /^([a-z_]+)\s*:\s*(.*?)\s*$/i.exec(line))
    .filter((match) => match !== null)
    .map(([, name = '', value = '']) => [name.toLowerCase(), value] as const);
  const first = (wanted: string) => fields.find(([name]) => name === wanted)?.[1];
  const mode = first('mode');
  const maxAge = first('max_age') ?? '';
  const hosts = fields.filter(([name]) => name === 'mx').map(([, value]) => value.toLowerCase());
  if (first('version') !== 'STSv1' || !/^\d{1,10}$/.test(maxAge)) return undefined;
  if (mode !== 'enforce' && mode !== 'testing' && mode !== 'none') return undefined;
  if (mode !== 'none' && hosts.length === 0) return undefined;
  return { mode, hosts, maxAgeS: Math.min(Number(maxAge), longestAgeS) };
}

/** Section 4.1: `*.` stands for one label. */
export function namesHost({ hosts }: StsPolicy, host: string): boolean {
  const parent = `*${host.slice(host.indexOf('.'))}`;
  return hosts.some((pattern) => pattern === host || (host.includes('.') && pattern === parent));
}
