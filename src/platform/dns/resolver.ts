/**
 * Answers of the configured name servers, kept as long as they may be (RFC 1035, negative ones by RFC 2308). Questions
 * that are asked at the same time are asked once.
 */
import { getServers } from 'node:dns';
import { isIPv6 } from 'node:net';
import type * as packet from 'dns-packet';
import type { Clock, Random } from '../clock.ts';
import { exchange, type NameServer, NameServerError, type RecordType, type Response } from './exchange.ts';

export type Lookup<Record> =
  | { readonly kind: 'found'; readonly records: readonly Record[]; readonly authenticated: boolean }
  /** The name exists, without such a record. */
  | { readonly kind: 'empty'; readonly authenticated: boolean }
  | { readonly kind: 'no-such-name'; readonly authenticated: boolean };

interface DataOf {
  readonly A: string;
  readonly AAAA: string;
  readonly MX: packet.MxData;
  readonly TXT: packet.TxtData;
  readonly TLSA: packet.TlsaData;
  readonly CNAME: string;
}

export interface Resolver {
  /** @throws NameServerError when no server gives an answer */
  lookup<Type extends RecordType>(name: string, type: Type): Promise<Lookup<DataOf[Type]>>;
}

/** Each server is given this long, and each is asked so often. */
const timeoutMs = 2500;
const rounds = 2;
const maxServers = 3;
const longestKeptS = 24 * 3600;
const longestNegativeS = 15 * 60;
/** Within this, a server that fails is not asked the same again; and what should not be kept at all is. */
const failureKeptS = 20;
const shortestKeptS = 1;
const maxKept = 20_000;
/** CNAMEs from one name to the next, in one answer. */
const maxAliases = 8;

interface Kept {
  readonly answer: Promise<Lookup<unknown>>;
  untilMs: number;
}

export function createResolver({
  server,
  clock,
  random,
}: {
  /** HOST:PORT, the system's servers when ''. */
  server: string;
  clock: Clock;
  random: Random;
}): Resolver {
  // Who stands between us and another machine's resolver can set the bit that vouches (RFC 6840 section 5.7).
  const isTrusted = ({ address }: NameServer) => server !== '' || isLoopback(address);
  const servers = (server === '' ? getServers() : [server]).map(nameServer).slice(0, maxServers);
  /** Oldest first. */
  const kept = new Map<string, Kept>();

  async function ask(name: string, type: RecordType): Promise<Response> {
    let failure = new NameServerError('no name server is configured');
    for (let round = 0; round < rounds; round++) {
      for (const nameServer of servers) {
        try {
          const response = await exchange(nameServer, { name, type }, { clock, random, timeoutMs });
          if (response.rcode === 'NOERROR' || response.rcode === 'NXDOMAIN') {
            return { ...response, authenticated: response.authenticated && isTrusted(nameServer) };
          }
          failure = new NameServerError(`the name server answered ${response.rcode}`);
        } catch (error) {
          if (!(error instanceof NameServerError)) throw error;
          failure = error;
        }
      }
    }
    throw failure;
  }

  async function fetch(name: string, type: RecordType, entry: { untilMs: number }): Promise<Lookup<unknown>> {
    let keepS = failureKeptS;
    try {
      const response = await ask(name, type);
      const { lookup, ttlS } = lookupOf(response, name, type);
      keepS = ttlS;
      return lookup;
    } finally {
      entry.untilMs = clock.now() + keepS * 1000;
    }
  }

  return {
    lookup<Type extends RecordType>(name: string, type: Type) {
      const key = `${type} ${name.toLowerCase()}`;
      const known = kept.get(key);
      if (known !== undefined && known.untilMs > clock.now())
        return known.answer as Promise<Lookup<DataOf[Type]>>;
      kept.delete(key);
      for (const oldest of kept.keys()) {
        if (kept.size < maxKept) break;
        kept.delete(oldest);
      }
      const times = { untilMs: Infinity };
      const answer = fetch(name, type, times);
      kept.set(key, Object.assign(times, { answer }));
      return answer as Promise<Lookup<DataOf[Type]>>;
    },
  };
}

function lookupOf(
  { rcode, answers, authorities, authenticated }: Response,
  name: string,
  type: RecordType,
): { lookup: Lookup<unknown>; ttlS: number } {
  let owner = name.toLowerCase();
  let ttlS = longestKeptS;
  for (let alias = 0; alias <= maxAliases; alias++) {
    const ofOwner = answers.filter((answer) => answer.name.toLowerCase() === owner);
    const records = ofOwner.filter((answer) => answer.type === type);
    for (const answer of ofOwner) if ('ttl' in answer) ttlS = Math.min(ttlS, answer.ttl ?? 0);
    if (records.length > 0) {
      const data = records.map((answer) => ('data' in answer ? answer.data : undefined));
      return {
        lookup: { kind: 'found', records: data, authenticated },
        ttlS: Math.max(shortestKeptS, ttlS),
      };
    }
    const next = ofOwner.find((answer) => answer.type === 'CNAME');
    if (next === undefined || !('data' in next) || typeof next.data !== 'string') break;
    owner = next.data.toLowerCase();
  }
  const soa = authorities.find((answer) => answer.type === 'SOA');
  const negativeS = soa?.type === 'SOA' ? Math.min(soa.ttl ?? 0, soa.data.minimum ?? 0) : shortestKeptS;
  return {
    lookup: { kind: rcode === 'NXDOMAIN' ? 'no-such-name' : 'empty', authenticated },
    ttlS: Math.max(shortestKeptS, Math.min(ttlS, negativeS, longestNegativeS)),
  };
}

const isLoopback = (address: string): boolean => address === '::1' || address.startsWith('127.');

/** As node:dns and the configuration write it: an address, or one with a port behind it. */
function nameServer(text: string): NameServer {
  if (isIPv6(text)) return { address: text, port: 53 };
  const [, bracketed, plain = '', port] = /^(?:\[([^\]]+)\]|([^:]*))(?::(\d+))?$/.exec(text) ?? [];
  return { address: bracketed ?? plain, port: Number(port ?? 53) };
}
