/**
 * Finding the events behind a number: each row of the statistics says between which events those lie that it counts, so the
 * log is read there and nowhere else; and after what is counted. Looks at a bounded number of events.
 */
import type { EventType, VisitorKind } from '../../events/types.ts';
import type { Happening } from '../contract/messages.ts';
import { slotMs } from '../contract/statistics.ts';
import type { Parameter, Reader } from './statements.ts';
import { countedTo, providersOf } from './statistics-counting.ts';

/** An event of the kind that is looked for. */
export interface FoundEvent {
  readonly id: number;
  readonly messageId: number;
  /** False where another such event stands for the message: one that follows in the time, or one before the first. */
  readonly stands: boolean;
}

/** A part of the log in which the events of a slot lie, among others, or those that are not counted. Ids are inclusive. */
interface Stretch {
  readonly firstId: number;
  readonly lastId: number;
  readonly fromMs: number;
  readonly toMs: number;
}

const stretchesAtOnce = 50;
const eventsAtOnce = 200;
/** Asking for a part costs as much as so many events in it. */
const askCostsEvents = 5;

/** What is more than zero where there is such an event. */
const countOf: Readonly<Record<EventType, string>> = {
  accepted: 'accepted',
  skipped: 'skipped',
  deferred: 'deferred',
  delivered: 'delivered',
  bounced: 'bounced',
  opened: 'opened_human + opened_proxy + opened_machine',
  clicked: 'clicked_human + clicked_proxy + clicked_machine',
  unsubscribed: 'unsubscribed',
  complained: 'complained',
};

type EventTuple = [
  id: number,
  messageId: number,
  timeMs: number,
  recipient: string,
  visitor: VisitorKind | '',
  other: number,
];

export interface Search {
  readonly accountId: number;
  readonly happening: Happening;
  /** Looks from before this event on, from the latest if undefined. */
  readonly beforeId: number | undefined;
  readonly lookAt: number;
}

/** What a part of the search came to. */
export interface Looked {
  readonly found: readonly FoundEvent[];
  /** The event to look on from, if there may be more and enough was looked at; undefined otherwise. */
  readonly lookOnFromId: number | undefined;
}

/**
 * The latest first. Ends where nothing is left, or when `lookAt` events were looked at; it looks further only until there is
 * an event from which the search can be taken up again: one of the slot that is looked through.
 */
export async function* findEvents(reader: Reader, search: Search): AsyncGenerator<Looked> {
  const limit = Math.min(eventsAtOnce, search.lookAt);
  let left = search.lookAt;
  let standingId: number | undefined;
  for await (const stretch of stretchesOf(reader, search)) {
    for (let lastId = stretch.lastId; lastId >= stretch.firstId; ) {
      const rows = await eventsIn(reader, search, { ...stretch, lastId }, limit);
      const own = rows.filter(([, , timeMs]) => timeMs >= stretch.fromMs && timeMs < stretch.toMs);
      standingId = own.at(-1)?.[0] ?? standingId;
      const found = await wanted(reader, search.happening, own);
      left -= rows.length + askCostsEvents;
      const lookOnFromId = left <= 0 ? standingId : undefined;
      yield { found, lookOnFromId };
      if (lookOnFromId !== undefined) return;
      if (rows.length < limit) break;
      lastId = (rows.at(-1)?.[0] ?? 0) - 1;
    }
  }
}

/** Where such events lie: after what is counted, then slot by slot. */
async function* stretchesOf(reader: Reader, search: Search): AsyncGenerator<Stretch> {
  const { accountId, happening, beforeId } = search;
  const countedId = await countedTo(reader, accountId);
  const isAfterCounted = beforeId === undefined || beforeId > countedId;
  if (isAfterCounted) {
    const lastId = beforeId === undefined ? Number.MAX_SAFE_INTEGER : beforeId - 1;
    yield { firstId: countedId + 1, lastId, fromMs: 0, toMs: Number.MAX_SAFE_INTEGER };
  }
  const startSlot = isAfterCounted ? undefined : await slotOf(reader, accountId, beforeId);
  let belowMs = startSlot === undefined ? happening.toMs : Math.min(happening.toMs, startSlot + slotMs);
  for (;;) {
    const slots = await slotsBelow(reader, search, belowMs);
    for (const { slot, firstId, lastId } of slots) {
      const isStart = slot === startSlot && beforeId !== undefined;
      const endId = isStart ? Math.min(lastId, beforeId - 1) : lastId;
      yield { firstId, lastId: endId, fromMs: slot, toMs: slot + slotMs };
      belowMs = slot;
    }
    if (slots.length < stretchesAtOnce) return;
  }
}

async function slotOf(reader: Reader, accountId: number, eventId: number): Promise<number | undefined> {
  const row = await reader.get<{ time_ms: number }>(
    'SELECT time_ms FROM events WHERE id = ? AND account_id = ?',
    eventId,
    accountId,
  );
  return row && Math.floor(row.time_ms / slotMs) * slotMs;
}

/** Slots that begin before a time and hold such events, the latest first. */
async function slotsBelow(
  reader: Reader,
  { accountId, happening }: Search,
  belowMs: number,
): Promise<readonly { slot: number; firstId: number; lastId: number }[]> {
  const { type, fromMs, domain } = happening;
  // A domain that has no row of its own in a slot is among the rest there.
  const scope =
    domain === undefined ? "scope = 'all'" : "scope IN ('domain', 'rest') AND name IN (?, provider)";
  const names: Parameter[] = domain === undefined ? [] : [domain];
  const rows = await reader.tuples<[number, number, number]>(
    `SELECT slot_ms, min(first_id), max(last_id) FROM statistics
     WHERE account_id = ? AND ${scope} AND slot_ms > ? AND slot_ms < ? AND ${countOf[type]} > 0
     GROUP BY slot_ms ORDER BY slot_ms DESC LIMIT ?`,
    accountId,
    ...names,
    fromMs - slotMs,
    belowMs,
    stretchesAtOnce,
  );
  return rows.map(([slot, firstId, lastId]) => ({ slot, firstId, lastId }));
}

async function eventsIn(
  reader: Reader,
  { accountId, happening: { type, fromMs, toMs, visitors, first } }: Search,
  { firstId, lastId }: Stretch,
  limit: number,
): Promise<readonly EventTuple[]> {
  const places = visitors?.map(() => '?').join(', ');
  const byThese = places === undefined ? '' : ` AND o.visitor IN (${places})`;
  const where = first ? 'o.number < e.number' : 'o.number > e.number AND o.time_ms >= ? AND o.time_ms < ?';
  return await reader.tuples<EventTuple>(
    `SELECT e.id, e.message_id, e.time_ms, e.recipient, e.visitor, CASE WHEN EXISTS (
       SELECT 1 FROM events o WHERE o.message_id = e.message_id AND ${where} AND o.type = e.type${byThese}
     ) THEN 1 ELSE 0 END
     FROM events e WHERE e.account_id = ? AND e.id >= ? AND e.id <= ? AND e.type = ? ORDER BY e.id DESC LIMIT ?`,
    ...(first ? [] : [fromMs, toMs]),
    ...(visitors ?? []),
    accountId,
    firstId,
    lastId,
    type,
    limit,
  );
}

async function wanted(
  reader: Reader,
  { fromMs, toMs, domain, provider, visitors }: Happening,
  rows: readonly EventTuple[],
): Promise<readonly FoundEvent[]> {
  const near = rows.filter(
    ([, , timeMs, recipient, visitor]) =>
      timeMs >= fromMs &&
      timeMs < toMs &&
      (domain === undefined || domainOf(recipient) === domain) &&
      (visitors === undefined || visitors.some((kind) => kind === visitor)),
  );
  const found = provider === undefined ? near : await atProvider(reader, provider, near);
  return found.map(([id, messageId, , , , other]) => ({ id, messageId, stands: other === 0 }));
}

async function atProvider(
  reader: Reader,
  provider: string,
  rows: readonly EventTuple[],
): Promise<readonly EventTuple[]> {
  const domains = new Set(rows.map(([, , , recipient]) => domainOf(recipient)));
  const known = await providersOf(reader, [...domains]);
  return rows.filter(([, , , recipient]) => (known.get(domainOf(recipient)) ?? '') === provider);
}

const domainOf = (recipient: string): string => recipient.slice(recipient.lastIndexOf('@') + 1);
