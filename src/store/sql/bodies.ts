/**
 * Bodies, which stand in the database or in a place outside that their rows tell of. A body is in its place before the
 * commit that tells of it, so that whatever was accepted has one.
 */
import type { BodyPlace } from '../contract/bodies.ts';
import type { IntakeStore, NewSubmission } from '../contract/intake.ts';
import type { QueueStore } from '../contract/queue.ts';
import type { RetentionStore } from '../contract/retention.ts';
import { StoreBusyError } from '../contract/store.ts';
import type { Reader } from './statements.ts';

/** A submission whose body may be in its place already: then `raw` is empty. */
export interface PlacedSubmission extends NewSubmission {
  readonly placed?: { readonly key: string; readonly sizeBytes: number };
}

export const bodySizeOf = ({ raw, placed }: PlacedSubmission): number => placed?.sizeBytes ?? raw.byteLength;

const noBytes = new Uint8Array(0);

/** @param accept commits a submission */
export function placingBodies(
  place: BodyPlace | undefined,
  accept: (submission: PlacedSubmission) => ReturnType<IntakeStore['accept']>,
): IntakeStore['accept'] {
  if (place === undefined) return accept;
  return async (submission) => {
    const key = await place.put(submission.raw, submission.atMs);
    const placed = { key, sizeBytes: submission.raw.byteLength };
    // What throws here may have been committed all the same: its body stays until it is old.
    const result = await accept({ ...submission, raw: noBytes, placed });
    if (result.kind !== 'accepted') place.drop(key);
    return result;
  };
}

export interface BodyRow {
  readonly raw: Uint8Array;
  /** '' for one that stands in the row. */
  readonly object_key: string;
}

/** @param rowOf a submission's row, undefined if it is kept no more */
export const bodyReader =
  (
    rowOf: (submissionId: number) => Promise<BodyRow | undefined>,
    place: BodyPlace | undefined,
  ): QueueStore['readBody'] =>
  async (submissionId) => {
    const row = await rowOf(submissionId);
    if (row === undefined) return undefined;
    if (row.object_key === '') return row.raw;
    if (place === undefined) throw new StoreBusyError('AFTERSEND_BODIES does not say where this body is');
    return place.get(row.object_key);
  };

/** The clocks of processes may differ, and a batch is committed after its submissions were made. */
const oldestQueuedMarginMs = 3_600_000;

/** Bodies in their place go when their rows may: nothing that may still be delivered is as old. */
export function pruningBodies(
  prune: RetentionStore['prune'],
  reader: Reader,
  place: BodyPlace | undefined,
): RetentionStore['prune'] {
  if (place === undefined) return prune;
  return async (input) => {
    const rows = await prune(input);
    const oldest = await reader.get<{ created_at_ms: number }>(
      'SELECT created_at_ms FROM messages WHERE id = (SELECT min(message_id) FROM queue)',
    );
    const queuedSinceMs = (oldest?.created_at_ms ?? Infinity) - oldestQueuedMarginMs;
    const beforeMs = Math.min(input.bodiesBeforeMs, queuedSinceMs);
    return rows + (await place.prune({ beforeMs, limit: input.limit }));
  };
}
