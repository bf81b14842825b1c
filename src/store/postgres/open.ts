/** Opens the store that any number of processes share: a bounded pool, batches for what comes often, notices. */
import type { Clock } from '../../platform/clock.ts';
import type { NewSubmission } from '../contract/intake.ts';
import type { Report } from '../contract/log.ts';
import type { NewReceivedReport } from '../contract/reports.ts';
import type { Settlement } from '../contract/queue.ts';
import type { Store } from '../contract/store.ts';
import { accountStore, accountWrites } from '../sql/accounts.ts';
import { identityWrites } from '../sql/identity.ts';
import { domainStore, domainWrites } from '../sql/domains.ts';
import { eventLog } from '../sql/log.ts';
import { mailSettingsStore, mailSettingsWrites } from '../sql/mail-settings.ts';
import { messageStore } from '../sql/messages.ts';
import { reportStore, reportWrites } from '../sql/reports.ts';
import { retentionWrites } from '../sql/retention.ts';
import type { Calls, Writer } from '../sql/statements.ts';
import { suppressionStore, suppressionWrites } from '../sql/suppressions.ts';
import { templateStore, templateWrites } from '../sql/templates.ts';
import { replayStore, replayWrites } from '../sql/webhook-replays.ts';
import { webhookStore, webhookWrites } from '../sql/webhooks.ts';
import { Batches, type BatchLimits } from './batch.ts';
import { Database, type DatabaseLimits, defaultDatabaseLimits } from './database.ts';
import { acceptAll, intakeStore } from './intake.ts';
import { migrate } from './migrate.ts';
import { Notices } from './notices.ts';
import { queueStore } from './queue.ts';
import { reportAll } from './report.ts';
import { settleAll } from './settle.ts';
import { Transaction } from './transaction.ts';

export interface PostgresOptions {
  readonly url: string;
  /** For the connection that listens, where `url` leads to a pooler; `url` itself if undefined. */
  readonly listenUrl?: string | undefined;
  readonly clock: Clock;
  /** Tells this process from all others that share the database. */
  readonly processName: string;
  readonly limits?: DatabaseLimits;
}

const waitingLimits = { waitingCalls: 20_000, waitingBytes: 256 * 2 ** 20, bytes: 16 * 2 ** 20 };
/** Of a call beside what its body weighs. */
const callBytes = 1024;

const intakeLimits: BatchLimits<NewSubmission> = {
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

/** @throws Error when the server cannot be reached or its schema is not ours */
export async function openPostgresStore(options: PostgresOptions): Promise<Store> {
  const { url, listenUrl = url, clock, processName, limits = defaultDatabaseLimits } = options;
  const database = new Database(url, limits);
  try {
    await migrate(database);
  } catch (error) {
    await database.close();
    throw error;
  }
  const notices = new Notices({ database, listenUrl, limits, clock, processName });

  const transact = async <T>(
    work: (transaction: Transaction) => Promise<T>,
    { queued = false } = {},
  ): Promise<T> => {
    const grown = new Set<number>();
    const result = await database.transaction(async (sender) => {
      const transaction = new Transaction(sender);
      const result = await work(transaction);
      grown.clear();
      for (const id of transaction.grownLogs) grown.add(id);
      return result;
    });
    notices.logsGrew(grown, { queued });
    return result;
  };
  const accept = new Batches(
    (submissions: readonly NewSubmission[]) =>
      acceptAll(database, submissions, (work) => transact(work, { queued: true })),
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
    (reports: readonly NewReceivedReport[]) =>
      transact(async (transaction) => {
        await transaction.lockSettings(nobody);
        const added: ('added' | 'unknown')[] = [];
        for (const one of reports) added.push(await reportWrites.add(transaction, one));
        return added;
      }),
    reportLimits,
  );
  const calls = <Room extends object>(room: Room) => roomCalls(room, transact);

  const identity = calls(identityWrites);
  const changes = { subscribe: notices.webhooks.subscribe, tell: notices.webhookChanged };

  return {
    identity: {
      bindSecret: identity.bindSecret,
      // How much room the server has is not ours to see: it says so when there is none.
      probe: ({ nowMs }) => identity.probe(nowMs),
    },
    accounts: accountStore(database, calls(accountWrites)),
    intake: intakeStore(database, accept.call),
    queue: queueStore(database, { settle: settle.call, subscribe: notices.queue.subscribe }),
    log: eventLog(database, { report: report.call }, notices.logs.subscribe),
    messages: messageStore(database),
    suppressions: suppressionStore(database, calls(suppressionWrites)),
    domains: domainStore(database, calls(domainWrites)),
    reports: reportStore(database, { add: addReport.call }),
    templates: templateStore(database, calls(templateWrites)),
    mailSettings: mailSettingsStore(database, calls(mailSettingsWrites)),
    retention: {
      // One process at a time: others have nothing to add.
      prune: (input) =>
        transact(async (transaction) =>
          (await transaction.tryLock('retention')) ? retentionWrites.prune(transaction, input) : 0,
        ),
    },
    webhooks: webhookStore(database, calls(webhookWrites), changes),
    replays: replayStore(database, calls(replayWrites), changes),
    async [Symbol.asyncDispose]() {
      await Promise.all([accept, settle, report, addReport].map((batches) => batches.drained()));
      await notices[Symbol.asyncDispose]();
      await database.close();
    },
  };
}

/** Each verb of a room as a call: a transaction of its own, alone in its account's settings. */
function roomCalls<Room extends object>(
  room: Room,
  transact: <T>(work: (transaction: Transaction) => Promise<T>) => Promise<T>,
): Calls<Room> {
  const entries = Object.entries(room) as [string, (database: Writer, input: unknown) => unknown][];
  return Object.fromEntries(
    entries.map(([verb, write]) => [
      verb,
      (input: unknown) =>
        transact(async (transaction) => {
          await transaction.lockSettings(await accountOf(transaction, input));
          return write(transaction, input);
        }),
    ]),
  ) as Calls<Room>;
}

/** Stands for an account in the lock of what belongs to none: names that are taken by all, the service's own facts. */
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
