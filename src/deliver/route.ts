/** Where a recipient's mail goes: the built-in simulator, the operator's smarthost, or the MX hosts of the domain. */
import { lookup } from 'node:dns/promises';
import { isIP } from 'node:net';
import ipaddr from 'ipaddr.js';
import type { Route } from '../config/readers.ts';
import type { Clock } from '../platform/clock.ts';
import { AttemptError } from './attempt-error.ts';
import type { RouteHost } from './connections.ts';

export interface RoutePlan {
  /** Messages with the same one share a lane. */
  readonly destination: string;
  /** In the order in which they are tried. */
  readonly hosts: readonly RouteHost[];
}

/** @throws AttemptError of stage `dns` or `connect` when there is no way */
export type Router = (recipient: string) => Promise<RoutePlan>;

/** The hosts that take a domain's mail, with their addresses. @throws AttemptError */
export type MailHosts = (
  domain: string,
) => Promise<readonly { readonly name: string; readonly addresses: readonly string[] }[]>;

const simulatorDomain = 'simulator.test';
const smtpPort = 25;
/** The system's lookup tells no time to live. */
const smarthostKnownMs = 30_000;

export const isSimulatorAddress = (recipient: string): boolean => domainOf(recipient) === simulatorDomain;

export function createRouter({
  route,
  simulator,
  mailHosts,
  clock,
}: {
  route: Route;
  /** Where the simulator listens. */
  simulator: { readonly host: string; readonly port: number };
  mailHosts: MailHosts;
  clock: Clock;
}): Router {
  let known: { plan: Promise<RoutePlan>; untilMs: number } | undefined;
  const toSimulator: RoutePlan = {
    destination: 'simulator',
    hosts: [
      {
        name: simulator.host,
        port: simulator.port,
        addresses: [simulator.host],
        implicitTls: false,
        tls: 'none',
        login: undefined,
      },
    ],
  };
  return async (recipient) => {
    if (route.kind === 'simulator' || isSimulatorAddress(recipient)) return toSimulator;
    if (route.kind === 'smarthost') {
      if (known === undefined || known.untilMs <= clock.now()) {
        known = { plan: smarthost(route), untilMs: clock.now() + smarthostKnownMs };
      }
      return known.plan;
    }
    const hosts = await mailHosts(domainOf(recipient));
    return {
      destination: hosts[0]?.name ?? '',
      hosts: hosts.map(({ name, addresses }) => ({
        name,
        addresses,
        port: smtpPort,
        implicitTls: false,
        tls: 'opportunistic',
        login: undefined,
      })),
    };
  };
}

async function smarthost({
  host,
  port,
  implicitTls,
  login,
}: Extract<Route, { kind: 'smarthost' }>): Promise<RoutePlan> {
  const addresses = isIP(host) === 0 ? await systemLookup(host) : [host];
  const isLocal = addresses.every((address) => ipaddr.process(address).range() === 'loopback');
  // A password goes to nobody but the host that it is for.
  const tls = !isLocal && (implicitTls || login !== undefined) ? 'verified' : 'opportunistic';
  return {
    destination: `${host}:${port}`,
    hosts: [{ name: host, port, addresses, implicitTls, tls, login }],
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
