/**
 * The HTTP client for URLs that customers chose. A name is resolved here, every address it has must pass the guard, and
 * the connection goes to the addresses that were judged: a name that changes between the look and the step finds
 * nobody. A literal address never reaches a look-up, so it is judged on its own.
 */
import { isIP, type LookupFunction } from 'node:net';
import { callbackify } from 'node:util';
import { Agent, buildConnector } from 'undici';
import type { AddressGuard } from './guard.ts';
import type { Resolve } from './guard-resolve.ts';

/** The target's address is neither public nor allowed. The message does not say which address it was. */
export class AddressRefusedError extends Error {
  override readonly name = 'AddressRefusedError';
  constructor(hostname: string) {
    super(`${hostname} has an address that is not public`);
  }
}

const connectTimeoutMs = 10_000;
/** Below the 5 s after which many servers close an idle connection, so that we are seldom the second to know. */
const idleTimeoutMs = 4_000;
const maxAnswerHeaderBytes = 32 * 1024;

export function guardedAgent(guard: AddressGuard, resolve: Resolve): Agent {
  const connect = buildConnector({
    timeout: connectTimeoutMs,
    allowH2: false,
    lookup: guardedLookup(guard, resolve),
    autoSelectFamily: true,
    keepAlive: true,
  });
  return new Agent({
    allowH2: false,
    keepAliveTimeout: idleTimeoutMs,
    maxHeaderSize: maxAnswerHeaderBytes,
    // Who sends sets a deadline for the whole exchange.
    headersTimeout: 0,
    bodyTimeout: 0,
    connect(options, callback) {
      if (isIP(options.hostname) !== 0 && !guard(options.hostname)) {
        callback(new AddressRefusedError(options.hostname), null);
        return;
      }
      connect(options, callback);
    },
  });
}

/** All of the name's addresses, if every one of them passes. @throws AddressRefusedError */
export async function resolveGuarded(
  hostname: string,
  guard: AddressGuard,
  resolve: Resolve,
): Promise<readonly string[]> {
  const addresses = await resolve(hostname);
  if (addresses.length === 0 || !addresses.every(guard)) throw new AddressRefusedError(hostname);
  return addresses;
}

function guardedLookup(guard: AddressGuard, resolve: Resolve): LookupFunction {
  const find = callbackify((hostname: string) => resolveGuarded(hostname, guard, resolve));
  return (hostname, options, callback) => {
    find(hostname, (error, addresses) => {
      if (error) return callback(error, '');
      const found = addresses.map((address) => ({ address, family: isIP(address) }));
      const [first] = found;
      return options.all ? callback(null, found) : callback(null, first?.address ?? '', first?.family);
    });
  };
}
