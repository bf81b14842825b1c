/** A service that moves to PostgreSQL as its operator moves it: by command, which is killed on the way and run again. */
import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { freshDatabase } from '../support/fresh-database.ts';
import { withoutPostgres } from '../support/postgres.ts';
import { runProgram, startProgram } from '../support/program.ts';
import { TestReceiver } from '../support/receiver.ts';
import { freePorts, TestService } from '../support/service.ts';

const main = join(import.meta.dirname, '../../src/main.ts');

interface ToldEvent {
  readonly id: number;
  readonly type: string;
  readonly webhook: { readonly number: number };
  readonly message: { readonly id: number };
}

describe('a service that moves to PostgreSQL', { skip: withoutPostgres }, () => {
  test('delivers what was queued, and its webhooks go on where they were', async () => {
    await using receiver = await TestReceiver.start();
    const [nobodyListens = 0] = await freePorts(1);
    const settings = { AFTERSEND_WEBHOOK_ALLOW: '127.0.0.0/8', AFTERSEND_RETRY_FIRST: '2 seconds' };
    await using before = await TestService.start({
      ...settings,
      AFTERSEND_ROUTE: `smtp://127.0.0.1:${nobodyListens}`,
    });
    const account = await before.createAccount('acme');
    await before.command('domain', 'vouch', 'acme', 'example.com');
    const mail = { from: 'shop@example.com', subject: 'Hello', html: '<p>Hello</p>', tags: ['first'] };
    const sendBy = async (service: TestService, to: string): Promise<number> =>
      (await service.call<{ id: number }>(account, 'POST', '/api/messages', { ...mail, to: [to] })).id;
    const { id: webhookId } = await before.call<{ id: number }>(account, 'POST', '/api/webhooks', {
      url: receiver.url,
      dialect: 'aftersend',
      types: ['accepted', 'deferred', 'delivered'],
    });
    const told = () => receiver.requests.flatMap(({ body }) => JSON.parse(body) as ToldEvent[]);
    const toldOf = (id: number, type: string) =>
      receiver.request(({ body }) =>
        (JSON.parse(body) as ToldEvent[]).some((event) => event.message.id === id && event.type === type),
      );
    const old = await sendBy(before, 'delivered@simulator.test');
    await toldOf(old, 'delivered');
    await before.call(account, 'PATCH', `/api/webhooks/${webhookId}`, { paused: true });
    const untold = await sendBy(before, 'delivered@simulator.test');
    const queued = await sendBy(before, 'ann@example.org');

    const url = await freshDatabase();
    const words = [main, 'move', '--from', before.folder, '--to', url];
    const whileServed = await runProgram(process.execPath, words, { cwd: before.folder });
    assert.deepEqual([whileServed.code, /another aftersend serves/.test(whileServed.stderr)], [1, true]);
    await before.stop();

    await using moving = startProgram(process.execPath, words, { cwd: before.folder });
    await moving.stdout.match(/Moving/);
    await moving.end('SIGKILL');
    const moved = await runProgram(process.execPath, words, { cwd: before.folder });
    assert.equal(moved.code, 0, moved.stderr);
    assert.match(moved.stdout, /messages +3 +the same/);
    assert.match(moved.stdout, /Start the services with AFTERSEND_DATABASE_URL/);
    assert.doesNotMatch(moved.stdout, new RegExp(await secretOf(before.folder)));
    await assert.rejects(before.start(), /was moved to/);
    const again = await runProgram(process.execPath, [...words, '--json'], { cwd: before.folder });
    const { done, tables } = JSON.parse(again.stdout) as { done: boolean; tables: { messages: object } };
    assert.deepEqual([done, Object.keys(tables.messages)], [true, ['rows', 'sum']]);

    await using after = await TestService.start({
      ...settings,
      AFTERSEND_DATABASE_URL: url,
      AFTERSEND_SECRET_KEY: await secretOf(before.folder),
    });
    await after.call(account, 'PATCH', `/api/webhooks/${webhookId}`, { paused: false });
    const fresh = await sendBy(after, 'delivered@simulator.test');
    assert.ok(fresh > queued);
    for (const id of [untold, queued, fresh]) await toldOf(id, 'delivered');
    const { state } = await after.call<{ state: string }>(account, 'GET', `/api/messages/${queued}`);
    assert.equal(state, 'delivered');
    const numbers = told().map(({ webhook }) => webhook.number);
    assert.deepEqual(
      numbers,
      Array.from(numbers, (_, index) => index + 1),
      'nothing twice, nothing left out',
    );
    const ids = told().map(({ id }) => id);
    assert.deepEqual(
      ids,
      ids.toSorted((a, b) => a - b),
    );
  });
});

const secretOf = async (folder: string): Promise<string> =>
  (await readFile(join(folder, 'secret.key'), 'utf8')).trim();
