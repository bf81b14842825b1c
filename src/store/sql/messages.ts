/** Looking at messages. Read-only: rows of messages are written by intake, queue and log. */
import type {
  MessagesPage,
  Happening,
  Message,
  MessageFilter,
  MessageState,
  MessageStore,
} from '../contract/messages.ts';
import type { RecipientRole } from '../contract/intake.ts';
import type { AttemptRecord } from '../contract/queue.ts';
import type { Door } from '../../events/types.ts';
import { findEvents } from './happened.ts';
import type { Parameter, Reader } from './statements.ts';
import { endOfIds, type IdWindows, inside, type MessageWindow } from './windows.ts';

interface MessageRow {
  id: number;
  account_id: number;
  submission_id: number;
  recipient: string;
  role: RecipientRole;
  state: MessageState;
  created_at_ms: number;
  finished_at_ms: number | null;
  due_at_ms: number | null;
  door: Door;
  envelope_sender: string;
  sender: string;
  sender_name: string;
  subject: string;
  internet_message_id: string;
  tags: string;
  metadata: string;
  stream: string;
  essential: number;
  track_opens: number;
  track_clicks: number;
  track_text: number;
  list_unsubscribe: number;
  template_id: number | null;
  template_version: number | null;
  size_bytes: number;
  last_number: number;
}

const selectMessages = `
  SELECT m.id, m.account_id, m.submission_id, m.recipient, m.role, m.state, m.created_at_ms, m.finished_at_ms,
    q.due_at_ms, s.door, s.envelope_sender, s.sender, s.sender_name, s.subject, s.internet_message_id, s.tags,
    s.metadata, s.stream, s.essential, s.track_opens, s.track_clicks, s.track_text, s.list_unsubscribe, s.template_id,
    s.template_version, s.size_bytes, m.last_number
  FROM messages m JOIN submissions s ON s.id = m.submission_id LEFT JOIN queue q ON q.message_id = m.id`;

const toMessage = (row: MessageRow): Message => ({
  id: row.id,
  accountId: row.account_id,
  submissionId: row.submission_id,
  recipient: row.recipient,
  role: row.role,
  state: row.state,
  createdAtMs: row.created_at_ms,
  finishedAtMs: row.finished_at_ms ?? undefined,
  nextAttemptAtMs: row.due_at_ms ?? undefined,
  door: row.door,
  envelopeSender: row.envelope_sender,
  sender: row.sender,
  senderName: row.sender_name,
  subject: row.subject,
  internetMessageId: row.internet_message_id,
  tagsJson: row.tags,
  metadataJson: row.metadata,
  stream: row.stream,
  essential: row.essential !== 0,
  trackOpens: row.track_opens !== 0,
  trackClicks: row.track_clicks !== 0,
  trackText: row.track_text !== 0,
  listUnsubscribe: row.list_unsubscribe !== 0,
  templateId: row.template_id ?? undefined,
  templateVersion: row.template_version ?? undefined,
  sizeBytes: row.size_bytes,
  lastEventNumber: row.last_number,
});

interface AttemptRow {
  number: number;
  started_at_ms: number;
  duration_ms: number;
  outcome: AttemptRecord['outcome'];
  host: string;
  address: string;
  source_address: string;
  tls: string;
  code: string;
  enhanced_code: string;
  response: string;
  category: string;
  dialogue: string;
}

const toAttempt = (row: AttemptRow): AttemptRecord => ({
  number: row.number,
  startedAtMs: row.started_at_ms,
  durationMs: row.duration_ms,
  outcome: row.outcome,
  host: row.host,
  address: row.address,
  sourceAddress: row.source_address,
  tls: row.tls,
  answer: { code: row.code, enhancedCode: row.enhanced_code, text: row.response },
  category: row.category,
  dialogue: row.dialogue,
});

interface Matching {
  /** JOIN and WHERE. */
  readonly clause: string;
  readonly values: readonly Parameter[];
  /** The message's id where it can be read in order. */
  readonly id: string;
}

/** By its primary key it gives a tag's messages in order, however many there are. */
const joinTags = 'JOIN message_tags t ON t.message_id = m.id';

/** What a filter finds inside a window. */
function matching(filter: MessageFilter, window: MessageWindow): Matching {
  const { accountId, tag } = filter;
  const parts: [string, Parameter | undefined][] = [
    ['m.account_id = ?', accountId],
    ['m.recipient = ?', filter.recipient],
    ['s.sender = ?', filter.sender],
    ['m.state = ?', filter.state],
    ['t.tag = ?', tag],
    ['t.account_id = ?', tag === undefined ? undefined : accountId],
    ['instr(fold_case(s.subject), fold_case(?)) > 0', filter.subject],
    ['m.created_at_ms >= ?', filter.createdFromMs],
    ['m.created_at_ms < ?', filter.createdToMs],
  ];
  const wanted = parts.filter((part): part is [string, Parameter] => part[1] !== undefined);
  const windows = [inside('m.id', window), inside('s.id', window.submissions)];
  if (tag !== undefined) windows.push(inside('t.message_id', window));
  const where = wanted.map(([sql]) => sql).join(' AND ') + windows.map(({ clause }) => clause).join('');
  return {
    clause: `${tag === undefined ? '' : joinTags} WHERE ${where}`,
    values: [...wanted.map(([, value]) => value), ...windows.flatMap(({ values }) => values)],
    id: tag === undefined ? 'm.id' : 't.message_id',
  };
}

async function countIn(reader: Reader, { clause, values }: Matching, cap: number): Promise<number> {
  const row = await reader.get<{ n: number }>(
    `SELECT count(*) AS n FROM (
       SELECT 1 FROM messages m JOIN submissions s ON s.id = m.submission_id ${clause} LIMIT ?) counted`,
    ...values,
    cap,
  );
  return row?.n ?? 0;
}

const idsAtOnce = 50;
const idPlaces = Array.from({ length: idsAtOnce }, () => '?').join(', ');

/** Of these messages, those that match, by their ids. */
async function matchingOf(
  reader: Reader,
  windows: IdWindows,
  filter: MessageFilter,
  ids: readonly number[],
): Promise<ReadonlyMap<number, Message>> {
  const found = new Map<number, Message>();
  const byWindow = Map.groupBy(ids, (id) => windows.aroundMessage(id).fromId);
  for (const some of byWindow.values()) {
    for (let start = 0; start < some.length; start += idsAtOnce) {
      const { clause, values } = matching(filter, windows.aroundMessage(some[start] ?? 0));
      // A fixed number of places, so that there is one text of the statement.
      const places = Array.from({ length: idsAtOnce }, (_, index) => some[start + index] ?? 0);
      const sql = `${selectMessages} ${clause} AND m.id IN (${idPlaces})`;
      for (const row of await reader.all<MessageRow>(sql, ...values, ...places)) {
        found.set(row.id, toMessage(row));
      }
    }
  }
  return found;
}

async function happened(
  reader: Reader,
  windows: IdWindows,
  filter: MessageFilter,
  happening: Happening,
  { limit, beforeId, lookAt }: { limit: number; beforeId?: number | undefined; lookAt: number },
): Promise<MessagesPage> {
  const entries: { readonly eventId: number; readonly message: Message }[] = [];
  let lookOnFromId: number | undefined;
  const search = { accountId: filter.accountId, happening, beforeId, lookAt };
  for await (const looked of findEvents(reader, search)) {
    const standing = looked.found.filter(({ stands }) => stands);
    const ids = standing.map(({ messageId }) => messageId);
    const known = await matchingOf(reader, windows, filter, ids);
    for (const { id: eventId, messageId } of standing) {
      const message = known.get(messageId);
      if (message !== undefined) entries.push({ eventId, message });
    }
    // One more than a page holds says that there is another page.
    if (entries.length > limit) {
      const page = entries.slice(0, limit);
      return { messages: page.map(({ message }) => message), nextBeforeId: page.at(-1)?.eventId };
    }
    lookOnFromId = looked.lookOnFromId;
  }
  return { messages: entries.map(({ message }) => message), nextBeforeId: lookOnFromId };
}

/** Conditions that no index answers: each message there is has to be looked at. */
const isSlow = ({ sender, state, subject, createdFromMs, createdToMs }: MessageFilter): boolean =>
  [sender, state, subject, createdFromMs, createdToMs].some((condition) => condition !== undefined);

/** The id down to which a search looks that may look at so many, 0 for all there are. Reads an index and nothing else. */
async function lookDownTo(
  reader: Reader,
  windows: IdWindows,
  { accountId, recipient, tag }: MessageFilter,
  { beforeId, lookAt }: { beforeId: number; lookAt: number },
): Promise<number> {
  const [table, id] = tag === undefined ? ['messages', 'id'] : ['message_tags', 'message_id'];
  const also = tag === undefined ? recipient : tag;
  const condition = also === undefined ? '' : ` AND ${tag === undefined ? 'recipient' : 'tag'} = ?`;
  let left = lookAt;
  for (const window of windows.messages(beforeId)) {
    const bounds = inside(id, window);
    const row = await reader.get<{ n: number; last: number | null }>(
      `SELECT count(*) AS n, min(${id}) AS last FROM (
         SELECT ${id} FROM ${table} WHERE account_id = ?${condition}${bounds.clause} ORDER BY ${id} DESC LIMIT ?) newest`,
      accountId,
      ...(also === undefined ? [] : [also]),
      ...bounds.values,
      left,
    );
    left -= row?.n ?? 0;
    if (left <= 0) return row?.last ?? 0;
  }
  return 0;
}

async function search(
  reader: Reader,
  windows: IdWindows,
  filter: MessageFilter,
  { limit, beforeId = endOfIds, lookAt }: { limit: number; beforeId?: number | undefined; lookAt: number },
): Promise<MessagesPage> {
  const downTo = isSlow(filter) ? await lookDownTo(reader, windows, filter, { beforeId, lookAt }) : 0;
  const found: MessageRow[] = [];
  for (const window of windows.messages(beforeId)) {
    if (window.toId <= downTo) break;
    const here = matching(filter, { ...window, fromId: Math.max(window.fromId, downTo) });
    const rows = await reader.all<MessageRow>(
      `${selectMessages} ${here.clause} ORDER BY ${here.id} DESC LIMIT ?`,
      ...here.values,
      // One more than a page holds says that there is another page.
      limit + 1 - found.length,
    );
    found.push(...rows);
    if (found.length > limit) break;
  }
  const messages = found.slice(0, limit).map(toMessage);
  if (found.length > limit) return { messages, nextBeforeId: messages.at(-1)?.id };
  return { messages, nextBeforeId: downTo === 0 ? undefined : downTo };
}

export function messageStore(reader: Reader, windows: IdWindows): MessageStore {
  return {
    search: async (filter, page) => await search(reader, windows, filter, page),
    happened: async (filter, happening, page) => await happened(reader, windows, filter, happening, page),
    async byId(accountId, messageId) {
      const { clause, values } = inside('s.id', windows.aroundMessage(messageId).submissions);
      const row = await reader.get<MessageRow>(
        `${selectMessages} WHERE m.id = ? AND m.account_id = ?${clause}`,
        messageId,
        accountId,
        ...values,
      );
      return row === undefined ? undefined : toMessage(row);
    },
    async list(filter, { limit, beforeId = endOfIds, skip = 0 }) {
      const found: MessageRow[] = [];
      let toSkip = skip;
      for (const window of windows.messages(beforeId)) {
        const here = matching(filter, window);
        const rows = await reader.all<MessageRow>(
          `${selectMessages} ${here.clause} ORDER BY ${here.id} DESC LIMIT ? OFFSET ?`,
          ...here.values,
          limit - found.length,
          toSkip,
        );
        found.push(...rows);
        if (found.length >= limit) break;
        if (toSkip > 0) toSkip = rows.length > 0 ? 0 : toSkip - (await countIn(reader, here, toSkip));
      }
      return found.map(toMessage);
    },
    async count(filter, cap) {
      let count = 0;
      for (const window of windows.messages(endOfIds)) {
        count += await countIn(reader, matching(filter, window), cap - count);
        if (count >= cap) break;
      }
      return count;
    },
    attempts: async (accountId, messageId) =>
      (
        await reader.all<AttemptRow>(
          `SELECT a.* FROM attempts a JOIN messages m ON m.id = a.message_id
           WHERE a.message_id = ? AND m.account_id = ? ORDER BY a.number`,
          messageId,
          accountId,
        )
      ).map(toAttempt),
  };
}
