/**
 * Listens for SMTP. Bounds how many connect, in all and from one address; looks after deadlines; and stops so that
 * whoever is in the middle of a message gets an answer first.
 */
import { createServer, type AddressInfo, type Server, type Socket } from 'node:net';
import type { SecureContext } from 'node:tls';
import type { Logger } from 'pino';
import type { ListenAddress } from '../../config/readers.ts';
import { clientNetwork, plainAddress } from '../client-address.ts';
import type { Clock } from '../clock.ts';
import { MemoryBudget, SmtpConnection } from './connection.ts';
import { replies } from './replies.ts';
import type { SmtpService } from './service.ts';

/** Deadlines are minutes; this is how late they may be noticed. */
const deadlineCheckMs = 5_000;
/** How long a client that is sending a message may go on after the service was told to stop. */
const stopPatienceMs = 10_000;

interface ListenerBounds {
  readonly connections: number;
  readonly connectionsOfAddress: number;
  /** Of messages that are being received or worked on, in all connections together. */
  readonly memoryBytes: number;
}

export interface SmtpListenerSetting {
  readonly listen: ListenAddress;
  readonly service: SmtpService;
  readonly bounds: ListenerBounds;
  /** Undefined where STARTTLS is not offered. */
  readonly secureContext: SecureContext | undefined;
  readonly clock: Clock;
  readonly logger: Logger;
}

export interface SmtpListener extends AsyncDisposable {
  readonly host: string;
  /** The port it really listens on. */
  readonly port: number;
}

export async function startSmtpListener(setting: SmtpListenerSetting): Promise<SmtpListener> {
  const { listen, clock } = setting;
  const running = new AbortController();
  const connections = new Set<SmtpConnection>();
  const server = createServer({ noDelay: true, keepAlive: true, allowHalfOpen: true });
  const accept = acceptor(setting, connections);
  server.on('connection', accept);
  await listening(server, listen);
  server.on('error', (error) => setting.logger.error({ err: error }, 'the SMTP listener failed'));
  const watching = watchDeadlines(connections, clock, running.signal);
  const { port } = server.address() as AddressInfo;
  return {
    host: listen.host,
    port,
    async [Symbol.asyncDispose]() {
      const closed = new Promise<void>((resolve) => server.close(() => resolve()));
      for (const connection of connections) connection.stop();
      const quiet = new AbortController();
      const patience = clock.sleep(stopPatienceMs, quiet.signal);
      await Promise.race([closed, patience]);
      for (const connection of connections) connection.destroy();
      await closed;
      quiet.abort();
      running.abort();
      await Promise.all([watching, patience]);
    },
  };
}

function acceptor(setting: SmtpListenerSetting, connections: Set<SmtpConnection>) {
  const { service, bounds, secureContext, clock, logger } = setting;
  const memory = new MemoryBudget(bounds.memoryBytes);
  const ofAddress = new Map<string, number>();
  return (socket: Socket) => {
    const address = plainAddress(socket.remoteAddress ?? '');
    const network = clientNetwork(address);
    const count = (ofAddress.get(network) ?? 0) + 1;
    const connection = new SmtpConnection(socket, { service, address, secureContext, clock, logger, memory });
    ofAddress.set(network, count);
    connections.add(connection);
    socket.once('close', () => {
      connections.delete(connection);
      const left = (ofAddress.get(network) ?? 1) - 1;
      if (left > 0) ofAddress.set(network, left);
      else ofAddress.delete(network);
    });
    if (connections.size > bounds.connections || count > bounds.connectionsOfAddress) {
      connection.refuse(replies.tooManyConnections);
      return;
    }
    connection.start().catch((error: unknown) => {
      logger.error({ err: error }, 'an SMTP connection could not be opened');
      connection.refuse(replies.internal);
    });
  };
}

function listening(server: Server, { host, port }: SmtpListenerSetting['listen']): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen({ host, port }, () => {
      server.off('error', reject);
      resolve();
    });
  });
}

async function watchDeadlines(
  connections: ReadonlySet<SmtpConnection>,
  clock: Clock,
  signal: AbortSignal,
): Promise<void> {
  while (!signal.aborted) {
    await clock.sleep(deadlineCheckMs, signal);
    const nowMs = clock.now();
    for (const connection of connections) connection.checkDeadline(nowMs);
  }
}
