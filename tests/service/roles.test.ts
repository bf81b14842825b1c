/** Processes that each do a part, on one PostgreSQL: every part starts and stops, together they are the whole service. */
import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { startService } from '../../src/compose.ts';
import { readConfig } from '../../src/config/settings.ts';
import { DatabaseProxy } from '../support/database-proxy.ts';
import { freshDatabase } from '../support/fresh-database.ts';
import { withoutPostgres } from '../support/postgres.ts';
import { runProgram } from '../support/program.ts';
import { TestService } from '../support/service.ts';
import { until } from '../support/until.ts';

const main = join(import.meta.dirname, '../../src/main.ts');
const names = ['api', 'submission', 'inbound', 'delivery', 'webhooks'] as const;
const secret = { AFTERSEND_SECRET_KEY: 'a secret that all processes of the test share' };

/** Every way to choose at least one. */
const combinations = Array.from({ length: 2 ** names.length - 1 }, (_, index) =>
  names.filter((_name, bit) => ((index + 1) >> bit) & 1).join(),
);

interface Story {
  readonly events: readonly { readonly type: string }[];
}

describe('roles', { skip: withoutPostgres }, () => {
  test('every combination starts, says how it is, and stops', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'aftersend-roles-'));
    const url = await freshDatabase();
    for (const roles of combinations) {
      const config = readConfig({
        ...secret,
        AFTERSEND_DATABASE_URL: url,
        AFTERSEND_DATA: folder,
        AFTERSEND_ROLES: roles,
        AFTERSEND_HTTP: '127.0.0.1:0',
        AFTERSEND_SUBMISSION: '127.0.0.1:0',
        AFTERSEND_INBOUND: '127.0.0.1:0',
        AFTERSEND_LOG: 'silent',
        ...(!roles.includes('api') && { AFTERSEND_PUBLIC_URL: 'https://mail.example.com' }),
      });
      await using service = await startService(config);
      const statusOf = async (path: string) =>
        (await fetch(`http://127.0.0.1:${service.http.port}${path}`)).status;
      const paths = ['/healthz', '/readyz', '/metrics', '/api/openapi.json'];
      const answers = await Promise.all(paths.map(statusOf));
      assert.deepEqual(answers, [200, 200, 200, roles.includes('api') ? 200 : 404], roles);
    }
    await rm(folder, { recursive: true });
  });

  test('in four processes, simulated people, soft bounces and the built-in receiver are as in one', async () => {
    const place = { ...secret, AFTERSEND_DATABASE_URL: await freshDatabase(), AFTERSEND_RETRY_FIRST: '1 s' };
    await using api = await TestService.start({ ...place, AFTERSEND_ROLES: 'api,submission' });
    const others = { ...place, AFTERSEND_PUBLIC_URL: api.url };
    await using inbound = await TestService.start({ ...others, AFTERSEND_ROLES: 'inbound' });
    const delivering = { ...others, AFTERSEND_INBOUND: `127.0.0.1:${inbound.inboundPort}` };
    await using _first = await TestService.start({ ...delivering, AFTERSEND_ROLES: 'delivery' });
    await using _second = await TestService.start({ ...delivering, AFTERSEND_ROLES: 'delivery,webhooks' });

    const account = await api.createAccount('acme');
    const receiver = () =>
      api.call<{ url: string; requests: readonly { body: string }[] }>(account, 'GET', '/api/receiver');
    await api.call(account, 'POST', '/api/webhooks', {
      url: (await receiver()).url,
      dialect: 'aftersend',
      batch: { age_seconds: 1 },
    });
    const expected = {
      clicked: ['accepted', 'delivered', 'opened', 'clicked'],
      'soft-bounced': ['accepted', 'deferred', 'delivered'],
      complained: ['accepted', 'delivered', 'complained'],
      'late-bounced': ['accepted', 'delivered', 'bounced'],
    };
    for (const [local, types] of Object.entries(expected)) {
      const { id } = await api.call<{ id: number }>(account, 'POST', '/api/messages', {
        from: 'shop@example.com',
        to: [`${local}@simulator.test`],
        subject: 's',
        html: '<a href="https://example.com/">x</a>',
      });
      const { events } = await until(
        () => api.call<Story>(account, 'GET', `/api/messages/${id}`),
        (story) => story.events.length >= types.length,
      );
      assert.deepEqual(
        events.map(({ type }) => type),
        types,
      );
    }
    // The process that answers is not the one that sends.
    const told = await until(
      async () => (await receiver()).requests.flatMap(({ body }) => JSON.parse(body) as object[]),
      (events) => events.length >= Object.values(expected).flat().length,
    );
    assert.equal(told.length, Object.values(expected).flat().length);
  });

  test('a process that starts while the database is away waits for it', async () => {
    await using proxy = await DatabaseProxy.start(await freshDatabase());
    proxy.cut();
    const starting = TestService.start({ ...secret, AFTERSEND_DATABASE_URL: proxy.url });
    await until(
      () => proxy.refused,
      (times) => times > 1,
    );
    proxy.mend();
    await using service = await starting;
    assert.match(service.log, /it is tried again/);
    assert.equal(await service.stop('SIGTERM'), 0);
  });

  test('what does not fit together is explained in a line', async () => {
    const url = await freshDatabase();
    const folder = await mkdtemp(join(tmpdir(), 'aftersend-roles-'));
    const place = { ...secret, AFTERSEND_DATABASE_URL: url };
    await using _service = await TestService.start(place);
    const elsewhere = new URL(url);
    elsewhere.pathname = '/nothing_here';
    const closed = new URL(url);
    closed.port = '1';
    closed.password = 'hidden';
    const cases: [words: string[], env: Record<string, string>, expected: RegExp][] = [
      [
        ['serve'],
        { AFTERSEND_ROLES: 'delivery' },
        /AFTERSEND_ROLES: one process has a data folder for itself/,
      ],
      [['serve'], { ...place, AFTERSEND_ROLES: 'http' }, /'http' is neither all nor some of api, submission/],
      [['serve'], { ...place, AFTERSEND_ROLES: 'delivery' }, /AFTERSEND_PUBLIC_URL: without the role api/],
      [['serve'], { AFTERSEND_DATABASE_URL: url }, /AFTERSEND_SECRET_KEY: all processes/],
      [
        ['serve'],
        { ...place, AFTERSEND_SECRET_KEY: 'another secret that is as long as it has to be' },
        /AFTERSEND_SECRET_KEY: the data was written with another secret/,
      ],
      [
        ['serve'],
        { ...place, AFTERSEND_DATABASE_URL: elsewhere.href },
        /cannot be used: database .* does not exist/,
      ],
      [
        ['account', 'create', 'acme'],
        { ...place, AFTERSEND_DATABASE_URL: closed.href },
        /the database cannot be reached: (?!.*hidden).*ECONNREFUSED/,
      ],
    ];
    for (const [words, env, expected] of cases) {
      const { code, stderr } = await runProgram(process.execPath, [main, ...words], { env, cwd: folder });
      assert.notEqual(code, 0, stderr);
      assert.match(stderr, expected);
      assert.doesNotMatch(stderr, /\n {4}at /, 'no stack');
    }
    await rm(folder, { recursive: true });
  });
});
