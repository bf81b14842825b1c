/** What comes of sending to webhooks: progress, attempts, taken stretches, set-aside events, notices. */
import type { LoggedEvent } from '../../events/types.ts';
import {
  freshProgress,
  keptAttempts,
  type AcceptedRange,
  type NewNotice,
  type NoticeKind,
  type ProgressSave,
  type ProgressSaved,
  type SetAsideEvent,
  type StreamProgress,
  type WebhookAttempt,
} from '../contract/webhook-progress.ts';
import type { FoundRange, Notice } from '../contract/webhooks.ts';
import type { Reader, Writer } from './statements.ts';

/** The columns of a stream, the endpoint's own or a replay's. */
export interface ProgressColumns {
  cursor_id: number;
  number: number;
  failing_since_ms: number | null;
  last_accepted_at_ms: number | null;
  progress: string;
}

export function toProgress(row: ProgressColumns): StreamProgress {
  const kept = JSON.parse(row.progress) as Partial<StreamProgress>;
  return {
    ...freshProgress(row.cursor_id),
    readNumber: row.number,
    ...kept,
    cursorId: row.cursor_id,
    number: row.number,
    failingSinceMs: row.failing_since_ms ?? undefined,
    lastAcceptedAtMs: row.last_accepted_at_ms ?? undefined,
  };
}

/** All that has no column of its own. */
export function keptAsJson(progress: StreamProgress): string {
  const { readId, readNumber, inFlight, search, failures, nextTryAtMs, noticedMs, emptySearches, digest } =
    progress;
  return JSON.stringify({
    readId,
    readNumber,
    inFlight,
    search,
    failures,
    nextTryAtMs,
    noticedMs,
    emptySearches,
    digest,
  });
}

/** The same stream, with nothing in flight: what was not decided is read again. */
export function closed(progress: StreamProgress): StreamProgress {
  const { cursorId, number } = progress;
  return { ...progress, readId: cursorId, readNumber: number, inFlight: [], search: undefined };
}

interface StreamOwner {
  id: number;
  settings_version: number;
  settings_since_id: number;
  accepted_count: number;
  failed_count: number;
}

export async function saveProgress(database: Writer, input: ProgressSave): Promise<ProgressSaved> {
  const owner = await database.get<StreamOwner & ProgressColumns>(
    'SELECT * FROM webhooks WHERE id = ?',
    input.webhookId,
  );
  if (owner === undefined) return 'gone';
  await keepAttempts(database, owner, input);
  for (const range of input.accepted) await keepRange(database, input, range);
  for (const setAside of input.setAside) await keepSetAside(database, input.webhookId, setAside);
  for (const eventId of input.takenAgain) {
    await database.run(
      'DELETE FROM webhook_set_aside WHERE webhook_id = ? AND event_id = ?',
      input.webhookId,
      eventId,
    );
  }
  for (const notice of input.notices) await keepNotice(database, input.webhookId, notice);
  if (input.pause !== undefined) {
    await database.run('UPDATE webhooks SET paused_by = ? WHERE id = ?', input.pause, input.webhookId);
  }
  const isStale = owner.settings_version !== input.settingsVersion;
  if (input.replayId !== 0) return await saveReplay(database, input, isStale);
  if (isStale) {
    await saveStream(database, 'webhooks', owner.id, closed(afterChange(owner, input.progress)));
    return 'stale';
  }
  await saveStream(database, 'webhooks', owner.id, input.progress);
  return 'saved';
}

/** As far as a stream may be moved by what was sent under settings that have changed meanwhile. */
function afterChange(owner: StreamOwner & ProgressColumns, { cursorId, number, digest }: StreamProgress) {
  const stored = toProgress(owner);
  // What the older settings did not want of the events after the change, these ones may.
  const moved = {
    ...stored,
    cursorId: Math.max(stored.cursorId, Math.min(cursorId, owner.settings_since_id)),
    number: Math.max(stored.number, number),
  };
  if (digest === undefined) return moved;
  // A digest counts what lies before the cursor: they move together, or what was counted is sent and counted again.
  const isWhole = cursorId <= owner.settings_since_id && digest.lastNumber <= number;
  return isWhole ? { ...moved, digest } : stored;
}

async function saveReplay(database: Writer, input: ProgressSave, isStale: boolean): Promise<ProgressSaved> {
  const row = await database.get<ProgressColumns & { state: string }>(
    'SELECT * FROM webhook_replays WHERE id = ?',
    input.replayId,
  );
  if (row?.state !== 'running') return 'gone';
  await saveStream(
    database,
    'webhook_replays',
    input.replayId,
    isStale ? closed(input.progress) : input.progress,
  );
  if (input.finishedAtMs !== undefined && !isStale) {
    await database.run(
      "UPDATE webhook_replays SET state = 'done', finished_at_ms = ? WHERE id = ?",
      input.finishedAtMs,
      input.replayId,
    );
  }
  return isStale ? 'stale' : 'saved';
}

export async function saveStream(
  database: Writer,
  table: 'webhooks' | 'webhook_replays',
  id: number,
  progress: StreamProgress,
): Promise<void> {
  await database.run(
    `UPDATE ${table} SET cursor_id = ?, number = ?, failing_since_ms = ?, last_accepted_at_ms = ?, progress = ?
     WHERE id = ?`,
    progress.cursorId,
    progress.number,
    progress.failingSinceMs ?? null,
    progress.lastAcceptedAtMs ?? null,
    keptAsJson(progress),
    id,
  );
}

/** Puts an attempt in the place of the oldest of its outcome. */
async function keepAttempt(
  database: Writer,
  webhookId: number,
  attempt: WebhookAttempt,
  ordinal: number,
): Promise<void> {
  await database.run(
    `INSERT INTO webhook_attempts (webhook_id, accepted, place, at_ms, duration_ms, batch_id, first_id,
       last_id, events, status, answer, replay_id, settings_version, first_number, only_ids, headers, timings)
     VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
     ON CONFLICT (webhook_id, accepted, place) DO UPDATE SET at_ms = excluded.at_ms,
       duration_ms = excluded.duration_ms, batch_id = excluded.batch_id, first_id = excluded.first_id,
       last_id = excluded.last_id, events = excluded.events, status = excluded.status, answer = excluded.answer,
       replay_id = excluded.replay_id, settings_version = excluded.settings_version,
       first_number = excluded.first_number, only_ids = excluded.only_ids, headers = excluded.headers,
       timings = excluded.timings`,
    webhookId,
    attempt.accepted ? 1 : 0,
    ordinal % keptAttempts,
    attempt.atMs,
    attempt.durationMs,
    attempt.batchId,
    attempt.firstId,
    attempt.lastId,
    attempt.events,
    attempt.status,
    attempt.answer,
    attempt.replayId,
    attempt.settingsVersion,
    attempt.firstNumber,
    idsText(attempt.only),
    JSON.stringify(attempt.headers),
    JSON.stringify(attempt.timings),
  );
}

async function keepAttempts(database: Writer, row: StreamOwner, input: ProgressSave): Promise<void> {
  const accepted = input.attempts.filter((attempt) => attempt.accepted);
  const failed = input.attempts.filter((attempt) => !attempt.accepted);
  const acceptedCount = row.accepted_count + input.counts.accepted;
  const failedCount = row.failed_count + input.counts.failed;
  // The last of each list has the number of the count, whatever the list leaves out before.
  for (const [list, count] of [
    [accepted, acceptedCount],
    [failed, failedCount],
  ] as const) {
    for (const [index, attempt] of list.entries()) {
      await keepAttempt(database, row.id, attempt, count - list.length + index);
    }
  }
  if (input.counts.accepted + input.counts.failed === 0) return;
  await database.run(
    'UPDATE webhooks SET accepted_count = ?, failed_count = ? WHERE id = ?',
    acceptedCount,
    failedCount,
    row.id,
  );
}

async function keepRange(database: Writer, save: ProgressSave, range: AcceptedRange): Promise<void> {
  await database.run(
    `INSERT INTO webhook_ranges (webhook_id, replay_id, settings_version, first_id, last_id, events, requests,
       from_ms, to_ms, only_ids, except_ids) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
    save.webhookId,
    save.replayId,
    save.settingsVersion,
    range.firstId,
    range.lastId,
    range.events,
    range.requests,
    range.fromMs,
    range.toMs,
    idsText(range.only),
    idsText(range.except),
  );
}

async function keepSetAside(database: Writer, webhookId: number, setAside: SetAsideEvent): Promise<void> {
  await database.run(
    `INSERT INTO webhook_set_aside (webhook_id, event_id, number, at_ms, batch_id, status, answer, event)
     VALUES (?, ?, ?, ?, ?, ?, ?, ?)
     ON CONFLICT (webhook_id, event_id) DO UPDATE SET at_ms = excluded.at_ms, batch_id = excluded.batch_id, status = excluded.status,
       answer = excluded.answer`,
    webhookId,
    setAside.event.id,
    setAside.number,
    setAside.atMs,
    setAside.batchId,
    setAside.status,
    setAside.answer,
    JSON.stringify(setAside.event),
  );
}

export async function keepNotice(database: Writer, webhookId: number, notice: NewNotice): Promise<void> {
  await database.run(
    `INSERT INTO notices (account_id, webhook_id, kind, at_ms, text)
     SELECT account_id, id, ?, ?, ? FROM webhooks WHERE id = ?`,
    notice.kind,
    notice.atMs,
    notice.text,
    webhookId,
  );
}

const idsText = (ids: readonly number[] | undefined): string =>
  ids === undefined ? '' : JSON.stringify(ids);
const idsOf = (text: string): readonly number[] | undefined =>
  text === '' ? undefined : (JSON.parse(text) as number[]);

interface AttemptRow {
  accepted: number;
  at_ms: number;
  duration_ms: number;
  batch_id: string;
  first_id: number;
  last_id: number;
  events: number;
  status: number;
  answer: string;
  replay_id: number;
  settings_version: number;
  first_number: number;
  only_ids: string;
  headers: string;
  timings: string;
}

export async function readAttempts(
  reader: Reader,
  accountId: number,
  webhookId: number,
): Promise<WebhookAttempt[]> {
  return (
    await reader.all<AttemptRow>(
      `SELECT a.* FROM webhook_attempts a JOIN webhooks w ON w.id = a.webhook_id
       WHERE a.webhook_id = ? AND w.account_id = ? ORDER BY a.at_ms DESC, a.last_id DESC`,
      webhookId,
      accountId,
    )
  ).map((row) => ({
    atMs: row.at_ms,
    durationMs: row.duration_ms,
    batchId: row.batch_id,
    firstId: row.first_id,
    lastId: row.last_id,
    events: row.events,
    firstNumber: row.first_number,
    only: idsOf(row.only_ids),
    accepted: row.accepted !== 0,
    status: row.status,
    answer: row.answer,
    replayId: row.replay_id,
    settingsVersion: row.settings_version,
    headers: JSON.parse(row.headers) as string[],
    timings: JSON.parse(row.timings) as WebhookAttempt['timings'],
  }));
}

interface SetAsideRow {
  event: string;
  number: number;
  at_ms: number;
  batch_id: string;
  status: number;
  answer: string;
}

export async function readSetAside(
  reader: Reader,
  input: { accountId: number; webhookId: number; afterId: number; limit: number },
): Promise<SetAsideEvent[]> {
  return (
    await reader.all<SetAsideRow>(
      `SELECT s.* FROM webhook_set_aside s JOIN webhooks w ON w.id = s.webhook_id
       WHERE s.webhook_id = ? AND w.account_id = ? AND s.event_id > ? ORDER BY s.event_id LIMIT ?`,
      input.webhookId,
      input.accountId,
      input.afterId,
      input.limit,
    )
  ).map((row) => ({
    event: JSON.parse(row.event) as LoggedEvent,
    number: row.number,
    atMs: row.at_ms,
    batchId: row.batch_id,
    status: row.status,
    answer: row.answer,
  }));
}

interface RangeRow {
  webhook_id: number;
  replay_id: number;
  settings_version: number;
  first_id: number;
  last_id: number;
  events: number;
  requests: number;
  from_ms: number;
  to_ms: number;
  only_ids: string;
  except_ids: string;
  dialect: string | null;
  types: string | null;
  options: string | null;
}

/** Of an endpoint, how many stretches after an event's place are looked at: replays overlap the live stream. */
const rangesLookedAt = 50;

export async function readRangesOver(
  reader: Reader,
  accountId: number,
  eventId: number,
): Promise<FoundRange[]> {
  const webhooks = await reader.all<{ id: number }>(
    'SELECT id FROM webhooks WHERE account_id = ?',
    accountId,
  );
  const rows: RangeRow[] = [];
  for (const { id } of webhooks) {
    const ofWebhook = await reader.all<RangeRow>(
      `SELECT r.*, v.dialect, v.types, v.options
       FROM (SELECT * FROM webhook_ranges WHERE webhook_id = ? AND last_id >= ? ORDER BY last_id LIMIT ?) r
       LEFT JOIN webhook_versions v ON v.webhook_id = r.webhook_id AND v.version = r.settings_version
       WHERE r.first_id <= ? ORDER BY r.last_id, r.replay_id, r.first_id`,
      id,
      eventId,
      rangesLookedAt,
      eventId,
    );
    rows.push(...ofWebhook);
  }
  return rows
    .map((row) => ({
      webhookId: row.webhook_id,
      replayId: row.replay_id,
      settingsVersion: row.settings_version,
      firstId: row.first_id,
      lastId: row.last_id,
      events: row.events,
      requests: row.requests,
      fromMs: row.from_ms,
      toMs: row.to_ms,
      only: idsOf(row.only_ids),
      except: idsOf(row.except_ids),
      settings:
        row.dialect === null
          ? undefined
          : {
              dialect: row.dialect,
              types: JSON.parse(row.types ?? '[]') as NonNullable<FoundRange['settings']>['types'],
              optionsJson: row.options ?? '{}',
            },
    }))
    .toSorted((a, b) => b.toMs - a.toMs);
}

interface NoticeRow {
  id: number;
  account_id: number;
  webhook_id: number;
  kind: NoticeKind;
  at_ms: number;
  text: string;
}

const toNotice = ({ id, kind, at_ms: atMs, text }: NoticeRow): Notice => ({ id, kind, atMs, text });
const shownNotices = 50;

export async function readNotices(reader: Reader, accountId: number, webhookId: number): Promise<Notice[]> {
  return (
    await reader.all<NoticeRow>(
      'SELECT * FROM notices WHERE webhook_id = ? AND account_id = ? ORDER BY id DESC LIMIT ?',
      webhookId,
      accountId,
      shownNotices,
    )
  ).map(toNotice);
}

export async function readUnmailed(reader: Reader, limit: number) {
  return (
    await reader.all<NoticeRow>('SELECT * FROM notices WHERE mailed = 0 ORDER BY id LIMIT ?', limit)
  ).map((row) => ({ ...toNotice(row), accountId: row.account_id, webhookId: row.webhook_id }));
}
