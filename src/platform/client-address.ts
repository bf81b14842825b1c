/** Client addresses in the forms in which they are compared, counted and told. */
import { isIPv4 } from 'node:net';
import ipaddr from 'ipaddr.js';

/** An IPv6 socket shows an IPv4 client as `::ffff:192.0.2.1`; here it is IPv4 again. */
export function plainAddress(address: string): string {
  if (isIPv4(address)) return address;
  return ipaddr.isValid(address) ? ipaddr.process(address).toString() : address;
}

/** Whom to count a client as: one IPv6 client commands a /64 at least, so that is one. */
export function clientNetwork(address: string): string {
  if (isIPv4(address)) return address;
  if (!ipaddr.isValid(address)) return address;
  const parsed = ipaddr.process(address);
  return parsed instanceof ipaddr.IPv6
    ? ipaddr.IPv6.networkAddressFromCIDR(`${parsed.toNormalizedString()}/64`).toNormalizedString()
    : parsed.toString();
}

/**
 * Who asks: the peer itself or, as long as each hop is a proxy that is believed, whom it asks for.
 * @param forwardedFor X-Forwarded-For, each hop behind the one before it
 */
export function clientAddress(
  peer: string,
  forwardedFor: string | readonly string[] | undefined,
  isProxy: (address: string) => boolean,
): string {
  if (forwardedFor === undefined || !isProxy(peer)) return peer;
  let client = peer;
  for (const hop of String(forwardedFor).split(',').toReversed()) {
    const address = hop.trim();
    if (address === '') continue;
    client = address;
    if (!isProxy(address)) break;
  }
  return client;
}
