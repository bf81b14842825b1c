/**
 * Which ranges of ids a data folder's messages and events come into: each holds what came in a day or so, so that it can
 * go when that is old. A range begins with a submission's first message: no submission lies in two.
 */
import { type IdRange, rangeUnit } from '../postgres/ranges.ts';
import type { Source } from './source.ts';

const dayMs = 86_400_000;
/** Bounds their number, however long a folder has kept what is in it. */
const mostRanges = 400;

interface Row {
  readonly id: number;
  readonly atMs: number;
  /** Of an event it is the event's own id. */
  readonly submissionId: number;
}

interface Stretch {
  readonly fromId: number;
  readonly submissionsFromId: number;
  readonly fromMs: number | undefined;
  toMs: number;
}

/** A range before it is known where it ends. */
function* stretches(rows: Iterable<Row>, spanMs: number): Generator<Stretch> {
  let open: Stretch = { fromId: 1, submissionsFromId: 1, fromMs: undefined, toMs: 0 };
  let lastSubmissionId = 0;
  for (const { id, atMs, submissionId } of rows) {
    const { fromMs = atMs } = open;
    if (atMs - fromMs >= spanMs && submissionId > lastSubmissionId) {
      yield open;
      open = { fromId: id, submissionsFromId: submissionId, fromMs: atMs, toMs: atMs };
    } else {
      open = { ...open, fromMs, toMs: Math.max(open.toMs, atMs) };
    }
    lastSubmissionId = Math.max(lastSubmissionId, submissionId);
  }
  yield open;
}

/** @param lastId the last one that was ever taken: the last range goes on after it, with new ids */
function toRanges(kind: IdRange['kind'], parts: readonly Stretch[], lastId: number): IdRange[] {
  const endId = (Math.floor(lastId / rangeUnit) + 1) * rangeUnit;
  return parts.map(({ fromId, submissionsFromId, fromMs, toMs }, index): IdRange => {
    const next = parts[index + 1];
    const toId = next?.fromId ?? endId;
    return {
      kind,
      fromId,
      toId,
      submissions: { fromId: submissionsFromId, toId: next?.submissionsFromId ?? endId },
      fromMs,
      toMs: next === undefined ? undefined : toMs,
      lastId: next === undefined ? undefined : toId - 1,
      hasBodies: kind === 'messages',
    };
  });
}

function spanOf(source: Source, sql: string): number {
  const [row] = source.rows<{ first: number | null; last: number | null }>(sql);
  return Math.max(dayMs, ((row?.last ?? 0) - (row?.first ?? 0)) / mostRanges);
}

export function planRanges(source: Source): readonly IdRange[] {
  const last = source.sequences();
  const messages = stretches(
    source.each<Row>(
      'SELECT id, created_at_ms AS atMs, submission_id AS submissionId FROM messages ORDER BY id',
    ),
    spanOf(source, 'SELECT min(created_at_ms) AS first, max(created_at_ms) AS last FROM messages'),
  );
  const events = stretches(
    source.each<Row>('SELECT id, time_ms AS atMs, id AS submissionId FROM events ORDER BY id'),
    spanOf(source, 'SELECT min(time_ms) AS first, max(time_ms) AS last FROM events'),
  );
  return [
    ...toRanges('messages', [...messages], last.get('messages') ?? 0),
    ...toRanges('events', [...events], last.get('events') ?? 0),
  ];
}
