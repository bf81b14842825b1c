/**
 * The connections to PostgreSQL: a bounded pool, statements as store/sql/ writes them, transactions. No statement is
 * prepared by name and nothing is set for a session, so that a pooler may give every transaction another connection.
 */
import { Client, type ClientBase, DatabaseError, Pool, type PoolClient, types } from 'pg';
import { StoreBusyError, StoreFullError, StoreUnusableError } from '../contract/store.ts';
import type { Parameter, Reader } from '../sql/statements.ts';
import { Servers } from './servers.ts';

export interface DatabaseLimits {
  readonly connections: number;
  readonly connectMs: number;
  /** No statement of ours comes near it: it ends one whose server has gone without a word. */
  readonly statementMs: number;
  /** For a process that stops in the middle of a transaction and keeps what others wait for. */
  readonly idleInTransactionMs: number;
  /** For a lock that somebody else holds. */
  readonly lockMs: number;
}

export const defaultDatabaseLimits: DatabaseLimits = {
  connections: 10,
  connectMs: 5_000,
  statementMs: 30_000,
  idleInTransactionMs: 10_000,
  lockMs: 20_000,
};

/** What a statement is sent by: the pool, or the one connection of a transaction. */
export interface Sender {
  query(query: {
    text: string;
    values: readonly unknown[];
    rowMode?: 'array';
  }): Promise<{ rows: unknown[]; rowCount: number | null }>;
}

const numberedStatements = new Map<string, string>();

/** `?` to `$1`, `$2` …; no statement of ours has a question mark in a literal. */
function numbered(sql: string): string {
  let text = numberedStatements.get(sql);
  if (text === undefined) {
    let count = 0;
    text = sql.replaceAll('?', () => `$${++count}`);
    numberedStatements.set(sql, text);
  }
  return text;
}

/** PostgreSQL's text has no NUL, and no half of a surrogate pair: both become U+FFFD. */
export const storable = (text: string): string => text.replaceAll('\0', '\u{FFFD}').toWellFormed();

function valueOf(parameter: Parameter): unknown {
  if (typeof parameter === 'string') return storable(parameter);
  if (parameter instanceof Uint8Array)
    return Buffer.from(parameter.buffer, parameter.byteOffset, parameter.byteLength);
  return parameter;
}

/** Statements by one sender. */
export class Statements implements Reader {
  readonly #sender: Sender;

  constructor(sender: Sender) {
    this.#sender = sender;
  }

  async get<Row>(sql: string, ...parameters: Parameter[]): Promise<Row | undefined> {
    return (await this.all<Row>(sql, ...parameters))[0];
  }

  async all<Row>(sql: string, ...parameters: Parameter[]): Promise<Row[]> {
    return (await this.#send(sql, parameters)).rows as Row[];
  }

  async tuples<Tuple>(sql: string, ...parameters: Parameter[]): Promise<Tuple[]> {
    const query = { text: numbered(sql), values: parameters.map(valueOf), rowMode: 'array' } as const;
    return (await this.#sender.query(query)).rows as Tuple[];
  }

  async run(sql: string, ...parameters: Parameter[]): Promise<number> {
    return (await this.#send(sql, parameters)).rowCount ?? 0;
  }

  #send(sql: string, parameters: readonly Parameter[]) {
    return this.#sender.query({ text: numbered(sql), values: parameters.map(valueOf) });
  }
}

/** All of our 64-bit numbers are counts, ids and times: they fit a double. */
const bigintType = 20;
const numberTypes = {
  getTypeParser: ((oid: number, format?: 'text' | 'binary') =>
    oid === bigintType ? Number : types.getTypeParser(oid, format)) as typeof types.getTypeParser,
};

/** After so long without a word, the kernel asks whether the server's machine is still there. */
const keepAliveMs = 10_000;

/** How a connection to one server is made, for the pool and for the one that listens. */
export function connectionOptions(url: string, { connectMs, statementMs }: DatabaseLimits) {
  return {
    connectionString: url,
    connectionTimeoutMillis: connectMs,
    query_timeout: statementMs,
    keepAlive: true,
    keepAliveInitialDelayMillis: keepAliveMs,
    types: numberTypes,
  };
}

/** Two transactions stood in each other's way: the one that was ended may simply come again. */
const collisions = new Set(['40001', '40P01']);
const mostTries = 5;

/** Also where the server, the database or the user has limits set. */
const unhurriedSql = 'SET LOCAL statement_timeout = 0; SET LOCAL lock_timeout = 0';

/** The server's disk is full. */
const diskFull = '53100';

/** The server has become a standby. */
const readOnly = '25006';

/** The server is stopping, starting, read-only, full, or has ended us: later, or elsewhere, it will do. */
const unavailable = /^(08|53|57P0|25006|25P03|55P03)/;

/** What `pg` says when an answer did not come in time, and when the pool had no connection to give in time. */
const silence = 'Query read timeout';
const poolExhausted = 'timeout exceeded when trying to connect';

/**
 * What the caller should see: trouble with reaching the server means "later" and loses nothing; what the server says of
 * a statement is a fault of ours.
 */
function asStoreError(error: unknown): unknown {
  if (error instanceof StoreBusyError) return error;
  if (error instanceof DatabaseError && error.code === diskFull) {
    return new StoreFullError('the database has no room left', { cause: error });
  }
  if (error instanceof DatabaseError && !unavailable.test(error.code ?? '')) return error;
  if (error instanceof DatabaseError || isConnectionError(error)) {
    return new StoreBusyError('the database cannot be reached', { cause: error });
  }
  return error;
}

/** Of whoever opens a database: what it says of a password, a name or a permission is for the operator to mend. */
export function asOpeningError(error: unknown): unknown {
  if (error instanceof StoreBusyError || error instanceof StoreUnusableError) return error;
  return new StoreUnusableError(`the database cannot be used: ${(error as Error).message}`, { cause: error });
}

function isConnectionError(error: unknown): boolean {
  if (!(error instanceof Error)) return false;
  const { code, message } = error as NodeJS.ErrnoException;
  return (
    /^E[A-Z_]+$/.test(code ?? '') ||
    /^(Connection terminated|Query read timeout|timeout e|Client)/.test(message)
  );
}

/** A server that has gone silent answers no ROLLBACK either; one that has become a standby is of no more use. */
function isBeyondUse(error: unknown): error is Error {
  if (error instanceof DatabaseError) return error.code === readOnly;
  return error instanceof Error && error.message === silence;
}

export class Database implements Reader {
  readonly #servers: Servers;
  readonly #pool: Pool;
  readonly #limits: DatabaseLimits;
  readonly #begin: string;
  readonly #statements: Statements;

  /** @param url may name several servers, of which the one that takes writes is used */
  constructor(url: string, limits: DatabaseLimits) {
    const servers = new Servers(url);
    this.#servers = servers;
    this.#limits = limits;
    class ToServer extends Client {
      constructor() {
        super(connectionOptions(servers.url, limits));
      }
    }
    this.#pool = new Pool({
      Client: ToServer,
      max: limits.connections,
      connectionTimeoutMillis: limits.connectMs,
      // oxlint-disable-next-line typescript/no-misused-promises -- the pool waits for it; its types have not heard
      onConnect: servers.requireWrites,
    });
    // One that breaks while nobody uses it is taken out of the pool; who uses one hears of it by the statement.
    this.#pool.on('error', () => undefined);
    this.#pool.on('connect', (client) => client.on('error', () => undefined));
    this.#begin = `BEGIN; SET LOCAL idle_in_transaction_session_timeout = ${limits.idleInTransactionMs};
      SET LOCAL lock_timeout = ${limits.lockMs}`;
    this.#statements = new Statements({
      query: (query) => this.#alone((client) => client.query({ ...query, values: [...query.values] })),
    });
  }

  get<Row>(sql: string, ...parameters: Parameter[]): Promise<Row | undefined> {
    return asked(this.#statements.get<Row>(sql, ...parameters));
  }

  all<Row>(sql: string, ...parameters: Parameter[]): Promise<Row[]> {
    return asked(this.#statements.all<Row>(sql, ...parameters));
  }

  tuples<Tuple>(sql: string, ...parameters: Parameter[]): Promise<Tuple[]> {
    return asked(this.#statements.tuples<Tuple>(sql, ...parameters));
  }

  /** One statement that writes, in a transaction of its own. */
  run(sql: string, ...parameters: Parameter[]): Promise<number> {
    return asked(this.#statements.run(sql, ...parameters));
  }

  /**
   * Runs `work` in one transaction, again if it collided with another one.
   * @throws StoreBusyError when the server cannot be reached; then it may have been committed all the same
   */
  transaction<T>(work: (sender: Sender) => Promise<T>): Promise<T> {
    return tryAgain(() => this.#once(work));
  }

  /**
   * Runs `work` in one transaction that may take as long as it needs, and wait as long for its locks, on a connection of
   * its own. @throws as `transaction` does
   */
  unhurried<T>(work: (sender: Sender) => Promise<T>): Promise<T> {
    return tryAgain(async () => {
      const client = await this.#reach(() => this.#connectAlone());
      try {
        return await inTransaction(client, `${this.#begin}; ${unhurriedSql}`, work);
      } finally {
        await client.end();
      }
    });
  }

  /** Statements without parameters, several with `;` between: one transaction and one round trip. */
  script(text: string): Promise<unknown> {
    return asked(this.#alone((client) => client.query(text)));
  }

  close(): Promise<void> {
    return this.#pool.end();
  }

  #connect(): Promise<PoolClient> {
    return this.#reach(() => this.#pool.connect());
  }

  async #connectAlone(): Promise<Client> {
    const client = new Client(connectionOptions(this.#servers.url, { ...this.#limits, statementMs: 0 }));
    // What it is used for fails with it.
    client.on('error', () => undefined);
    try {
      await client.connect();
      await this.#servers.requireWrites(client);
      return client;
    } catch (error) {
      await client.end().catch(() => undefined);
      throw error;
    }
  }

  /** A connection to the server that takes writes; each server is tried once. */
  async #reach<T>(connect: () => Promise<T>): Promise<T> {
    for (let tries = 1; ; tries++) {
      const { url } = this.#servers;
      try {
        return await connect();
      } catch (error) {
        if ((error as Error).message === poolExhausted) throw error;
        this.#servers.leave(url);
        if (tries >= this.#servers.count) throw error;
      }
    }
  }

  /** One query, whatever it holds. After a failure nobody knows what state the connection is in: it goes. */
  async #alone<T>(work: (client: PoolClient) => Promise<T>): Promise<T> {
    const client = await this.#connect();
    try {
      const result = await work(client);
      client.release();
      return result;
    } catch (error) {
      client.release(error as Error);
      throw error;
    }
  }

  async #once<T>(work: (sender: Sender) => Promise<T>): Promise<T> {
    const client = await this.#connect();
    let broken: Error | undefined;
    try {
      return await inTransaction(client, this.#begin, work, (error) => {
        broken = error;
      });
    } finally {
      client.release(broken);
    }
  }
}

async function tryAgain<T>(once: () => Promise<T>): Promise<T> {
  for (let tries = 1; ; tries++) {
    try {
      return await once();
    } catch (error) {
      const collided = error instanceof DatabaseError && collisions.has(error.code ?? '');
      if (!collided || tries === mostTries) throw asStoreError(error);
    }
  }
}

/** @param onBroken is given why the connection is of no more use */
async function inTransaction<T>(
  client: ClientBase,
  begin: string,
  work: (sender: Sender) => Promise<T>,
  onBroken: (error: Error) => void = () => undefined,
): Promise<T> {
  try {
    await client.query(begin);
    const result = await work({ query: (query) => client.query({ ...query, values: [...query.values] }) });
    // A transaction that the server has given up ends with ROLLBACK, whatever it was asked for.
    const { command } = await client.query('COMMIT');
    if (command !== 'COMMIT') throw new Error('the transaction was given up before its end');
    return result;
  } catch (error) {
    if (isBeyondUse(error)) onBroken(error);
    else await client.query('ROLLBACK').catch(onBroken);
    throw error;
  }
}

async function asked<T>(answer: Promise<T>): Promise<T> {
  try {
    return await answer;
  } catch (error) {
    throw asStoreError(error);
  }
}
