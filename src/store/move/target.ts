/**
 * The database that a data folder is moved into. Each batch is one transaction with the note of how far the move has
 * come, so that a move which broke off anywhere goes on where the last commit was, and no row comes twice.
 */
import type { Clock } from '../../platform/clock.ts';
import { StoreUnusableError } from '../contract/store.ts';
import {
  asOpeningError,
  Database,
  type DatabaseLimits,
  defaultDatabaseLimits,
  Statements,
} from '../postgres/database.ts';
import { migrate } from '../postgres/migrate.ts';
import { type Moving, movingFact, readMoving } from '../postgres/moving.ts';
import { partitionsOf } from '../postgres/partitions.ts';
import { type IdRange, insertRange, readRanges } from '../postgres/ranges.ts';
import { insertRowsSql, lockSql, rowsJson, type Row } from '../postgres/transaction.ts';
import { fingerprintName } from '../sql/identity.ts';
import type { Parameter } from '../sql/statements.ts';
import type { Table, Values } from './tables.ts';
import { emptyTally, type Tally, tally } from './tally.ts';

/** How far a table has come. */
export interface TableProgress extends Tally {
  /** Of the last row that is there. */
  readonly key?: Values;
  readonly isWhole: boolean;
}

export interface MoveState extends Moving {
  readonly begunAtMs: number;
  /** Nobody is there and nothing is in the way: rows may come. */
  readonly isReady: boolean;
  readonly hasRanges: boolean;
  readonly tables: Readonly<Record<string, TableProgress>>;
}

/** What is left to do when all rows are there. */
export interface Counters {
  /** The last number of each of the store's own sequences that goes by the same name in both. */
  readonly sequences: ReadonlyMap<string, number>;
  readonly lastEventId: number;
  readonly lastLease: number;
  /** The last id that each table with ids of its own has given. */
  readonly lastIds: ReadonlyMap<string, number>;
  /** Of the secret that the folder was written with; undefined if none was used yet. */
  readonly fingerprint: string | undefined;
  readonly atMs: number;
}

/** A move has the server for itself, and nobody waits for its statements. */
const limits: DatabaseLimits = { ...defaultDatabaseLimits, connections: 2, statementMs: 600_000 };
/** What is read back at once. */
const pageRows = 200;

const list = (names: readonly string[]) => names.join(', ');

export class Target implements AsyncDisposable {
  readonly #database: Database;
  #text = '';
  #state: MoveState = { id: '', begunAtMs: 0, doneAtMs: null, isReady: false, hasRanges: false, tables: {} };

  private constructor(database: Database) {
    this.#database = database;
  }

  /** @throws StoreUnusableError if it holds anything but our tables, StoreBusyError when it cannot be reached */
  static async open(url: string, clock: Clock): Promise<Target> {
    await using opened = new AsyncDisposableStack();
    const database = new Database(url, limits);
    opened.defer(() => database.close());
    try {
      await refuseForeign(database);
      await migrate(database, clock);
    } catch (error) {
      throw asOpeningError(error);
    }
    opened.move();
    return new Target(database);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#database.close();
  }

  get state(): MoveState {
    return this.#state;
  }

  /** Reads how far a move has come that was begun earlier. @returns undefined if none was */
  async resume(): Promise<MoveState | undefined> {
    const found = await readMoving(this.#database);
    if (found === undefined) return undefined;
    this.#text = found.text;
    this.#state = found.moving as MoveState;
    return this.#state;
  }

  /** A service may have tried it out, with the same secret. @throws StoreUnusableError naming what is in it */
  async requireEmpty(tables: readonly Table[], fingerprint: string): Promise<void> {
    const filled: string[] = [];
    for (const name of ['sequences', ...tables.map((table) => table.name)]) {
      if ((await this.#database.get(`SELECT 1 FROM ${name} LIMIT 1`)) !== undefined) filled.push(name);
    }
    if (filled.length > 0) {
      throw new StoreUnusableError(
        `the database has data of its own (${list(filled)}): a move needs an empty one`,
      );
    }
    const secret = 'SELECT 1 FROM facts WHERE name = ? AND value <> ?';
    if ((await this.#database.get(secret, fingerprintName, fingerprint)) !== undefined) {
      throw new StoreUnusableError('the database belongs to services with another secret');
    }
  }

  /**
   * Says in the database that it is being filled: nobody begins to serve it from now on.
   * @throws StoreUnusableError if somebody else has just said so
   */
  async begin(id: string, begunAtMs: number): Promise<void> {
    const state: MoveState = { id, begunAtMs, doneAtMs: null, isReady: false, hasRanges: false, tables: {} };
    const text = JSON.stringify(state);
    const sql = 'INSERT INTO facts (name, value) VALUES (?, ?) ON CONFLICT (name) DO NOTHING';
    if ((await this.#database.run(sql, movingFact, text)) !== 1) throw somebodyElse();
    [this.#state, this.#text] = [state, text];
  }

  /** @throws StoreUnusableError if somebody serves it */
  async requireAlone(nowMs: number): Promise<void> {
    const sql = 'SELECT 1 FROM processes WHERE alive_until_ms > ? LIMIT 1';
    if ((await this.#database.get(sql, nowMs)) === undefined) return;
    throw new StoreUnusableError('processes are running on the database: stop them first');
  }

  async giveUp(): Promise<void> {
    await this.#database.run('DELETE FROM facts WHERE name = ? AND value = ?', movingFact, this.#text);
  }

  /** Drops what was made for ids to come: the folder's ranges are others. */
  async makeReady(): Promise<void> {
    await this.#advance({ ...this.#state, isReady: true }, async (statements) => {
      await statements.run(lockSql('ranges'));
      for (const range of Object.values(await readRanges(statements)).flat()) {
        await statements.run(`DROP TABLE ${list(partitionsOf(range, 'all', range.hasBodies))}`);
      }
      await statements.run('DELETE FROM id_ranges');
    });
  }

  /** One transaction each: a range is some twenty tables and indexes, and locks are bounded. */
  async makeRanges(ranges: readonly IdRange[]): Promise<void> {
    const made = Object.values(await readRanges(this.#database)).flat();
    for (const range of ranges) {
      const isMade = made.some(({ kind, fromId }) => kind === range.kind && fromId === range.fromId);
      if (!isMade) await this.#database.transaction((sender) => insertRange(sender, range));
    }
    await this.#advance({ ...this.#state, hasRanges: true }, async () => undefined);
  }

  /** @throws StoreUnusableError if the folder's tables do not fit */
  async requireColumns(tables: readonly Table[]): Promise<void> {
    const found = await this.#database.all<{ table: string; name: string }>(
      'SELECT table_name AS "table", column_name AS name FROM information_schema.columns WHERE table_schema = current_schema()',
    );
    const columnsOf = Map.groupBy(found, ({ table }) => table);
    for (const { name, columns } of tables) {
      const there = (columnsOf.get(name) ?? []).map((column) => column.name);
      const odd = [
        ...there.filter((column) => !columns.includes(column)),
        ...columns.filter((column) => !there.includes(column)),
      ];
      if (odd.length > 0) {
        throw new StoreUnusableError(
          `the database is of another version: ${name} is not the same (${list(odd)})`,
        );
      }
    }
  }

  progress({ name }: Table): TableProgress {
    return this.#state.tables[name] ?? { ...emptyTally, isWhole: false };
  }

  /** Stores a batch and how far it brings its table, in one transaction. */
  async write(table: Table, rows: readonly Values[], progress: TableProgress): Promise<void> {
    await this.#advance(
      { ...this.#state, tables: { ...this.#state.tables, [table.name]: progress } },
      (statements) => insert(statements, table, rows),
    );
  }

  /** Reads a table back from end to end, in no order, a page in memory at a time. */
  async tally({ name, columns, hasBodies }: Table, onRows: (rows: number) => void): Promise<Tally> {
    const expressions = columns.map((column) =>
      hasBodies && column === 'raw' ? "encode(sha256(raw), 'hex')" : column,
    );
    return this.#database.transaction(async (sender) => {
      const statements = new Statements(sender);
      await statements.run(`DECLARE pages CURSOR FOR SELECT ${list(expressions)} FROM ${name}`);
      const fetch = () => statements.tuples<Values>(`FETCH ${pageRows} FROM pages`);
      let total = emptyTally;
      // One page is on its way while the one before is counted.
      for (let coming = fetch(); ; ) {
        const page = await coming;
        if (page.length === 0) return total;
        coming = fetch();
        total = tally(total, page);
        onRows(total.rows);
      }
    });
  }

  /** Lets all ids go on after the folder's, takes over whose data they are, and says that everything is there. */
  async finish(counters: Counters): Promise<void> {
    const { sequences, lastEventId, lastLease, lastIds, fingerprint, atMs } = counters;
    await this.#advance({ ...this.#state, doneAtMs: atMs }, async (statements) => {
      for (const [name, last] of sequences) {
        await statements.run('INSERT INTO sequences (name, last) VALUES (?, ?)', name, last);
      }
      await setSequence(statements, 'event_ids', lastEventId);
      await setSequence(statements, 'lease_numbers', lastLease);
      for (const [name, last] of lastIds) {
        const sql = "SELECT pg_get_serial_sequence(?, 'id') AS sequence";
        const row = await statements.get<{ sequence: string | null }>(sql, name);
        // The others take their ids from one of the sequences above.
        if (typeof row?.sequence === 'string') await setSequence(statements, row.sequence, last);
      }
      if (fingerprint === undefined) return;
      const sql = 'INSERT INTO facts (name, value) VALUES (?, ?) ON CONFLICT (name) DO NOTHING';
      await statements.run(sql, fingerprintName, fingerprint);
    });
  }

  /** Without it, the first plans would be made for tables that look empty. */
  async analyze(tables: readonly Table[]): Promise<void> {
    for (const { name } of tables) await this.#database.run(`ANALYZE ${name}`);
  }

  async #advance(state: MoveState, work: (statements: Statements) => Promise<unknown>): Promise<void> {
    const text = JSON.stringify(state);
    await this.#database.transaction(async (sender) => {
      const statements = new Statements(sender);
      const sql = 'UPDATE facts SET value = ? WHERE name = ? AND value = ?';
      if ((await statements.run(sql, text, movingFact, this.#text)) !== 1) {
        throw somebodyElse();
      }
      await work(statements);
    });
    [this.#state, this.#text] = [state, text];
  }
}

const somebodyElse = () => new StoreUnusableError('somebody else is moving data into the database');

async function refuseForeign(database: Database): Promise<void> {
  const row = await database.get<{ tables: number }>(
    `SELECT count(*) AS tables FROM pg_class WHERE relkind IN ('r', 'p') AND relnamespace = current_schema()::regnamespace
       AND to_regclass('schema_steps') IS NULL`,
  );
  if ((row?.tables ?? 0) === 0) return;
  throw new StoreUnusableError('the database has tables of something else: a move needs an empty one');
}

async function insert(statements: Statements, table: Table, rows: readonly Values[]): Promise<void> {
  if (rows.length === 0) return;
  if (table.hasBodies) {
    // As they are, outside the JSON, which would double them.
    const places = rows.map((row) => `(${row.map(placeOf).join(', ')})`).join(', ');
    await statements.run(
      `INSERT INTO ${table.name} (${list(table.columns)}) VALUES ${places}`,
      ...rows.flat(),
    );
    return;
  }
  const named = rows.map(
    (row) => Object.fromEntries(table.columns.map((name, index) => [name, row[index]])) as Row,
  );
  await statements.run(insertRowsSql(table.name, named), rowsJson(named));
}

function placeOf(value: Parameter): string {
  if (value instanceof Uint8Array) return '?::bytea';
  return typeof value === 'number' ? '?::bigint' : '?::text';
}

/** `last` is the last number that was taken, 0 if none was. */
const setSequence = (statements: Statements, name: string, last: number) =>
  statements.all(
    'SELECT setval(?::regclass, ?::bigint, ?::boolean)',
    name,
    Math.max(1, last),
    last > 0 ? 1 : 0,
  );
