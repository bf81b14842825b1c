/**
 * How mail goes to each destination: which servers are one destination, how many connections it gets, how much each of
 * them carries and how many messages go there a minute. The operator's settings come first, then what is known of large
 * providers, then a cautious default. Numbers for providers are on the careful side of what they publish or tolerate;
 * what they say as mail goes (`pace.ts`) counts for more.
 */

import { isWithin, providerOfHost } from '../../mail/providers.ts';

export interface DestinationLimits {
  readonly connections: number;
  readonly messagesPerConnection: number;
  readonly messagesPerMinute: number;
}

export interface Destination {
  /** Messages with the same one share limits and connections. */
  readonly name: string;
  readonly limits: DestinationLimits;
  /** Each process has one of this name for itself. */
  readonly isOwn?: true;
}

/** For servers that nothing is known of. */
const usual: DestinationLimits = { connections: 10, messagesPerConnection: 100, messagesPerMinute: 1200 };

/** Connections, messages on each of them, messages a minute, by the provider whose servers they are. */
const limitsOfProviders: Readonly<Record<string, readonly [number, number, number]>> = {
  google: [20, 100, 3000],
  'outlook.com': [15, 100, 1500],
  'microsoft-365': [20, 100, 2000],
  yahoo: [10, 20, 600],
  apple: [5, 50, 600],
  'mail.ru': [10, 50, 900],
  yandex: [10, 50, 900],
  rambler: [3, 20, 120],
  'gmx-web.de': [8, 50, 600],
  ionos: [8, 50, 600],
  't-online': [5, 50, 300],
  orange: [2, 50, 120],
  free: [2, 50, 120],
  laposte: [2, 50, 120],
  sfr: [2, 50, 120],
  comcast: [5, 50, 300],
  charter: [5, 50, 300],
  cox: [3, 50, 120],
  proton: [5, 50, 300],
  fastmail: [10, 100, 900],
  zoho: [5, 50, 300],
  qq: [5, 20, 120],
  netease: [5, 20, 120],
  naver: [5, 20, 300],
  mimecast: [10, 50, 600],
  proofpoint: [10, 50, 600],
  barracuda: [10, 50, 600],
};

function limitsOf(provider: string): DestinationLimits {
  const [connections, messagesPerConnection, messagesPerMinute] = limitsOfProviders[provider] ?? [];
  return {
    connections: connections ?? usual.connections,
    messagesPerConnection: messagesPerConnection ?? usual.messagesPerConnection,
    messagesPerMinute: messagesPerMinute ?? usual.messagesPerMinute,
  };
}

/**
 * @param hosts best first; of several with the same preference the same one speaks for all of them each time
 * @param settings the operator's, by provider or by the end of an MX host name
 */
export function destinationOf(
  hosts: readonly { readonly name: string; readonly preference: number }[],
  settings: ReadonlyMap<string, DestinationLimits>,
): Destination {
  const best = Math.min(...hosts.map(({ preference }) => preference));
  const [host = ''] = hosts
    .filter(({ preference }) => preference === best)
    .map(({ name }) => name)
    .sort();
  const known = providerOfHost(host);
  const own = [...settings].find(([name]) => name === known || isWithin(host, name))?.[1];
  return { name: known ?? host, limits: own ?? (known === undefined ? usual : limitsOf(known)) };
}
