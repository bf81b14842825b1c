/**
 * What processes tell one another: which accounts' logs have grown, that there is something to deliver, which endpoints
 * changed. A notice is sent after its commit, by a statement of its own: one inside the transaction would hold, through
 * the flush, a lock that all notifying transactions of the server share. So a notice can be lost, with its process or
 * with the connection that listens; a slow look at the log finds what was missed.
 */
import { Client } from 'pg';
import type { Clock } from '../../platform/clock.ts';
import { Wake } from '../../platform/wake.ts';
import { Listeners } from '../sql/listeners.ts';
import type { IdWindows } from '../sql/windows.ts';
import { connectionOptions, type Database, type DatabaseLimits } from './database.ts';
import { Servers } from './servers.ts';

/** Between two notices of a process: what comes meanwhile goes with the next one. */
const spacingMs = 25;
/** How often the log is looked at for what no notice told. */
const lookEveryMs = 15_000;
const reconnectMs = 1_000;
const channel = 'aftersend';
/** What the connection that listens is called: it tells that its process is there, even one that stands still. */
export const listenerName = (processName: string): string => `aftersend ${processName}`;
/** A notice has room for 8000 bytes. */
const namedInNotice = 300;

interface Notice {
  /** Who sent it: its own it has heard already. */
  readonly from: string;
  readonly accounts: readonly number[];
  readonly webhooks: readonly number[];
  readonly queued: boolean;
}

export interface NoticeDependencies {
  readonly database: Database;
  readonly windows: IdWindows;
  /** Of a connection that keeps its session: a pooler that changes it between transactions hears nothing. */
  readonly listenUrl: string;
  readonly limits: DatabaseLimits;
  readonly clock: Clock;
  /** Tells this process from all others. */
  readonly processName: string;
}

export class Notices implements AsyncDisposable {
  readonly logs = new Listeners<ReadonlySet<number>>();
  readonly queue = new Listeners<void>();
  readonly webhooks = new Listeners<number>();
  readonly #deps: NoticeDependencies;
  readonly #stop = new AbortController();
  readonly #wake = new Wake();
  readonly #loops: Promise<unknown>;
  #accounts = new Set<number>();
  #changed = new Set<number>();
  #queued = false;
  /** Events up to here were told of two looks ago: what was committed late since lies after it. */
  #lookedTo: readonly [number, number] | undefined;

  constructor(deps: NoticeDependencies) {
    this.#deps = deps;
    this.#loops = Promise.all([this.#send(), this.#listen(), this.#look()]);
  }

  /** Here at once, elsewhere soon. */
  logsGrew(accountIds: ReadonlySet<number>, { queued }: { queued: boolean }): void {
    if (accountIds.size === 0) return;
    for (const id of accountIds) this.#accounts.add(id);
    this.#queued ||= queued;
    this.#wake.wake();
    this.logs.tell(accountIds);
    if (queued) this.queue.tell();
  }

  readonly webhookChanged = (webhookId: number): void => {
    this.#changed.add(webhookId);
    this.#wake.wake();
    this.webhooks.tell(webhookId);
  };

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stop.abort();
    await this.#loops;
  }

  async #send(): Promise<void> {
    const { clock, database, processName } = this.#deps;
    while (!this.#stop.signal.aborted) {
      await this.#wake.wait(clock, Infinity, this.#stop.signal);
      while (this.#accounts.size > 0 || this.#changed.size > 0) {
        const accounts = takeSome(this.#accounts, namedInNotice);
        const webhooks = takeSome(this.#changed, namedInNotice);
        const notice: Notice = { from: processName, accounts, webhooks, queued: this.#queued };
        this.#queued = false;
        // What fails here is found by the others' next look.
        await database.all('SELECT pg_notify(?, ?)', channel, JSON.stringify(notice)).catch(() => undefined);
        await clock.sleep(spacingMs, this.#stop.signal);
      }
    }
  }

  #hear(payload: string | undefined): void {
    const notice = readNotice(payload ?? '');
    if (notice === undefined || notice.from === this.#deps.processName) return;
    if (notice.accounts.length > 0) this.logs.tell(new Set(notice.accounts));
    if (notice.queued) this.queue.tell();
    for (const webhookId of notice.webhooks) this.webhooks.tell(webhookId);
  }

  /** Keeps one connection that listens; after it broke, looks for what was missed meanwhile. */
  async #listen(): Promise<void> {
    const { clock, listenUrl, limits, processName } = this.#deps;
    const servers = new Servers(listenUrl);
    for (let first = true; !this.#stop.signal.aborted; first = false) {
      const { url } = servers;
      const client = new Client({
        ...connectionOptions(url, limits),
        application_name: listenerName(processName),
      });
      const ended = new Promise<void>((resolve) => {
        client.once('end', resolve).on('error', () => resolve());
        this.#stop.signal.addEventListener('abort', () => resolve(), { once: true });
      });
      client.on('notification', ({ payload }) => this.#hear(payload));
      try {
        await client.connect();
        await servers.requireWrites(client);
        await client.query(`LISTEN ${channel}`);
        if (!first) await this.#lookOnce();
        await ended;
      } catch {
        // It is tried again, there or at the next server, as after a connection that broke.
        servers.leave(url);
      }
      await client.end().catch(() => undefined);
      await clock.sleep(reconnectMs, this.#stop.signal);
    }
  }

  async #look(): Promise<void> {
    const { clock } = this.#deps;
    while (!this.#stop.signal.aborted) {
      await this.#lookOnce();
      await clock.sleep(lookEveryMs, this.#stop.signal);
    }
  }

  async #highestEvent(): Promise<number> {
    const { database, windows } = this.#deps;
    for (const fromId of windows.newestEvents()) {
      const sql = 'SELECT max(id) AS id FROM events WHERE id >= ?';
      const row = await database.get<{ id: number | null }>(sql, fromId);
      if (typeof row?.id === 'number') return row.id;
    }
    return 0;
  }

  async #lookAfter(before: number, last: number): Promise<void> {
    const found = await this.#deps.database.get<{ highest: number | null; accounts: string[] }>(
      `SELECT (SELECT max(id) FROM events WHERE id > ?) AS highest,
         ARRAY(SELECT DISTINCT account_id FROM events WHERE id > ?) AS accounts`,
      before,
      before,
    );
    this.#lookedTo = [last, found?.highest ?? last];
    const accountIds = new Set(found?.accounts.map(Number));
    if (accountIds.size > 0) this.logs.tell(accountIds);
  }

  async #lookOnce(): Promise<void> {
    try {
      const looked = this.#lookedTo;
      if (looked === undefined) {
        const highest = await this.#highestEvent();
        this.#lookedTo = [highest, highest];
      } else {
        await this.#lookAfter(...looked);
      }
      this.queue.tell();
    } catch {
      // The server cannot be reached: the next look finds it all.
    }
  }
}

function takeSome(from: Set<number>, most: number): number[] {
  const some = [...from].slice(0, most);
  for (const one of some) from.delete(one);
  return some;
}

/** @returns undefined for what is none of ours: anybody who may use the database may NOTIFY */
function readNotice(payload: string): Notice | undefined {
  try {
    const { from, accounts, webhooks, queued } = JSON.parse(payload) as Partial<Notice>;
    if (from === undefined || !areNumbers(accounts) || !areNumbers(webhooks)) return undefined;
    return { from, accounts, webhooks, queued: queued === true };
  } catch {
    return undefined;
  }
}

const areNumbers = (list: unknown): list is readonly number[] =>
  Array.isArray(list) && list.every((one) => typeof one === 'number');
