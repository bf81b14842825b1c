/**
 * Visits on disk: rows in numbered files that are only ever appended to, read back from any place, and taken away from the
 * oldest on. What was appended outlives the process at once, and a loss of power once it is synced. Bounded in bytes. Knows
 * nothing of what the rows mean but their numbers.
 */
import { closeSync, fdatasync, ftruncateSync, openSync, writeSync } from 'node:fs';
import { appendFile, mkdir, open, readdir, readFile, rm, stat, unlink } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import type { Random } from '../platform/clock.ts';
import { lockFolder } from '../platform/folder-lock.ts';
import { linesFrom, linesThatFit, rowsOf } from './journal-lines.ts';
import type { Recorded } from './visit.ts';

/** A visit takes some 200 bytes: this is more than a million of them. */
const mostBytes = 256 * 2 ** 20;
/** Of one file, which goes when all that is in it was told. */
const segmentBytes = 2 ** 20;
/** Processes that may share a folder. */
const mostJournals = 64;

const syncFile = promisify(fdatasync);

interface Segment {
  readonly number: number;
  bytes: number;
  /** How many of them a loss of power leaves, as far as this process wrote them. */
  syncedBytes: number;
  /** While it is appended to, or was not synced since. */
  descriptor: number | undefined;
  /** The greatest number of its rows, as far as they were written or read by this process. */
  last: number;
  /** Nobody knows yet what else is in it. */
  isUnread: boolean;
}

/** Between two lines. */
export interface Place {
  readonly segment: number;
  readonly offset: number;
}

export interface Page {
  readonly rows: readonly Recorded[];
  readonly segment: number;
  /** Where to read on. */
  readonly next: Place;
}

/** What a folder holds when a process takes it. */
interface Found {
  readonly folder: string;
  readonly lock: { close(): void };
  readonly name: string;
  readonly segments: Segment[];
  readonly lastNumber: number;
}

export class Journal implements AsyncDisposable {
  /** By which a store knows it from those of other processes; stays with the folder. */
  readonly name: string;
  /** The greatest number that was in it when this process took it, 0 for none. */
  readonly lastNumber: number;
  readonly #folder: string;
  #lock: { close(): void } | undefined;
  readonly #mostBytes: number;
  /** The oldest first. */
  readonly #segments: Segment[];
  /** The last segment while it is appended to; those of the process before this one never are. */
  #current: Segment | undefined;
  #isFolderSynced = true;
  #nextNumber: number;
  #bytes: number;
  /** Of reading, syncing and taking away, one after another. Appending waits for none of them. */
  #turn: Promise<unknown> = Promise.resolve();

  private constructor({ folder, lock, name, segments, lastNumber }: Found, limitBytes: number) {
    this.#folder = folder;
    this.#lock = lock;
    this.name = name;
    this.lastNumber = lastNumber;
    this.#segments = segments;
    this.#nextNumber = (segments.at(-1)?.number ?? 0) + 1;
    this.#bytes = segments.reduce((sum, { bytes }) => sum + bytes, 0);
    this.#mostBytes = limitBytes;
  }

  /**
   * Takes the first journal of the folder that no living process has, with what is in it. A file larger than all of them
   * together may be is none of ours: it is left where it is.
   * @param root is made if it is not there
   */
  static async open(root: string, random: Pick<Random, 'bytes'>, limitBytes = mostBytes): Promise<Journal> {
    for (let number = 1; number <= mostJournals; number++) {
      const journal = await Journal.#take(join(root, String(number)), random, limitBytes);
      if (journal !== undefined) return journal;
    }
    throw new Error(`${mostJournals} processes have their journals in ${root} already`);
  }

  /** Takes, one after the other, those that no living process has and that something is left in. */
  static async *left(root: string, random: Pick<Random, 'bytes'>): AsyncGenerator<Journal> {
    for (const number of (await readdir(root)).filter((name) => /^\d+$/.test(name))) {
      const journal = await Journal.#take(join(root, number), random, mostBytes);
      if (journal !== undefined && journal.bytes > 0) yield journal;
      else await journal?.[Symbol.asyncDispose]();
    }
  }

  /** @returns undefined if a living process has it */
  static async #take(
    folder: string,
    random: Pick<Random, 'bytes'>,
    limitBytes: number,
  ): Promise<Journal | undefined> {
    await mkdir(folder, { recursive: true, mode: 0o700 });
    const lock = lockFolder(folder, 'lock');
    if (lock === undefined) return undefined;
    try {
      const name = await nameOf(folder, random);
      const segments = await segmentsIn(folder, limitBytes);
      const lastNumber = await lastNumberIn(folder, segments);
      return new Journal({ folder, lock, name, segments, lastNumber }, limitBytes);
    } catch (error) {
      lock.close();
      throw error;
    }
  }

  get bytes(): number {
    return this.#bytes;
  }

  /** Where the first row stands that there is, and where the next one will. */
  get begin(): Place {
    return { segment: this.#segments[0]?.number ?? this.#nextNumber, offset: 0 };
  }

  get end(): Place {
    const last = this.#segments.at(-1);
    return last === undefined || last !== this.#current
      ? { segment: this.#nextNumber, offset: 0 }
      : { segment: last.number, offset: last.bytes };
  }

  /**
   * Appends rows, the smallest number first: when it returns, the operating system has them.
   * @returns how many of them, from the first on (the others find no room, or come next), and in which file
   * @throws what the disk says; then none was taken
   */
  append(rows: readonly Recorded[]): { readonly taken: number; readonly segment: number } {
    const { text, bytes, taken, last } = linesThatFit(rows, this.#mostBytes - this.#bytes);
    if (taken === 0) return { taken, segment: 0 };
    const { segment, descriptor } = this.#segmentForMore();
    try {
      writeWhole(descriptor, text);
    } catch (error) {
      this.#takeBack(segment, descriptor);
      throw error;
    }
    segment.bytes += bytes;
    segment.last = Math.max(segment.last, last);
    this.#bytes += bytes;
    return { taken, segment: segment.number };
  }

  /** When it resolves, what was appended before is there after a loss of power. @throws what the disk says */
  sync(): Promise<void> {
    return this.#inTurn(async () => {
      for (const segment of this.#segments.filter(({ descriptor }) => descriptor !== undefined)) {
        const { bytes, descriptor = -1 } = segment;
        if (segment.syncedBytes < bytes) await syncFile(descriptor);
        segment.syncedBytes = bytes;
        if (segment !== this.#current && segment.bytes === bytes) close(segment);
      }
      if (this.#isFolderSynced) return;
      this.#isFolderSynced = true;
      await syncFolder(this.#folder).catch((error: unknown) => {
        this.#isFolderSynced = false;
        throw error;
      });
    });
  }

  isAtEnd(place: Place): boolean {
    return this.#segmentAfter(place) === undefined;
  }

  /** The rows from a place on, as many as are read at once; none at the end. */
  read(from: Place): Promise<Page> {
    return this.#inTurn(async () => {
      const segment = this.#segmentAfter(from);
      if (segment === undefined) return { rows: [], segment: from.segment, next: from };
      const start = segment.number === from.segment ? from.offset : 0;
      const { bytes } = segment;
      const { text, end } = await linesFrom(this.#path(segment.number), start, bytes);
      const rows = rowsOf(text);
      for (const { number } of rows) segment.last = Math.max(segment.last, number);
      if (end === bytes) segment.isUnread = false;
      return { rows, segment: segment.number, next: { segment: segment.number, offset: end } };
    });
  }

  /**
   * Takes away the oldest files whose numbers are all smaller, up to one that is needed still.
   * @param needs is asked when it comes to it
   * @returns the number of the file that only its being needed holds; undefined if there is none but the last
   */
  forget(needs: {
    readonly before: () => number;
    readonly isNeeded: (segment: number) => boolean;
  }): Promise<number | undefined> {
    return this.#inTurn(async () => {
      for (let [oldest] = this.#segments; oldest !== undefined; [oldest] = this.#segments) {
        if (oldest.isUnread || oldest.last >= needs.before()) return undefined;
        if (needs.isNeeded(oldest.number)) return oldest === this.#current ? undefined : oldest.number;
        // From here on nothing is appended to it.
        if (oldest === this.#current) this.#current = undefined;
        close(oldest);
        await unlinkIfThere(this.#path(oldest.number));
        this.#segments.shift();
        this.#bytes -= oldest.bytes;
      }
      return undefined;
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#inTurn(async () => {
      this.#current = undefined;
      for (const segment of this.#segments) close(segment);
    });
    this.#lock?.close();
    this.#lock = undefined;
  }

  #segmentForMore(): { readonly segment: Segment; readonly descriptor: number } {
    const { descriptor: open, bytes = segmentBytes } = this.#current ?? {};
    if (this.#current !== undefined && open !== undefined && bytes < segmentBytes)
      return { segment: this.#current, descriptor: open };
    const number = this.#nextNumber++;
    const descriptor = openSync(this.#path(number), 'ax', 0o600);
    const segment = { number, bytes: 0, syncedBytes: 0, descriptor, last: 0, isUnread: false };
    this.#current = segment;
    this.#segments.push(segment);
    this.#isFolderSynced = false;
    return { segment, descriptor };
  }

  /** A disk that fills up takes a part: all of it will come again, and half a line would spoil the next. */
  #takeBack({ bytes }: Segment, descriptor: number): void {
    try {
      ftruncateSync(descriptor, bytes);
    } catch {
      this.#current = undefined;
    }
  }

  #segmentAfter({ segment, offset }: Place): Segment | undefined {
    return this.#segments.find(
      ({ number, bytes }) => number >= segment && bytes > (number === segment ? offset : 0),
    );
  }

  #path(number: number): string {
    return pathOf(this.#folder, number);
  }

  #inTurn<T>(work: () => Promise<T>): Promise<T> {
    const result = this.#turn.then(work);
    this.#turn = result.catch(() => undefined);
    return result;
  }
}

async function nameOf(folder: string, random: Pick<Random, 'bytes'>): Promise<string> {
  const path = join(folder, 'name');
  const known = await readFile(path, 'utf8').catch(() => '');
  if (/^[\w-]{16}$/.test(known)) return known;
  const name = random.bytes(12).toString('base64url');
  await rm(path, { force: true });
  await appendFile(path, name, { mode: 0o600, flush: true });
  return name;
}

async function segmentsIn(folder: string, limitBytes: number): Promise<Segment[]> {
  const segments: Segment[] = [];
  for (const fileName of await readdir(folder)) {
    const [, digits] = /^visits-(\d{12})\.jsonl$/.exec(fileName) ?? [];
    if (digits === undefined) continue;
    const found = await stat(join(folder, fileName));
    if (!found.isFile() || found.size > limitBytes) continue;
    segments.push({
      number: Number(digits),
      bytes: found.size,
      syncedBytes: 0,
      descriptor: undefined,
      last: 0,
      isUnread: found.size > 0,
    });
  }
  return segments.sort((a, b) => a.number - b.number);
}

const pathOf = (folder: string, number: number): string =>
  join(folder, `visits-${String(number).padStart(12, '0')}.jsonl`);

/** Numbers grow: the last file with a visit in it has the greatest. */
async function lastNumberIn(folder: string, segments: readonly Segment[]): Promise<number> {
  for (const { number } of segments.toReversed()) {
    const rows = rowsOf(await readFile(pathOf(folder, number), 'utf8'));
    const last = rows.reduce((greatest, row) => Math.max(greatest, row.number), 0);
    if (last > 0) return last;
  }
  return 0;
}

/** `rm` tells of a folder that may not be written to as if the file were one. */
async function unlinkIfThere(path: string): Promise<void> {
  try {
    await unlink(path);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
  }
}

function close(segment: Segment): void {
  const { descriptor } = segment;
  segment.descriptor = undefined;
  if (descriptor !== undefined) closeSync(descriptor);
}

/** The operating system may take a part, and the rest when it is asked again. */
function writeWhole(descriptor: number, text: string): void {
  const bytes = Buffer.from(text);
  for (let written = 0; written < bytes.length; ) written += writeSync(descriptor, bytes, written);
}

/** A file that was made is there after a loss of power when its folder was synced. */
async function syncFolder(folder: string): Promise<void> {
  const handle = await open(folder, 'r');
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}
