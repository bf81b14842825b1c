/** Looks whether a sending domain's records are published. It believes what the name servers say and changes nothing. */
import { NameServerError } from '../platform/dns/exchange.ts';
import type { Lookup, Resolver } from '../platform/dns/resolver.ts';
import type { DomainRecord, OurNames } from './records.ts';

export const lookStates = ['found', 'missing', 'wrong', 'unknown'] as const;

/** What was found where a record should be. `unknown`: the name servers did not answer. */
export interface Look {
  readonly state: (typeof lookStates)[number];
  /** What stands there instead, or as well. */
  readonly seen: readonly string[];
}

const maxSeen = 5;
const maxSeenLength = 600;

export async function lookFor(record: DomainRecord, resolver: Resolver, names: OurNames): Promise<Look> {
  try {
    return record.type === 'TXT'
      ? await lookForText(record, resolver, names)
      : await lookForAlias(record, resolver);
  } catch (error) {
    if (!(error instanceof NameServerError)) throw error;
    return { state: 'unknown', seen: [] };
  }
}

async function lookForText(record: DomainRecord, resolver: Resolver, names: OurNames): Promise<Look> {
  const texts = recordsOf(await resolver.lookup(record.name, 'TXT')).map(textOf);
  const wanted = {
    dkim: /^v=DKIM1\b|(?:^|;)\s*p=/i,
    spf: /^v=spf1(?: |$)/i,
    dmarc: /^v=DMARC1\b/i,
    'return-path': /^/,
    tracking: /^/,
  }[record.purpose];
  const candidates = texts.filter((text) => wanted.test(text));
  return verdict(candidates, (text) => fits(text, record, names));
}

function fits(text: string, { purpose, value }: DomainRecord, { hostname }: OurNames): boolean {
  switch (purpose) {
    case 'dkim':
      return tagOf(text, 'p') === tagOf(value, 'p');
    case 'spf':
      return text.toLowerCase().split(/\s+/).includes(`include:${hostname.toLowerCase()}`);
    case 'dmarc':
      return true;
    case 'return-path':
    case 'tracking':
      return text === value;
  }
}

/** A CNAME, or for a host that takes bounces an MX that leads to the same place. */
async function lookForAlias({ name, value, purpose }: DomainRecord, resolver: Resolver): Promise<Look> {
  const aliases = recordsOf(await resolver.lookup(name, 'CNAME')).map(withoutDot);
  const hosts =
    purpose === 'return-path' && aliases.length === 0
      ? recordsOf(await resolver.lookup(name, 'MX')).map(({ exchange }) => withoutDot(exchange))
      : [];
  return verdict([...aliases, ...hosts], (target) => target === value.toLowerCase());
}

function verdict(candidates: readonly string[], fit: (text: string) => boolean): Look {
  const seen = candidates.slice(0, maxSeen).map((text) => text.slice(0, maxSeenLength));
  const state = candidates.some(fit) ? 'found' : candidates.length > 0 ? 'wrong' : 'missing';
  return { state, seen };
}

const recordsOf = <Data>(lookup: Lookup<Data>): readonly Data[] =>
  lookup.kind === 'found' ? lookup.records : [];

const withoutDot = (name: string): string => name.toLowerCase().replace(/\.$/, '');

/** The strings of one record belong together (RFC 7208 section 3.3, RFC 6376 section 3.6.2.2). */
const textOf = (data: string | Buffer | readonly (string | Buffer)[]): string =>
  (Array.isArray(data) ? data : [data]).map(String).join('');

function tagOf(record: string, name: string): string | undefined {
  for (const part of record.split(';')) {
    const [tag = '', ...value] = part.split('=');
    if (tag.trim() === name) return value.join('=').replaceAll(/\s/g, '');
  }
  return undefined;
}
