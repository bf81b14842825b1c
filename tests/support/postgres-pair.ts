/**
 * A primary and its synchronous standby, on two ports that stay theirs: whoever is promoted, the URL of both leads to
 * it. Failing over and building the lost one anew is what an operator's tools do (Patroni, repmgr, pg_auto_failover).
 */
import { setTimeout as pause } from 'node:timers/promises';
import { Client } from 'pg';
import { type PostgresServer, standbyName, startPostgres } from './postgres.ts';
import { freePorts } from './service.ts';
import { until } from './until.ts';

export class PostgresPair implements AsyncDisposable {
  #primary: PostgresServer;
  #standby: PostgresServer | undefined;
  readonly #ports: readonly number[];
  /** Servers that were killed: their folders go at the end. */
  readonly #dead: PostgresServer[] = [];

  private constructor(ports: readonly number[], primary: PostgresServer) {
    this.#ports = ports;
    this.#primary = primary;
  }

  static async start(): Promise<PostgresPair> {
    const ports = await freePorts(2);
    const pair = new PostgresPair(ports, await startPostgres({ port: ports[0] ?? 0 }));
    await pair.rebuildStandby();
    return pair;
  }

  /** Names both servers, whichever is the primary now. */
  url(database: string): string {
    const hosts = this.#ports.map((port) => `127.0.0.1:${port}`).join(',');
    return `postgres://postgres@${hosts}/${database}?target_session_attrs=read-write`;
  }

  get primaryPort(): number {
    return this.#primary.port;
  }

  /** Runs one statement on the primary. */
  async ask<Row extends object>(sql: string, database = 'postgres'): Promise<Row[]> {
    return ask<Row>(this.#primary.port, sql, database);
  }

  /**
   * The primary's end, as by a power cut. Nothing takes writes until `promote`.
   * @param deafMs for so long before, the standby hears nothing more: what is committed then is at the primary alone
   */
  async killPrimary({ deafMs = 0 } = {}): Promise<void> {
    if (deafMs > 0) {
      const [sender] = await this.ask<{ pid: number }>('SELECT pid FROM pg_stat_replication');
      if (sender !== undefined) process.kill(sender.pid, 'SIGSTOP');
      await pause(deafMs);
    }
    await this.#primary.kill();
  }

  /** Afterwards the standby is the primary, alone. */
  async promote(): Promise<void> {
    if (this.#standby === undefined) throw new Error('there is no standby');
    this.#dead.push(this.#primary);
    this.#primary = this.#standby;
    this.#standby = undefined;
    // With the old primary's settings copied, it would wait for a standby of its own.
    await this.ask("ALTER SYSTEM SET synchronous_standby_names = ''");
    await this.ask('SELECT pg_reload_conf()');
    await this.ask('SELECT pg_promote(true, 30)');
  }

  /** A new standby in the place of the one that is gone; when it resolves, no commit is answered without it. */
  async rebuildStandby(): Promise<void> {
    const port = this.#ports.find((one) => one !== this.#primary.port) ?? 0;
    this.#standby = await startPostgres({ port, standbyOf: this.#primary.port });
    await this.ask(`ALTER SYSTEM SET synchronous_standby_names = '${standbyName}'`);
    await this.ask('SELECT pg_reload_conf()');
    await until(
      () => this.ask<{ state: string }>('SELECT sync_state AS state FROM pg_stat_replication'),
      ([row]) => row?.state === 'sync',
    );
  }

  async [Symbol.asyncDispose](): Promise<void> {
    // The standby last: a primary that waits for it would not end.
    await this.#primary[Symbol.asyncDispose]();
    await this.#standby?.[Symbol.asyncDispose]();
    for (const dead of this.#dead) await dead[Symbol.asyncDispose]();
  }
}

async function ask<Row extends object>(port: number, sql: string, database: string): Promise<Row[]> {
  const client = new Client({ host: '127.0.0.1', port, user: 'postgres', database });
  await client.connect();
  try {
    return (await client.query<Row>(sql)).rows;
  } finally {
    await client.end();
  }
}
