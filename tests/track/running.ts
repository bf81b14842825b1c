/** A recorder on real files with a log that does as it is told, started, killed and ended as a test likes. */
import { cp, mkdir, mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach } from 'node:test';
import { pino } from 'pino';
import { systemRandom } from '../../src/platform/clock.ts';
import { Journal } from '../../src/track/journal.ts';
import { Recorder, type RecorderParts } from '../../src/track/recorder.ts';
import { ofRow, type Visit } from '../../src/track/visit.ts';
import { ManualClock } from '../support/manual-clock.ts';
import { type Log, openOf } from './log.ts';

export const logger = pino({ level: 'silent' });
export const hourMs = 3_600_000;

/** Of each test anew. */
export let folder: string;
export let clock: ManualClock;
const journals: Journal[] = [];

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'aftersend-recorder-'));
  clock = new ManualClock();
});
afterEach(async () => {
  for (const journal of journals.splice(0)) await journal[Symbol.asyncDispose]();
  await rm(folder, { recursive: true });
});

export const visit = (messageId: number, changes: Partial<Visit> = {}): Visit =>
  openOf(messageId, clock.now(), changes);
export const click = (messageId: number, url = 'https://example.org/'): Visit =>
  visit(messageId, { type: 'clicked', url });

/** Nobody is busy, and nobody asks. */
export const quiet = { load: () => 0, onSynced: () => undefined };

export interface Process extends AsyncDisposable {
  readonly recorder: Recorder;
  readonly journal: Journal;
}

/** A process on a folder of visits; disposed, it ends as it should. */
export async function start(
  log: Log,
  changes: Partial<RecorderParts> = {},
  place = folder,
  limitBytes?: number,
) {
  const journal = await Journal.open(place, systemRandom, limitBytes);
  journals.push(journal);
  const recorder = await Recorder.open({ log, journal, clock, logger, ...quiet, ...changes });
  return {
    recorder,
    journal,
    async [Symbol.asyncDispose]() {
      await recorder[Symbol.asyncDispose]();
      await journal[Symbol.asyncDispose]();
    },
  };
}

/** The first journal's files as they are now: what a process that is killed leaves behind. */
export async function copyOf(place: string, copy: string): Promise<string> {
  await mkdir(join(copy, '1'), { recursive: true });
  for (const name of await readdir(join(place, '1'))) {
    // A file may go between the two looks.
    if (name !== 'lock') await cp(join(place, '1', name), join(copy, '1', name)).catch(() => undefined);
  }
  return copy;
}

export const filesIn = async (place: string, journal = 1): Promise<string[]> =>
  (await readdir(join(place, String(journal)))).filter((name) => name.endsWith('.jsonl')).sort();

export async function rowsIn(place: string) {
  const texts = await Promise.all(
    (await filesIn(place)).map((name) => readFile(join(place, '1', name), 'utf8').catch(() => '')),
  );
  const lines = texts.flatMap((text) => text.split('\n').filter((line) => line.endsWith(']')));
  return lines
    .flatMap((line) => (JSON.parse(line) as unknown[]).map(ofRow))
    .filter((row) => row !== undefined);
}

/** The disk works on its own time: time moves on by small steps until it has come to that. */
export async function eventually(holds: () => boolean | Promise<boolean>, stepMs = 10): Promise<void> {
  while (!(await holds())) await clock.advance(stepMs);
}

export const onDisk = (messageIds: readonly number[], place = folder) =>
  eventually(async () => {
    const there = new Set((await rowsIn(place)).map((row) => row.visit.messageId));
    return messageIds.every((id) => there.has(id));
  });

export const numbersTo = (last: number): number[] => Array.from({ length: last }, (_, index) => index + 1);
