/**
 * SMTP connections, kept for the next message to the same host. How many are used at once is decided elsewhere
 * (`lanes.ts`); this bounds how many are open, how long one idles and how much it carries.
 */
import type { Clock } from '../platform/clock.ts';
import { AttemptError } from './attempt-error.ts';
import { Deadlines } from './deadlines.ts';
import { type SessionTarget, type SessionTimeouts, type SessionTools, SmtpSession } from './smtp/session.ts';
import type { Trace } from './smtp/trace.ts';

/** A server that mail goes to, and all that is known of how. */
export interface RouteHost extends Omit<SessionTarget, 'host' | 'address' | 'ourName'> {
  readonly name: string;
  /** IP addresses in the order in which they are tried. */
  readonly addresses: readonly string[];
}

export interface ConnectionLimits extends SessionTimeouts {
  /** Open at once, idle ones included. */
  readonly open: number;
  readonly messagesPerConnection: number;
  readonly idleMs: number;
}

/** Addresses of one host that an attempt goes through. */
const maxAddresses = 5;

export class Connections implements Disposable {
  readonly #limits: ConnectionLimits;
  readonly #ourName: string;
  readonly #tools: SessionTools;
  readonly #busy = new Set<SmtpSession>();
  /** By host, longest idle first; hosts in the order in which they were last given one. */
  readonly #idle = new Map<string, SmtpSession[]>();
  #idleCount = 0;

  constructor({ clock, limits, ourName }: { clock: Clock; limits: ConnectionLimits; ourName: string }) {
    this.#limits = limits;
    this.#ourName = ourName;
    this.#tools = { clock, deadlines: new Deadlines(clock), timeouts: limits };
  }

  /** A kept connection that was last used a moment ago, undefined if there is none. */
  kept(host: RouteHost, trace: Trace, limitMs: number): SmtpSession | undefined {
    const session = this.#idle.get(keyOf(host))?.pop();
    if (session === undefined) return undefined;
    this.#idleCount--;
    this.#busy.add(session);
    session.use(trace, limitMs);
    return session;
  }

  /** A new connection to the first address that answers as an SMTP server should. @throws AttemptError */
  async fresh(host: RouteHost, trace: Trace, limitMs: number): Promise<SmtpSession> {
    let failure: AttemptError | undefined;
    for (const address of host.addresses.slice(0, maxAddresses)) {
      try {
        return await this.#open(host, address, trace, limitMs);
      } catch (error) {
        if (!(error instanceof AttemptError)) throw error;
        failure = error;
      }
    }
    throw failure ?? AttemptError.unanswered('dns', `${host.name} has no address`);
  }

  /** The attempt is over: keeps the connection if it is good for another. */
  giveBack(session: SmtpSession): void {
    this.#busy.delete(session);
    if (!session.usable) return;
    if (session.transactions >= this.#limits.messagesPerConnection) return session.quit();
    const key = keyOf({ ...session.target, name: session.target.host });
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
    const { name, port, implicitTls, tls, login } = host;
    const target = { host: name, address, port, implicitTls, tls, login, ourName: this.#ourName };
    try {
      return await this.#handshake(target, trace, limitMs);
    } catch (error) {
      // RFC 7435: a handshake that fails must not stop mail that would also have gone in the clear.
      const inTheClear = error instanceof AttemptError && error.stage === 'tls' && tls === 'opportunistic';
      if (!inTheClear || implicitTls) throw error;
      trace.note(error.answer.text);
      return await this.#handshake({ ...target, tls: 'none' }, trace, limitMs);
    }
  }

  async #handshake(target: SessionTarget, trace: Trace, limitMs: number): Promise<SmtpSession> {
    const session = new SmtpSession(target, this.#tools, trace, limitMs);
    this.#busy.add(session);
    try {
      await session.handshake();
      return session;
    } catch (error) {
      session.destroy();
      this.#busy.delete(session);
      throw error;
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

/** Connections are interchangeable only if they were made to the same demands. */
function keyOf({ name, port, implicitTls, tls, login }: Omit<RouteHost, 'addresses'>): string {
  return [name, port, implicitTls, tls, login?.username ?? ''].join(' ');
}
