/**
 * Which addresses may be connected to on behalf of a customer or a stranger: public ones, and those the operator
 * allows. It judges addresses, never names: a name is judged by what it resolves to, at the moment of connecting
 * (`guard-agent.ts`), for only then is it known what will be connected to.
 */
import { isIP } from 'node:net';
import ipaddr from 'ipaddr.js';
import type { Network } from '../config/readers.ts';

/** Whether an IP address may be connected to; false for what is none. */
export type AddressGuard = (address: string) => boolean;

/** The only space that IANA assigns for use on the internet (RFC 4291, section 2.4, and its registry). */
const globalUnicast = ipaddr.IPv6.parseCIDR('2000::/3');
/** RFC 6052: an IPv6-only network reaches IPv4 hosts through it. What counts is the IPv4 address inside. */
const nat64 = ipaddr.IPv6.parseCIDR('64:ff9b::/96');

/** @param allowed networks that may be reached although they are not public */
export function addressGuard(allowed: readonly Network[]): AddressGuard {
  return (text) => {
    // A zone names a network interface of this machine: never somebody else's business.
    if (text.includes('%') || isIP(text) === 0) return false;
    const address = ipaddr.process(isIP(text) === 6 ? inHexadecimal(text) : text);
    if (allowed.some((network) => contains(network, address))) return true;
    if (address instanceof ipaddr.IPv4) return address.range() === 'unicast';
    if (address.match(nat64)) {
      const inside = new ipaddr.IPv4(address.toByteArray().slice(12));
      return inside.range() === 'unicast' || allowed.some((network) => contains(network, inside));
    }
    return address.match(globalUnicast) && address.range() === 'unicast';
  };
}

/** The URL parser's form: ipaddr.js takes `::8.8.8.8` for `::ffff:8.8.8.8`, which is another address. */
function inHexadecimal(address: string): string {
  return URL.parse(`http://[${address}]/`)?.hostname.slice(1, -1) ?? '';
}

function contains([network, prefix]: Network, address: ipaddr.IPv4 | ipaddr.IPv6): boolean {
  return network.kind() === address.kind() && address.match(network, prefix);
}
