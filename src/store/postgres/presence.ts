/**
 * Which processes live. Each says so every few seconds; what a dead one held is free as soon as its word has run out,
 * long before the leases of its messages do. A process that was only paused finds its leases lost and its endpoints
 * taken: it can store nothing for them any more. When the server was away for all, nobody is taken for dead: whoever
 * comes back first listens for a while.
 */
import type { Clock } from '../../platform/clock.ts';
import type { Database } from './database.ts';
import { shareHoldsForMs } from '../contract/webhooks.ts';

const sayEveryMs = 5_000;
/** Unheard for so long, a process has been deaf itself; what all others said meanwhile has run out as well. */
const deafMs = shareHoldsForMs / 2;
/** How long it then listens before it takes anybody for dead. */
const listenMs = 2 * sayEveryMs;

export interface PresenceDependencies {
  readonly database: Database;
  readonly clock: Clock;
  readonly processName: string;
  /** Messages that a dead process had claimed are due again. */
  readonly onFreed: () => void;
}

interface Said {
  /** The last lease that was given, if nobody knew of this process any more: its row was new. */
  lost_lease: number | null;
  freed: number;
}

export class Presence implements AsyncDisposable {
  readonly #deps: PresenceDependencies;
  readonly #stop = new AbortController();
  #loop: Promise<void> = Promise.resolve();
  /** When its last word went out, and since when none was missing. */
  #saidAtMs = -Infinity;
  #steadySinceMs = -Infinity;
  /** Leases up to this number may be another's, whatever was said since: it was taken for dead after they were given. */
  #lostLease = 0;

  private constructor(deps: PresenceDependencies) {
    this.#deps = deps;
  }

  /** Resolves when all others can see it. */
  static async start(deps: PresenceDependencies): Promise<Presence> {
    const presence = new Presence(deps);
    await presence.#say();
    presence.#loop = presence.#run();
    return presence;
  }

  /** Until when nobody may take what it has under a lease; long past if somebody already may have. */
  heldUntilMs(lease: number): number {
    return lease <= this.#lostLease ? -Infinity : this.#saysUntilMs;
  }

  get #saysUntilMs(): number {
    return this.#saidAtMs + shareHoldsForMs;
  }

  /** Makes sure that others can see it: what it takes when they cannot, nobody would free. */
  async assure(): Promise<void> {
    if (this.#deps.clock.now() >= this.#saysUntilMs) await this.#say();
  }

  /** Others need not wait for its word to run out. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#stop.abort();
    await this.#loop;
    const { database, clock, processName } = this.#deps;
    const sql = `WITH ${freeDead('name = ?')} SELECT count(*) FROM freed`;
    await database.get(sql, processName, clock.now()).catch(() => undefined);
  }

  async #run(): Promise<void> {
    const { clock } = this.#deps;
    while (!this.#stop.signal.aborted) {
      await clock.sleep(sayEveryMs, this.#stop.signal);
      // A server that cannot be reached is told next time; until then everybody is as deaf.
      if (!this.#stop.signal.aborted) await this.#say().catch(() => undefined);
    }
  }

  async #say(): Promise<void> {
    const { database, clock, processName, onFreed } = this.#deps;
    const nowMs = clock.now();
    if (nowMs - this.#saidAtMs > deafMs) this.#steadySinceMs = nowMs;
    const mayJudge = nowMs - this.#steadySinceMs >= listenMs;
    const said = await database.get<Said>(
      `WITH said AS (
         INSERT INTO processes (name, alive_until_ms) VALUES (?, ?)
         ON CONFLICT (name) DO UPDATE SET alive_until_ms = excluded.alive_until_ms
         RETURNING CASE WHEN xmax = 0 THEN (SELECT last_value - (NOT is_called)::int FROM lease_numbers) END AS lost_lease
       ), ${freeDead('alive_until_ms < ? AND name <> ?')}
       SELECT (SELECT lost_lease FROM said), (SELECT count(*) FROM freed) AS freed`,
      processName,
      nowMs + shareHoldsForMs,
      mayJudge ? nowMs : 0,
      processName,
      nowMs,
    );
    this.#saidAtMs = nowMs;
    this.#lostLease = Math.max(this.#lostLease, said?.lost_lease ?? 0);
    if ((said?.freed ?? 0) > 0) onFreed();
  }
}

/**
 * The part of a statement that forgets processes: what they had claimed falls due (`freed`, a row for each message),
 * their endpoints are free. Its last parameter is now.
 */
const freeDead = (which: string): string => `
  dead AS (DELETE FROM processes WHERE ${which} RETURNING name),
  abandoned AS (DELETE FROM webhook_holders USING dead WHERE holder = dead.name),
  freed AS (
    UPDATE queue SET due_at_ms = ?, lease = 0, holder = '' FROM dead WHERE queue.lease > 0 AND holder = dead.name
    RETURNING message_id
  )`;
