/**
 * A data folder that is read from end to end and not changed: its tables in batches, in the order of their keys, as they
 * are to stand in the database. It is locked as a service locks it, and against commands as well, until it is disposed of.
 */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import type { Parameter } from '../sql/statements.ts';
import { openWriter } from '../sqlite/database.ts';
import { FolderLockedError, FolderUnusableError, lockForService } from '../sqlite/open.ts';
import { computed, notMoved, type Table, type Values } from './tables.ts';

/** How long a command that is writing may take. */
const commandMs = 10_000;
const batchRows = 2_000;
/** Each number of bodies is a statement of its own. */
const batchBodies = 256;
/** And one row more. */
const batchBytes = 8 * 2 ** 20;

export class Source implements Disposable {
  readonly tables: readonly Table[];
  readonly #connection: DatabaseSync;
  readonly #lock: { close(): void };

  private constructor(connection: DatabaseSync, lock: { close(): void }) {
    this.#connection = connection;
    this.#lock = lock;
    // As they were made: what others refer to comes first.
    const names = this.rows<{ name: string }>(
      "SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite%' ORDER BY rowid",
    ).map(({ name }) => name);
    this.tables = names.filter((name) => !(name in notMoved)).map((name) => this.#describe(name));
  }

  /** @throws FolderLockedError, FolderUnusableError */
  static open(dataFolder: string): Source {
    const file = join(dataFolder, 'aftersend.db');
    if (!existsSync(file)) throw new FolderUnusableError(`there are no data in ${dataFolder}: no ${file}`);
    using opened = new DisposableStack();
    try {
      const lock = lockForService(dataFolder);
      opened.defer(() => lock.close());
      // Brings its tables to this version's form first.
      openWriter(file).close();
      const connection = new DatabaseSync(file, { timeout: commandMs });
      opened.defer(() => connection.close());
      connection.exec('BEGIN IMMEDIATE');
      const source = new Source(connection, lock);
      opened.move();
      return source;
    } catch (error) {
      if (error instanceof FolderLockedError) throw error;
      const message = `the data folder ${dataFolder} cannot be read: ${(error as Error).message}`;
      throw new FolderUnusableError(message, { cause: error });
    }
  }

  [Symbol.dispose](): void {
    this.#connection.exec('ROLLBACK');
    this.#connection.close();
    this.#lock.close();
  }

  rows<Row>(sql: string, ...parameters: Parameter[]): Row[] {
    return this.#connection.prepare(sql).all(...parameters) as Row[];
  }

  each<Row>(sql: string): Iterable<Row> {
    return this.#connection.prepare(sql).iterate() as unknown as Iterable<Row>;
  }

  count({ name }: Table): number {
    return this.rows<{ n: number }>(`SELECT count(*) AS n FROM ${name}`)[0]?.n ?? 0;
  }

  /** Submissions whose bodies are in an object store: they stay there. */
  countObjectBodies(): number {
    // The length is known without reading a body; the key stands behind it.
    const sql = "SELECT count(*) AS n FROM bodies WHERE length(raw) = 0 AND object_key <> ''";
    return this.rows<{ n: number }>(sql)[0]?.n ?? 0;
  }

  /** The rows after a key, in the order of keys; bounded by rows and bytes. */
  *batches({ name, columns, key, hasBodies }: Table, after: Values | undefined): Generator<Values[]> {
    const expressions = columns.map((column) => computed[name]?.[column] ?? `t.${column}`);
    const keys = key.map((column) => `t.${column}`).join(', ');
    const from = after === undefined ? '' : `WHERE (${keys}) > (${key.map(() => '?').join(', ')})`;
    const statement = this.#connection.prepare(
      `SELECT ${expressions.join(', ')} FROM ${name} t ${from} ORDER BY ${keys}`,
    );
    statement.setReturnArrays(true);
    const mostRows = hasBodies ? batchBodies : batchRows;
    let batch: Values[] = [];
    let bytes = 0;
    for (const row of statement.iterate(...(after ?? [])) as unknown as Iterable<Values>) {
      batch.push(row);
      for (const value of row) bytes += sizeOf(value);
      if (batch.length < mostRows && bytes < batchBytes) continue;
      yield batch;
      [batch, bytes] = [[], 0];
    }
    if (batch.length > 0) yield batch;
  }

  /** The last number of each sequence that was taken. */
  sequences(): ReadonlyMap<string, number> {
    const rows = this.rows<{ name: string; last: number }>('SELECT name, last FROM sequences');
    return new Map(rows.map(({ name, last }) => [name, last]));
  }

  /** The last id that a table has given, also if its row is gone. */
  lastGivenId({ name }: Table): number {
    const [given] = this.rows<{ seq: number }>('SELECT seq FROM sqlite_sequence WHERE name = ?', name);
    const [highest] = this.rows<{ id: number | null }>(`SELECT max(id) AS id FROM ${name}`);
    return Math.max(given?.seq ?? 0, highest?.id ?? 0);
  }

  /** What the store keeps of itself under this name. */
  fact(name: string): string | undefined {
    return this.rows<{ value: string }>('SELECT value FROM facts WHERE name = ?', name)[0]?.value;
  }

  #describe(name: string): Table {
    const found = this.rows<{ name: string; type: string; pk: number }>(`PRAGMA table_info(${name})`);
    const own = found.map((column) => column.name);
    const added = Object.keys(computed[name] ?? {}).filter((column) => !own.includes(column));
    return {
      name,
      columns: [...own, ...added],
      key: found
        .filter(({ pk }) => pk > 0)
        .sort((a, b) => a.pk - b.pk)
        .map((column) => column.name),
      hasBodies: found.some(({ type }) => type === 'BLOB'),
    };
  }
}

function sizeOf(value: Parameter): number {
  if (value instanceof Uint8Array) return value.byteLength;
  return typeof value === 'string' ? value.length : 8;
}
