/** Every write there is: what comes often in batches, what comes seldom in a transaction of its own. */
import type { IntakeResult } from '../contract/intake.ts';
import type { EventLog, Report } from '../contract/log.ts';
import type { QueueStore, Settlement } from '../contract/queue.ts';
import type { NewReceivedReport, ReportStore } from '../contract/reports.ts';
import type { PlacedSubmission } from '../sql/bodies.ts';
import { reportWrites } from '../sql/reports.ts';
import type { Calls, Writer } from '../sql/statements.ts';
import { Batches, type BatchLimits } from './batch.ts';
import type { Database } from './database.ts';
import { acceptAll } from './intake.ts';
import type { Notices } from './notices.ts';
import { isBeyondRanges } from './partitions.ts';
import type { Ranges } from './ranges.ts';
import { reportAll } from './report.ts';
import { settleAll } from './settle.ts';
import { type LockClass, Transaction } from './transaction.ts';

const waitingLimits = { waitingCalls: 20_000, waitingBytes: 256 * 2 ** 20, bytes: 16 * 2 ** 20 };
/** Of a call beside what its body weighs. */
const callBytes = 1024;

const intakeLimits: BatchLimits<PlacedSubmission> = {
  ...waitingLimits,
  calls: 500,
  bytesOf: ({ raw, recipients }) => raw.byteLength + callBytes * (1 + recipients.length),
};
const settleLimits: BatchLimits<Settlement> = { ...waitingLimits, calls: 1000, bytesOf: () => callBytes };
/** Fewer, for each of them is some statements of its own. */
const reportLimits: BatchLimits<Report | NewReceivedReport> = {
  ...waitingLimits,
  calls: 100,
  bytesOf: () => callBytes,
};

export interface Writes {
  readonly accept: (submission: PlacedSubmission) => Promise<IntakeResult>;
  readonly settle: QueueStore['settle'];
  readonly report: EventLog['report'];
  readonly addReport: ReportStore['add'];
  /** A transaction whose events, if any, are told of after its commit. */
  readonly transact: <T>(work: (transaction: Transaction) => Promise<T>) => Promise<T>;
  /** The verbs of a room that is written seldom. */
  readonly calls: <Room extends object>(room: Room, locks?: Locks<Room>) => Calls<Room>;
  /** Resolves when nothing waits to be written. */
  readonly drained: () => Promise<unknown>;
}

/** What verbs hold, all of them or those that are named, in the place of their account's settings. */
export type Locks<Room> = LockClass | { readonly [Verb in keyof Room]?: LockClass };

/** What they are made of. */
export interface WriteParts {
  readonly database: Database;
  readonly ranges: Ranges;
  readonly notices: Notices;
}

export function openWrites(parts: WriteParts): Writes {
  const { database, ranges, notices } = parts;
  const once = <T>(work: (transaction: Transaction) => Promise<T>) =>
    database.transaction(async (sender) => {
      const transaction = new Transaction(sender, ranges);
      const result = await work(transaction);
      return { result, grownLogs: transaction.grownLogs, lastEventId: transaction.lastEventId };
    });
  const transact = async <T>(
    work: (transaction: Transaction) => Promise<T>,
    { queued = false } = {},
  ): Promise<T> => {
    const { result, grownLogs, lastEventId } = await once(work).catch(async (error: unknown) => {
      if (!isBeyondRanges(error)) throw error;
      await ranges.make();
      return once(work);
    });
    ranges.noteTaken('events', lastEventId);
    notices.logsGrew(grownLogs, { queued });
    return result;
  };
  const accept = new Batches(
    (submissions: readonly PlacedSubmission[]) =>
      acceptAll(parts, submissions, (work) => transact(work, { queued: true })),
    intakeLimits,
  );
  const settle = new Batches(
    (settlements: readonly Settlement[]) => transact((transaction) => settleAll(transaction, settlements)),
    settleLimits,
  );
  const report = new Batches(
    (reports: readonly Report[]) => transact((transaction) => reportAll(transaction, reports)),
    reportLimits,
  );
  const addReport = new Batches(
    (reports: readonly NewReceivedReport[]) => transact((transaction) => addReports(transaction, reports)),
    reportLimits,
  );
  return {
    accept: accept.call,
    settle: settle.call,
    report: report.call,
    addReport: addReport.call,
    transact,
    calls: (room, locks = {}) => roomCalls(room, locks, transact),
    drained: () => Promise.all([accept, settle, report, addReport].map((batches) => batches.drained())),
  };
}

async function addReports(transaction: Transaction, reports: readonly NewReceivedReport[]) {
  await transaction.lockSettings(nobody);
  const added: ('added' | 'unknown')[] = [];
  for (const report of reports) added.push(await reportWrites.add(transaction, report));
  return added;
}

/** Each verb of a room as a call: a transaction of its own, alone in what it looks at before it writes. */
function roomCalls<Room extends object>(
  room: Room,
  locks: Locks<Room>,
  transact: <T>(work: (transaction: Transaction) => Promise<T>) => Promise<T>,
): Calls<Room> {
  const entries = Object.entries(room) as [string, (database: Writer, input: unknown) => unknown][];
  return Object.fromEntries(
    entries.map(([verb, write]) => [
      verb,
      (input: unknown) =>
        transact(async (transaction) => {
          const lock = typeof locks === 'string' ? locks : locks[verb as keyof Room];
          if (lock !== undefined) await transaction.lockAlone(lock);
          else await transaction.lockSettings(await accountOf(transaction, input));
          return write(transaction, input);
        }),
    ]),
  ) as Calls<Room>;
}

/** Stands for an account in the lock of what belongs to none: the service's own facts. */
const nobody = 0;

/** Whose settings a verb changes. */
async function accountOf(transaction: Transaction, input: unknown): Promise<number> {
  const { accountId, webhookId } = (typeof input === 'object' ? input : {}) as {
    accountId?: number;
    webhookId?: number;
  };
  if (accountId !== undefined) return accountId;
  if (webhookId === undefined) return nobody;
  const sql = 'SELECT account_id AS id FROM webhooks WHERE id = ?';
  return (await transaction.get<{ id: number }>(sql, webhookId))?.id ?? nobody;
}
