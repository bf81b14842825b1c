/**
 * The writer: a thread of its own with the only connection that writes. It makes the calls that come together one
 * transaction (group commit), so that a thousand callers share one fsync.
 *
 * A call that throws must not take its neighbours with it: then the batch is rolled back and every call of it runs again
 * in a transaction of its own. Calls are plain functions of the database, so running one again is safe.
 */
import { type MessagePort, parentPort, workerData } from 'node:worker_threads';
import { openWriter, type Writer } from './database.ts';
import { writes } from './writes.ts';

/** Calls of one verb that follow one another. */
export interface CallsOfVerb {
  readonly room: string;
  readonly verb: string;
  readonly inputs: readonly unknown[];
}

/** One transaction, whose bounds the caller's side keeps. */
export type ToWriter = { readonly calls: readonly CallsOfVerb[] } | 'close';

/** The disk has no room; another process holds the file's lock for too long. */
export type Trouble = 'full' | 'locked';

/** One for each batch, in their order. */
export interface Reply {
  /** In the order of the calls; undefined for one that failed. */
  readonly results: readonly unknown[];
  readonly failures: readonly Failure[];
  readonly grownLogs: readonly number[];
}

/** An error loses its class between threads, so what a caller has to know of it stands beside it. */
interface Failure {
  /** Of the call in its batch. */
  readonly index: number;
  readonly error: Error;
  readonly trouble: Trouble | undefined;
}

type Write = (database: Writer, input: unknown) => unknown;

function writeOf({ room, verb }: CallsOfVerb): Write {
  const write = (writes as unknown as Record<string, Record<string, Write>>)[room]?.[verb];
  if (write === undefined) throw new Error(`no such write: ${room}.${verb}`);
  return write;
}

async function answerAll(database: Writer, calls: readonly CallsOfVerb[]): Promise<unknown[]> {
  const results: unknown[] = [];
  for (const ofVerb of calls) {
    const write = writeOf(ofVerb);
    for (const input of ofVerb.inputs) {
      const result = write(database, input);
      // What comes often is there at once, and a turn of the microtasks for each would be a tenth of its cost.
      results.push(result instanceof Promise ? await result : result);
    }
  }
  return results;
}

async function runAll(database: Writer, calls: readonly CallsOfVerb[]): Promise<Reply> {
  try {
    const { result: results, grownLogs } = await database.transact(() => answerAll(database, calls));
    return { results, failures: [], grownLogs };
  } catch (error) {
    const trouble = troubleOf(error);
    const alone = calls.flatMap((ofVerb) => ofVerb.inputs.map((input) => ({ ...ofVerb, inputs: [input] })));
    // Waiting for the lock once more for each call would make all of them wait for all.
    if (alone.length === 1 || trouble === 'locked') {
      const failures = alone.map((_, index) => ({ index, error: error as Error, trouble }));
      return { results: [], failures, grownLogs: [] };
    }
    return await runEach(database, alone);
  }
}

async function runEach(database: Writer, calls: readonly CallsOfVerb[]): Promise<Reply> {
  const results: unknown[] = [];
  const failures: Failure[] = [];
  const grownLogs = new Set<number>();
  for (const [index, call] of calls.entries()) {
    const reply = await runAll(database, [call]);
    results.push(reply.results[0]);
    for (const failure of reply.failures) failures.push({ ...failure, index });
    for (const accountId of reply.grownLogs) grownLogs.add(accountId);
  }
  return { results, failures, grownLogs: [...grownLogs] };
}

/** What is no fault of the call: SQLITE_BUSY; SQLITE_FULL, and SQLITE_IOERR_WRITE, which a full disk gives as well. */
const troubles: Readonly<Record<number, Trouble>> = { 5: 'locked', 13: 'full', 778: 'full' };

function troubleOf(error: unknown): Trouble | undefined {
  return troubles[(error as { errcode?: number }).errcode ?? 0];
}

function serve(port: MessagePort, file: string): void {
  const database = openWriter(file);
  const take = async (message: ToWriter): Promise<void> => {
    if (message !== 'close') return port.postMessage(await runAll(database, message.calls));
    database.close();
    port.close();
  };
  // A verb may await, so that a message can come while a transaction is open: it waits for its end.
  let turn = Promise.resolve();
  port.on('message', (message: ToWriter) => {
    turn = turn.then(() => take(message));
  });
  port.postMessage('ready');
}

if (parentPort !== null) serve(parentPort, workerData as string);
