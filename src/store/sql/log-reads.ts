/** The event log's reading side: after a cursor, of a message, one by its id. */
import type { EventType, LoggedEvent, VisitorKind } from '../../events/types.ts';
import type { EventLog, LogPage } from '../contract/log.ts';
import type { Reader } from './statements.ts';
import { finishedAtMs } from './visit-reads.ts';
import { endOfIds, type IdWindows, inside } from './windows.ts';

const eventColumns = `id, account_id, message_id, number, type, time_ms, recipient, sender, subject,
  code, enhanced_code, response, url, first_refusal, visitor, tags, metadata, detail`;

type EventTuple = [
  id: number,
  accountId: number,
  messageId: number,
  number: number,
  type: EventType,
  timeMs: number,
  recipient: string,
  sender: string,
  subject: string,
  code: string,
  enhancedCode: string,
  response: string,
  url: string,
  firstRefusal: number,
  visitor: VisitorKind | '',
  tagsJson: string,
  metadataJson: string,
  detailJson: string,
];

const toEvent = (row: EventTuple): LoggedEvent => ({
  id: row[0],
  accountId: row[1],
  messageId: row[2],
  number: row[3],
  type: row[4],
  timeMs: row[5],
  recipient: row[6],
  sender: row[7],
  subject: row[8],
  code: row[9],
  enhancedCode: row[10],
  response: row[11],
  url: row[12],
  firstRefusal: row[13] !== 0,
  visitor: row[14],
  tagsJson: row[15],
  metadataJson: row[16],
  detailJson: row[17],
});

/** The highest id of the account's events, 0 if it has none. */
export async function lastEventId(reader: Reader, windows: IdWindows, accountId: number): Promise<number> {
  for (const fromId of windows.newestEvents()) {
    const { clause, values } = inside('id', { fromId, toId: endOfIds });
    const row = await reader.get<{ id: number | null }>(
      `SELECT max(id) AS id FROM events WHERE account_id = ?${clause}`,
      accountId,
      ...values,
    );
    if (typeof row?.id === 'number') return row.id;
  }
  return 0;
}

interface Scan {
  seen: number;
  last: number | null;
  /** Whether there is nothing beyond what it looked over. */
  toEnd: boolean;
}

/** Looks through the index alone for how far a read may go. What it passes over it sees in one state. */
async function scanAfter(
  reader: Reader,
  windows: IdWindows,
  { accountId, afterId, scanLimit }: { accountId: number; afterId: number; scanLimit: number },
): Promise<Scan> {
  let found: Scan = { seen: 0, last: null, toEnd: true };
  for (const toId of windows.eventsAfter(afterId)) {
    const { clause, values } = inside('id', { fromId: 0, toId });
    const row = await reader.get<{ seen: number; last: number | null }>(
      `SELECT count(*) AS seen, max(id) AS last
       FROM (SELECT id FROM events WHERE account_id = ? AND id > ?${clause} ORDER BY id LIMIT ?) ahead`,
      accountId,
      afterId,
      ...values,
      scanLimit,
    );
    found = { seen: row?.seen ?? 0, last: row?.last ?? null, toEnd: toId === endOfIds };
    if (found.last !== null) break;
  }
  return { ...found, toEnd: found.toEnd && found.seen < scanLimit };
}

/** All events of a message, in order. */
async function storyOf(
  reader: Reader,
  windows: IdWindows,
  { accountId, messageId }: { accountId: number; messageId: number },
): Promise<LoggedEvent[]> {
  const story = await windows.storyOf(reader, messageId);
  const found: LoggedEvent[] = [];
  for (const window of windows.events(story.fromId)) {
    const { clause, values } = inside('id', window);
    const rows = await reader.tuples<EventTuple>(
      `SELECT ${eventColumns} FROM events WHERE message_id = ? AND account_id = ?${clause} ORDER BY number`,
      messageId,
      accountId,
      ...values,
    );
    found.push(...rows.map(toEvent));
    if (found.length >= story.events) break;
  }
  return found;
}

async function countAfter(
  reader: Reader,
  windows: IdWindows,
  { accountId, afterId, types, cap }: Parameters<EventLog['countAfter']>[0],
): Promise<number> {
  const wanted = typeFilter(types);
  let count = 0;
  for (const window of windows.events(afterId + 1)) {
    const { clause, values } = inside('id', window);
    const row = await reader.get<{ n: number }>(
      `SELECT count(*) AS n FROM
         (SELECT 1 FROM events WHERE account_id = ?${clause}${wanted.clause} LIMIT ?) counted`,
      accountId,
      ...values,
      ...wanted.values,
      cap - count,
    );
    count += row?.n ?? 0;
    if (count >= cap) break;
  }
  return count;
}

export function eventLog(
  reader: Reader,
  windows: IdWindows,
  write: Pick<EventLog, 'report' | 'reportVisits' | 'visitsTold'>,
  subscribe: EventLog['subscribe'],
): EventLog {
  return {
    ...write,
    finishedAtMs: (messageIds) => finishedAtMs(reader, messageIds),
    subscribe,
    lastId: (accountId) => lastEventId(reader, windows, accountId),
    async readAfter(input) {
      const { limit, scanLimit } = input;
      const most = Math.min(limit, scanLimit);
      // Where most events are wanted this is all: looking on over thousands for a page of a hundred costs more than the page.
      const first = await pageAfter(reader, windows, { ...input, scanLimit: most });
      if (first.atEnd || first.events.length === limit || most === scanLimit) return first;
      const rest = await pageAfter(reader, windows, {
        ...input,
        afterId: first.scannedTo,
        limit: limit - first.events.length,
        scanLimit: scanLimit - most,
      });
      return { ...rest, events: [...first.events, ...rest.events] };
    },
    ofMessage: (accountId, messageId) => storyOf(reader, windows, { accountId, messageId }),
    async byId(accountId, eventId) {
      const [row] = await reader.tuples<EventTuple>(
        `SELECT ${eventColumns} FROM events WHERE id = ? AND account_id = ?`,
        eventId,
        accountId,
      );
      return row === undefined ? undefined : toEvent(row);
    },
    countAfter: (input) => countAfter(reader, windows, input),
  };
}

async function pageAfter(
  reader: Reader,
  windows: IdWindows,
  { accountId, afterId, types, limit, scanLimit }: Parameters<EventLog['readAfter']>[0],
): Promise<LogPage> {
  const scan = await scanAfter(reader, windows, { accountId, afterId, scanLimit });
  if (scan.last === null) return { events: [], scannedTo: afterId, atEnd: true };
  const { clause, values } = typeFilter(types);
  const events = (
    await reader.tuples<EventTuple>(
      `SELECT ${eventColumns} FROM events WHERE account_id = ? AND id > ? AND id <= ?${clause} ORDER BY id LIMIT ?`,
      accountId,
      afterId,
      scan.last,
      ...values,
      limit,
    )
  ).map(toEvent);
  const full = events.length === limit;
  return {
    events,
    scannedTo: full ? (events.at(-1)?.id ?? scan.last) : scan.last,
    atEnd: !full && scan.toEnd,
  };
}

function typeFilter(types: readonly EventType[] | undefined): { clause: string; values: readonly string[] } {
  if (types === undefined) return { clause: '', values: [] };
  return { clause: ` AND type IN (${types.map(() => '?').join(', ')})`, values: types };
}
