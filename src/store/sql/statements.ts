/**
 * What a store's SQL is written against where both engines take the same: parameters are `?`, truth is 0 or 1, and an
 * answer may come at once (SQLite) or later (PostgreSQL). A function of these runs inside a transaction that its store
 * has opened, so it must do nothing else and be safe to run again.
 */
import type { IdWindows } from './windows.ts';

export type Parameter = string | number | null | Uint8Array;
export type Awaitable<T> = T | Promise<T>;

export interface Reader {
  /** Rows come as the columns are named in the statement; the caller's type has to agree with its SQL. */
  get<Row>(sql: string, ...parameters: Parameter[]): Awaitable<Row | undefined>;
  all<Row>(sql: string, ...parameters: Parameter[]): Awaitable<Row[]>;
  /** Rows as arrays in the order of the columns, for hot reads. */
  tuples<Tuple>(sql: string, ...parameters: Parameter[]): Awaitable<Tuple[]>;
}

export interface Writer extends Reader {
  readonly windows: IdWindows;
  /** @returns how many rows changed */
  run(sql: string, ...parameters: Parameter[]): Awaitable<number>;
  /** @returns the `id` of the new row */
  insert(sql: string, ...parameters: Parameter[]): Awaitable<number>;
  /** Takes `count` consecutive ids; ids never come again, also when their rows are gone. @returns the first of them */
  nextIds(sequence: string, count?: number): Awaitable<number>;
  /** The account has events that its readers are to be told of after the commit. */
  noteGrownLog(accountId: number): void;
}

/** A verb of the stores as its callers have it: `(database, input) => result` becomes `input => Promise<result>`. */
type Called<Verb> = Verb extends (database: never, input: infer Input) => infer Result
  ? (input: Input) => Promise<Awaited<Result>>
  : never;

/** The verbs of one room, each run in a transaction of the store. */
export type Calls<Room> = { readonly [Verb in keyof Room]: Called<Room[Verb]> };
