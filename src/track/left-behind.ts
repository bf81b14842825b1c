/** Tells the log what is left in the journals of processes that ended and did not come back. One journal at a time. */
import { once } from 'node:events';
import type { Random } from '../platform/clock.ts';
import { Journal } from './journal.ts';
import { Recorder, type RecorderParts } from './recorder.ts';

/** How often it is looked whether one has ended. */
const lookAgainMs = 600_000;

interface LeftBehindParts extends Omit<RecorderParts, 'journal'> {
  /** Of all journals. */
  readonly root: string;
  readonly random: Pick<Random, 'bytes'>;
}

export function startTellingLeft(parts: LeftBehindParts): AsyncDisposable {
  const stop = new AbortController();
  const running = keepTelling(parts, stop.signal);
  return {
    async [Symbol.asyncDispose]() {
      stop.abort();
      await running;
    },
  };
}

async function keepTelling(parts: LeftBehindParts, signal: AbortSignal): Promise<void> {
  const { clock, logger, root } = parts;
  while (!signal.aborted) {
    await tellLeft(parts, signal).catch((error: unknown) => {
      logger.warn({ err: error, root }, 'opens and clicks of a process that ended wait on disk');
    });
    await clock.sleep(lookAgainMs, signal);
  }
}

async function tellLeft(parts: LeftBehindParts, signal: AbortSignal): Promise<void> {
  const stopped = once(signal, 'abort');
  for await (const left of Journal.left(parts.root, parts.random)) {
    await using journal = left;
    await using recorder = await Recorder.open({ ...parts, journal });
    await Promise.race([recorder.drained(), stopped]);
    if (signal.aborted) return;
  }
}
