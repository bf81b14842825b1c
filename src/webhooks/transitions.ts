/**
 * What becomes of a stream when one of its batches is opened, taken, refused or fails: pure functions from progress to
 * progress. The search for what a receiver cannot take is here.
 *
 * A batch that is refused for what is in it is halved, the earlier half first, until an event stands alone: n events
 * with a bad one take 2·log2(n) requests more than without. What is refused alone is a suspect until something else of
 * the search was accepted, and at fault from then on. A search in which nothing is accepted ends where it began: that
 * was an outage. A batch of one event has nothing else in it, so the search goes on with the batches that follow.
 */
import { hash } from 'node:crypto';
import type {
  DigestState,
  InFlightBatch,
  Search,
  StreamProgress,
  Suspect,
} from '../store/contract/webhook-progress.ts';
import type { Batch } from './collect.ts';
import { longestWaitMs } from './retry.ts';

/** Suspects of a search that has found nothing good yet, beyond which it is an outage; twice as many the next time. */
const firstSuspects = 4;
const mostSuspects = 64;

/** Of a batch, what is stored. In two steps: nearly none has more, and this is done for every request. */
function rangeOf(batch: InFlightBatch): InFlightBatch {
  const { firstId, lastId, events, firstNumber, refusedSinceMs, only } = batch;
  const range = { firstId, lastId, events, firstNumber };
  if (refusedSinceMs === undefined && only === undefined) return range;
  return {
    ...range,
    ...(refusedSinceMs !== undefined && { refusedSinceMs }),
    ...(only !== undefined && { only }),
  };
}

/** As if it had never been refused. */
function asNew(batch: InFlightBatch): InFlightBatch {
  const { refusedSinceMs: _, ...range } = rangeOf(batch);
  return range;
}

const without = (progress: StreamProgress, { firstId }: InFlightBatch): InFlightBatch[] =>
  progress.inFlight.filter((other) => other.firstId !== firstId);

/** Moves the cursor up to what is not decided yet. */
function settled(progress: StreamProgress): StreamProgress {
  const suspected = progress.search?.suspects.map(({ batch }) => batch) ?? [];
  let first: InFlightBatch | undefined;
  for (const batch of [...suspected, ...progress.inFlight]) {
    if (first === undefined || batch.firstId < first.firstId) first = batch;
  }
  if (first === undefined) return { ...progress, cursorId: progress.readId, number: progress.readNumber };
  return {
    ...progress,
    cursorId: Math.max(progress.cursorId, first.firstId - 1),
    number: Math.max(progress.number, first.firstNumber - 1),
  };
}

export function opened(progress: StreamProgress, batch: Batch): StreamProgress {
  return {
    ...progress,
    inFlight: [...progress.inFlight, rangeOf(batch)],
    readId: batch.lastId,
    readNumber: batch.firstNumber + batch.events - 1,
  };
}

/** Nothing of the log up to here is wanted and not yet read. */
export function passed(progress: StreamProgress, id: number): StreamProgress {
  return settled({ ...progress, readId: Math.max(progress.readId, id) });
}

/** The batch's events are not kept any more. */
export function dropped(progress: StreamProgress, batch: InFlightBatch): StreamProgress {
  return settled({ ...progress, inFlight: without(progress, batch) });
}

export interface Outcome {
  readonly progress: StreamProgress;
  /** Proved to be what the receiver cannot take. */
  readonly setAside: readonly Suspect[];
}

export function taken(progress: StreamProgress, batch: InFlightBatch, nowMs: number): Outcome {
  const { search } = progress;
  const well: StreamProgress = {
    ...progress,
    inFlight: without(progress, batch),
    failures: 0,
    nextTryAtMs: 0,
    failingSinceMs: undefined,
    lastAcceptedAtMs: nowMs,
    noticedMs: 0,
    emptySearches: 0,
  };
  if (search === undefined) return { progress: settled(well), setAside: [] };
  // Answers that say nothing of the content may have been of a bad hour that is over now: those are asked once more.
  const again =
    search.kind === 'slow' ? search.suspects.map((suspect) => toAskAgain(suspect.batch, nowMs)) : [];
  const inFlight = [...well.inFlight, ...again];
  return {
    progress: settled({
      ...well,
      inFlight,
      search: inFlight.length === 0 ? undefined : { ...search, accepted: true, suspects: [] },
    }),
    setAside: search.kind === 'slow' ? [] : search.suspects,
  };
}

/** The receiver took the batch but for some of its events, which it asks for again. */
export function takenInPart(
  progress: StreamProgress,
  batch: Batch,
  { only, nowMs, waitMs }: { only: readonly number[]; nowMs: number; waitMs: number },
): Outcome {
  const { progress: after, setAside } = taken(progress, batch, nowMs);
  const rest = { ...asNew(batch), events: only.length, only };
  const inFlight = [rest, ...after.inFlight];
  // Before `settled` counted it as decided, the cursor stood before it.
  const { cursorId, number } = progress;
  return {
    progress: settled({ ...after, cursorId, number, inFlight, nextTryAtMs: nowMs + waitMs }),
    setAside,
  };
}

export interface Refusal {
  readonly kind: Search['kind'];
  readonly suspect: Suspect;
  readonly startedAtMs: number;
  readonly nowMs: number;
  /** Until the next try, should this be an outage. */
  readonly waitMs: number;
  /** The answer asks to come later (429, `Retry-After`): the search goes on then. */
  readonly asksToWait: boolean;
}

/** An event alone that was refused by answers which say nothing of it, and is asked once more after the others. */
const toAskAgain = (batch: InFlightBatch, refusedSinceMs: number): InFlightBatch => ({
  ...batch,
  refusedSinceMs,
});

/** For so long an event that stands alone is asked again by a receiver's own wish, before that is its fault. */
const askedLaterForMs = 3_600_000;

/** Refused for what is in it. */
export function refused(progress: StreamProgress, batch: Batch, refusal: Refusal): Outcome {
  const search = withRoot(progress.search, batch, refusal.kind);
  // A receiver that takes the others does not fail.
  const failingSinceMs = search.accepted
    ? progress.failingSinceMs
    : (progress.failingSinceMs ?? refusal.startedAtMs);
  const failing = { ...progress, failingSinceMs };
  const rest = without(progress, batch);
  const laterMs = refusal.asksToWait ? refusal.nowMs + refusal.waitMs : 0;
  if (batch.items.length > 1) {
    const inFlight = [...halves(batch), ...rest];
    return { progress: { ...failing, search, inFlight, nextTryAtMs: laterMs }, setAside: [] };
  }
  if (search.accepted && search.kind === 'slow') {
    const { refusedSinceMs } = batch;
    const alone = toAskAgain(rangeOf(batch), refusedSinceMs ?? refusal.startedAtMs);
    if (refusedSinceMs === undefined) {
      const isLast = rest.every((other) => other.refusedSinceMs !== undefined);
      const nextTryAtMs = isLast ? refusal.nowMs + refusal.waitMs : laterMs;
      return { progress: { ...failing, search, inFlight: [...rest, alone], nextTryAtMs }, setAside: [] };
    }
    if (refusal.asksToWait && refusal.startedAtMs - refusedSinceMs < askedLaterForMs) {
      return {
        progress: { ...failing, search, inFlight: [alone, ...rest], nextTryAtMs: laterMs },
        setAside: [],
      };
    }
  }
  if (search.accepted) {
    const after = rest.length === 0 ? undefined : search;
    return {
      progress: settled({
        ...failing,
        failingSinceMs: progress.failingSinceMs,
        search: after,
        inFlight: rest,
      }),
      setAside: [refusal.suspect],
    };
  }
  const suspects = [...search.suspects, refusal.suspect];
  const suspected = { ...failing, search: { ...search, suspects }, inFlight: rest };
  const most = Math.min(firstSuspects * 2 ** progress.emptySearches, mostSuspects);
  const isWholeBatch = search.roots.some(({ events }) => events > 1);
  if (suspects.length >= most || (rest.length === 0 && isWholeBatch)) {
    return { progress: emptySearch(suspected, refusal), setAside: [] };
  }
  // All alone so far: what comes next is to tell, and until something does, the first one is asked again in a while.
  const nextTryAtMs = rest.length === 0 ? refusal.nowMs + refusal.waitMs : laterMs;
  return { progress: { ...suspected, nextTryAtMs }, setAside: [] };
}

function withRoot(search: Search | undefined, batch: Batch, kind: Search['kind']): Search {
  const found = search ?? { roots: [], kind, accepted: false, suspects: [] };
  const isInside = found.roots.some((root) => batch.firstId >= root.firstId && batch.lastId <= root.lastId);
  return isInside ? found : { ...found, roots: [...found.roots, rangeOf(batch)] };
}

function halves(batch: Batch): InFlightBatch[] {
  const middle = Math.ceil(batch.items.length / 2);
  return [batch.items.slice(0, middle), batch.items.slice(middle)].map((items, index) => ({
    firstId: items[0]?.id ?? 0,
    lastId: items.at(-1)?.id ?? 0,
    events: items.length,
    firstNumber: batch.firstNumber + offsetOf(batch, index === 0 ? 0 : middle),
    ...(batch.only !== undefined && { only: items.map(({ id }) => id) }),
  }));
}

/** Numbers count over the range, also where `only` leaves some of it out. */
const offsetOf = (batch: Batch, index: number): number => batch.offsets?.[index] ?? index;

/** Back to where it began: nobody can say what is at fault while nothing is accepted. */
function emptySearch(
  progress: StreamProgress,
  { nowMs, waitMs }: { nowMs: number; waitMs: number },
): StreamProgress {
  return {
    ...giveUpSearch(progress),
    failures: progress.failures + 1,
    emptySearches: progress.emptySearches + 1,
    nextTryAtMs: nowMs + waitMs,
  };
}

/** As this clock allows: the one that it was stored by may have been ahead. */
export function byThisClock(progress: StreamProgress, nowMs: number): StreamProgress {
  const { nextTryAtMs, failingSinceMs, inFlight, digest } = progress;
  return {
    ...progress,
    nextTryAtMs: Math.min(nextTryAtMs, nowMs + longestWaitMs),
    failingSinceMs: failingSinceMs && Math.min(failingSinceMs, nowMs),
    inFlight: inFlight.map((batch) =>
      batch.refusedSinceMs === undefined
        ? batch
        : { ...batch, refusedSinceMs: Math.min(batch.refusedSinceMs, nowMs) },
    ),
    digest: digest && { ...digest, sinceMs: Math.min(digest.sinceMs, nowMs) },
  };
}

/** Ends a search that has accepted nothing, without a verdict. */
export function giveUpSearch(progress: StreamProgress): StreamProgress {
  const { search } = progress;
  if (search === undefined || search.accepted) return progress;
  const roots = search.roots.map(asNew);
  const others = progress.inFlight.filter(
    (batch) => !roots.some((root) => batch.firstId >= root.firstId && batch.lastId <= root.lastId),
  );
  return { ...progress, search: undefined, inFlight: [...roots, ...others] };
}

export interface Failure {
  /** An answer came, although not the one we want. */
  readonly answered: boolean;
  readonly startedAtMs: number;
  readonly nowMs: number;
  readonly waitMs: number;
}

/** Not now, or not here: the batch is tried again. */
export function failed(progress: StreamProgress, batch: InFlightBatch, failure: Failure): StreamProgress {
  const { answered, startedAtMs, nowMs, waitMs } = failure;
  const refusedSinceMs = answered ? (batch.refusedSinceMs ?? startedAtMs) : undefined;
  const marked = { ...asNew(batch), ...(refusedSinceMs !== undefined && { refusedSinceMs }) };
  const inFlight = progress.inFlight.map((other) => (other.firstId === batch.firstId ? marked : other));
  return giveUpSearch({
    ...progress,
    inFlight,
    failures: progress.failures + 1,
    failingSinceMs: progress.failingSinceMs ?? startedAtMs,
    nextTryAtMs: nowMs + waitMs,
  });
}

export const freshDigest = (sinceMs: number): DigestState => ({
  sinceMs,
  counts: {},
  firstNumber: 0,
  lastNumber: 0,
  hash: '',
  setAside: 0,
});

/** A digest was taken, or refused for what it is. It says nothing of an event that is suspected: that goes on failing. */
export function digestOver(progress: StreamProgress): StreamProgress {
  const { due: _, ...digest } = progress.digest ?? freshDigest(0);
  if (progress.search !== undefined) return { ...progress, digest };
  return { ...progress, digest, failures: 0, nextTryAtMs: 0, failingSinceMs: undefined, noticedMs: 0 };
}

export function digestFailed(
  progress: StreamProgress,
  { startedAtMs, nowMs, waitMs }: Omit<Failure, 'answered'>,
): StreamProgress {
  return {
    ...progress,
    failures: progress.failures + 1,
    failingSinceMs: progress.failingSinceMs ?? startedAtMs,
    nextTryAtMs: nowMs + waitMs,
  };
}

/** Counts the events of a batch that were taken. */
export function counted(digest: DigestState, batch: Batch, except: ReadonlySet<number>): DigestState {
  const { firstNumber, events, items } = batch;
  const counts: Record<string, number> = { ...digest.counts };
  let chain = digest.hash;
  for (const { id, type } of items) {
    if (except.has(id)) continue;
    counts[type] = (counts[type] ?? 0) + 1;
    chain = hash('sha256', `${chain}${id}`);
  }
  return {
    ...digest,
    counts,
    hash: chain,
    firstNumber: digest.firstNumber === 0 ? firstNumber : Math.min(digest.firstNumber, firstNumber),
    lastNumber: Math.max(digest.lastNumber, firstNumber + events - 1),
  };
}
