/**
 * The HTTP client for URLs that customers chose. A name is resolved here, every address it has must pass the guard, and
 * the connection goes to the addresses that were judged: a name that changes between the look and the step finds
 * nobody. A literal address never reaches a look-up, so it is judged on its own.
 */
import { isIP, type LookupFunction, type Socket } from 'node:net';
import { callbackify } from 'node:util';
import { Agent, buildConnector } from 'undici';
import type { Clock } from './clock.ts';
import type { ConnectionLog } from './connection-times.ts';
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

export interface AgentOptions {
  /** What the client shows of itself in TLS, and whom it believes beside the system's authorities. */
  readonly tls?: { readonly cert?: string; readonly key?: string; readonly ca?: string } | undefined;
  readonly times?: { readonly log: ConnectionLog; readonly clock: Clock } | undefined;
}

export function guardedAgent(
  guard: AddressGuard,
  resolve: Resolve,
  { tls, times }: AgentOptions = {},
): Agent {
  const looked = new Map<string, number>();
  const timed: Resolve = async (hostname) => {
    const beganAtMs = times?.clock.now() ?? 0;
    const addresses = await resolve(hostname);
    if (times !== undefined) looked.set(hostname, times.clock.now() - beganAtMs);
    return addresses;
  };
  // It answers the socket that it connects, which its type does not say.
  const connect = buildConnector({
    ...tls,
    timeout: connectTimeoutMs,
    allowH2: false,
    lookup: guardedLookup(guard, timed),
    autoSelectFamily: true,
    keepAlive: true,
  }) as (...parameters: Parameters<buildConnector.connector>) => Socket;
  return new Agent({
    allowH2: false,
    keepAliveTimeout: idleTimeoutMs,
    maxHeaderSize: maxAnswerHeaderBytes,
    // Who sends sets a deadline for the whole exchange.
    headersTimeout: 0,
    bodyTimeout: 0,
    connect(options, callback) {
      const { hostname, protocol, port } = options;
      if (isIP(hostname) !== 0 && !guard(hostname)) {
        callback(new AddressRefusedError(hostname), null);
        return;
      }
      if (times === undefined) {
        connect(options, callback);
        return;
      }
      const { clock, log } = times;
      const beganAtMs = clock.now();
      let connectedAtMs = beganAtMs;
      const socket = connect(options, (...result) => {
        const dnsMs = looked.get(hostname);
        looked.delete(hostname);
        const isTls = protocol === 'https:';
        const readyAtMs = clock.now();
        log.note(`${protocol}//${hostname}${port === '' ? '' : `:${port}`}`, {
          ...(dnsMs !== undefined && { dnsMs }),
          connectMs: (isTls ? connectedAtMs : readyAtMs) - beganAtMs - (dnsMs ?? 0),
          ...(isTls && { tlsMs: readyAtMs - connectedAtMs }),
        });
        callback(...result);
      });
      socket.once('connect', () => {
        connectedAtMs = clock.now();
      });
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
