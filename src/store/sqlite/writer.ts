/**
 * The main thread's side of the writer: turns `write.room.verb(input)` into a call to the thread and its answer into a
 * promise. Calls made while a batch is being committed wait here and go together; how many may wait is bounded.
 *
 * Where many call at once they are two batches: while the thread writes one, this side answers the callers of the other
 * and takes their next calls.
 */
import { Worker } from 'node:worker_threads';
import { StoreBusyError, StoreFullError } from '../contract/store.ts';
import type { Calls } from '../sql/statements.ts';
import type { CallsOfVerb, Reply, ToWriter, Trouble } from './writer-thread.ts';
import { writes } from './writes.ts';

type Rooms = typeof writes;
export type WriteVerbs = { readonly [Room in keyof Rooms]: Calls<Rooms[Room]> };

/** Calls that may wait for a commit, beyond which callers are told to come back later. */
const maxWaitingCalls = 20_000;
/** A batch is a transaction: bounds how long one makes its first caller wait. */
const maxBatchCalls = 4096;
/** With fewer, a commit of their own costs more than what is done beside another one saves. */
const leastCallsBeside = 64;
/** One that is written and one that waits for it to end. */
const maxBatchesInFlight = 2;
/** What a call is made of is gone when it is answered: as much as two batches need. V8 would take 48 MB. */
const maxYoungGenerationSizeMb = 12;

interface Call {
  readonly room: string;
  readonly verb: string;
  readonly input: unknown;
  readonly resolve: (result: unknown) => void;
  readonly reject: (error: Error) => void;
}

export class SqliteWriter {
  readonly #thread: Worker;
  readonly #onGrownLogs: (accountIds: readonly number[]) => void;
  #gathered: Call[] = [];
  /** In the order in which they are answered. */
  readonly #inFlight: (readonly Call[])[] = [];
  #waitingCalls = 0;
  #isFlushDue = false;
  #failure: Error | undefined;

  private constructor(thread: Worker, onGrownLogs: (accountIds: readonly number[]) => void) {
    this.#thread = thread;
    this.#onGrownLogs = onGrownLogs;
    thread.on('message', (reply: Reply) => this.#receive(reply));
    thread.on('error', (error: Error) => this.#fail(error));
    thread.on('exit', () => this.#fail(new Error('the store is closed')));
  }

  static async open(
    file: string,
    onGrownLogs: (accountIds: readonly number[]) => void,
  ): Promise<SqliteWriter> {
    const thread = new Worker(new URL('./writer-thread.ts', import.meta.url), {
      workerData: file,
      resourceLimits: { maxYoungGenerationSizeMb },
    });
    await new Promise<void>((resolve, reject) => {
      thread.once('message', () => resolve());
      thread.once('error', reject);
    });
    return new SqliteWriter(thread, onGrownLogs);
  }

  /** `verbs.room.verb(input)`: each write of `writes.ts` as a call to the thread. */
  readonly verbs = Object.fromEntries(
    Object.entries(writes).map(([room, verbs]) => [
      room,
      Object.fromEntries(
        Object.keys(verbs).map((verb) => [verb, (input: unknown) => this.#call(room, verb, input)]),
      ),
    ]),
  ) as unknown as WriteVerbs;

  async close(): Promise<void> {
    const exited = new Promise<void>((resolve) => this.#thread.once('exit', () => resolve()));
    if (this.#failure === undefined) {
      while (this.#gathered.length > 0) this.#post(maxBatchCalls);
      this.#thread.postMessage('close' satisfies ToWriter);
      await exited;
    }
  }

  #call(room: string, verb: string, input: unknown): Promise<unknown> {
    if (this.#failure !== undefined) return Promise.reject(this.#failure);
    if (this.#waitingCalls >= maxWaitingCalls) {
      return Promise.reject(new StoreBusyError('too many writes wait for the disk'));
    }
    this.#waitingCalls++;
    if (!this.#isFlushDue) {
      this.#isFlushDue = true;
      // At the end of this turn of the loop, so that calls made together go together.
      queueMicrotask(() => {
        this.#isFlushDue = false;
        this.#flush();
      });
    }
    return new Promise((resolve, reject) => {
      this.#gathered.push({ room, verb, input, resolve, reject });
    });
  }

  /** Posts what is worth a transaction now; of many calls half, so that one half is written while the other is answered. */
  #flush(): void {
    while (this.#gathered.length > 0 && this.#inFlight.length < maxBatchesInFlight) {
      const isIdle = this.#inFlight.length === 0;
      const count = this.#gathered.length;
      if (!isIdle && count < leastCallsBeside) return;
      this.#post(isIdle && count >= 2 * leastCallsBeside ? Math.ceil(count / 2) : count);
    }
  }

  #post(count: number): void {
    const calls = this.#gathered.splice(0, Math.min(count, maxBatchCalls));
    this.#thread.postMessage({ calls: byVerb(calls) } satisfies ToWriter);
    this.#inFlight.push(calls);
  }

  #receive({ results, failures, grownLogs }: Reply): void {
    const calls = this.#inFlight.shift() ?? [];
    this.#waitingCalls -= calls.length;
    this.#flush();
    for (const { index, error, trouble } of failures) calls[index]?.reject(asCallersKnowIt(error, trouble));
    // Of one that was rejected nothing is resolved any more.
    for (const [index, call] of calls.entries()) call.resolve(results[index]);
    if (grownLogs.length > 0) this.#onGrownLogs(grownLogs);
  }

  #fail(error: Error): void {
    this.#failure ??= error;
    for (const { reject } of [...this.#inFlight.flat(), ...this.#gathered]) reject(this.#failure);
    this.#inFlight.length = 0;
    this.#gathered = [];
  }
}

/** The verb is named once for all calls of it that follow one another: what is copied to the thread is what costs. */
function byVerb(calls: readonly Call[]): readonly CallsOfVerb[] {
  const runs: (CallsOfVerb & { readonly inputs: unknown[] })[] = [];
  for (const { room, verb, input } of calls) {
    const last = runs.at(-1);
    if (last !== undefined && last.verb === verb && last.room === room) last.inputs.push(input);
    else runs.push({ room, verb, inputs: [input] });
  }
  return runs;
}

function asCallersKnowIt(error: Error, trouble: Trouble | undefined): Error {
  switch (trouble) {
    case 'full':
      return new StoreFullError('the disk is full', { cause: error });
    case 'locked':
      return new StoreBusyError('another process holds the database', { cause: error });
    case undefined:
      return error;
  }
}
