/** Opens the embedded store of a data folder: one writer thread, one reading connection, one lock for the service. */
import { statfs } from 'node:fs/promises';
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { lockFolder } from '../../platform/folder-lock.ts';
import type { BodyPlace } from '../contract/bodies.ts';
import { type Store, StoreFullError } from '../contract/store.ts';
import { accountStore } from '../sql/accounts.ts';
import { pruningBodies } from '../sql/bodies.ts';
import { openReader, type Reader } from './database.ts';
import { intakeStore } from './intake.ts';
import { Listeners } from '../sql/listeners.ts';
import { eventLog } from '../sql/log-reads.ts';
import { mailSettingsStore } from '../sql/mail-settings.ts';
import { messageStore } from '../sql/messages.ts';
import { domainStore } from '../sql/domains.ts';
import { whyMoved } from './moved.ts';
import { paceStore } from './paces.ts';
import { queueStore } from './queue.ts';
import { reportStore } from '../sql/reports.ts';
import { simulatorStore } from '../sql/simulator.ts';
import { statisticsStore } from '../sql/statistics.ts';
import { suppressionStore } from '../sql/suppressions.ts';
import { templateStore } from '../sql/templates.ts';
import { userStore } from '../sql/users.ts';
import { replayStore } from '../sql/webhook-replays.ts';
import { webhookStore } from '../sql/webhooks.ts';
import { wholeTables } from '../sql/windows.ts';
import { SqliteWriter } from './writer.ts';

/** Another process serves this data folder. */
export class FolderLockedError extends Error {
  override readonly name = 'FolderLockedError';
}

/** The data folder cannot be used: its disk, its rights or what stands in its files. */
export class FolderUnusableError extends Error {
  override readonly name = 'FolderUnusableError';
}

/**
 * @param purpose `serve` takes the folder's lock, which the operating system frees with the process, however it ends;
 *   `command` is a short second writer beside a service that may be running.
 * @param bodies where new bodies are kept; in the database if undefined
 * @throws FolderLockedError, FolderUnusableError
 */
export async function openSqliteStore(
  dataFolder: string,
  purpose: 'serve' | 'command',
  bodies?: BodyPlace,
): Promise<Store> {
  const grownLogs = new Listeners<ReadonlySet<number>>();
  const queued = new Listeners<void>();
  const changedWebhooks = new Listeners<number>();
  const onGrownLogs = (accountIds: readonly number[]) => grownLogs.tell(new Set(accountIds));
  const { lock, writer, reader } = await openFolder(dataFolder, purpose, onGrownLogs).catch(
    (error: unknown) => {
      if (error instanceof FolderLockedError) throw error;
      const message = `the data folder ${dataFolder} cannot be used: ${(error as Error).message}`;
      throw new FolderUnusableError(message, { cause: error });
    },
  );
  const { verbs } = writer;
  return {
    identity: {
      bindSecret: verbs.identity.bindSecret,
      async probe({ nowMs, roomBytes }) {
        const { bavail, bsize } = await statfs(dataFolder);
        if (bavail * bsize < roomBytes) throw new StoreFullError('the disk is full');
        await verbs.identity.probe(nowMs);
        await bodies?.probe();
      },
    },
    accounts: accountStore(reader, verbs.accounts),
    intake: intakeStore(reader, verbs.intake, { tellQueued: queued.tell, bodies }),
    queue: queueStore(reader, verbs.queue, { subscribe: queued.subscribe, bodies }),
    paces: paceStore(reader, verbs.paces),
    log: eventLog(reader, wholeTables, verbs.log, grownLogs.subscribe),
    messages: messageStore(reader, wholeTables),
    suppressions: suppressionStore(reader, verbs.suppressions),
    domains: domainStore(reader, verbs.domains),
    templates: templateStore(reader, verbs.templates),
    mailSettings: mailSettingsStore(reader, verbs.mailSettings),
    reports: reportStore(reader, verbs.reports),
    retention: { prune: pruningBodies(verbs.retention.prune, reader, bodies) },
    webhooks: webhookStore(reader, verbs.webhooks, {
      changes: changedWebhooks,
      saveProgress: verbs.webhooks.saveProgress,
      // One process has the folder: all of it.
      takeShare: async () => ({ held: allWebhooks(reader), excess: new Set(), revisions: new Map() }),
      letGo: async () => undefined,
    }),
    replays: replayStore(reader, verbs.replays, changedWebhooks),
    users: userStore(reader, verbs.users),
    simulator: simulatorStore(reader, verbs.simulator),
    // One process has the folder: it is always its turn.
    statistics: statisticsStore(reader, verbs.statistics, {
      takeTurn: async () => true,
      windows: wholeTables,
    }),
    async [Symbol.asyncDispose]() {
      await writer.close();
      reader.close();
      lock?.close();
    },
  };
}

async function openFolder(
  dataFolder: string,
  purpose: 'serve' | 'command',
  onGrownLogs: (accountIds: readonly number[]) => void,
) {
  mkdirSync(dataFolder, { recursive: true, mode: 0o700 });
  using opened = new DisposableStack();
  const lock = purpose === 'serve' ? lockForService(dataFolder) : undefined;
  opened.defer(() => lock?.close());
  const moved = whyMoved(dataFolder);
  if (moved !== undefined) throw new Error(moved);
  const file = join(dataFolder, 'aftersend.db');
  const writer = await SqliteWriter.open(file, onGrownLogs);
  const reader = openReader(file);
  opened.move();
  return { lock, writer, reader };
}

/** @throws FolderLockedError */
export function lockForService(dataFolder: string): { close(): void } {
  const lock = lockFolder(dataFolder, 'service.lock');
  if (lock !== undefined) return lock;
  throw new FolderLockedError(`another aftersend serves the data folder ${dataFolder}`);
}

/** It is always this process's turn. */
function allWebhooks(reader: Reader): ReadonlyMap<number, number> {
  return new Map(reader.all<{ id: number }>('SELECT id FROM webhooks').map(({ id }) => [id, 0]));
}
