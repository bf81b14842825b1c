/** Behind PgBouncer in transaction mode: every transaction may get another connection. Only listening goes past it. */
import assert from 'node:assert/strict';
import { chownSync } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { randomBytes } from 'node:crypto';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { findPeer } from '../../scripts/peers.mjs';
import { systemClock, systemRandom } from '../../src/platform/clock.ts';
import type { OpenStore } from '../../src/store/conformance/fixtures.ts';
import { logConformance } from '../../src/store/conformance/log.ts';
import { queueConformance } from '../../src/store/conformance/queue.ts';
import { move } from '../../src/store/move/move.ts';
import { openPostgresStore } from '../../src/store/postgres/open.ts';
import { openSqliteStore } from '../../src/store/sqlite/open.ts';
import { everyStep, fillStore } from '../support/filled-store.ts';
import { freshDatabase } from '../support/fresh-database.ts';
import { untilListening } from '../support/listening.ts';
import { ordinaryUser, withoutPostgres } from '../support/postgres.ts';
import { type Companion, startProgram } from '../support/program.ts';
import { freePorts } from '../support/service.ts';

const pgbouncer = findPeer('pgbouncer');
const skip =
  withoutPostgres ||
  (pgbouncer === undefined && 'pgbouncer is not there: npm run bench:setup fetches it on Debian');

describe('behind PgBouncer', { skip }, () => {
  let folder: string;
  let port = 0;
  let bouncer: Companion;

  before(async () => {
    folder = await mkdtemp(join(tmpdir(), 'aftersend-pgbouncer-'));
    [port = 0] = await freePorts(1);
    const server = new URL(await freshDatabase());
    const settings = join(folder, 'pgbouncer.ini');
    await writeFile(
      settings,
      `[databases]
* = host=${server.hostname} port=${server.port} user=postgres
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = ${port}
auth_type = any
pool_mode = transaction
default_pool_size = 3
unix_socket_dir =
`,
    );
    if (ordinaryUser !== undefined) chownSync(folder, ordinaryUser.uid, ordinaryUser.gid);
    // It gives up root by itself, for the user that it is told.
    const args = ordinaryUser === undefined ? [settings] : ['-u', ordinaryUser.name, settings];
    bouncer = startProgram(pgbouncer?.command ?? '', args, { env: pgbouncer?.env ?? {} });
    await untilListening(port);
  });

  after(async () => {
    await bouncer.end('SIGINT');
    await rm(folder, { recursive: true });
  });

  const freshPlace = async () => {
    const listenUrl = await freshDatabase();
    const url = new URL(listenUrl);
    url.port = String(port);
    return { url: url.href, listenUrl };
  };
  const open: OpenStore = async () => {
    const processName = randomBytes(6).toString('hex');
    return openPostgresStore({ ...(await freshPlace()), clock: systemClock, processName });
  };
  queueConformance(open);
  logConformance(open);

  test('a data folder is moved through it', async () => {
    const dataFolder = join(folder, 'data');
    {
      await using store = await openSqliteStore(dataFolder, 'serve');
      await fillStore(store, everyStep);
    }
    const { url } = await freshPlace();
    const names = { to: 'the database', fingerprint: '' };
    const tools = { clock: systemClock, random: systemRandom, tell: () => undefined };
    const { tables } = await move({ dataFolder, url, ...names, ...tools });
    assert.ok((tables['events']?.rows ?? 0) > 0);
  });
});
