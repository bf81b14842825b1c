/** Whether an address lies in networks that the operator named. */
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
