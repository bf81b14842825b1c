/**
 * One attempt: the hosts of a route in their order, until one has answered for the message. It makes no decision about
 * what the answer means.
 */
import type { Clock } from '../platform/clock.ts';
import { AttemptError } from './attempt-error.ts';
import type { Connections, RouteHost } from './connections.ts';
import { Envelope } from './smtp/envelope.ts';
import type { Reply } from './smtp/reply.ts';
import { Trace } from './smtp/trace.ts';

/** A message as one recipient gets it. */
export interface PreparedMessage {
  readonly envelopeSender: string;
  readonly recipient: string;
  readonly content: Uint8Array;
  /** Its sender wants it to go by TLS or not at all. */
  readonly requireTls: boolean;
}

export interface AttemptEnd {
  readonly trace: Trace;
  /** The server's 2xx, or why there is none. */
  readonly result: Reply | AttemptError;
}

export async function makeAttempt(
  hosts: readonly RouteHost[],
  message: PreparedMessage,
  { connections, clock, limitMs }: { connections: Connections; clock: Clock; limitMs: number },
): Promise<AttemptEnd> {
  const trace = new Trace(clock);
  let failure: AttemptError | undefined;
  for (const host of hosts) {
    try {
      return { trace, result: await sendBy(host) };
    } catch (error) {
      if (!(error instanceof AttemptError)) throw error;
      failure = error;
      // The next host is for a server that could not be talked to; an answer about the message stands.
      if (!beforeMessage.has(error.stage) || clock.now() >= limitMs) break;
    }
  }
  return { trace, result: failure ?? AttemptError.unanswered('dns', 'there is no server to send to') };

  async function sendBy(asRouted: RouteHost): Promise<Reply> {
    const host = message.requireTls ? withTls(asRouted) : asRouted;
    const envelope = new Envelope(message.envelopeSender, message.recipient, message.content);
    const kept = connections.kept(host, trace, limitMs);
    if (kept !== undefined) {
      try {
        return await kept.send(envelope, message.content);
      } catch (error) {
        // It had died while it was kept, which is no fault of this message.
        if (!(error instanceof AttemptError) || !diedIdle(error)) throw error;
      } finally {
        connections.giveBack(kept);
      }
    }
    const fresh = await connections.fresh(host, trace, limitMs);
    try {
      return await fresh.send(envelope, message.content);
    } finally {
      connections.giveBack(fresh);
    }
  }
}

/** The simulator is on this machine: there is nothing between. */
function withTls(host: RouteHost): RouteHost {
  return host.tls === 'opportunistic' ? { ...host, tls: 'required' } : host;
}

const beforeMessage: ReadonlySet<string> = new Set(['dns', 'connect', 'tls', 'greeting', 'auth']);

function diedIdle({ stage, answered, permanent, answer }: AttemptError): boolean {
  return stage === 'mail' && (answered ? answer.code === '421' : !permanent);
}
