/** Client addresses in the forms in which they are compared, counted and told. */
import ipaddr from 'ipaddr.js';

/** An IPv6 socket shows an IPv4 client as `::ffff:192.0.2.1`; here it is IPv4 again. */
export function plainAddress(address: string): string {
  return ipaddr.isValid(address) ? ipaddr.process(address).toString() : address;
}

/** Whom to count a client as: one IPv6 client commands a /64 at least, so that is one. */
export function clientNetwork(address: string): string {
  if (!ipaddr.isValid(address)) return address;
  const parsed = ipaddr.process(address);
  return parsed instanceof ipaddr.IPv6
    ? ipaddr.IPv6.networkAddressFromCIDR(`${parsed.toNormalizedString()}/64`).toNormalizedString()
    : parsed.toString();
}
