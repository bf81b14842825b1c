/**
 * One attempt: the hosts of a route in their order, until one has taken the message or refused it for good. What becomes
 * of the message then is decided elsewhere.
 */
import type { Clock } from '../platform/clock.ts';
import { AttemptError } from './attempt-error.ts';
import type { Connections, RouteHost } from './connections.ts';
import { saysTooFast } from './pace/too-fast.ts';
import { Envelope } from './smtp/envelope.ts';
import type { Slots } from './slots.ts';
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

/**
 * Servers that an attempt hears out about one message. A refusal for now is often one server's own trouble (its disk,
 * its load, its view of an IPv6 address), so another is asked (RFC 5321 section 5.1); a whole park of them is not.
 */
const mostRefusals = 3;

export interface AttemptMeans {
  readonly connections: Connections;
  /** Of the message's destination. */
  readonly slots: Slots;
  readonly clock: Clock;
  /** When it must be over. */
  readonly limitMs: number;
}

export async function makeAttempt(
  hosts: readonly RouteHost[],
  message: PreparedMessage,
  { connections, slots, clock, limitMs }: AttemptMeans,
): Promise<AttemptEnd> {
  const trace = new Trace(clock);
  const use = { slots, trace, limitMs };
  // One that has refused is asked again by its other addresses, after all other hosts.
  const candidates = [...hosts];
  let unreached: AttemptError | undefined;
  let refused: { readonly error: AttemptError; readonly where: Place } | undefined;
  let refusals = 0;
  for (const host of candidates) {
    try {
      return { trace, result: await sendBy(host) };
    } catch (error) {
      if (!(error instanceof AttemptError)) throw error;
      if (beforeMessage.has(error.stage)) {
        unreached = error;
      } else {
        const tooFast = error.answered && saysTooFast(error.answer);
        // The best host's word counts: what lesser ones make of a message that it would take later is not final.
        if (refused === undefined || tooFast) refused = { error, where: placeOf(trace) };
        if (tooFast || !anotherMayTakeIt(error) || ++refusals >= mostRefusals) break;
        const addresses = host.addresses.slice(host.addresses.indexOf(trace.address) + 1);
        if (addresses.length > 0) candidates.push({ ...host, addresses });
      }
      if (clock.now() >= limitMs) break;
    }
  }
  if (refused !== undefined) {
    Object.assign(trace, refused.where);
    return { trace, result: refused.error };
  }
  return { trace, result: unreached ?? AttemptError.unanswered('dns', 'there is no server to send to') };

  async function sendBy(asRouted: RouteHost): Promise<Reply> {
    const host = message.requireTls ? withTls(asRouted) : asRouted;
    const envelope = new Envelope(message.envelopeSender, message.recipient, message.content);
    const kept = connections.kept(host, use);
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
    const fresh = await connections.fresh(host, use);
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

type Place = Pick<Trace, 'host' | 'address' | 'sourceAddress' | 'tls'>;

const placeOf = ({ host, address, sourceAddress, tls }: Trace): Place => ({
  host,
  address,
  sourceAddress,
  tls,
});

/** Not where the server may have had the content, and may yet deliver it. */
const anotherMayTakeIt = ({ stage, permanent, answered }: AttemptError): boolean =>
  !permanent && (answered || stage !== 'data');

const beforeMessage: ReadonlySet<string> = new Set(['dns', 'connect', 'tls', 'greeting', 'auth']);

function diedIdle({ stage, answered, permanent, answer }: AttemptError): boolean {
  return stage === 'mail' && (answered ? answer.code === '421' : !permanent);
}
