/** What a newcomer meets: the first start, the demo, the command line beside a running service. */
import assert from 'node:assert/strict';
import { mkdtemp, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { freshDatabase } from '../support/fresh-database.ts';
import { withoutPostgres } from '../support/postgres.ts';
import { runProgram } from '../support/program.ts';
import { type TestAccount, TestService } from '../support/service.ts';
import { until } from '../support/until.ts';

const main = join(import.meta.dirname, '../../src/main.ts');

test('the demo sees every event come back, in both dialects', async () => {
  const { code, stdout, stderr } = await runProgram(process.execPath, [main, 'demo'], {
    env: {},
    cwd: import.meta.dirname,
  });
  assert.equal(code, 0, stdout + stderr);
  assert.match(stdout, /every expected event came/);
  assert.equal(stderr, '', 'nothing to warn of');
});

test('the demo plays on an empty PostgreSQL, and leaves alone one that has anything in it', {
  skip: withoutPostgres,
}, async () => {
  const url = await freshDatabase();
  const demo = () =>
    runProgram(process.execPath, [main, 'demo', '--database', url], { env: {}, cwd: import.meta.dirname });
  const first = await demo();
  assert.equal(first.code, 0, first.stdout + first.stderr);
  assert.match(first.stdout, /every expected event came/);
  const again = await demo();
  assert.equal(again.code, 1, again.stdout);
  assert.match(again.stderr, /^aftersend: the database is not empty \(there is public\.\w+\): make one/);
  assert.equal(again.stdout, '');
  const wrong = await runProgram(process.execPath, [main, 'demo', '--database', 'mysql://db/mail'], {
    env: {},
    cwd: import.meta.dirname,
  });
  assert.deepEqual([wrong.code, wrong.stdout], [2, '']);
  assert.match(wrong.stderr, /AFTERSEND_DATABASE_URL/);
});

test('accounts made beside the running service are known at once, and see only their own things', async () => {
  await using service = await TestService.start();
  const [shop, other] = [await service.createAccount('shop'), await service.createAccount('other')];
  const { id } = await service.call<{ id: number }>(shop, 'POST', '/api/messages', {
    from: 'shop@example.com',
    to: ['delivered@simulator.test'],
    subject: 'Hello',
    text: 'Hello',
  });
  const { id: webhook } = await service.call<{ id: number }>(shop, 'POST', '/api/webhooks', {
    url: 'https://93.184.215.14/hook',
    dialect: 'msndr',
  });
  const { id: template } = await service.call<{ id: number }>(shop, 'POST', '/api/templates', {
    name: 'order',
    subject: 'Order',
    text: 'Order',
  });
  const foreign = [`/api/messages/${id}`, `/api/webhooks/${webhook}`, `/api/templates/${template}`];
  for (const path of [...foreign, `/v1/email/messages/${id}`]) {
    await service.call(shop, 'GET', path);
    await assert.rejects(service.call(other, 'GET', path), /answered 404/, path);
  }
  for (const list of [
    '/api/messages',
    '/api/webhooks',
    '/api/templates',
    '/api/events',
    '/api/suppressions',
  ]) {
    assert.doesNotMatch(JSON.stringify(await service.call(other, 'GET', list)), /"id":/, list);
  }
});

test('a token that is revoked on the command line soon opens nothing any more', async () => {
  await using service = await TestService.start();
  const shop = await service.createAccount('shop');
  const { id, token } = await service.command<{ id: number; token: string }>('token', 'create', 'shop');
  const second: TestAccount = { ...shop, token };
  await service.call(second, 'GET', '/api/messages');
  await service.command('token', 'revoke', 'shop', String(id));
  // The service remembers for a second who calls.
  const answer = () =>
    service.call(second, 'GET', '/api/messages').then(
      () => 'taken',
      (error: Error) => error.message,
    );
  assert.match(await until(answer, (text) => text !== 'taken'), /answered 401/);
  await service.call(shop, 'GET', '/api/messages');
});

test('the secret, the certificate and the mail are the owner’s alone, and survive a restart', async () => {
  await using service = await TestService.start();
  for (const file of ['secret.key', 'submission-tls.pem', 'aftersend.db', 'aftersend.db-wal']) {
    const { mode } = await stat(join(service.folder, file));
    assert.equal(mode & 0o777, 0o600, file);
  }
  assert.equal(await service.stop('SIGTERM'), 0, 'it stops cleanly');
  await service.start();
});

test('what a beginner gets wrong is explained in a line', async () => {
  await using service = await TestService.start();
  const run = (words: readonly string[], env: Readonly<Record<string, string>>) =>
    runProgram(process.execPath, [main, ...words], { env, cwd: service.folder });
  const data = async (files: Readonly<Record<string, string>>) => {
    const folder = await mkdtemp(join(service.folder, 'data-'));
    for (const [name, content] of Object.entries(files)) await writeFile(join(folder, name), content);
    return { AFTERSEND_DATA: folder };
  };
  const cases: [words: string[], env: Record<string, string>, expected: RegExp][] = [
    [['serve'], { AFTERSEND_DATA: service.folder }, /another aftersend serves the data folder/],
    [['serve'], { AFTERSEND_HTPP: 'x' }, /AFTERSEND_HTPP: no such setting/],
    [['config'], { AFTERSEND_HTPP: 'x' }, /AFTERSEND_HTPP: no such setting/],
    [['serve'], { AFTERSEND_HTTP: '8080' }, /AFTERSEND_HTTP: '8080' is not HOST:PORT/],
    [['serve'], { AFTERSEND_ROUTE: 'smtp:secret@' }, /AFTERSEND_ROUTE: (?!.*secret).*neither simulator/],
    [['token', 'create', 'nobody'], { AFTERSEND_DATA: service.folder }, /there is no account 'nobody'/],
    [['token'], {}, /there is no command 'token'/],
    [
      ['serve'],
      { AFTERSEND_DATA: join(service.folder, 'second'), AFTERSEND_HTTP: new URL(service.url).host },
      /is taken by another program; set AFTERSEND_HTTP/,
    ],
    [['serve'], { AFTERSEND_DATA: main }, /main\.ts cannot be used: EEXIST/],
    [['serve'], await data({ 'aftersend.db': 'x'.repeat(5000) }), /cannot be used: file is not a database/],
    [['serve'], await data({ 'service.lock': 'x'.repeat(5000) }), /cannot be used: file is not a database/],
    [['serve'], await data({ 'secret.key': '' }), /secret\.key cannot be used: a secret of 32 characters/],
    [
      ['serve'],
      await data({ 'secret.key': 'sh0rt' }),
      /cannot be used: (?!.*sh0rt)a secret of 32 characters/,
    ],
    [
      ['serve'],
      { ...(await data({})), AFTERSEND_TLS_CERT: '/no/cert.pem', AFTERSEND_TLS_KEY: '/no/key.pem' },
      /no such file or directory, open '\/no\/cert\.pem'/,
    ],
  ];
  for (const [words, env, expected] of cases) {
    const { code, stderr } = await run(words, env);
    assert.notEqual(code, 0);
    assert.match(stderr, expected);
    assert.doesNotMatch(stderr, /\n {4}at /, 'no stack');
  }
});
