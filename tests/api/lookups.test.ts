/** The native routes beside sending: finding messages, pulling events, suppressions, templates. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { deliverAll } from '../../src/store/conformance/fixtures.ts';
import { type ApiUnderTest, startApi } from './api-under-test.ts';

const send = (api: ApiUnderTest, changes: object) =>
  api.post('/api/messages', {
    from: 'shop@example.com',
    to: ['ann@example.org'],
    subject: 'Hello',
    text: 'x',
    ...changes,
  });

const ids = (list: readonly { id: number }[]) => list.map(({ id }) => id);

describe('messages', () => {
  test('are found by each filter, newest first, a page at a time', async () => {
    await using api = await startApi();
    await send(api, { tags: ['order'] });
    await api.clock.advance(3600_000);
    await send(api, { to: ['bob@example.org', 'ann@example.org'], subject: 'Your ORDER 42' });
    await send(api, { from: 'other@example.com', to: ['Иван@почта.example'] });
    const found = async (query: string) => ids((await api.get(`/api/messages?${query}`)).json.messages);
    assert.deepEqual(await found(''), [4, 3, 2, 1]);
    assert.deepEqual(await found('recipient=ann@EXAMPLE.org'), [3, 1]);
    assert.deepEqual(await found(`recipient=${encodeURIComponent('Иван@почта.example')}`), [4]);
    assert.deepEqual(await found('sender=other@example.com'), [4]);
    assert.deepEqual(await found('tag=order'), [1]);
    assert.deepEqual(await found('subject=order'), [3, 2]);
    assert.deepEqual(await found('state=queued&limit=1'), [4]);
    assert.deepEqual(await found('state=bounced'), []);
    assert.deepEqual(await found('from=2026-11-21T12:30:00Z'), [4, 3, 2]);
    assert.deepEqual(await found('to=2026-11-21T15:30:00%2B03:00'), [1]);

    const first = (await api.get('/api/messages?limit=3')).json;
    assert.deepEqual([ids(first.messages), first.next_cursor], [[4, 3, 2], 2]);
    const last = (await api.get('/api/messages?limit=3&cursor=2')).json;
    assert.deepEqual([ids(last.messages), last.next_cursor], [[1], null]);
  });

  test('one that is delivered while it is read is told as it was, or as it is', async () => {
    await using api = await startApi();
    const { log } = api.store;
    const ofMessage = log.ofMessage.bind(log);
    for (const place of ['before the events', 'after them']) {
      const { id } = (await send(api, {})).json.messages[0];
      let isTold = false;
      Object.assign(log, {
        ofMessage: async (accountId: number, messageId: number) => {
          const before = await ofMessage(accountId, messageId);
          if (!isTold) await deliverAll(api.store, api.clock.now());
          isTold = true;
          return place === 'after them' ? before : ofMessage(accountId, messageId);
        },
      });
      const { state, events, attempts } = (await api.get(`/api/messages/${id}`)).json;
      const types = events.map(({ type }: { type: string }) => type);
      assert.deepEqual(types, state === 'queued' ? ['accepted'] : ['accepted', 'delivered'], place);
      assert.equal(attempts.length, types.length - 1, place);
    }
  });

  test('a query that means nothing is refused by name', async () => {
    await using api = await startApi();
    for (const [query, field] of [
      ['state=lost', 'state'],
      ['from=yesterday', 'from'],
      ['to=2026-02-31', 'to'],
      ['limit=1000', 'limit'],
      ['cursor=x', 'cursor'],
      ['recipent=x', 'recipent'],
    ]) {
      const { json } = await api.get(`/api/messages?${query}`, 422);
      assert.equal(json.error.field, field, json.error.message);
    }
  });

  test('the source of a message whose body has gone is gone', async () => {
    await using api = await startApi();
    await send(api, {});
    const [claim] = await api.store.queue.claim({ nowMs: api.clock.now(), leaseMs: 1000, limit: 1 });
    assert.ok(claim);
    await api.store.queue.settle({
      messageId: 1,
      lease: claim.lease,
      atMs: api.clock.now(),
      outcome: 'skipped',
      detail: { reason: 'manual', stream: '*' },
    });
    const past = api.clock.now() + 1;
    const keep = { eventsBeforeMs: 0, statisticsBeforeMs: 0 };
    await api.store.retention.prune({ ...keep, bodiesBeforeMs: past, nowMs: past, limit: 10 });
    assert.equal((await api.get('/api/messages/1/source', 410)).json.error.code, 'body-gone');
    const { json } = await api.get('/v1/email/messages/1');
    assert.deepEqual([json.status, json.text, json.html, json.attachments], ['skipped', null, null, []]);
  });
});

describe('events', () => {
  test('are pulled after a cursor, by type, without missing or repeating any', async () => {
    await using api = await startApi();
    for (let count = 0; count < 3; count++) await send(api, { metadata: { count } });
    const visitor = { kind: 'human', confidence: 0.8, reason: 'a browser' } as const;
    const client = { userAgent: 'Mail/1', address: '192.0.2.1', visitor };
    await api.store.log.report({ type: 'opened', messageId: 2, atMs: api.clock.now(), ...client });
    const pulled: object[] = [];
    let after = 0;
    for (let atEnd = false; !atEnd; ) {
      const { json } = await api.get(`/api/events?limit=2&after=${after}`);
      pulled.push(...json.events.map(({ id, type }: { id: number; type: string }) => [id, type]));
      [after, atEnd] = [json.next_after, json.at_end];
    }
    assert.deepEqual(pulled, [
      [1, 'accepted'],
      [2, 'accepted'],
      [3, 'accepted'],
      [4, 'opened'],
    ]);
    const { json } = await api.get('/api/events?types=opened,clicked');
    assert.equal(json.next_after, 4);
    assert.deepEqual(json.events[0].detail, {
      user_agent: 'Mail/1',
      address: '192.0.2.1',
      first: true,
      visitor: 'human',
      confidence: 0.8,
      reason: 'a browser',
    });
    assert.deepEqual(json.events[0].metadata, { count: 1 });
    const other = await api.call('GET', '/api/events', { token: await api.otherToken() });
    assert.deepEqual(other.json, { events: [], next_after: 0, at_end: true });
    assert.equal((await api.get('/api/events?types=open', 422)).json.error.field, 'types');
  });
});

describe('suppressions', () => {
  test('are added, found by the beginning of an address, and removed', async () => {
    await using api = await startApi();
    const added = await api.post('/api/suppressions', { recipient: 'Ann@example.org' });
    assert.deepEqual(added.json, {
      id: 1,
      recipient: 'ann@example.org',
      stream: '*',
      reason: 'manual',
      event_id: null,
      created_at: '2026-11-21T12:00:00.000Z',
    });
    await api.post('/api/suppressions', { recipient: 'bob@example.org', stream: 'news' });
    assert.equal((await api.post('/api/suppressions', { recipient: 'ann@example.org' })).json.id, 1);
    const found = (await api.get('/api/suppressions?search=AN')).json;
    assert.deepEqual([ids(found.suppressions), found.next_cursor], [[1], null]);
    const remove = (path: string) => api.call('DELETE', `/api/suppressions/${path}`);
    assert.equal((await remove('bob@example.org?stream=other')).status, 404);
    // As curl does with a JSON Content-Type for every call.
    const headers = { 'content-type': 'application/json' };
    const removed = await api.call('DELETE', '/api/suppressions/bob%40example.org?stream=news', { headers });
    assert.equal(removed.status, 204);
    assert.deepEqual(ids((await api.get('/api/suppressions')).json.suppressions), [1]);
    const bad = await api.post('/api/suppressions', { recipient: 'nobody' }, 422);
    assert.equal(bad.json.error.code, 'address-invalid');
    assert.equal(
      (await api.post('/api/suppressions', { recipient: 'a@b.org', stream: 'A B' }, 422)).json.error.field,
      'stream',
    );
  });
});

describe('templates', () => {
  test('are made, changed in part, tried out and removed', async () => {
    await using api = await startApi();
    const made = await api.post('/api/templates', {
      name: 'order',
      subject: '{{ n }}',
      text: 'Hi {{ name }}',
    });
    assert.deepEqual(made.json, {
      id: 1,
      name: 'order',
      from_email: '',
      from_name: '',
      subject: '{{ n }}',
      html: null,
      text: 'Hi {{ name }}',
      missing_variables: 'error',
      list_unsubscribe: null,
      version: 1,
      created_at: '2026-11-21T12:00:00.000Z',
      updated_at: '2026-11-21T12:00:00.000Z',
    });
    const preview = await api.post('/api/templates/1/preview', { params: { n: 1, name: 'Ann' } }, 200);
    assert.deepEqual(preview.json, { subject: '1', html: null, text: 'Hi Ann' });
    await api.clock.advance(1000);
    const body = { html: '<p>{{ name }}</p>', text: null, missing_variables: 'empty' };
    const changed = await api.call('PATCH', '/api/templates/1', { body });
    assert.deepEqual(changed.json, {
      ...made.json,
      ...body,
      version: 2,
      updated_at: '2026-11-21T12:00:01.000Z',
    });
    const lenient = await api.post('/api/templates/1/preview', {}, 200);
    assert.deepEqual(lenient.json, { subject: '', html: '<p></p>', text: null });
    await api.post('/api/templates', { name: 'second', subject: 's', text: 'x' });
    assert.deepEqual(ids((await api.get('/api/templates?limit=1')).json.templates), [2]);
    assert.equal((await api.call('DELETE', '/api/templates/1')).status, 204);
    assert.equal((await api.call('DELETE', '/api/templates/1')).status, 404);
    assert.deepEqual(ids((await api.get('/api/templates')).json.templates), [2]);
  });

  test('what it was is listed, shown and taken back, by its own account alone', async () => {
    await using api = await startApi();
    await api.post('/api/templates', { name: 'order', subject: 'Order', html: '<p>on its way</p>' });
    await api.clock.advance(1000);
    const body = { name: 'orders', subject: 'Your order', html: '<p>left</p>', text: 'left' };
    await api.call('PATCH', '/api/templates/1', { body });
    const { versions } = (await api.get('/api/templates/1/versions')).json;
    const program = { author: '' };
    assert.deepEqual(versions, [
      { ...program, version: 2, saved_at: '2026-11-21T12:00:01.000Z', name: 'orders', subject: 'Your order' },
      { ...program, version: 1, saved_at: '2026-11-21T12:00:00.000Z', name: 'order', subject: 'Order' },
    ]);
    const first = (await api.get('/api/templates/1/versions/1')).json;
    assert.deepEqual([first.subject, first.html, first.text], ['Order', '<p>on its way</p>', null]);
    const restored = await api.post('/api/templates/1/versions/1/restore', {}, 200);
    const { version, name, subject, html, text } = restored.json;
    assert.deepEqual([version, name, subject, html, text], [3, 'orders', 'Order', '<p>on its way</p>', null]);
    assert.deepEqual((await api.get('/api/templates/1')).json, restored.json);

    await api.get('/api/templates/1/versions/9', 404);
    await api.get('/api/templates/2/versions', 404);
    const token = await api.otherToken();
    for (const [method, path] of [
      ['GET', ''],
      ['GET', '/1'],
      ['POST', '/1/restore'],
    ] as const) {
      const answer = await api.call(method, `/api/templates/1/versions${path}`, { token });
      assert.equal(answer.status, 404, `${method} ${path}`);
    }
  });

  test('what could never be sent is refused as it is written', async () => {
    await using api = await startApi();
    await api.post('/api/templates', { name: 'taken', subject: 's', text: 'x' });
    const good = { name: 'new', subject: 's', text: 'x' };
    const bad: readonly (readonly [object, number, string, string])[] = [
      [{ name: 'taken' }, 409, 'name-taken', 'name'],
      [{ text: undefined }, 422, 'body-missing', 'html'],
      [{ html: '{% if x %}' }, 422, 'template-invalid', 'html'],
      [{ text: '{{ x | nope }}' }, 422, 'template-invalid', 'text'],
      [{ subject: 'a\nb' }, 422, 'header-invalid', 'subject'],
      [{ from_email: 'shop' }, 422, 'address-invalid', 'from_email'],
      [{ missing_variables: 'ignore' }, 422, 'invalid', 'missing_variables'],
      [{ body: 'x' }, 422, 'invalid', 'body'],
      [{ text: 'x'.repeat(600_000) }, 422, 'invalid', 'text'],
    ];
    for (const [change, status, code, field] of bad) {
      const { json } = await api.post('/api/templates', { ...good, ...change }, status);
      assert.deepEqual([json.error.code, json.error.field], [code, field], json.error.message);
    }
    const emptied = await api.call('PATCH', '/api/templates/1', { body: { text: null } });
    assert.equal(emptied.status, 422);
    assert.equal((await api.get('/api/templates')).json.templates.length, 1);
  });

  test('one that runs away is stopped and told', async () => {
    await using api = await startApi();
    const text = '{% for i in (1..99999) %}{% for j in (1..99999) %}{% endfor %}{% endfor %}';
    await api.post('/api/templates', { name: 'loop', subject: 's', text });
    const { json } = await api.post('/api/templates/1/preview', {}, 422);
    assert.equal(json.error.code, 'template-failed');
    assert.match(json.error.message, /limit exceeded/);
  });
});
