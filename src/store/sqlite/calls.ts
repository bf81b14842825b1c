/** How a room's writes look from the main thread: each a call to the writer thread, answered after its commit. */
import type { Writer } from './database.ts';

export type Calls<Writes> = {
  readonly [Verb in keyof Writes]: Writes[Verb] extends (database: Writer, input: infer Input) => infer Result
    ? (input: Input) => Promise<Result>
    : never;
};
