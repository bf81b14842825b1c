/** What a cluster that has nothing to do asks of its database: counted between the processes and the server. */
import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { pino } from 'pino';
import { createAccount } from '../../src/accounts/provision.ts';
import { startService } from '../../src/compose.ts';
import { readConfig } from '../../src/config/settings.ts';
import { systemRandom } from '../../src/platform/clock.ts';
import { DatabaseProxy } from '../support/database-proxy.ts';
import { freshDatabase } from '../support/fresh-database.ts';
import { ManualClock } from '../support/manual-clock.ts';
import { withoutPostgres } from '../support/postgres.ts';

const processes = 10;
const endpoints = 20;
/** Long enough that the cost of what comes once a minute shows. */
const seconds = 120;
/** What the whole cluster may ask in a second. */
const handful = 8;

describe('a cluster that rests', { skip: withoutPostgres }, () => {
  test(`${processes} processes ask the database at most ${handful} things a second`, async () => {
    const folder = await mkdtemp(join(tmpdir(), 'aftersend-idle-'));
    await using proxy = await DatabaseProxy.start(await freshDatabase());
    await using running = new AsyncDisposableStack();
    const clock = new ManualClock();
    const config = readConfig({
      AFTERSEND_DATABASE_URL: proxy.url,
      AFTERSEND_DATABASE_CONNECTIONS: '3',
      AFTERSEND_SECRET_KEY: 'a secret that all processes of the test share',
      AFTERSEND_DATA: folder,
      AFTERSEND_HTTP: '127.0.0.1:0',
      AFTERSEND_SUBMISSION: '127.0.0.1:0',
      AFTERSEND_INBOUND: '127.0.0.1:0',
      AFTERSEND_WEBHOOK_ALLOW: '127.0.0.0/8',
      AFTERSEND_NOTICE_FROM: 'service@example.com',
    });
    const logger = pino({ level: 'silent' });
    const services = [];
    for (let index = 0; index < processes; index++) {
      services.push(running.use(await startService(config, { clock, logger })));
    }
    const [first] = services;
    assert.ok(first);
    const { accounts } = first.store;
    const named = { name: 'acme', email: '', timeZone: 'UTC' };
    const { token } = await createAccount({ accounts, clock, random: systemRandom }, named);
    for (let index = 0; index < endpoints; index++) {
      const { status } = await fetch(`${first.publicUrl}/api/webhooks`, {
        method: 'POST',
        headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
        body: JSON.stringify({ url: `https://93.184.215.14/${index}`, dialect: 'sendpulse' }),
      });
      assert.equal(status, 201);
    }
    const pass = async (count: number) => {
      for (let passed = 0; passed < count; passed++) {
        await clock.advance(1000);
        await proxy.quiet();
      }
    };
    // What is noticed of the endpoints, and shared out, is not rest.
    await pass(30);
    const before = proxy.statements;
    await pass(seconds);
    const each = (proxy.statements - before) / seconds;

    assert.ok(each > 0.1, 'nothing was counted');
    assert.ok(each <= handful, `${each.toFixed(1)} statements a second`);
    await rm(folder, { recursive: true });
  });
});
