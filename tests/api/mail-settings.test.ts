/** What mail does by default, by account, domain, stream and template; tracking names; complaints by API. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { request } from 'undici';
import { type ApiUnderTest, startApi, startMs } from './api-under-test.ts';

const mail = { from: 'shop@example.com', to: ['ann@example.org'], subject: 's', html: '<p>x</p>' };

async function sent(api: ApiUnderTest, changes: object = {}) {
  const { json } = await api.post('/api/messages', { ...mail, ...changes });
  const story = (await api.get(`/api/messages/${json.id}`)).json;
  return { id: json.id as number, track: story.track, listed: story.list_unsubscribe };
}

const put = async (api: ApiUnderTest, path: string, body: object) => {
  const answer = await api.call('PUT', path, { body });
  assert.equal(answer.status, 200, answer.text);
  return answer.json;
};

describe('settings', () => {
  test('the message’s word counts before the stream’s, the domain’s and the account’s', async () => {
    await using api = await startApi();
    const none = { opens: false, clicks: false, text: false };
    assert.deepEqual((await sent(api)).track, { opens: true, clicks: true, text: false });
    const body = { track: none };
    assert.deepEqual((await api.call('PATCH', '/api/settings', { body })).json.track, none);
    assert.deepEqual((await sent(api)).track, none);

    await put(api, '/api/settings/domains/Example.COM', { track: { clicks: true, text: true } });
    await put(api, '/api/settings/streams/news', { track: { opens: true, text: false } });
    assert.deepEqual((await sent(api)).track, { opens: false, clicks: true, text: true });
    assert.deepEqual((await sent(api, { from: 'a@other.example' })).track, none);
    assert.deepEqual((await sent(api, { stream: 'news' })).track, { opens: true, clicks: true, text: false });
    assert.deepEqual((await sent(api, { stream: 'news', track: { opens: false, text: true } })).track, {
      opens: false,
      clicks: true,
      text: true,
    });

    const { json } = await api.get('/api/settings');
    assert.deepEqual(json, {
      track: none,
      list_unsubscribe: false,
      tracking_host: null,
      domains: [{ name: 'example.com', track: { clicks: true, text: true } }],
      streams: [{ name: 'news', track: { opens: true, text: false } }],
    });
    assert.equal((await api.call('DELETE', '/api/settings/streams/news')).status, 204);
    assert.equal((await api.call('DELETE', '/api/settings/streams/news')).status, 404);
    assert.deepEqual((await sent(api, { stream: 'news' })).track.opens, false);
    const other = await api.call('GET', '/api/settings', { token: await api.otherToken() });
    assert.deepEqual(other.json.domains, []);
  });

  test('List-Unsubscribe is on by account, stream, template or message', async () => {
    await using api = await startApi();
    assert.equal((await sent(api)).listed, false);
    await put(api, '/api/settings/streams/news', { list_unsubscribe: true });
    assert.equal((await sent(api, { stream: 'news' })).listed, true);
    assert.equal((await sent(api, { stream: 'news', list_unsubscribe: false })).listed, false);
    assert.equal((await sent(api, { list_unsubscribe: true })).listed, true);

    const template = { name: 't', subject: 's', text: 'x', from_email: 'a@example.com' };
    await api.post('/api/templates', { ...template, list_unsubscribe: true });
    const byTemplate = { html: undefined, subject: undefined, template: { id: 1 } };
    assert.equal((await sent(api, byTemplate)).listed, true);
    assert.equal((await sent(api, { ...byTemplate, list_unsubscribe: false })).listed, false);
    const { json } = await api.post('/v1/email/templates/1/messages', { to: 'ann@example.org' });
    assert.equal((await api.get(`/api/messages/${json.id}`)).json.list_unsubscribe, true);
    const off = await api.call('PATCH', '/api/templates/1', { body: { list_unsubscribe: null } });
    assert.equal(off.json.list_unsubscribe, null);
    assert.equal((await sent(api, byTemplate)).listed, false);
  });

  test('a template’s unsubscribe_url stays a placeholder, whatever the parameters say', async () => {
    await using api = await startApi();
    await api.post('/api/templates', {
      name: 't',
      subject: 's',
      from_email: 'a@example.com',
      text: 'Leave: {{ unsubscribe_url }}',
      html: '<a href="{{unsubscribe_url}}">Leave</a>',
    });
    const params = { unsubscribe_url: 'https://evil.example/' };
    const preview = await api.post('/api/templates/1/preview', { params }, 200);
    assert.deepEqual(preview.json, {
      subject: 's',
      text: 'Leave: {{ unsubscribe_url }}',
      html: '<a href="{{ unsubscribe_url }}">Leave</a>',
    });
  });

  test('what makes no sense is refused, and nothing of it done', async () => {
    await using api = await startApi();
    for (const [path, body, field] of [
      ['/api/settings/domains/no domain', {}, 'name'],
      ['/api/settings/streams/News!', {}, 'name'],
      ['/api/settings/streams/news', { track: { open: true } }, 'track.open'],
      ['/api/settings/streams/news', { tracking_host: 'a.example' }, 'tracking_host'],
    ] as const) {
      const { status, json } = await api.call('PUT', encodeURI(path), { body });
      assert.deepEqual([status, json.error.field], [422, field], path);
    }
    for (const tracking_host of ['localhost', '192.0.2.1', 'http://a.example', 'a b.example', '']) {
      const { status } = await api.call('PATCH', '/api/settings', { body: { tracking_host } });
      assert.equal(status, 422, tracking_host);
    }
  });
});

describe('tracking names', () => {
  const track = 'track.example.com';

  async function ask(api: ApiUnderTest, path: string, host: string, method: 'GET' | 'POST' = 'GET') {
    const answer = await request(`${api.url}${path}`, {
      method,
      headers: { host, authorization: `Bearer ${api.token}` },
    });
    return { status: answer.statusCode, text: await answer.body.text() };
  }

  test('belong to one account, and are not the service’s own', async () => {
    await using api = await startApi();
    const set = (tracking_host: string | null, token = api.token) =>
      api.call('PATCH', '/api/settings', { body: { tracking_host }, token });
    const other = await api.otherToken();
    assert.equal((await set('Track.Example.com')).json.tracking_host, track);
    assert.equal((await set(track, other)).status, 409);
    assert.equal((await set('mail.example.net', other)).status, 409);
    assert.equal((await set('трек.example.com')).json.tracking_host, 'xn--e1akqh.example.com');
    assert.equal((await set(track, other)).status, 200);
    assert.equal((await set(null)).json.tracking_host, null);
  });

  test('are in a sending domain that the account has shown to be its own', async () => {
    await using api = await startApi({ anyTrackingName: false });
    const set = (tracking_host: string | null, token = api.token) =>
      api.call('PATCH', '/api/settings', { body: { tracking_host }, token });
    const other = await api.otherToken();
    const { domains } = api.store;
    await domains.add({
      accountId: api.accountId,
      name: 'not-yet.example',
      requireTls: false,
      keys: [],
      atMs: startMs,
    });
    await domains.vouch({ accountId: api.accountId, name: 'example.com', atMs: startMs });
    for (const [name, token] of [
      ['www.example.org', api.token],
      ['track.not-yet.example', api.token],
      ['badexample.com', api.token],
      [track, other],
    ] as const) {
      const { status, json } = await set(name, token);
      assert.deepEqual([status, json.error.code], [403, 'host-unverified'], name);
    }
    assert.equal((await set(track)).json.tracking_host, track);
    assert.equal((await set(null)).status, 200);
  });

  test('serve neither API nor console, and a proxy hears which names it may get certificates for', async () => {
    await using api = await startApi({
      routes: {
        open: [
          (app) => {
            app.get('/o/*', { config: { onTrackingNames: true } }, async () => 'pixel');
          },
        ],
        native: [],
        msndr: [],
      },
    });
    await api.call('PATCH', '/api/settings', { body: { tracking_host: track } });
    for (const path of [
      '/',
      '/api/settings',
      '/api/openapi.json',
      '/healthz',
      '/metrics',
      '/v1/email/messages',
      '/x',
    ]) {
      const { status, text } = await ask(api, path, `${track}:8080`);
      assert.deepEqual([status, text], [404, 'Not found\n'], path);
    }
    for (const sameName of [`${track}.`, `${track}.:443`, `user@${track}`, track.toUpperCase()]) {
      assert.equal((await ask(api, '/api/openapi.json', sameName)).status, 404, sameName);
    }
    assert.equal((await ask(api, `/certificate-names?domain=${track}`, track)).status, 404);
    assert.equal((await ask(api, '/api/messages', track.toUpperCase(), 'POST')).status, 404);
    assert.deepEqual(await ask(api, '/o/token', track), { status: 200, text: 'pixel' });
    assert.equal((await ask(api, '/o/token', 'whatever.example')).status, 200);
    assert.equal((await ask(api, '/api/settings', 'mail.example.net')).status, 200);
    assert.equal((await ask(api, '/api/settings', '127.0.0.1')).status, 200);

    const mayHave = async (domain: string) =>
      (await ask(api, `/certificate-names?domain=${domain}`, '127.0.0.1')).status;
    assert.deepEqual(
      [await mayHave(`${track}.`), await mayHave('Mail.example.net'), await mayHave('evil.example')],
      [200, 200, 404],
    );
    await api.call('PATCH', '/api/settings', { body: { tracking_host: null } });
    assert.equal(await mayHave(track), 404);
  });
});

describe('complaints', () => {
  test('by message or recipient tell once and suppress; of others’ mail nothing is told', async () => {
    await using api = await startApi();
    const { id } = await sent(api);
    const complain = (body: object, token = api.token) =>
      api.call('POST', '/api/complaints', { body, token });
    const told = await complain({ message_id: id, feedback_type: 'fraud' });
    assert.deepEqual([told.status, told.json.message_id, told.json.result], [200, id, 'told']);
    const [, event] = (await api.get(`/api/messages/${id}`)).json.events;
    assert.deepEqual([event.id, event.type], [told.json.event_id, 'complained']);
    assert.deepEqual(event.detail, { feedback_type: 'fraud', source: 'api' });
    assert.deepEqual((await complain({ recipient: 'ann@Example.org' })).json, {
      message_id: id,
      event_id: null,
      result: 'known',
    });
    assert.equal((await complain({ message_id: id }, await api.otherToken())).status, 404);
    const praise = await complain({ recipient: 'bob@example.org', feedback_type: 'not-spam' });
    assert.deepEqual([praise.status, praise.json.error.field], [422, 'feedback_type']);

    const unknown = await complain({ recipient: 'bob@example.org' });
    assert.equal(unknown.json.result, 'suppressed');
    const { suppressions } = (await api.get('/api/suppressions')).json;
    assert.deepEqual(
      suppressions.map(({ recipient, stream, reason }: Record<string, string>) => [
        recipient,
        stream,
        reason,
      ]),
      [
        ['bob@example.org', '*', 'complained'],
        ['ann@example.org', '*', 'complained'],
      ],
    );
    for (const body of [
      {},
      { message_id: id, recipient: 'a@b.org' },
      { recipient: 'nobody' },
      { message_id: 0 },
    ]) {
      assert.equal((await complain(body)).status, 422, JSON.stringify(body));
    }
  });
});
