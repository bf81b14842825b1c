/** Where a recipient's mail goes: the built-in simulator, the operator's smarthost, or the MX hosts of the domain. */
import { lookup } from 'node:dns/promises';
import { isIP } from 'node:net';
import ipaddr from 'ipaddr.js';
import type { Route } from '../config/readers.ts';
import type { Clock } from '../platform/clock.ts';
import type { ClaimedMessage } from '../store/contract/queue.ts';
import { AttemptError } from './attempt-error.ts';
import type { RouteHost } from './connections.ts';
import type { MailHosts } from './dns/mail-hosts.ts';
import { type Destination, type DestinationLimits, destinationOf } from './pace/destinations.ts';
import type { Pool, PoolOf } from './pools.ts';
import type { DemandsOf } from './tls/policy.ts';

export interface RoutePlan {
  readonly destination: Destination;
  /** In the order in which they are tried. */
  readonly hosts: readonly RouteHost[];
}

/** @throws AttemptError of stage `dns`, `connect` or `tls` when there is no way */
export type Router = (message: Pick<ClaimedMessage, 'recipient' | 'account' | 'tags'>) => Promise<RoutePlan>;

const simulatorDomain = 'simulator.test';
/** The simulator and a smarthost are the operator's own: they say themselves when it is too fast. */
const ownLimits: DestinationLimits = {
  connections: 20,
  messagesPerConnection: 200,
  messagesPerMinute: Infinity,
};
/** The system's lookup tells no time to live. */
const smarthostKnownMs = 30_000;

export const isSimulatorAddress = (recipient: string): boolean => domainOf(recipient) === simulatorDomain;

export function createRouter({
  route,
  simulator,
  mailHosts,
  demandsOf,
  destinations,
  port,
  poolOf,
  ownPool,
  clock,
}: {
  route: Route;
  /** Where the simulator listens. */
  simulator: { readonly host: string; readonly port: number };
  mailHosts: MailHosts;
  demandsOf: DemandsOf;
  /** The operator's limits, by provider or by the end of an MX host name. */
  destinations: ReadonlyMap<string, DestinationLimits>;
  /** Where recipients' servers listen. */
  port: number;
  poolOf: PoolOf;
  /** For mail to servers of the operator's own. */
  ownPool: Pool;
  clock: Clock;
}): Router {
  let known: { plan: Promise<RoutePlan>; untilMs: number } | undefined;
  const toSimulator: RoutePlan = {
    destination: { name: 'simulator', limits: ownLimits, isOwn: true },
    hosts: [
      {
        name: simulator.host,
        port: simulator.port,
        addresses: [simulator.host],
        implicitTls: false,
        tls: 'none',
        policy: 'no-policy-found',
        login: undefined,
        maxMessages: ownLimits.messagesPerConnection,
        pool: ownPool,
      },
    ],
  };
  return async (message) => {
    const { recipient } = message;
    if (route.kind === 'simulator' || isSimulatorAddress(recipient)) return toSimulator;
    if (route.kind === 'smarthost') {
      if (known === undefined || known.untilMs <= clock.now()) {
        known = { plan: smarthost(route, ownPool), untilMs: clock.now() + smarthostKnownMs };
      }
      return known.plan;
    }
    const domain = domainOf(recipient);
    const found = await mailHosts(domain);
    const { name, limits } = destinationOf(found, destinations);
    const pool = poolOf(message);
    const demands = await demandsOf(domain, found);
    return {
      // Providers count by the address that mail comes from.
      destination: { name: `${name} ${pool.name}`, limits },
      hosts: demands.map(({ host: { name, addresses }, tls, policy }) => ({
        name,
        addresses,
        port,
        implicitTls: false,
        tls,
        policy,
        login: undefined,
        maxMessages: limits.messagesPerConnection,
        pool,
      })),
    };
  };
}

async function smarthost(
  { host, port, implicitTls, login }: Extract<Route, { kind: 'smarthost' }>,
  pool: Pool,
): Promise<RoutePlan> {
  const addresses = isIP(host) === 0 ? await systemLookup(host) : [host];
  const isLocal = addresses.every((address) => ipaddr.process(address).range() === 'loopback');
  // A password goes to nobody but the host that it is for.
  const tls = !isLocal && (implicitTls || login !== undefined) ? 'verified' : 'opportunistic';
  return {
    destination: { name: `${host}:${port}`, limits: ownLimits },
    hosts: [
      {
        name: host,
        port,
        addresses,
        implicitTls,
        tls,
        policy: 'no-policy-found',
        login,
        maxMessages: ownLimits.messagesPerConnection,
        pool,
      },
    ],
  };
}

/** The operator's own host is found as the machine finds hosts, its hosts file included. */
async function systemLookup(host: string): Promise<string[]> {
  try {
    return (await lookup(host, { all: true, order: 'verbatim' })).map(({ address }) => address);
  } catch (error) {
    throw AttemptError.unanswered('dns', `the smarthost ${host} has no address`, error);
  }
}

export function domainOf(address: string): string {
  return address.slice(address.lastIndexOf('@') + 1).toLowerCase();
}
