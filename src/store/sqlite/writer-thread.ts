/**
 * The writer: a thread of its own with the only connection that writes. It takes the calls that came while its last
 * commit ran and makes them one transaction (group commit), so that a thousand callers share one fsync.
 *
 * A call that throws must not take its neighbours with it: then the batch is rolled back and every call of it runs again
 * in a transaction of its own. Calls are plain functions of the database, so running one again is safe.
 */
import { type MessagePort, parentPort, receiveMessageOnPort, workerData } from 'node:worker_threads';
import { openWriter, type Writer } from './database.ts';
import { writes } from './writes.ts';

export interface Call {
  readonly id: number;
  readonly room: string;
  readonly verb: string;
  readonly input: unknown;
}

/** The disk has no room; another process holds the file's lock for too long. */
export type Trouble = 'full' | 'locked';

export interface Reply {
  readonly answers: readonly (
    | { id: number; result: unknown }
    /** An error loses its class between threads, so what a caller has to know of it stands beside it. */
    | { id: number; error: Error; trouble: Trouble | undefined }
  )[];
  readonly grownLogs: readonly number[];
}

export type ToWriter = { readonly calls: readonly Call[] } | 'close';

/** Bounds how long one transaction makes its first caller wait. */
const maxBatchCalls = 4096;

async function answer(database: Writer, { id, room, verb, input }: Call) {
  const write = (
    writes as unknown as Record<string, Record<string, (database: Writer, input: unknown) => unknown>>
  )[room]?.[verb];
  if (write === undefined) throw new Error(`no such write: ${room}.${verb}`);
  return { id, result: await write(database, input) };
}

async function answerAll(database: Writer, calls: readonly Call[]) {
  const answers: Awaited<ReturnType<typeof answer>>[] = [];
  for (const call of calls) answers.push(await answer(database, call));
  return answers;
}

async function runAll(database: Writer, calls: readonly Call[]): Promise<Reply> {
  try {
    const { result: answers, grownLogs } = await database.transact(() => answerAll(database, calls));
    return { answers, grownLogs };
  } catch (error) {
    // Waiting for the lock once more for each call would make all of them wait for all.
    if (calls.length === 1 || troubleOf(error) === 'locked') {
      const answers = calls.map(({ id }) => ({ id, error: error as Error, trouble: troubleOf(error) }));
      return { answers, grownLogs: [] };
    }
    const replies: Reply[] = [];
    for (const call of calls) replies.push(await runAll(database, [call]));
    return {
      answers: replies.flatMap((reply) => reply.answers),
      grownLogs: [...new Set(replies.flatMap((reply) => reply.grownLogs))],
    };
  }
}

/** What is no fault of the call: SQLITE_BUSY; SQLITE_FULL, and SQLITE_IOERR_WRITE, which a full disk gives as well. */
const troubles: Readonly<Record<number, Trouble>> = { 5: 'locked', 13: 'full', 778: 'full' };

function troubleOf(error: unknown): Trouble | undefined {
  return troubles[(error as { errcode?: number }).errcode ?? 0];
}

async function take(port: MessagePort, database: Writer, first: ToWriter): Promise<void> {
  const calls: Call[] = [];
  let message: ToWriter | undefined = first;
  while (message !== undefined && message !== 'close') {
    calls.push(...message.calls);
    message = calls.length < maxBatchCalls ? receiveMessageOnPort(port)?.message : undefined;
  }
  if (calls.length > 0) port.postMessage(await runAll(database, calls));
  if (message === 'close') {
    database.close();
    port.close();
  }
}

function serve(port: MessagePort, file: string): void {
  const database = openWriter(file);
  // A verb may await, so that a message can come while a transaction is open: it waits for its end.
  let turn = Promise.resolve();
  port.on('message', (message: ToWriter) => {
    turn = turn.then(() => take(port, database, message));
  });
  port.postMessage('ready');
}

if (parentPort !== null) serve(parentPort, workerData as string);
