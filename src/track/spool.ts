/**
 * Opens and clicks on disk, for the time that the store does not take them: lines of JSON in numbered files, bounded in
 * bytes, read back oldest first, also by the process after this one. Must never hold up the answer to a recipient.
 */
import {
  appendFile,
  mkdir,
  readdir,
  readFile,
  rename,
  rm,
  stat,
  truncate,
  writeFile,
} from 'node:fs/promises';
import { join } from 'node:path';
import { isVisit, type Visit } from './visit.ts';

/** A visit takes some 300 bytes: this is a quarter of a million of them. */
const mostBytes = 64 * 2 ** 20;
/** Of one file: what is read back at once, and what a crash in the middle of that may tell twice. */
const segmentBytes = 256 * 1024;

interface Segment {
  readonly number: number;
  bytes: number;
  /** The process before this one wrote it. */
  readonly isInherited: boolean;
}

export interface SpooledVisits {
  readonly visits: readonly Visit[];
  /** The process before this one wrote them down. */
  readonly isInherited: boolean;
  /** They are in the store but for `left`, which stay here. */
  done(left: readonly Visit[]): Promise<void>;
}

export class Spool {
  readonly #folder: string;
  readonly #mostBytes: number;
  readonly #segments: Segment[];
  /** Not read back by this process: they are its own visits under way. */
  readonly #held = new Set<Segment>();
  /** One file operation after another. */
  #turn: Promise<unknown> = Promise.resolve();
  #lastNumber: number;
  /** Nothing is added to it any more when it is being read. */
  #open: Segment | undefined;

  private constructor(folder: string, segments: Segment[], lastNumber: number, limitBytes: number) {
    this.#folder = folder;
    this.#segments = segments;
    this.#lastNumber = lastNumber;
    this.#mostBytes = limitBytes;
  }

  /**
   * Finds what the process before this one has left. A file larger than all of them together may be is none of ours:
   * it is left where it is.
   * @param folder is made if it is not there
   */
  static async open(folder: string, limitBytes = mostBytes): Promise<Spool> {
    await mkdir(folder, { recursive: true, mode: 0o700 });
    const segments: Segment[] = [];
    let lastNumber = 0;
    for (const name of await readdir(folder)) {
      const [, digits, unfinished] = /^visits-(\d{1,15})\.jsonl(\.new)?$/.exec(name) ?? [];
      if (digits === undefined) continue;
      const path = join(folder, name);
      if (unfinished !== undefined) {
        // The file that it should have taken the place of is still there.
        await rm(path, { force: true });
        continue;
      }
      const number = Number(digits);
      lastNumber = Math.max(lastNumber, number);
      const found = await stat(path);
      if (found.isFile() && found.size <= limitBytes) {
        segments.push({ number, bytes: found.size, isInherited: true });
      }
    }
    segments.sort((a, b) => a.number - b.number);
    return new Spool(folder, segments, lastNumber, limitBytes);
  }

  get bytes(): number {
    return [...this.#segments, ...this.#held].reduce((sum, segment) => sum + segment.bytes, 0);
  }

  get isEmpty(): boolean {
    return this.#segments.length === 0;
  }

  /** @returns how many found room, from the first on @throws what the disk says; then none was taken */
  add(visits: readonly Visit[]): Promise<number> {
    return this.#inTurn(async () => {
      let taken = 0;
      let room = this.#mostBytes - this.bytes;
      let text = '';
      for (const visit of visits) {
        const line = `${JSON.stringify(visit)}\n`;
        const bytes = Buffer.byteLength(line);
        if (bytes > room) break;
        room -= bytes;
        text += line;
        taken++;
      }
      if (taken === 0) return 0;
      const segment = this.#openSegment();
      try {
        await appendFile(this.#path(segment.number), text, { mode: 0o600, flush: true });
      } catch (error) {
        await this.#takeBack(segment);
        throw error;
      }
      if (!this.#segments.includes(segment)) this.#segments.push(segment);
      segment.bytes += Buffer.byteLength(text);
      return taken;
    });
  }

  /**
   * Writes down visits that are under way, for the process after this one in case it never hears what became of them.
   * @returns takes them away again
   */
  hold(visits: readonly Visit[]): Promise<() => Promise<void>> {
    return this.#inTurn(async () => {
      const text = linesOf(visits);
      const segment = { number: ++this.#lastNumber, bytes: Buffer.byteLength(text), isInherited: false };
      try {
        await writeFile(this.#path(segment.number), text, { mode: 0o600, flush: true });
      } catch (error) {
        await this.#takeBack({ ...segment, bytes: 0 });
        throw error;
      }
      this.#held.add(segment);
      return () =>
        this.#inTurn(async () => {
          this.#held.delete(segment);
          await rm(this.#path(segment.number), { force: true });
        });
    });
  }

  /** The oldest file's visits; undefined when there are none. Taken again until it is done. */
  take(): Promise<SpooledVisits | undefined> {
    return this.#inTurn(async () => {
      const [segment] = this.#segments;
      if (segment === undefined) return undefined;
      if (segment === this.#open) this.#open = undefined;
      const text = await readFile(this.#path(segment.number), 'utf8');
      return {
        visits: parseLines(text),
        isInherited: segment.isInherited,
        done: (left) => this.#inTurn(() => this.#finish(segment, left)),
      };
    });
  }

  async #finish(segment: Segment, left: readonly Visit[]): Promise<void> {
    const path = this.#path(segment.number);
    if (left.length === 0) {
      await rm(path, { force: true });
      this.#segments.splice(this.#segments.indexOf(segment), 1);
      return;
    }
    const text = linesOf(left);
    await writeFile(`${path}.new`, text, { mode: 0o600, flush: true });
    await rename(`${path}.new`, path);
    segment.bytes = Buffer.byteLength(text);
  }

  /** A disk that fills up takes a part: the whole of it will be told from memory, and half a line would spoil the next. */
  async #takeBack({ number, bytes }: Segment): Promise<void> {
    this.#open = undefined;
    const path = this.#path(number);
    await (bytes === 0 ? rm(path, { force: true }) : truncate(path, bytes)).catch(() => undefined);
  }

  #openSegment(): Segment {
    if (this.#open === undefined || this.#open.bytes >= segmentBytes) {
      this.#open = { number: ++this.#lastNumber, bytes: 0, isInherited: false };
    }
    return this.#open;
  }

  #path(number: number): string {
    return join(this.#folder, `visits-${String(number).padStart(12, '0')}.jsonl`);
  }

  #inTurn<T>(work: () => Promise<T>): Promise<T> {
    const result = this.#turn.then(work);
    this.#turn = result.catch(() => undefined);
    return result;
  }
}

const linesOf = (visits: readonly Visit[]): string =>
  visits.map((visit) => `${JSON.stringify(visit)}\n`).join('');

/** The last line may be half of one: the process ended while it wrote. Nobody can say any more what it was. */
function parseLines(text: string): Visit[] {
  const visits: Visit[] = [];
  for (const line of text.split('\n')) {
    const value = parsed(line);
    if (isVisit(value)) visits.push(value);
  }
  return visits;
}

function parsed(line: string): unknown {
  try {
    return JSON.parse(line);
  } catch {
    return undefined;
  }
}
