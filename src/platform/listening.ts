/** Where this process listens, and how it is reached there. */
import { type AddressInfo, createServer } from 'node:net';
import type { ListenAddress } from '../config/readers.ts';

/**
 * The address with a port that is free now, where any would do: links and the API document name the port before the
 * application that serves them can listen.
 */
export async function withPort({ host, port }: ListenAddress): Promise<ListenAddress> {
  if (port !== 0) return { host, port };
  const probe = createServer();
  await new Promise<void>((resolve, reject) => {
    probe.once('error', reject);
    probe.listen(0, host, resolve);
  });
  const free = (probe.address() as AddressInfo).port;
  await new Promise((resolve) => probe.close(resolve));
  return { host, port: free };
}

/** Where this machine itself reaches a listener that may listen on every address. */
export function reachable({ host, port }: ListenAddress): ListenAddress {
  if (host === '0.0.0.0') return { host: '127.0.0.1', port };
  return { host: host === '::' ? '::1' : host, port };
}

export const hostInUrl = (host: string): string => {
  const { host: named } = reachable({ host, port: 0 });
  return named.includes(':') ? `[${named}]` : named;
};
