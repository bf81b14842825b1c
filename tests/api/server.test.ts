/** What holds for every request: who is calling, envelopes, bounds, headers, health, metrics, the API document. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { describe, test } from 'node:test';
import type { App } from '../../src/api/app.ts';
import { newWebhook } from '../../src/api/native/webhook-schemas.ts';
import { refusalOf } from '../../src/api/refusals.ts';
import { validatorCompiler } from '../../src/api/validation.ts';
import { StoreBusyError } from '../../src/store/contract/store.ts';
import { type ApiUnderTest, startApi } from './api-under-test.ts';

describe('authentication', () => {
  test('a token opens its own account only, until it is revoked', async () => {
    await using api = await startApi();
    await api.post('/api/messages', { from: 'a@b.org', to: ['c@d.org'], subject: 's', text: 't' });
    await api.post('/api/templates', { name: 't', subject: 's', text: 'x' });
    const other = await api.otherToken();
    for (const path of [
      '/api/messages/1',
      '/api/messages/1/source',
      '/api/templates/1',
      '/v1/email/messages/1',
    ]) {
      assert.equal((await api.get(path)).status, 200);
      assert.equal((await api.call('GET', path, { token: other })).status, 404, path);
    }
    const made = (await api.post('/api/tokens', { name: 'backend' })).json;
    const account = await api.call('GET', '/api/account', { token: made.token });
    assert.equal(account.json.name, 'acme');
    assert.equal((await api.call('DELETE', `/api/tokens/${made.id}`, { token: other })).status, 404);
    assert.equal((await api.call('DELETE', `/api/tokens/${made.id}`)).status, 204);
    const revoked = await api.call('GET', '/api/account', { token: made.token });
    assert.equal(revoked.status, 401);
    assert.equal(revoked.json.error.code, 'token-unknown');
    assert.match(String(revoked.headers['www-authenticate']), /^Bearer /);
    const tokens = (await api.get('/api/tokens')).json.tokens;
    assert.deepEqual(
      tokens.map(({ name, revoked_at }: { name: string; revoked_at: string | null }) => [name, revoked_at]),
      [
        ['backend', '2026-11-21T12:00:00.000Z'],
        ['first', null],
      ],
    );
    const first = (await api.get('/api/tokens?limit=1')).json;
    const rest = (await api.get(`/api/tokens?limit=1&cursor=${first.next_cursor}`)).json;
    assert.deepEqual([...first.tokens, ...rest.tokens], tokens);
    assert.equal(rest.next_cursor, null);
    assert.doesNotMatch(JSON.stringify(tokens), new RegExp(made.token));
  });

  test('without a token nothing is read; guessing is slowed, and who knows a token is not', async () => {
    await using api = await startApi();
    const none = await api.call('POST', '/api/messages', { token: undefined, body: '{' });
    assert.deepEqual([none.status, none.json.error.code], [401, 'token-missing']);
    assert.equal((await api.call('GET', '/api/account')).status, 200);
    let answer = none;
    for (let tries = 0; answer.status === 401 && tries < 100; tries++) {
      answer = await api.call('GET', '/api/account', { token: `guess${tries}` });
    }
    assert.equal(answer.status, 429);
    assert.equal(answer.json.error.code, 'slow-down');
    assert.ok(Number(answer.headers['retry-after']) > 0);
    assert.equal((await api.call('GET', '/api/account')).status, 200);
  });
});

describe('a refusal', () => {
  test('of an unknown path or method is in the envelope of its family', async () => {
    await using api = await startApi();
    const unknown = await api.call('GET', '/api/nothing');
    assert.deepEqual([unknown.status, unknown.json.error.code], [404, 'not-found']);
    const method = await api.call('PUT', '/api/messages/5');
    assert.deepEqual([method.status, method.json.error.code], [405, 'method-not-allowed']);
    assert.equal(method.headers['allow'], 'GET, HEAD');
    const badUrl = await api.call('GET', '/api/messages/%');
    assert.deepEqual([badUrl.status, badUrl.json.error.code], [404, 'not-found']);
    const longUrl = await api.call('GET', `/messages/${'9'.repeat(600)}`);
    assert.equal(longUrl.status, 414);
    for (const { headers } of [badUrl, longUrl, await api.call('GET', '/%')]) {
      assert.match(String(headers['content-security-policy']), /^default-src 'none'/);
    }
    const badToken = await api.call('GET', '/c/%zz');
    assert.equal(badToken.status, 404);
    assert.doesNotMatch(JSON.stringify(badToken.json), /zz/);
    await api.post('/api/messages', { from: 'a@b.org', to: ['c@d.org'], subject: 's', text: 't' });
    for (const path of ['abc', '1.5', '0x1', 'true', '%201', '%2B1', '1e0', '0']) {
      const badId = await api.call('GET', `/api/messages/${path}`);
      assert.deepEqual([badId.status, badId.json.error?.field], [422, 'id'], path);
    }
    assert.equal((await api.call('GET', '/api/messages?limit=1.5')).status, 422);
    assert.equal((await api.call('GET', '/api/messages?limit=1&limit=2')).status, 422);
  });

  test('of a value with several forms speaks of the form that is meant', () => {
    const check = validatorCompiler({ schema: newWebhook, method: 'POST', url: '/', httpPart: 'body' });
    const message = (authentication: unknown) => {
      const checked = check({ url: 'https://example.com/', dialect: 'aftersend', authentication });
      assert.ok(typeof checked === 'object' && 'error' in checked);
      return refusalOf({ validation: checked.error, validationContext: 'body' }).message;
    };
    assert.equal(message({ kind: 'digest' }), "'authentication.kind' is none of none, basic, bearer, oauth2");
    assert.equal(message({ kind: 'basic', username: 'a' }), "'authentication.password' is missing");
    assert.match(
      message({ kind: 'basic', username: 'a', password: 1 }),
      /^'authentication.password' must be/,
    );
    assert.equal(message({ kind: 'bearer', token: 'x', y: 1 }), "'authentication.y' is not known here");
  });

  test('a store with too much to write is "later", a fault of ours says nothing of its cause', async () => {
    const body = { from: 'a@b.org', to: ['c@d.org'], subject: 's', text: 't' };
    {
      await using api = await startApi({ accept: () => Promise.reject(new StoreBusyError('full')) });
      const busy = await api.call('POST', '/api/messages', { body });
      assert.deepEqual([busy.status, busy.json.error.code], [503, 'busy']);
      assert.ok(Number(busy.headers['retry-after']) > 0);
      assert.deepEqual(api.log, []);
    }
    await using api = await startApi({ accept: () => Promise.reject(new Error('the disk is on fire')) });
    const failed = await api.call('POST', '/api/messages', { body });
    assert.deepEqual([failed.status, failed.json.error.code], [500, 'internal']);
    assert.doesNotMatch(failed.text, /fire/);
    assert.equal(api.log.length, 1);
    assert.match(api.log[0] ?? '', /the disk is on fire/);
    assert.doesNotMatch(api.log[0] ?? '', new RegExp(api.token));
  });
});

describe('a connection', () => {
  const exchange = async (api: ApiUnderTest, bytes: string): Promise<string> => {
    const socket = connect(api.port, '127.0.0.1');
    await once(socket, 'connect');
    socket.write(bytes);
    return text(socket);
  };

  test('of a client that stalls is answered and closed', async () => {
    await using api = await startApi({ timeouts: { headersMs: 50, requestMs: 100, checkMs: 20 } });
    const head = `POST /api/messages HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer ${api.token}\r\n`;
    const inHeaders = await exchange(api, head);
    assert.match(inHeaders, /^HTTP\/1\.1 408 /);
    assert.match(inHeaders, /"code":"request-timeout"/);
    const inBody = await exchange(
      api,
      `${head}Content-Type: application/json\r\nContent-Length: 9\r\n\r\n{"a"`,
    );
    assert.match(inBody, /^HTTP\/1\.1 408 /);
    assert.equal((await api.get('/healthz')).status, 200);
  });

  test('that brings too much is answered, also when the client reads nothing before it has sent all', async () => {
    await using api = await startApi();
    const much = 'x'.repeat(16_000_000);
    const form = `--B\r\nContent-Disposition: form-data; name="attachments[]"; filename="a"\r\n\r\n${much}\r\n--B--\r\n`;
    const requests: [path: string, type: string, body: string][] = [
      ['/api/templates', 'application/json', much],
      ['/api/messages', 'application/json', much],
      ['/v1/email/messages', 'multipart/form-data; boundary=B', form],
    ];
    for (const [path, type, body] of requests) {
      const socket = connect(api.port, '127.0.0.1');
      socket.pause();
      await once(socket, 'connect');
      const head = `POST ${path} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer ${api.token}\r\nContent-Type: ${type}\r\n`;
      socket.write(`${head}Content-Length: ${body.length}\r\n\r\n`);
      // Resolves when the other side has taken the last byte.
      await new Promise<void>((resolve, reject) => {
        socket.write(body, (error) => (error ? reject(error) : resolve()));
      });
      socket.end();
      assert.match(await text(socket), /^HTTP\/1\.1 413 [^]*The body is larger/, path);
    }
  });

  test('that speaks no HTTP is answered and closed', async () => {
    await using api = await startApi();
    assert.match(await exchange(api, 'EHLO example.org\r\n\r\n'), /^HTTP\/1\.1 400 [^]*"request-malformed"/);
    const endless = `GET / HTTP/1.1\r\nHost: x\r\nX-A: ${'a'.repeat(70_000)}\r\n\r\n`;
    assert.match(await exchange(api, endless), /^HTTP\/1\.1 431 [^]*"headers-too-large"/);
  });

  test('through a trusted proxy shows the client; through another it does not', async () => {
    const seen: string[] = [];
    const open = [
      (app: App) => {
        app.get('/seen', async ({ ip }) => ({ seen: seen.push(ip) }));
      },
    ];
    const headers = { 'x-forwarded-for': '198.51.100.7' };
    for (const isProxy of [() => false, (address: string) => address === '127.0.0.1']) {
      await using api = await startApi({ isProxy, routes: { open, native: [], msndr: [] } });
      await api.call('GET', '/seen', { headers });
    }
    assert.deepEqual(seen, ['127.0.0.1', '198.51.100.7']);
  });
});

describe('operations', () => {
  test('health and readiness', async () => {
    let ready = false;
    await using api = await startApi({ ready: () => ready });
    assert.equal((await api.call('GET', '/healthz', { token: undefined })).status, 200);
    assert.equal((await api.call('GET', '/readyz', { token: undefined })).status, 503);
    ready = true;
    assert.equal((await api.call('GET', '/readyz', { token: undefined })).status, 200);
  });

  test('metrics are for loopback and who has the token, not for what a proxy passes on', async () => {
    await using api = await startApi();
    await api.post('/api/messages', { from: 'a@b.org', to: ['c@d.org'], subject: 's', text: 't' });
    const metrics = await api.call('GET', '/metrics', { token: undefined });
    assert.match(metrics.text, /^aftersend_queue_messages 1$/m);
    assert.match(metrics.text, /route="\/api\/messages",status="201"/);
    const headers = { 'x-forwarded-for': '127.0.0.1' };
    assert.equal((await api.call('GET', '/metrics', { token: undefined, headers })).status, 404);
    assert.equal((await api.call('GET', '/metrics', { token: api.token, headers })).status, 404);
    assert.equal((await api.call('GET', '/metrics', { token: 'metrics-token', headers })).status, 200);
  });

  test('the console’s pages are one document with a strict policy; its files are kept by browsers', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'aftersend-console-'));
    await mkdir(join(folder, 'assets'));
    await writeFile(join(folder, 'index.html'), '<!doctype html><title>console</title>');
    await writeFile(join(folder, 'assets/main-1a2b.js'), 'export {};');
    await using api = await startApi({ consoleFolder: folder });
    await rm(folder, { recursive: true });
    for (const path of ['/', '/messages/12', '/settings']) {
      const page = await api.call('GET', path, { token: undefined });
      assert.match(page.text, /<title>console/);
      assert.match(String(page.headers['content-security-policy']), /script-src 'self'; style-src 'self';/);
      assert.equal(page.headers['cache-control'], 'no-cache');
    }
    const script = await api.call('GET', '/assets/main-1a2b.js', { token: undefined });
    assert.match(String(script.headers['content-type']), /^text\/javascript/);
    assert.match(String(script.headers['cache-control']), /immutable/);
    assert.equal((await api.call('GET', '/assets/other.js', { token: undefined })).status, 404);
  });

  test('without the built console the API works and its pages say what is missing', async () => {
    await using api = await startApi();
    const page = await api.call('GET', '/', { token: undefined });
    assert.deepEqual([page.status, page.json.error.code], [503, 'console-missing']);
  });
});

describe('the API document', () => {
  interface Operation {
    readonly operationId?: string;
    readonly summary?: string;
    readonly tags?: readonly string[];
    readonly parameters?: readonly { readonly in: string; readonly name: string }[];
    readonly responses: Readonly<Record<string, unknown>>;
  }

  test('tells of every route, whoever added it, with its parameters and refusals', async () => {
    const native = [
      (app: App) => {
        app.get('/api/added', { schema: { tags: ['x'], summary: 'Added' } }, async () => ({}));
      },
    ];
    await using api = await startApi({ routes: { open: [], native, msndr: [] } });
    const document = (await api.get('/api/openapi.json')).json;
    assert.equal(document.openapi, '3.1.0');
    assert.deepEqual(document.security, [{ token: [] }, { session: [] }]);
    assert.equal(document.components.securitySchemes.token.scheme, 'bearer');
    const paths = Object.entries(document.paths as Record<string, Record<string, Operation>>);
    const operations = paths.flatMap(([path, methods]) =>
      Object.entries(methods).map(([method, operation]) => ({ path, method, operation })),
    );
    assert.deepEqual(
      operations.map(({ path, method }) => `${method} ${path}`).sort(),
      [
        'delete /api/invitations/{id}',
        'delete /api/session',
        'delete /api/sessions/{id}',
        'delete /api/settings/domains/{name}',
        'delete /api/settings/streams/{name}',
        'delete /api/smtp-logins/{username}',
        'delete /api/suppressions/{recipient}',
        'delete /api/templates/{id}',
        'delete /api/tokens/{id}',
        'delete /api/users/{id}',
        'get /api/account',
        'get /api/added',
        'get /api/audit',
        'get /api/dialects',
        'get /api/events',
        'get /api/messages',
        'get /api/messages/{id}',
        'get /api/messages/{id}/content',
        'get /api/messages/{id}/html',
        'get /api/messages/{id}/source',
        'get /api/session',
        'get /api/session/ways',
        'get /api/sessions',
        'get /api/settings',
        'get /api/reports',
        'get /api/smtp-logins',
        'get /api/statistics',
        'get /api/statistics/domains',
        'get /api/statistics/providers',
        'get /api/statistics/queue',
        'get /api/statistics/webhooks',
        'get /api/suppressions',
        'get /api/suppressions/csv',
        'get /api/suppressions/settings',
        'get /api/templates',
        'get /api/templates/{id}',
        'get /api/templates/{id}/page',
        'get /api/templates/{id}/versions',
        'get /api/templates/{id}/versions/{version}',
        'get /api/tokens',
        'get /api/users',
        'get /v1/email/messages',
        'get /v1/email/messages/{id}',
        'patch /api/session',
        'patch /api/settings',
        'patch /api/suppressions/settings',
        'patch /api/templates/{id}',
        'patch /api/users/{id}',
        'post /api/complaints',
        'post /api/invitations',
        'post /api/invitations/accept',
        'post /api/invitations/look',
        'post /api/messages',
        'post /api/session',
        'post /api/session/password',
        'post /api/session/totp/new',
        'post /api/session/totp/off',
        'post /api/smtp-logins',
        'post /api/messages/{id}/send-again',
        'post /api/suppressions',
        'post /api/suppressions/csv',
        'post /api/templates',
        'post /api/templates/{id}/preview',
        'post /api/templates/{id}/versions/{version}/restore',
        'post /api/tokens',
        'post /v1/email/messages',
        'post /v1/email/templates/{id}/messages',
        'put /api/session/totp',
        'put /api/settings/domains/{name}',
        'put /api/settings/streams/{name}',
      ].sort(),
    );
    for (const { path, method, operation } of operations) {
      const { summary, tags, parameters = [], responses } = operation;
      assert.ok(summary && tags?.length, `${method} ${path} says what it is`);
      assert.ok(responses['4XX'] && responses['5XX'], `${method} ${path} says how it refuses`);
      const declared = parameters.filter((parameter) => parameter.in === 'path').map(({ name }) => name);
      const inPath = [...path.matchAll(/\{(\w+)\}/g)].map((match) => match[1]);
      assert.deepEqual(declared, inPath, `${method} ${path} declares its parameters`);
    }
    const ids = operations.flatMap(({ operation }) => operation.operationId ?? []);
    assert.equal(new Set(ids).size, ids.length);
  });

  test('its examples are taken by the routes they stand at', async () => {
    await using api = await startApi();
    await api.post('/api/templates', { name: 't', from_email: 'a@b.org', subject: 's', text: 'x' });
    const { paths } = (await api.get('/api/openapi.json')).json;
    const posts = Object.entries<Record<string, Operation & { requestBody?: RequestBody }>>(paths);
    for (const [path, { post }] of posts) {
      // People's routes take a session; tests/api/sessions.test.ts calls them.
      if (post?.requestBody === undefined || post.tags?.includes('console')) continue;
      const json = post.requestBody.content['application/json'];
      // What is no JSON has a test of its own.
      if (json === undefined) continue;
      const example = exampleOf(json);
      assert.ok(example, `${path} has an example`);
      const answer = await api.call('POST', path.replace('{id}', '1'), { body: example });
      assert.ok(answer.status < 300, `${path}: ${answer.text}`);
    }
  });

  interface RequestBody {
    readonly content: { readonly 'application/json'?: Media };
  }
  interface Media {
    readonly example?: object;
    readonly examples?: Readonly<Record<string, { readonly value: object }>>;
    readonly schema: { readonly examples?: readonly object[] };
  }

  function exampleOf({ example, examples, schema }: Media): object | undefined {
    return example ?? Object.values(examples ?? {})[0]?.value ?? schema.examples?.[0];
  }
});
