/**
 * SMTP connections, kept for the next message to the same host. How many are used at once is decided elsewhere
 * (`lanes.ts`); this bounds how many are open, how long one idles and how much it carries.
 */
import type { Clock } from '../platform/clock.ts';
import { AttemptError } from './attempt-error.ts';
import { Deadlines } from './deadlines.ts';
import { type Pool, sourcesFor } from './pools.ts';
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

export class Connections implements Disposable {
  readonly #limits: ConnectionLimits;
  readonly #countTls: CountTls;
  readonly #tools: SessionTools;
  readonly #busy = new Set<SmtpSession>();
  /** By host, longest idle first; hosts in the order in which they were last given one. */
  readonly #idle = new Map<string, SmtpSession[]>();
  #idleCount = 0;
  /** The key of each open session, for giving it back. */
  readonly #keys = new WeakMap<SmtpSession, string>();
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
  kept(host: RouteHost, trace: Trace, limitMs: number): SmtpSession | undefined {
    const sessions = this.#idle.get(keyOf(host)) ?? [];
    const at = sessions.findLastIndex(({ target }) => host.addresses.includes(target.address));
    const [session] = at === -1 ? [] : sessions.splice(at, 1);
    if (session === undefined) return undefined;
    this.#idleCount--;
    this.#busy.add(session);
    session.use(trace, limitMs);
    return session;
  }

  /** A new connection to the first address that answers as an SMTP server should. @throws AttemptError */
  async fresh(host: RouteHost, trace: Trace, limitMs: number): Promise<SmtpSession> {
    let failure: AttemptError | undefined;
    const reachable = host.addresses.filter((address) => sourcesFor(host.pool, address).length > 0);
    for (const address of reachable.slice(0, maxAddresses)) {
      try {
        return await this.#open(host, address, trace, limitMs);
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
    const key = this.#keys.get(session) ?? '';
    const others = this.#idle.get(key) ?? [];
    this.#idle.delete(key);
    this.#idle.set(key, others);
    others.push(session);
    this.#idleCount++;
    session.rest(this.#limits.idleMs, () => this.#forget(key, session));
  }

  /** Ends all, also those in use: their attempts fail. */
  [Symbol.dispose](): void {
    for (const session of [...this.#idle.values()].flat()) session.quit();
    for (const session of this.#busy) session.destroy();
  }

  async #open(host: RouteHost, address: string, trace: Trace, limitMs: number): Promise<SmtpSession> {
    if (this.#busy.size + this.#idleCount >= this.#limits.open) this.#quitLongestIdle();
    const { name, addresses: _, pool, ...rest } = host;
    const sources = sourcesFor(pool, address);
    const source = sources[this.#turn++ % sources.length];
    if (source === undefined) throw AttemptError.unanswered('connect', noWay(host));
    const target = { ...rest, host: name, address, source };
    const key = keyOf(host);
    try {
      return await this.#handshake(target, key, trace, limitMs);
    } catch (error) {
      // RFC 7435: a handshake that fails must not stop mail that would also have gone in the clear.
      const inTheClear =
        error instanceof AttemptError && error.stage === 'tls' && host.tls === 'opportunistic';
      if (!inTheClear || host.implicitTls) throw error;
      trace.note(error.answer.text);
      return await this.#handshake({ ...target, tls: 'none' }, key, trace, limitMs);
    }
  }

  async #handshake(target: SessionTarget, key: string, trace: Trace, limitMs: number): Promise<SmtpSession> {
    const session = new SmtpSession(target, this.#tools, trace, limitMs);
    this.#keys.set(session, key);
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
    for (const sessions of this.#idle.values()) {
      if (sessions[0] !== undefined) return sessions[0].quit();
    }
  }

  #forget(key: string, session: SmtpSession): void {
    const sessions = this.#idle.get(key);
    const at = sessions?.indexOf(session) ?? -1;
    if (sessions === undefined || at === -1) return;
    sessions.splice(at, 1);
    this.#idleCount--;
    if (sessions.length === 0) this.#idle.delete(key);
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
