/** Opens the store that any number of processes share: a bounded pool, batches for what comes often, notices. */
import type { Clock } from '../../platform/clock.ts';
import type { BodyPlace } from '../contract/bodies.ts';
import type { Store } from '../contract/store.ts';
import { accountStore, accountWrites } from '../sql/accounts.ts';
import { placingBodies, pruningBodies } from '../sql/bodies.ts';
import { identityWrites } from '../sql/identity.ts';
import { domainStore, domainWrites } from '../sql/domains.ts';
import { eventLog } from '../sql/log-reads.ts';
import { mailSettingsStore, mailSettingsWrites } from '../sql/mail-settings.ts';
import { messageStore } from '../sql/messages.ts';
import { reportStore } from '../sql/reports.ts';
import { simulatorStore, simulatorWrites } from '../sql/simulator.ts';
import { statisticsStore } from '../sql/statistics.ts';
import { statisticsWrites } from '../sql/statistics-counting.ts';
import { suppressionStore, suppressionWrites } from '../sql/suppressions.ts';
import { templateStore, templateWrites } from '../sql/templates.ts';
import { userStore, userWrites } from '../sql/users.ts';
import { replayStore, replayWrites } from '../sql/webhook-replays.ts';
import { webhookStore, webhookWrites } from '../sql/webhooks.ts';
import { asOpeningError, Database, type DatabaseLimits, defaultDatabaseLimits } from './database.ts';
import { intakeStore } from './intake.ts';
import { migrate } from './migrate.ts';
import { letGo, saveFenced, settledShare, takeShare } from './endpoint-shares.ts';
import { Notices } from './notices.ts';
import { paceStore } from './paces.ts';
import { refuseHalfMoved } from './moving.ts';
import { Presence, type PresenceDependencies } from './presence.ts';
import { queueStore } from './queue.ts';
import { Ranges } from './ranges.ts';
import { prune } from './retention.ts';
import { takeTurn } from './statistics-turn.ts';
import { takeJournal } from '../sql/visits.ts';
import { reportVisitsAll } from './visits.ts';
import { openWrites } from './writes.ts';

export interface PostgresOptions {
  /** May name several servers, a primary and its standbys (config/database-url.ts). */
  readonly url: string;
  /** For the connection that listens, where `url` leads to a pooler; `url` itself if undefined. */
  readonly listenUrl?: string | undefined;
  readonly clock: Clock;
  /** Tells this process from all others that share the database. */
  readonly processName: string;
  readonly limits?: DatabaseLimits;
  /** Where new bodies are kept; in the database if undefined. */
  readonly bodies?: BodyPlace | undefined;
}

/** @throws StoreBusyError when the server cannot be reached, StoreUnusableError when it or its schema will not have us */
export async function openPostgresStore(options: PostgresOptions): Promise<Store> {
  const { url, listenUrl = url, clock, processName, bodies } = options;
  const { limits = defaultDatabaseLimits } = options;
  const database = new Database(url, limits);
  const ranges = await prepareTables(database, clock).catch(async (error: unknown) => {
    await database.close();
    throw asOpeningError(error);
  });
  const notices = new Notices({ database, windows: ranges, listenUrl, limits, clock, processName });

  const onFreed = () => notices.queue.tell();
  const presence = await appear({ database, clock, processName, onFreed }).catch(async (error) => {
    await notices[Symbol.asyncDispose]();
    await database.close();
    throw error;
  });
  const writes = openWrites({ database, ranges, notices });
  const { calls, transact } = writes;
  const identity = calls(identityWrites);
  const changes = { subscribe: notices.webhooks.subscribe, tell: notices.webhookChanged };

  return {
    identity: {
      bindSecret: identity.bindSecret,
      // How much room the server has is not ours to see: it says so when there is none.
      async probe({ nowMs }) {
        await identity.probe(nowMs);
        await bodies?.probe();
      },
    },
    accounts: accountStore(database, calls(accountWrites, { create: 'names', createSmtpLogin: 'names' })),
    intake: intakeStore(database, placingBodies(bodies, writes.accept)),
    queue: queueStore({
      database,
      processName,
      presence,
      settle: writes.settle,
      subscribe: notices.queue.subscribe,
      bodies,
    }),
    paces: paceStore(database, { processName, transact }),
    log: eventLog(
      database,
      ranges,
      {
        report: writes.report,
        visitsTold: (taken) => transact((transaction) => takeJournal(transaction, taken)),
        reportVisits: (batch) => transact((transaction) => reportVisitsAll(transaction, batch)),
      },
      notices.logs.subscribe,
    ),
    messages: messageStore(database, ranges),
    suppressions: suppressionStore(database, calls(suppressionWrites)),
    domains: domainStore(database, calls(domainWrites)),
    reports: reportStore(database, { add: writes.addReport }),
    templates: templateStore(database, calls(templateWrites)),
    mailSettings: mailSettingsStore(database, calls(mailSettingsWrites, { setHost: 'names' })),
    retention: { prune: pruningBodies((input) => prune({ database, ranges }, input), database, bodies) },
    webhooks: webhookStore(database, calls(webhookWrites), {
      changes,
      saveProgress: (input) => transact((transaction) => saveFenced(transaction, processName, input)),
      takeShare: async () =>
        (await settledShare(database, processName)) ??
        transact((transaction) => takeShare(transaction, processName)),
      letGo: (webhookIds) => transact((transaction) => letGo(transaction, processName, webhookIds)),
    }),
    users: userStore(database, calls(userWrites, 'people')),
    simulator: simulatorStore(database, calls(simulatorWrites)),
    statistics: statisticsStore(database, calls(statisticsWrites), {
      takeTurn: () => takeTurn(database, processName, clock.now()),
      windows: ranges,
    }),
    replays: replayStore(database, calls(replayWrites), changes),
    async [Symbol.asyncDispose]() {
      await writes.drained();
      await ranges.drained();
      await presence[Symbol.asyncDispose]();
      await notices[Symbol.asyncDispose]();
      await database.close();
    },
  };
}

/** Whoever moves data into the database looks for processes after it has said so: one of the two sees the other. */
async function appear(dependencies: PresenceDependencies): Promise<Presence> {
  const presence = await Presence.start(dependencies);
  await refuseHalfMoved(dependencies.database).catch(async (error: unknown) => {
    await presence[Symbol.asyncDispose]();
    throw error;
  });
  return presence;
}

async function prepareTables(database: Database, clock: Clock): Promise<Ranges> {
  await migrate(database, clock);
  return Ranges.open(database, clock);
}
