/** Processes on one PostgreSQL whose commits wait for the disk, as an operator runs it, and what it all costs. */
import { readFileSync } from 'node:fs';
import { Client } from 'pg';
import { childrenOf, databaseUrl, type PostgresServer, startPostgres } from '../tests/support/postgres.ts';
import { type TestAccount, TestService } from '../tests/support/service.ts';
import { createSender } from './sender.ts';

/** Shipped settings, but for memory that a server of its own would have. */
export const startDatabase = (): Promise<PostgresServer> =>
  startPostgres({
    settings: { fsync: 'on', full_page_writes: 'on', shared_buffers: '1GB', max_wal_size: '4GB' },
  });

let databases = 0;

export class Cluster implements AsyncDisposable {
  readonly processes: readonly TestService[];
  readonly account: TestAccount;
  readonly #server: PostgresServer;
  readonly #client: Client;
  readonly #parts: AsyncDisposable;

  private constructor(
    processes: readonly TestService[],
    account: TestAccount,
    server: PostgresServer,
    client: Client,
    parts: AsyncDisposable,
  ) {
    this.processes = processes;
    this.account = account;
    this.#server = server;
    this.#client = client;
    this.#parts = parts;
  }

  /** Processes with all roles on a database of their own, and an account that may send. */
  static async start(
    server: PostgresServer,
    count: number,
    env: Readonly<Record<string, string>>,
  ): Promise<Cluster> {
    await using stack = new AsyncDisposableStack();
    const name = `cluster_${++databases}`;
    await ask(databaseUrl(server.port, 'postgres'), `CREATE DATABASE ${name}`);
    const url = databaseUrl(server.port, name);
    const client = new Client({ connectionString: url });
    await client.connect();
    stack.defer(() => client.end());
    const processes: TestService[] = [];
    for (let number = 0; number < count; number++) {
      const own = {
        ...env,
        AFTERSEND_DATABASE_URL: url,
        AFTERSEND_SECRET_KEY: Buffer.alloc(32, 1).toString('base64url'),
      };
      processes.push(stack.use(await TestService.start(own)));
    }
    const [first] = processes;
    if (first === undefined) throw new Error('a cluster has a process');
    const account = await createSender(first);
    return new Cluster(processes, account, server, client, stack.move());
  }

  async ask(sql: string): Promise<Record<string, string>> {
    const { rows } = await this.#client.query<Record<string, string>>(sql);
    return rows[0] ?? {};
  }

  /** What `work` cost the database and the processes. */
  async costOf(work: () => Promise<void>): Promise<Cost> {
    const before = await this.#spent();
    await work();
    const after = await this.#spent();
    const of = (what: keyof Cost) => after[what] - before[what];
    return {
      processMs: of('processMs'),
      databaseMs: of('databaseMs'),
      walBytes: of('walBytes'),
      walSyncs: of('walSyncs'),
      commits: of('commits'),
    };
  }

  async #spent(): Promise<Cost> {
    const wal = await this.ask(
      "SELECT pg_current_wal_lsn() - '0/0'::pg_lsn AS bytes, (SELECT wal_sync FROM pg_stat_wal) AS syncs",
    );
    const { commits } = await this.ask(
      'SELECT xact_commit AS commits FROM pg_stat_database WHERE datname = current_database()',
    );
    const { pid } = this.#server;
    return {
      processMs: this.processes.reduce((sum, { pid }) => sum + cpuMs(pid), 0),
      databaseMs: [pid, ...childrenOf(pid)].reduce((sum, pid) => sum + cpuMs(pid), 0),
      walBytes: Number(wal['bytes']),
      walSyncs: Number(wal['syncs']),
      commits: Number(commits),
    };
  }

  [Symbol.asyncDispose](): PromiseLike<void> {
    return this.#parts[Symbol.asyncDispose]();
  }
}

export interface Cost {
  readonly processMs: number;
  readonly databaseMs: number;
  readonly walBytes: number;
  readonly walSyncs: number;
  readonly commits: number;
}

async function ask(url: string, sql: string): Promise<void> {
  const client = new Client({ connectionString: url });
  await client.connect();
  await client.query(sql);
  await client.end();
}

/** Linux counts in hundredths of a second, whatever the machine. */
const tickMs = 10;

/** CPU time of a process and of its children that have ended, as Linux counts it; 0 for one that is gone. */
function cpuMs(pid: number): number {
  const stat = statOf(pid);
  // The name, the second field, may hold spaces; utime is the 14th and cstime the 17th.
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return fields.slice(11, 15).reduce((sum, ticks) => sum + Number(ticks) * tickMs, 0);
}

function statOf(pid: number): string {
  try {
    return readFileSync(`/proc/${pid}/stat`, 'utf8');
  } catch {
    return '';
  }
}
