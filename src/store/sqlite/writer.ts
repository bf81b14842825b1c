/**
 * The main thread's side of the writer: turns `write.room.verb(input)` into a call to the thread and its answer into a
 * promise. Calls made while a batch is being committed wait here and go together; how many may wait is bounded.
 */
import { Worker } from 'node:worker_threads';
import { StoreBusyError, StoreFullError } from '../contract/store.ts';
import type { Calls } from '../sql/statements.ts';
import type { Call, Reply, ToWriter, Trouble } from './writer-thread.ts';
import { writes } from './writes.ts';

type Rooms = typeof writes;
export type WriteVerbs = { readonly [Room in keyof Rooms]: Calls<Rooms[Room]> };

/** Calls that may wait for a commit, beyond which callers are told to come back later. */
const maxWaitingCalls = 20_000;
/** What a call is made of is gone when it is answered: as much as two batches need. V8 would take 48 MB. */
const maxYoungGenerationSizeMb = 12;

interface Waiting {
  readonly resolve: (result: unknown) => void;
  readonly reject: (error: Error) => void;
}

export class SqliteWriter {
  readonly #thread: Worker;
  readonly #answers = new Map<number, Waiting>();
  readonly #onGrownLogs: (accountIds: readonly number[]) => void;
  #gathered: Call[] = [];
  #inFlight = false;
  #lastId = 0;
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
      this.#flush();
      this.#thread.postMessage('close' satisfies ToWriter);
      await exited;
    }
  }

  #call(room: string, verb: string, input: unknown): Promise<unknown> {
    if (this.#failure !== undefined) return Promise.reject(this.#failure);
    if (this.#answers.size >= maxWaitingCalls) {
      return Promise.reject(new StoreBusyError('too many writes wait for the disk'));
    }
    const id = ++this.#lastId;
    this.#gathered.push({ id, room, verb, input });
    // At the end of this turn of the loop, so that calls made together go together.
    if (!this.#inFlight && this.#gathered.length === 1) queueMicrotask(() => this.#flush());
    return new Promise((resolve, reject) => this.#answers.set(id, { resolve, reject }));
  }

  #flush(): void {
    if (this.#gathered.length === 0) return;
    this.#inFlight = true;
    this.#thread.postMessage({ calls: this.#gathered } satisfies ToWriter);
    this.#gathered = [];
  }

  #receive({ answers, grownLogs }: Reply): void {
    this.#inFlight = false;
    this.#flush();
    for (const answer of answers) {
      const waiting = this.#answers.get(answer.id);
      this.#answers.delete(answer.id);
      if ('error' in answer) waiting?.reject(asCallersKnowIt(answer.error, answer.trouble));
      else waiting?.resolve(answer.result);
    }
    if (grownLogs.length > 0) this.#onGrownLogs(grownLogs);
  }

  #fail(error: Error): void {
    this.#failure ??= error;
    for (const { reject } of this.#answers.values()) reject(this.#failure);
    this.#answers.clear();
  }
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
