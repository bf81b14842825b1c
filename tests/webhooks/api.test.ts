/** The two settings APIs over real HTTP: every shape, and every way to ask wrongly. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { type TypeBoxTypeProvider, TypeBoxValidatorCompiler } from '@fastify/type-provider-typebox';
import { fastify } from 'fastify';
import type { App } from '../../src/api/app.ts';
import { ApiError } from '../../src/api/errors.ts';
import { msndrWebhookRoutes } from '../../src/api/msndr/webhook.ts';
import { eventStreamRoute } from '../../src/api/native/event-stream.ts';
import { webhookRecordRoutes } from '../../src/api/native/webhook-records.ts';
import { webhookRoutes } from '../../src/api/native/webhooks.ts';
import { anAccount } from '../../src/store/conformance/fixtures.ts';
import { answer, Receiver, World } from './world.ts';

interface Answer {
  readonly status: number;
  readonly json: Record<string, unknown>;
  readonly text: string;
}

/** The routes in an application that stands in for the API's: an account by a header, errors as they were thrown. */
async function openApi(world: World) {
  const app = fastify().withTypeProvider<TypeBoxTypeProvider>() as unknown as App;
  app.setValidatorCompiler(TypeBoxValidatorCompiler);
  const parse = app.getDefaultJsonParser('error', 'error');
  app.addContentTypeParser<string>('application/json', { parseAs: 'string' }, (request, body, done) => {
    if (body === '') done(null, undefined);
    else void parse(request, body, done);
  });
  app.decorateRequest('account', null as never);
  app.addHook('onRequest', async (request) => {
    const account = await world.store.accounts.byName(String(request.headers['x-account'] ?? 'acme'));
    assert.ok(account);
    request.account = account;
  });
  app.setErrorHandler((error, _request, reply) => {
    const status = (error as { statusCode?: number }).statusCode ?? 500;
    const { code, field } = error instanceof ApiError ? error : { code: '', field: '' };
    void reply.code(status).send({ code, field, message: (error as Error).message });
  });
  const { webhooks, log } = world.store;
  const { endpoints } = world;
  webhookRoutes(app, { endpoints, webhooks, log, clock: world.clock });
  webhookRecordRoutes(app, {
    endpoints,
    webhooks,
    log,
    clock: world.clock,
    replays: world.store.replays,
    newReplays: world.replays,
  });
  eventStreamRoute(app, { log, clock: world.clock });
  msndrWebhookRoutes(app, { endpoints, webhooks });
  const base = await app.listen({ host: '127.0.0.1', port: 0 });
  const call = async (method: string, path: string, body?: unknown, headers: Record<string, string> = {}) => {
    const json = body === undefined || typeof body === 'string' ? {} : { 'content-type': 'application/json' };
    const response = await fetch(base + path, {
      method,
      headers: { ...json, ...headers },
      ...(body !== undefined && { body: typeof body === 'string' ? body : JSON.stringify(body) }),
    });
    const text = await response.text();
    return { status: response.status, text, json: (text && JSON.parse(text)) as Answer['json'] };
  };
  return { call, base, [Symbol.asyncDispose]: () => app.close() };
}

describe('/api/webhooks', () => {
  test('make, list, look, change, delete', async () => {
    await using world = await World.open();
    await using api = await openApi(world);
    const made = await api.call('POST', '/api/webhooks', {
      url: 'http://127.0.0.1:21000/hook',
      dialect: 'sendpulse',
      types: ['bounced', 'delivered'],
      batch: { age_seconds: 1 },
    });
    assert.equal(made.status, 201);
    assert.match(String(made.json['secret']), /^whsec_[A-Za-z0-9+/]{43}=$/);
    assert.deepEqual(made.json['types'], ['delivered', 'bounced']);
    assert.deepEqual(made.json['batch'], { count: 1000, age_seconds: 1, bytes: 1048576 });
    assert.deepEqual(made.json['options'], { leave_out_machines: false, unsubscribed_details: false });
    const path = `/api/webhooks/${String(made.json['id'])}`;

    const { secret, ...shown } = made.json;
    const list = await api.call('GET', '/api/webhooks');
    assert.deepEqual(list.json, { webhooks: [shown] });
    assert.ok(!list.text.includes(String(secret)), 'the secret is shown once');
    const looked = await api.call('GET', path);
    assert.equal(looked.json['waiting_events'], 0);
    assert.deepEqual(looked.json['last_requests'], []);

    const changed = await api.call('PATCH', path, { paused: true, options: { unsubscribed_details: true } });
    assert.equal(changed.status, 200);
    assert.equal(changed.json['state'], 'paused');
    assert.deepEqual(changed.json['options'], { leave_out_machines: false, unsubscribed_details: true });
    const other = await api.call('PATCH', path, { dialect: 'msndr' });
    assert.deepEqual(other.json['options'], { leave_out_machines: false, complained_as: 'complined' });
    assert.deepEqual((other.json['batch'] as { count: number }).count, 1);
    assert.equal((await api.call('DELETE', path)).status, 204);
    assert.equal((await api.call('DELETE', path)).status, 404);
    assert.equal((await api.call('GET', path)).status, 404);
  });

  test("another account's webhook is not there", async () => {
    await using world = await World.open();
    await using api = await openApi(world);
    await anAccount(world.store, 'other');
    const made = await api.call('POST', '/api/webhooks', {
      url: 'http://127.0.0.1:21000/',
      dialect: 'msndr',
    });
    const path = `/api/webhooks/${String(made.json['id'])}`;
    const as = { 'x-account': 'other' };
    for (const [method, to, body] of [
      ['GET', path],
      ['PATCH', path, { paused: true }],
      ['DELETE', path],
      ['POST', `${path}/test`],
    ] as const) {
      assert.equal((await api.call(method, to, body, as)).status, 404, method);
    }
    assert.deepEqual((await api.call('GET', '/api/webhooks', undefined, as)).json, { webhooks: [] });
  });

  const good = { url: 'http://127.0.0.1:21000/', dialect: 'sendpulse' };
  const wrong: readonly (readonly [string, object, number, string])[] = [
    ['an unknown dialect', { ...good, dialect: 'klingon' }, 422, 'dialect'],
    ['a private address', { ...good, url: 'http://10.0.0.1/' }, 422, 'url'],
    ['a name that leads inside', { ...good, url: 'http://localhost/' }, 422, 'url'],
    ['another scheme', { ...good, url: 'ftp://example.com/' }, 422, 'url'],
    ['a URL with a line break', { ...good, url: 'http://127.0.0.1:21000/h/\r\nX: y' }, 422, 'url'],
    ['a URL with spaces around it', { ...good, url: ' http://127.0.0.1:21000/ ' }, 422, 'url'],
    ['a type that the dialect has no word for', { ...good, types: ['skipped'] }, 422, 'types'],
    ['an unknown type', { ...good, types: ['returned'] }, 422, 'types'],
    ['no types', { ...good, types: [] }, 400, ''],
    ['an unknown option', { ...good, options: { complained_as: 'complained' } }, 422, 'options'],
    [
      'an option with an unknown word',
      { ...good, dialect: 'aftersend', options: { framing: 'bulk' } },
      422,
      'options',
    ],
    ['an option of the wrong type', { ...good, options: { unsubscribed_details: 'yes' } }, 422, 'options'],
    ['a count out of bounds', { ...good, batch: { count: 0 } }, 400, ''],
    ['batches of a dialect that has none', { ...good, dialect: 'msndr', batch: { count: 2 } }, 422, 'batch'],
    ['an unknown field', { ...good, colour: 'red' }, 400, ''],
    ['no URL', { dialect: 'msndr' }, 400, ''],
  ];
  test('what is wrong is refused with the field at fault, and nothing is made', async () => {
    await using world = await World.open();
    await using api = await openApi(world);
    for (const [what, body, status, field] of wrong) {
      const answered = await api.call('POST', '/api/webhooks', body);
      assert.equal(answered.status, status, `${what}: ${answered.text}`);
      assert.equal(answered.json['field'], field, what);
      assert.doesNotMatch(answered.text, /constant/);
    }
    assert.deepEqual(await world.store.webhooks.list(world.accountId), []);
  });

  test('events may be named as the dialect names them', async () => {
    await using world = await World.open();
    await using api = await openApi(world);
    const typesOf = async (dialect: string, types: string[]) => {
      const made = await api.call('POST', '/api/webhooks', {
        url: 'http://127.0.0.1:21000/',
        dialect,
        types,
      });
      return made.status === 201 ? made.json['types'] : made.json['message'];
    };
    assert.deepEqual(await typesOf('sendpulse', ['spam_by_user', 'undelivered', 'opened']), [
      'bounced',
      'opened',
      'complained',
    ]);
    assert.deepEqual(await typesOf('msndr', ['soft_bounced', 'complined']), ['deferred', 'complained']);
    assert.deepEqual(await typesOf('sendgrid', ['spamreport', 'click']), ['clicked', 'complained']);
    assert.match(
      String(await typesOf('sendpulse', ['soft_bounced'])),
      /cannot tell of soft_bounced, only of delivered, undelivered \(bounced\)/,
    );
  });

  test('what is set for sending is shown; what lets one in is not, and bad settings are refused', async () => {
    await using world = await World.open();
    await using api = await openApi(world);
    const good = { url: 'http://127.0.0.1:21000/', dialect: 'aftersend' };
    const made = await api.call('POST', '/api/webhooks', {
      ...good,
      sending: { gzip: true, partial_acknowledgement: true, signatures: ['v1', 'v1a'], digest: 'day' },
      authentication: { kind: 'basic', username: 'ann', password: 'hunter2' },
      headers: { 'X-Key': 'also secret' },
    });
    assert.equal(made.status, 201, made.text);
    assert.deepEqual(made.json['sending'], {
      gzip: true,
      requests_at_once: 1,
      partial_acknowledgement: true,
      signatures: ['v1', 'v1a'],
      digest: 'day',
    });
    assert.ok(!made.text.includes('hunter2') && !made.text.includes('also secret'));
    const path = `/api/webhooks/${String(made.json['id'])}`;
    const rotated = await api.call('POST', `${path}/secret`, { overlap_hours: 1 });
    assert.notEqual(rotated.json['secret'], made.json['secret']);
    assert.equal((rotated.json['signing_keys'] as unknown[]).length, 4);
    assert.equal((await api.call('POST', `${path}/secret`)).status, 200, 'a body is not needed');
    const detail = await api.call('GET', path);
    assert.equal(detail.json['lag_seconds'], 0);
    assert.equal(detail.json['success_rate'], null);
    for (const [body, field] of [
      [{ ...good, dialect: 'msndr', sending: { digest: 'hour' } }, 'sending'],
      [{ ...good, dialect: 'sendpulse', sending: { partial_acknowledgement: true } }, 'sending'],
      [{ ...good, headers: { Host: 'example.com' } }, 'headers'],
      [{ ...good, headers: { 'webhook-id': '1' } }, 'headers'],
      [{ ...good, headers: { 'X-Y': 'a\r\nb' } }, 'headers'],
      [{ ...good, mutual_tls: { certificate: 'x', private_key: 'y' } }, 'mutual_tls'],
      [
        {
          ...good,
          authentication: {
            kind: 'oauth2',
            token_url: 'http://169.254.169.254/',
            client_id: 'a',
            client_secret: 'b',
          },
        },
        'authentication.token_url',
      ],
    ] as const) {
      const answered = await api.call('POST', '/api/webhooks', body);
      assert.deepEqual([answered.status, answered.json['field']], [422, field], answered.text);
    }
  });

  test('replays and set-aside events by the API', async () => {
    await using world = await World.open();
    await using api = await openApi(world);
    const made = await api.call('POST', '/api/webhooks', {
      url: 'http://127.0.0.1:21000/',
      dialect: 'aftersend',
    });
    const path = `/api/webhooks/${String(made.json['id'])}`;
    await world.opened(3);
    const wish = { what: 'time', from: '2020-01-01' };
    const counted = await api.call('POST', `${path}/replays`, { ...wish, dry_run: true });
    assert.deepEqual([counted.status, counted.json], [200, { events: 4 }]);
    const started = await api.call('POST', `${path}/replays`, wish);
    assert.equal(started.status, 201);
    const { id } = started.json['replay'] as { id: number };
    assert.equal((await api.call('DELETE', `${path}/replays/${id}`)).status, 204);
    assert.equal((await api.call('DELETE', `${path}/replays/${id}`)).status, 404);
    assert.equal((await api.call('POST', `${path}/replays`, { what: 'time' })).json['field'], 'from');
    assert.deepEqual((await api.call('GET', `${path}/set-aside`)).json['events'], []);
    assert.equal((await api.call('GET', `${path}/requests/none`)).status, 404);
    assert.deepEqual((await api.call('GET', '/api/events/1/webhooks')).json, { webhooks: [] });
  });

  test('the log is followed as server-sent events, and resumed by Last-Event-ID', async () => {
    await using world = await World.open();
    await using api = await openApi(world);
    const [first = 0, second = 0] = await world.opened(2);
    const read = async (headers: Record<string, string>, until: number) => {
      const stop = new AbortController();
      const response = await fetch(`${api.base}/api/events/stream?types=opened`, {
        headers,
        signal: stop.signal,
      });
      assert.match(response.headers.get('content-type') ?? '', /^text\/event-stream/);
      let text = '';
      const decoder = new TextDecoder();
      assert.ok(response.body);
      for await (const chunk of response.body) {
        text += decoder.decode(chunk as Uint8Array, { stream: true });
        if (text.includes(`id: ${until}\n`)) break;
      }
      stop.abort();
      return [...text.matchAll(/^id: (\d+)$/gm)].map((match) => Number(match[1]));
    };
    assert.deepEqual(await read({ 'last-event-id': `${first}` }, second), [second]);
    const live = read({ 'last-event-id': `${second}` }, second + 1);
    await world.clock.someoneSleeps();
    await world.opened(1);
    assert.deepEqual(await live, [second + 1]);
    const wrong = await fetch(`${api.base}/api/events/stream`, { headers: { 'last-event-id': 'x' } });
    assert.equal(wrong.status, 422);
  });

  test('a stream is kept alive also while events come that it does not show', async () => {
    await using world = await World.open();
    await using api = await openApi(world);
    const stop = new AbortController();
    const response = await fetch(`${api.base}/api/events/stream?types=clicked`, { signal: stop.signal });
    const reader = response.body?.getReader();
    assert.ok(reader);
    assert.match(Buffer.from((await reader.read()).value ?? []).toString(), /here/);
    const beat = reader.read();
    for (let seconds = 0; seconds < 30; seconds += 5) {
      await world.clock.someoneSleeps();
      await world.opened(1);
      await world.idle();
      await world.clock.advance(5_000);
      await world.idle();
    }
    const told = await Promise.race([beat, world.idle().then(() => 'nothing' as const)]);
    stop.abort();
    assert.notEqual(told, 'nothing');
  });

  test('a trial sends a sample of each type and says what came back', async () => {
    await using world = await World.open();
    await using api = await openApi(world);
    await using receiver = await Receiver.open();
    const make = async (dialect: string) => {
      const made = await api.call('POST', '/api/webhooks', { url: receiver.url, dialect });
      return `/api/webhooks/${String(made.json['id'])}/test`;
    };
    interface Trial {
      requests: { types: string[]; status: number; answer: string }[];
    }
    const array = (await api.call('POST', await make('sendpulse'))).json as unknown as Trial;
    assert.equal(array.requests.length, 1);
    assert.equal(array.requests[0]?.types.length, 6);
    assert.equal(array.requests[0]?.answer, 'taken');
    assert.equal((JSON.parse(receiver.requests[0]?.body ?? '') as unknown[]).length, 6);
    assert.equal(receiver.requests[0]?.headers['aftersend-test'], 'true');
    receiver.behave = answer(500);
    const single = (await api.call('POST', await make('msndr'))).json as unknown as Trial;
    assert.deepEqual(
      single.requests.map(({ types, status }) => [types.length, status]),
      Array.from({ length: 8 }, () => [1, 500]),
    );
    assert.equal(new Set(receiver.requests.map(({ headers }) => headers['webhook-id'])).size, 9);
  });
});

describe('/v1/email/webhook', () => {
  const path = '/v1/email/webhook';
  const url = 'http://127.0.0.1:21000/some/path';
  const json = { 'content-type': 'application/json' };

  test('set, look, replace, keeping the place in the log', async () => {
    await using world = await World.open();
    await using api = await openApi(world);
    assert.equal((await api.call('GET', path, undefined)).status, 404);
    const set = await api.call('POST', path, { url, colour: 'unknown fields are ignored' });
    assert.deepEqual([set.status, set.text], [201, `{"url":"${url}"}`]);
    const before = await world.store.webhooks.ofOrigin(world.accountId, 'msndr');
    await world.opened(3);
    const replaced = await api.call('POST', path, { url: `${url}/2` });
    assert.deepEqual([replaced.status, replaced.text], [201, `{"url":"${url}/2"}`]);
    const got = await api.call('GET', path);
    assert.deepEqual([got.status, got.text], [200, `{"url":"${url}/2"}`]);
    const after = await world.store.webhooks.ofOrigin(world.accountId, 'msndr');
    assert.equal(after?.id, before?.id);
    assert.equal(after?.progress.cursorId, before?.progress.cursorId);
  });

  const removals: readonly (readonly [string, string | undefined, Record<string, string>])[] = [
    ['no body', undefined, {}],
    ['no body and a JSON content type', undefined, json],
    ['an empty body and a JSON content type', '', json],
    ['the URL as JSON', JSON.stringify({ url }), json],
    [
      "the URL as curl's -d sends it",
      JSON.stringify({ url }),
      { 'content-type': 'application/x-www-form-urlencoded' },
    ],
  ];
  for (const [what, body, headers] of removals) {
    test(`DELETE with ${what}`, async () => {
      await using world = await World.open();
      await using api = await openApi(world);
      await api.call('POST', path, { url });
      const removed = await api.call('DELETE', path, body, headers);
      assert.deepEqual([removed.status, removed.text], [204, '']);
      assert.equal((await api.call('DELETE', path, body, headers)).status, 404);
    });
  }

  test('DELETE with another URL is 404 and removes nothing', async () => {
    await using world = await World.open();
    await using api = await openApi(world);
    await api.call('POST', path, { url });
    assert.equal((await api.call('DELETE', path, { url: `${url}/other` })).status, 404);
    assert.equal((await api.call('GET', path)).status, 200);
  });

  test('what is wrong is refused: no URL, no string, a private address, no JSON', async () => {
    await using world = await World.open();
    await using api = await openApi(world);
    for (const [body, status] of [
      [{}, 422],
      [{ url: 5 }, 422],
      [[], 422],
      [{ url: 'nonsense' }, 422],
      [{ url: 'http://192.168.0.1/' }, 422],
      ['{"url":', 400],
    ] as const) {
      assert.equal((await api.call('POST', path, body, json)).status, status, JSON.stringify(body));
    }
    assert.equal((await api.call('POST', path)).status, 422);
  });

  test('it neither shows nor touches what the native API made', async () => {
    await using world = await World.open();
    await using api = await openApi(world);
    await api.call('POST', '/api/webhooks', { url, dialect: 'msndr' });
    assert.equal((await api.call('GET', path)).status, 404);
    assert.equal((await api.call('DELETE', path)).status, 404);
    assert.equal((await world.store.webhooks.list(world.accountId)).length, 1);
  });
});
