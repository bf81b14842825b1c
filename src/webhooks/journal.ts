/** What is to be remembered of a stream's requests until the next save: the last of each outcome, and what was taken. */
import {
  type AcceptedRange,
  keptAttempts,
  type ProgressSave,
  type SetAsideEvent,
  type Suspect,
  type WebhookAttempt,
} from '../store/contract/webhook-progress.ts';
import type { Batch } from './collect.ts';
import type { Sent } from './requests.ts';

/** How much of an answer is kept for looking at. */
const keptAnswerLength = 1_000;

export type JournalEntries = Pick<
  ProgressSave,
  'attempts' | 'counts' | 'accepted' | 'setAside' | 'takenAgain'
>;

interface Kept {
  readonly batch: Omit<Batch, 'items' | 'body'>;
  readonly sent: Sent;
  readonly accepted: boolean;
  readonly atMs: number;
  readonly durationMs: number;
}

export class Journal {
  readonly #facts: { readonly replayId: number; readonly settingsVersion: number };
  readonly #kept: Record<'accepted' | 'failed', Kept[]> = { accepted: [], failed: [] };
  #counts = { accepted: 0, failed: 0 };
  #ranges: AcceptedRange[] = [];
  #setAside: SetAsideEvent[] = [];
  #takenAgain: number[] = [];
  /** What was there before all of that, and could not be saved. */
  #unsaved: JournalEntries | undefined;
  /** The number after the last range's, if that is of single events: the next one may be joined to it. */
  #joinsAt = 0;

  constructor(facts: { replayId: number; settingsVersion: number }) {
    this.#facts = facts;
  }

  get requests(): number {
    return this.#counts.accepted + this.#counts.failed;
  }

  keep(batch: Batch, sent: Sent, accepted: boolean, times: { atMs: number; durationMs: number }): void {
    const outcome = accepted ? 'accepted' : 'failed';
    this.#counts[outcome] += 1;
    const kept = this.#kept[outcome];
    // Not one by one: that would move all of them for each.
    if (kept.length >= 2 * keptAttempts) kept.splice(0, keptAttempts);
    // Its range alone: a body may be megabytes.
    const { id, firstId, lastId, events, firstNumber, only } = batch;
    const { atMs, durationMs } = times;
    const range = { id, firstId, lastId, events, firstNumber, only };
    kept.push({ batch: range, sent, accepted, atMs, durationMs });
  }

  taken(batch: Batch, atMs: number, except?: readonly number[]): void {
    const { firstId, lastId, only, firstNumber } = batch;
    const events = batch.items.length - (except?.length ?? 0);
    const last = this.#ranges.at(-1);
    if (events === 1 && only === undefined && except === undefined && batch.events === 1) {
      if (last !== undefined && this.#joinsAt === firstNumber) {
        const { events: before, requests } = last;
        this.#ranges[this.#ranges.length - 1] = {
          ...last,
          lastId,
          events: before + 1,
          requests: requests + 1,
          toMs: atMs,
        };
        this.#joinsAt += 1;
        return;
      }
      this.#joinsAt = firstNumber + 1;
    } else {
      this.#joinsAt = 0;
    }
    this.#ranges.push({ firstId, lastId, events, requests: 1, fromMs: atMs, toMs: atMs, only, except });
  }

  takenAgain(batch: Batch): void {
    this.#takenAgain.push(...batch.items.map(({ id }) => id));
  }

  setAside(events: readonly SetAsideEvent[]): void {
    this.#setAside.push(...events);
  }

  /** What `empty` gave, after it was not saved. */
  putBack(entries: JournalEntries): void {
    this.#unsaved = entries;
  }

  /** All there is, once. */
  empty(): JournalEntries {
    const before = this.#unsaved;
    const entries = {
      attempts: Object.values(this.#kept).flatMap((kept) =>
        kept.slice(-keptAttempts).map((one) => this.#attempt(one)),
      ),
      counts: this.#counts,
      accepted: this.#ranges,
      setAside: this.#setAside,
      takenAgain: this.#takenAgain,
    };
    this.#kept.accepted = [];
    this.#kept.failed = [];
    this.#counts = { accepted: 0, failed: 0 };
    this.#ranges = [];
    this.#setAside = [];
    this.#takenAgain = [];
    this.#joinsAt = 0;
    this.#unsaved = undefined;
    return before === undefined ? entries : joined(before, entries);
  }

  #attempt({ batch, sent, accepted, atMs, durationMs }: Kept): WebhookAttempt {
    const { result } = sent;
    return {
      ...this.#facts,
      atMs,
      durationMs,
      batchId: batch.id,
      firstId: batch.firstId,
      lastId: batch.lastId,
      events: batch.only?.length ?? batch.events,
      firstNumber: batch.firstNumber,
      only: batch.only,
      accepted,
      status: result.kind === 'answered' ? result.status : 0,
      answer: sent.answer(keptAnswerLength),
      headers: sent.headers(),
      timings: result.kind === 'answered' ? result.timings : {},
    };
  }
}

const joined = (before: JournalEntries, after: JournalEntries): JournalEntries => ({
  // The store leaves out what is beyond what it keeps.
  attempts: [...before.attempts, ...after.attempts].slice(-2 * keptAttempts),
  counts: {
    accepted: before.counts.accepted + after.counts.accepted,
    failed: before.counts.failed + after.counts.failed,
  },
  accepted: [...before.accepted, ...after.accepted],
  setAside: [...before.setAside, ...after.setAside],
  takenAgain: [...before.takenAgain, ...after.takenAgain],
});

/** The one event of a batch that was refused. */
export function asSuspect(batch: Batch, sent: Sent): Suspect {
  const { result } = sent;
  const id = batch.items[0]?.id ?? batch.firstId;
  const firstNumber = batch.firstNumber + (batch.offsets?.[0] ?? 0);
  return {
    batch: { firstId: id, lastId: id, events: 1, firstNumber },
    batchId: batch.id,
    status: result.kind === 'answered' ? result.status : 0,
    answer: sent.answer(keptAnswerLength),
  };
}

/** A suspect that is found at fault, as it is kept. */
export function asSetAside(suspect: Suspect, event: SetAsideEvent['event'], atMs: number): SetAsideEvent {
  const { batch, batchId, status, answer } = suspect;
  return { event, number: batch.firstNumber, atMs, batchId, status, answer };
}
