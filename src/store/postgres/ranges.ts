/**
 * The ranges of ids that the large tables are divided into: which there are, making the next ones before they are needed,
 * and closing the one in use when it has had its time, so that what is in a range is about equally old and can go at
 * once. Whoever comes first does it, under one lock; nobody who accepts mail waits for it.
 *
 * A range is closed before it is full by moving its sequence on to the next one's beginning. If the next one is missing
 * all the same, whoever finds that out makes it and goes on (`writes.ts`).
 */
import type { Clock } from '../../platform/clock.ts';
import { StoreBusyError } from '../contract/store.ts';
import type { Reader } from '../sql/statements.ts';
import type { IdWindow, IdWindows, MessageWindow } from '../sql/windows.ts';
import { type Database, type Sender, Statements } from './database.ts';
import { refuseHalfMoved } from './moving.ts';
import { makePartitions, type RangeIds, type RangeKind } from './partitions.ts';
import { arrayOf, lockSql } from './transaction.ts';
import {
  beginningsBefore,
  endsAfter,
  eventWindows,
  messageWindows,
  rangesAhead,
  windowAround,
} from './windows.ts';

/**
 * Ids of the smallest range; others are multiples. The ids of one transaction never lie on both sides of a multiple, so
 * no submission lies in two ranges.
 */
export const rangeUnit = 2 ** 18;
/** At ten thousand messages a second, a few of them a day. */
const largestRange = 2 ** 28;
/** How long those who take an event's id may be held up by closing a range; then it is left for later. */
const closeWithinMs = 100;
/** After making ranges has failed, while there are still some. */
const retryAfterMs = 1_000;

export interface IdRange extends RangeIds {
  readonly fromMs: number | undefined;
  readonly toMs: number | undefined;
  readonly lastId: number | undefined;
  readonly hasBodies: boolean;
}

interface RangeRow {
  kind: RangeKind;
  from_id: number;
  to_id: number;
  submissions_from_id: number | null;
  submissions_to_id: number | null;
  from_ms: number | null;
  to_ms: number | null;
  last_id: number | null;
  has_bodies: number;
}

const toRange = (row: RangeRow): IdRange => ({
  kind: row.kind,
  fromId: row.from_id,
  toId: row.to_id,
  submissions: {
    fromId: row.submissions_from_id ?? row.from_id,
    toId: row.submissions_to_id ?? row.to_id,
  },
  fromMs: row.from_ms ?? undefined,
  toMs: row.to_ms ?? undefined,
  lastId: row.last_id ?? undefined,
  hasBodies: row.has_bodies !== 0,
});

type OfEach<T> = Readonly<Record<RangeKind, T>>;
const kinds: readonly RangeKind[] = ['messages', 'events'];

/** All ranges, by kind, in order. */
export async function readRanges(reader: Reader): Promise<OfEach<readonly IdRange[]>> {
  const rows = await reader.all<RangeRow>('SELECT * FROM id_ranges ORDER BY from_id');
  const of = (kind: RangeKind) => rows.filter((row) => row.kind === kind).map(toRange);
  return { messages: of('messages'), events: of('events') };
}

/** The last ids that were taken, 0 if none was. */
async function lastIds(reader: Reader): Promise<OfEach<number>> {
  const row = await reader.get<{ messages: number; events: number }>(
    `SELECT coalesce((SELECT last FROM sequences WHERE name = 'messages'), 0) AS messages,
       (SELECT CASE WHEN is_called THEN last_value ELSE last_value - 1 END FROM event_ids) AS events`,
  );
  return { messages: row?.messages ?? 0, events: row?.events ?? 0 };
}

/** Four times what the fuller one of the last two ranges took, so that a day fits in a range also on the morrow of a busy one. */
function nextSize(ranges: readonly IdRange[], lastId: number): number {
  const used = ranges.map((range) => Math.min(range.lastId ?? lastId, range.toId - 1) - range.fromId + 1);
  const most = Math.max(1, ...used.filter((count) => count > 0).slice(-2));
  return Math.min(largestRange, Math.max(rangeUnit, 2 ** Math.ceil(Math.log2(4 * most))));
}

/** The end of the last range, beyond which there is nothing; the first range begins with 1. */
const endOf = (ranges: readonly IdRange[]): number => ranges.at(-1)?.toId ?? 1;

const isAheadOf = (lastId: number) => (range: IdRange) => range.fromId > lastId;

export async function insertRange(sender: Sender, range: IdRange): Promise<void> {
  await sender.query({ text: makePartitions(range), values: [] });
  const { kind, fromId, toId, submissions, fromMs, toMs, lastId, hasBodies } = range;
  const ofMessages = kind === 'messages';
  await new Statements(sender).run(
    'INSERT INTO id_ranges VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)',
    kind,
    fromId,
    toId,
    ofMessages ? submissions.fromId : null,
    ofMessages ? submissions.toId : null,
    fromMs ?? null,
    toMs ?? null,
    lastId ?? null,
    hasBodies ? 1 : 0,
  );
}

function rangeAfter(kind: RangeKind, ranges: readonly IdRange[], lastId: number): IdRange {
  const fromId = endOf(ranges);
  const size = nextSize(ranges, lastId);
  // The first range begins with 1 and ends where all others do.
  const toId = fromId - (fromId % rangeUnit) + size;
  const ids = { fromId, toId };
  const unused = { fromMs: undefined, toMs: undefined, lastId: undefined };
  return { kind, ...ids, submissions: ids, ...unused, hasBodies: kind === 'messages' };
}

async function makeMissing(sender: Sender): Promise<void> {
  const statements = new Statements(sender);
  await statements.run(lockSql('ranges'));
  await refuseHalfMoved(statements);
  const [known, last] = [await readRanges(statements), await lastIds(statements)];
  for (const kind of kinds) {
    const ranges = [...known[kind]];
    while (ranges.filter(isAheadOf(last[kind])).length < rangesAhead) {
      const range = rangeAfter(kind, ranges, last[kind]);
      await insertRange(sender, range);
      ranges.push(range);
    }
  }
}

export class Ranges implements IdWindows {
  readonly #database: Database;
  readonly #clock: Clock;
  #known: OfEach<readonly IdRange[]> = { messages: [], events: [] };
  #making: Promise<void> | undefined;
  #notBeforeMs = 0;

  private constructor(database: Database, clock: Clock) {
    this.#database = database;
    this.#clock = clock;
  }

  /** Makes those that are missing. */
  static async open(database: Database, clock: Clock): Promise<Ranges> {
    const ranges = new Ranges(database, clock);
    await ranges.#look();
    return ranges;
  }

  /** To be told of the highest id that was taken: while there still is a range ahead, more are made without anybody waiting. */
  noteTaken(kind: RangeKind, lastId: number): void {
    if (!this.#isShort(kind, lastId) || this.#clock.now() < this.#notBeforeMs) return;
    this.make().catch(() => {
      this.#notBeforeMs = this.#clock.now() + retryAfterMs;
    });
  }

  /** Resolves when there are ranges for all ids that were taken before the call, and some ahead. */
  async make(): Promise<void> {
    // One under way may have looked before the caller's ids were taken.
    await this.#making?.catch(() => undefined);
    this.#making ??= this.#makeOnce().finally(() => {
      this.#making = undefined;
    });
    await this.#making;
  }

  /** Notes which ranges are in use and which are used up, and closes one that has been in use for `spanMs`. */
  async turn(nowMs: number, spanMs: number): Promise<void> {
    const startedMs = this.#clock.now();
    const now = () => nowMs + (this.#clock.now() - startedMs);
    for (const kind of kinds) await this.#turnKind(kind, now, spanMs);
    await this.#look();
  }

  /** Resolves when nothing is being made. */
  async drained(): Promise<void> {
    await this.#making?.catch(() => undefined);
  }

  messages(beforeId: number): Iterable<MessageWindow> {
    return messageWindows(this.#known.messages, beforeId);
  }

  aroundMessage(messageId: number): MessageWindow {
    return windowAround(this.#known.messages, messageId);
  }

  events(fromId: number): Iterable<IdWindow> {
    return eventWindows(this.#known.events, fromId);
  }

  eventsAfter(afterId: number): Iterable<number> {
    return endsAfter(this.#known.events, afterId);
  }

  newestEvents(): Iterable<number> {
    return beginningsBefore(this.#known.events);
  }

  async storyOf(reader: Reader, messageId: number): Promise<{ fromId: number; events: number }> {
    const row = await reader.get<{ from_id: number; events: number }>(
      'SELECT events_from_id AS from_id, last_number AS events FROM messages WHERE id = ?',
      messageId,
    );
    return { fromId: row?.from_id ?? 0, events: row?.events ?? Infinity };
  }

  async storiesTo(reader: Reader, messageIds: readonly number[], lastId: number): Promise<IdWindow> {
    const row = await reader.get<{ from_id: number | null }>(
      'SELECT min(events_from_id) AS from_id FROM messages WHERE id = ANY (?::bigint[])',
      arrayOf(messageIds),
    );
    return { fromId: row?.from_id ?? 0, toId: lastId + 1 };
  }

  #isShort(kind: RangeKind, lastId: number): boolean {
    return this.#known[kind].filter(isAheadOf(lastId)).length < rangesAhead;
  }

  async #makeOnce(): Promise<void> {
    await this.#database.transaction(makeMissing);
    this.#known = await readRanges(this.#database);
  }

  /** Learns what others have made, and makes what is missing. */
  async #look(): Promise<void> {
    this.#known = await readRanges(this.#database);
    const last = await lastIds(this.#database);
    if (kinds.some((kind) => this.#isShort(kind, last[kind]))) await this.make();
  }

  async #turnKind(kind: RangeKind, now: () => number, spanMs: number): Promise<void> {
    const last = (await lastIds(this.#database))[kind];
    for (const range of (await readRanges(this.#database))[kind]) {
      if (range.toMs !== undefined) continue;
      if (range.fromId > last) break;
      const fromMs = range.fromMs ?? now();
      const isOver =
        last >= range.toId - 1 || (now() - fromMs >= spanMs && (await this.#moveOn(kind, range.toId)));
      await this.#database.run(
        `UPDATE id_ranges SET from_ms = ?, to_ms = ?, last_id = ?
         WHERE kind = ? AND from_id = ? AND to_ms IS NULL`,
        fromMs,
        isOver ? now() : null,
        isOver ? Math.min(last, range.toId - 1) : null,
        kind,
        range.fromId,
      );
    }
  }

  /** Lets the next id be `nextId`, or one after it. @returns false if that would have made others wait */
  async #moveOn(kind: RangeKind, nextId: number): Promise<boolean> {
    if (kind === 'messages') {
      const sql = "UPDATE sequences SET last = ? WHERE name = 'messages' AND last < ?";
      await this.#database.run(sql, nextId - 1, nextId - 1);
      return true;
    }
    return this.#database
      .transaction((sender) => moveEventIds(new Statements(sender), nextId))
      .catch(falseIfBusy);
  }
}

/** Nobody takes an id between the look at the last one and the move: ALTER SEQUENCE takes the lock that keeps them out. */
async function moveEventIds(statements: Statements, nextId: number): Promise<true> {
  await statements.run(`SET LOCAL lock_timeout = ${closeWithinMs}`);
  await statements.run('ALTER SEQUENCE event_ids OWNED BY NONE');
  await statements.all(
    "SELECT setval('event_ids', ?::bigint) FROM event_ids WHERE last_value < ?",
    nextId - 1,
    nextId,
  );
  return true;
}

function falseIfBusy(error: unknown): false {
  if (error instanceof StoreBusyError) return false;
  throw error;
}
