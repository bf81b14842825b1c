/**
 * A PostgreSQL of the tests' own: its data in a temporary folder, on a free port of loopback, without fsync. One serves
 * a whole test run (`one-postgres.ts`), or else the file that asks for it; each test has a fresh database in it. Whoever
 * kills one, or wants a primary with its standby, starts servers of its own.
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import {
  chownSync,
  cpSync,
  existsSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join, relative } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { Client } from 'pg';
import { findPeer } from '../../scripts/peers.mjs';
import { Printed } from './program.ts';
import { freePorts } from './service.ts';

const oldestVersion = 15;

/** PostgreSQL refuses to run as root: then it runs as nobody. */
const nobody = 65_534;
export const ordinaryUser =
  process.getuid?.() === 0 ? { name: 'nobody', uid: nobody, gid: nobody } : undefined;
const user = ordinaryUser && { uid: ordinaryUser.uid, gid: ordinaryUser.gid };

interface Programs {
  /** The folder of initdb, postgres and the others. */
  readonly folder: string;
  readonly env: Readonly<Record<string, string>>;
}

export interface PostgresServer extends AsyncDisposable {
  readonly port: number;
  /** The process that all others of the server are children of. */
  readonly pid: number;
  /** Ends it as a power cut does, with all its processes at once, for good. */
  kill(): Promise<void>;
}

/** How a server is started beside what all have in common. */
export interface PostgresOptions {
  /** Any free one if undefined. */
  readonly port?: number;
  /** As in postgresql.conf. */
  readonly settings?: Readonly<Record<string, string>>;
  /** The port of a running server that it follows as a standby. */
  readonly standbyOf?: number;
}

/** For `{ skip }` of tests that need one: false, or why they cannot run on this machine. */
export const withoutPostgres =
  installedPrograms() === undefined && findPeer('postgres') === undefined
    ? 'PostgreSQL is not there: npm run bench:setup fetches it on Debian'
    : false;

export const databaseUrl = (port: number, database: string): string =>
  `postgres://postgres@127.0.0.1:${port}/${database}`;

export async function startPostgres(options: PostgresOptions = {}): Promise<PostgresServer> {
  const folder = mkdtempSync(join(tmpdir(), 'aftersend-postgres-'));
  if (user !== undefined) chownSync(folder, user.uid, user.gid);
  const programs = findPrograms(folder);
  const data = join(folder, 'data');
  const make =
    options.standbyOf === undefined
      ? ['initdb', '-D', data, '-U', 'postgres', '-A', 'trust', '-E', 'UTF8', '--no-locale', '--no-sync']
      : ['pg_basebackup', '-D', data, '-d', followed(options.standbyOf), '-R', '-c', 'fast', '--no-sync'];
  const [program = '', ...args] = make;
  const making = spawn(join(programs.folder, program), args, {
    ...user,
    cwd: folder,
    env: { ...process.env, ...programs.env },
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  const said = new Printed(making.stderr);
  const [status] = (await once(making, 'close')) as [number | null];
  if (status !== 0) throw new Error(`${program} failed: ${said.text}`);
  return serve(programs, folder, data, options);
}

/** The standby's name to its primary. */
export const standbyName = 'standby';
const followed = (port: number) =>
  `host=127.0.0.1 port=${port} user=postgres application_name=${standbyName}`;

function installedPrograms(): Programs | undefined {
  const installed = '/usr/lib/postgresql';
  const versions = existsSync(installed) ? readdirSync(installed).map(Number) : [];
  const newest = versions.filter((version) => version >= oldestVersion).sort((a, b) => b - a)[0];
  const folder = join(installed, String(newest), 'bin');
  return existsSync(join(folder, 'postgres')) ? { folder, env: {} } : undefined;
}

/** The machine's own programs, or those that were unpacked into `.peers/`. */
function findPrograms(folder: string): Programs {
  const installed = installedPrograms();
  if (installed !== undefined) return installed;
  const peer = findPeer('postgres');
  if (peer === undefined) throw new Error(String(withoutPostgres));
  const isUnpacked = peer.command.startsWith(peer.root);
  if (user === undefined || !isUnpacked || othersReach(peer.root))
    return { folder: dirname(peer.command), env: peer.env };
  // The project lies in root's own folder: what runs as nobody needs a copy elsewhere.
  const copy = join(folder, 'programs');
  cpSync(peer.root, copy, { recursive: true });
  const moved = Object.entries(peer.env).map(([name, value]) => [name, value.replaceAll(peer.root, copy)]);
  return {
    folder: join(copy, relative(peer.root, dirname(peer.command))),
    env: Object.fromEntries(moved) as Record<string, string>,
  };
}

function othersReach(path: string): boolean {
  const isOpen = (statSync(path).mode & 0o001) !== 0;
  return isOpen && (dirname(path) === path || othersReach(dirname(path)));
}

/** Ends the server when its standard input does: with whoever started it, however that ends. */
const keeper = '"$@" & server=$!; cat; kill -INT $server; wait $server';

async function serve(
  programs: Programs,
  folder: string,
  data: string,
  { port: wanted, settings: more }: PostgresOptions,
): Promise<PostgresServer> {
  const port = wanted ?? (await freePorts(1))[0] ?? 0;
  const settings = {
    listen_addresses: '127.0.0.1',
    port: String(port),
    unix_socket_directories: '',
    max_connections: '200',
    fsync: 'off',
    full_page_writes: 'off',
    ...more,
  };
  const args = Object.entries(settings).flatMap(([name, value]) => ['-c', `${name}=${value}`]);
  const child = spawn(
    'sh',
    ['-c', keeper, 'keeper', join(programs.folder, 'postgres'), '-D', data, ...args],
    {
      ...user,
      cwd: folder,
      env: { ...process.env, ...programs.env },
      stdio: ['pipe', 'ignore', 'ignore'],
    },
  );
  const closed = once(child, 'close');
  await untilAnswering(port);
  const pid = Number(readFileSync(join(data, 'postmaster.pid'), 'utf8').split('\n')[0]);
  return {
    port,
    pid,
    async kill() {
      // Stopped first, so that it starts no other meanwhile.
      process.kill(pid, 'SIGSTOP');
      for (const one of [...childrenOf(pid), pid]) process.kill(one, 'SIGKILL');
      child.stdin.end();
      await closed;
    },
    async [Symbol.asyncDispose]() {
      child.stdin.end();
      await closed;
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

/** The processes that a process has started, as Linux lists them. */
export function childrenOf(pid: number): readonly number[] {
  return readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').split(' ').filter(Boolean).map(Number);
}

const triesMs = 20;
const timeoutMs = 20_000;

/** A server that listens may still be starting, and then refuses. @throws Error if that takes too long */
async function untilAnswering(port: number): Promise<void> {
  const deadlineMs = performance.now() + timeoutMs;
  while (performance.now() < deadlineMs) {
    const client = new Client({ host: '127.0.0.1', port, user: 'postgres', database: 'postgres' });
    const answered = await client.connect().then(
      () => true,
      () => false,
    );
    await client.end().catch(() => undefined);
    if (answered) return;
    await sleep(triesMs);
  }
  throw new Error(`PostgreSQL does not come up on port ${port}`);
}

/** By which a test run tells its files where its server is: the port. */
export const sharedServer = 'TEST_POSTGRES_PORT';
