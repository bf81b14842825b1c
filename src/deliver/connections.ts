/**
 * SMTP connections, kept for the next message to the same host. How many are used at once is decided elsewhere
 * (`lanes.ts`); this bounds how many are open, how long one idles and how much it carries.
 */
import type { Clock } from '../platform/clock.ts';
import { AttemptError } from './attempt-error.ts';
import { Deadlines } from './deadlines.ts';
import { type Pool, sourcesFor } from './pools.ts';
import type { Slots } from './slots.ts';
import { type CountTls, demandKey } from './tls/demand.ts';
import { type SessionTarget, type SessionTimeouts, type SessionTools, SmtpSession } from './smtp/session.ts';
import type { Trace } from './smtp/trace.ts';

/** A server that mail goes to, and all that is known of how. */
export interface RouteHost extends Omit<SessionTarget, 'host' | 'address' | 'source'> {
  readonly name: string;
  /** IP addresses in the order in which they are tried. */
  readonly addresses: readonly string[];
  /** Where it may be connected to from. */
  readonly pool: Pool;
}

export interface ConnectionLimits extends SessionTimeouts {
  /** Open at once, idle ones included. */
  readonly open: number;
  readonly idleMs: number;
}

/** Addresses of one host that an attempt goes through. */
const maxAddresses = 5;

/** Whose connection it is, and when it must be done with. */
interface Use {
  readonly slots: Slots;
  readonly trace: Trace;
  readonly limitMs: number;
}

export class Connections implements Disposable {
  readonly #limits: ConnectionLimits;
  readonly #countTls: CountTls;
  readonly #tools: SessionTools;
  readonly #busy = new Set<SmtpSession>();
  /** Of all destinations, longest idle first. */
  readonly #idle = new Set<SmtpSession>();
  /** By which an open session is found again. */
  readonly #places = new WeakMap<SmtpSession, { readonly key: string; readonly slots: Slots }>();
  /** Grows with each connection, so that a pool's sources take turns. */
  #turn = 0;

  constructor({
    clock,
    limits,
    countTls,
  }: {
    clock: Clock;
    limits: ConnectionLimits;
    countTls: CountTls;
  }) {
    this.#limits = limits;
    this.#countTls = countTls;
    this.#tools = { clock, deadlines: new Deadlines(clock), timeouts: limits };
  }

  /** Of the kept connections to one of the host's addresses the one that was used last, undefined if there is none. */
  kept(host: RouteHost, { slots, trace, limitMs }: Use): SmtpSession | undefined {
    const key = keyOf(host);
    const session = slots.use(
      (idle) => this.#places.get(idle)?.key === key && host.addresses.includes(idle.target.address),
    );
    if (session === undefined) return undefined;
    this.#idle.delete(session);
    this.#busy.add(session);
    session.use(trace, limitMs);
    return session;
  }

  /** A new connection to the first address that answers as an SMTP server should. @throws AttemptError */
  async fresh(host: RouteHost, use: Use): Promise<SmtpSession> {
    let failure: AttemptError | undefined;
    const reachable = host.addresses.filter((address) => sourcesFor(host.pool, address).length > 0);
    for (const address of reachable.slice(0, maxAddresses)) {
      try {
        return await this.#open(host, address, use);
      } catch (error) {
        if (!(error instanceof AttemptError)) throw error;
        failure = error;
      }
    }
    throw failure ?? AttemptError.unanswered('connect', noWay(host));
  }

  /** The attempt is over: keeps the connection if it is good for another. */
  giveBack(session: SmtpSession): void {
    this.#busy.delete(session);
    if (!session.usable) return;
    if (session.transactions >= session.target.maxMessages) return session.quit();
    this.#idle.add(session);
    session.rest(this.#limits.idleMs, () => this.#idle.delete(session));
    this.#places.get(session)?.slots.rest(session);
  }

  /** Ends all, also those in use: their attempts fail. */
  [Symbol.dispose](): void {
    for (const session of [...this.#idle]) session.quit();
    for (const session of this.#busy) session.destroy();
  }

  async #open(host: RouteHost, address: string, use: Use): Promise<SmtpSession> {
    if (this.#busy.size + this.#idle.size >= this.#limits.open) this.#quitLongestIdle();
    const { name, addresses: _, pool, ...rest } = host;
    const sources = sourcesFor(pool, address);
    const source = sources[this.#turn++ % sources.length];
    if (source === undefined) throw AttemptError.unanswered('connect', noWay(host));
    const target = { ...rest, host: name, address, source };
    const key = keyOf(host);
    try {
      return await this.#handshake(target, key, use);
    } catch (error) {
      // RFC 7435: a handshake that fails must not stop mail that would also have gone in the clear.
      const inTheClear =
        error instanceof AttemptError && error.stage === 'tls' && host.tls === 'opportunistic';
      if (!inTheClear || host.implicitTls) throw error;
      use.trace.note(error.answer.text);
      return await this.#handshake({ ...target, tls: 'none' }, key, use);
    }
  }

  async #handshake(target: SessionTarget, key: string, { slots, trace, limitMs }: Use): Promise<SmtpSession> {
    await slots.room();
    const session = new SmtpSession(target, this.#tools, trace, limitMs);
    slots.add(session);
    this.#places.set(session, { key, slots });
    this.#busy.add(session);
    try {
      await session.handshake();
      return session;
    } catch (error) {
      session.destroy();
      this.#busy.delete(session);
      throw error;
    } finally {
      if (session.tlsResult !== undefined) this.#countTls(target.policy, session.tlsResult);
    }
  }

  #quitLongestIdle(): void {
    const [longest] = this.#idle;
    longest?.quit();
  }
}

const noWay = ({ name, addresses, pool }: RouteHost): string =>
  addresses.length === 0
    ? `${name} has no address`
    : `the source addresses of pool '${pool.name}' cannot reach ${name} (other IP version)`;

/** Connections are interchangeable only if they were made to the same demands. */
function keyOf({ name, port, implicitTls, tls, login, pool }: RouteHost): string {
  return [name, port, implicitTls, demandKey(tls), login?.username ?? '', pool.name].join(' ');
}
