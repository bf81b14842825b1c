/** Whether an address lies in networks that the operator, or a rule, names. */
import ipaddr from 'ipaddr.js';
import type { Network } from '../config/readers.ts';

/** @returns false for what is no address, so a forged header never lies in a trusted network */
export function inNetworks(networks: readonly Network[]): (address: string) => boolean {
  return (text) => {
    if (!ipaddr.isValid(text)) return false;
    // An IPv6 socket shows an IPv4 client as `::ffff:192.0.2.1`.
    const address = ipaddr.process(text);
    return networks.some(
      ([network, prefix]) => network.kind() === address.kind() && address.match(network, prefix),
    );
  };
}

/** @param cidrs as in `192.0.2.0/24`; a wrong one is a fault of the program */
export function addressRange(cidrs: readonly string[]): (address: string) => boolean {
  return inNetworks(cidrs.map((cidr) => ipaddr.parseCIDR(cidr)));
}

export const isLoopback = (address: string): boolean =>
  ipaddr.isValid(address) && ipaddr.process(address).range() === 'loopback';
