/**
 * How to look through the large tables (messages and what belongs to them, events) a part at a time, by ids. A store that
 * divides them gives windows of few parts, so that no statement has to open all of them; one that keeps each table whole
 * gives a single window. What lies where is the store's alone: a reader goes through all windows until it has enough.
 */
import type { Awaitable, Reader } from './statements.ts';

export interface IdWindow {
  readonly fromId: number;
  /** Exclusive. */
  readonly toId: number;
}

export interface MessageWindow extends IdWindow {
  /** Where the submissions of the window's messages are. */
  readonly submissions: IdWindow;
}

export interface IdWindows {
  /** All of them, newest first; together they hold every message below `beforeId` once. */
  messages(beforeId: number): Iterable<MessageWindow>;
  /** The one window that holds a message. */
  aroundMessage(messageId: number): MessageWindow;
  /** In order; together they hold every event from `fromId` on once. */
  events(fromId: number): Iterable<IdWindow>;
  /**
   * Ends (exclusive) of ever wider windows that all begin after an event; the last is beyond all ids. For a reader that
   * must see one state of all that it passes over, and so may not put its answer together from several statements.
   */
  eventsAfter(afterId: number): Iterable<number>;
  /** Beginnings of ever wider windows that all reach to the log's end; the last is before all ids. */
  newestEvents(): Iterable<number>;
  /** No event of the message has a smaller id than `fromId`, and there are `events` of them, as far as the store knows. */
  storyOf(reader: Reader, messageId: number): Awaitable<{ readonly fromId: number; readonly events: number }>;
  /** A window that holds what these messages' events are up to an id. */
  storiesTo(reader: Reader, messageIds: readonly number[], lastId: number): Awaitable<IdWindow>;
}

/** Beyond every id. */
export const endOfIds = Number.MAX_SAFE_INTEGER;

const everything: MessageWindow = {
  fromId: 0,
  toId: endOfIds,
  submissions: { fromId: 0, toId: endOfIds },
};

/** For a store whose tables are whole. */
export const wholeTables: IdWindows = {
  messages: (beforeId) => [{ ...everything, toId: beforeId }],
  aroundMessage: () => everything,
  events: (fromId) => [{ fromId, toId: endOfIds }],
  eventsAfter: () => [endOfIds],
  newestEvents: () => [0],
  storyOf: () => ({ fromId: 0, events: Infinity }),
  storiesTo: () => everything,
};

/** Conditions and their values, for the end of a WHERE. */
export interface Clause {
  readonly clause: string;
  readonly values: readonly number[];
}

/** Only what bounds anything: each condition more can lead SQLite's planner to another index. */
export function inside(column: string, { fromId, toId }: IdWindow): Clause {
  const bounds: [string, number][] = [];
  if (fromId > 0) bounds.push([` AND ${column} >= ?`, fromId]);
  if (toId < endOfIds) bounds.push([` AND ${column} < ?`, toId]);
  return { clause: bounds.map(([sql]) => sql).join(''), values: bounds.map(([, id]) => id) };
}
