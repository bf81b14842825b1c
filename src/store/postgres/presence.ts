/**
 * Which processes live. Each says so every few seconds; what a dead one held is free as soon as its word has run out,
 * long before the leases of its messages do. A process that was only paused finds its leases lost and its endpoints
 * taken: it can store nothing for them any more.
 */
import type { Clock } from '../../platform/clock.ts';
import type { Database } from './database.ts';
import { shareHoldsForMs } from '../contract/webhooks.ts';
import { Transaction } from './transaction.ts';

const sayEveryMs = 5_000;

export interface PresenceDependencies {
  readonly database: Database;
  readonly clock: Clock;
  readonly processName: string;
  /** Messages that a dead process had claimed are due again. */
  readonly onFreed: () => void;
}

export class Presence implements AsyncDisposable {
  readonly #deps: PresenceDependencies;
  readonly #stop = new AbortController();
  #loop: Promise<void> = Promise.resolve();

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

  /** Others need not wait for its word to run out. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#stop.abort();
    await this.#loop;
    const { database, processName } = this.#deps;
    await database
      .transaction((sender) => freeProcesses(new Transaction(sender), 'name = ?', processName, this.#deps))
      .catch(() => undefined);
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
    const freed = await database.transaction(async (sender) => {
      const transaction = new Transaction(sender);
      await transaction.run(
        `INSERT INTO processes (name, alive_until_ms) VALUES (?, ?)
         ON CONFLICT (name) DO UPDATE SET alive_until_ms = excluded.alive_until_ms`,
        processName,
        nowMs + shareHoldsForMs,
      );
      return freeProcesses(transaction, 'alive_until_ms < ?', nowMs, this.#deps);
    });
    if (freed > 0) onFreed();
  }
}

/** Forgets processes; what they had claimed falls due, their endpoints are free. @returns how many messages */
function freeProcesses(
  transaction: Transaction,
  which: string,
  value: string | number,
  { clock }: PresenceDependencies,
): Promise<number> {
  return transaction.run(
    `WITH dead AS (DELETE FROM processes WHERE ${which} RETURNING name),
     abandoned AS (DELETE FROM webhook_holders USING dead WHERE holder = dead.name)
     UPDATE queue SET due_at_ms = ?, lease = 0, holder = '' FROM dead WHERE queue.lease > 0 AND holder = dead.name`,
    value,
    clock.now(),
  );
}
