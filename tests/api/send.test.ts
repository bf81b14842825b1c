/** `POST /api/messages` by real HTTP on a real store: what it takes, what it refuses, and that refusing leaves nothing. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import PostalMime from 'postal-mime';
import { type ApiUnderTest, limits, startApi } from './api-under-test.ts';

const simple = { from: 'shop@example.com', to: ['ann@example.org'], subject: 'Hello', text: 'Hello, Ann' };

async function storedMail(api: ApiUnderTest, id: number) {
  return PostalMime.parse((await api.get(`/api/messages/${id}/source`)).text);
}

describe('sending by the native API', () => {
  test('everything a message can say comes out in the mail and in its story', async () => {
    await using api = await startApi();
    const { json } = await api.post('/api/messages', {
      from: 'Магазин <shop@example.com>',
      to: ['Ann <ann@example.org>', 'bob@example.org'],
      cc: ['cy@example.org'],
      bcc: ['dora@example.org', 'ANN@example.org'],
      reply_to: ['help@example.com'],
      subject: 'Заказ 42',
      text: 'Привет',
      html: '<p>Привет <img src="cid:logo"></p>',
      headers: { 'X-Order': '42' },
      attachments: [
        { filename: 'счёт.txt', content: Buffer.from('bill').toString('base64') },
        { filename: 'logo.png', content: 'iVBORw0KGgo=', content_type: 'image/png', content_id: 'logo' },
      ],
      tags: ['order', 'order', 'shop'],
      metadata: { order: 42, nested: { name: 'Ж' } },
      stream: 'receipts',
      essential: true,
      track: { opens: false },
      list_unsubscribe: true,
    });
    assert.deepEqual(json, {
      id: 1,
      messages: [
        { id: 1, recipient: 'ann@example.org' },
        { id: 2, recipient: 'bob@example.org' },
        { id: 3, recipient: 'cy@example.org' },
        { id: 4, recipient: 'dora@example.org' },
      ],
    });
    assert.equal(api.wakes(), 1);

    const mail = await storedMail(api, 4);
    assert.deepEqual(mail.from, { address: 'shop@example.com', name: 'Магазин' });
    assert.deepEqual(
      mail.to?.map(({ address }) => address),
      ['ann@example.org', 'bob@example.org'],
    );
    assert.equal(mail.subject, 'Заказ 42');
    assert.equal(mail.bcc, undefined);
    assert.equal(mail.replyTo?.[0]?.address, 'help@example.com');
    assert.equal(mail.headers.find(({ key }) => key === 'x-order')?.value, '42');
    assert.deepEqual(
      mail.attachments.map(({ filename, contentId }) => [filename, contentId]),
      [
        ['logo.png', '<logo>'],
        ['счёт.txt', undefined],
      ],
    );

    const story = (await api.get('/api/messages/4')).json;
    assert.equal(story.role, 'bcc');
    assert.equal(story.state, 'queued');
    assert.equal(story.sender_name, 'Магазин');
    assert.equal(story.subject, 'Заказ 42');
    assert.deepEqual(story.tags, ['order', 'shop']);
    assert.deepEqual(story.metadata, { order: 42, nested: { name: 'Ж' } });
    assert.deepEqual(story.track, { opens: false, clicks: true, text: false });
    assert.deepEqual([story.stream, story.essential, story.list_unsubscribe], ['receipts', true, true]);
    assert.match(story.internet_message_id, /^<[0-9a-f]{32}@mail\.example\.net>$/);
    assert.equal(story.events.length, 1);
    assert.equal(story.events[0].type, 'accepted');
    assert.equal(story.events[0].text, 'Taken in by HTTP and stored');
    assert.deepEqual(story.events[0].metadata, { order: 42, nested: { name: 'Ж' } });
  });

  test('a template gives what the call leaves out', async () => {
    await using api = await startApi();
    const template = await api.post('/api/templates', {
      name: 'order',
      from_email: 'shop@example.com',
      from_name: 'Shop',
      subject: 'Order {{ number }}',
      html: '<p>{{ name }}</p>',
    });
    const params = { number: 42, name: '<Ann>' };
    const to = ['ann@example.org'];
    const byName = await api.post('/api/messages', { to, template: { name: 'order', params } });
    const first = await storedMail(api, byName.json.id);
    assert.deepEqual(first.from, { address: 'shop@example.com', name: 'Shop' });
    assert.equal(first.subject, 'Order 42');
    assert.equal(first.html?.trim(), '<p>&lt;Ann&gt;</p>');
    const { id } = template.json;
    const own = { from: 'ann@example.com', subject: 'Re: {{ number }}' };
    const byId = await api.post('/api/messages', { ...own, to, template: { id, params } });
    const second = await storedMail(api, byId.json.id);
    assert.equal(second.from?.address, 'ann@example.com');
    assert.equal(second.subject, 'Re: 42');
    const made = (await api.get(`/api/messages/${byId.json.id}`)).json;
    assert.deepEqual([made.template_id, made.template_version], [id, 1]);

    const missing = await api.post('/api/messages', { to, template: { id, params: { number: 1 } } }, 422);
    assert.equal(missing.json.error.code, 'template-variable-missing');
    assert.match(missing.json.error.message, /name/);
    const unknown = await api.post('/api/messages', { to, template: { id: 99 } }, 404);
    assert.equal(unknown.json.error.code, 'template-unknown');
    assert.equal(await api.store.queue.depth(), 2);
  });
});

describe('an idempotency key', () => {
  const headers = { 'idempotency-key': 'order-42' };
  const send = (api: ApiUnderTest, body: object = simple) =>
    api.call('POST', '/api/messages', { body, headers });

  test('of calls at the same moment one sends, and all have its answer', async () => {
    await using api = await startApi();
    const answers = await Promise.all(Array.from({ length: 8 }, () => send(api)));
    assert.deepEqual(
      answers.map(({ status, json }) => [status, json]),
      answers.map(() => [201, { id: 1, messages: [{ id: 1, recipient: 'ann@example.org' }] }]),
    );
    const replayed = answers.filter((answer) => answer.headers['idempotent-replayed'] === 'true');
    assert.equal(replayed.length, 7);
    assert.equal(await api.store.queue.depth(), 1);
    assert.equal(api.wakes(), 1);
  });

  test('with another body it is refused; another account and another day know nothing of it', async () => {
    await using api = await startApi();
    assert.equal((await send(api)).status, 201);
    const conflict = await send(api, { ...simple, subject: 'Another' });
    assert.equal(conflict.status, 409);
    assert.equal(conflict.json.error.code, 'idempotency-conflict');
    const token = await api.otherToken();
    const elsewhere = await api.call('POST', '/api/messages', { body: simple, headers, token });
    assert.equal(elsewhere.json.id, 2);
    await api.clock.advance(24 * 3600 * 1000);
    assert.equal((await send(api, { ...simple, subject: 'Another' })).json.id, 3);
  });

  test('is answered again also when its template has gone since', async () => {
    await using api = await startApi();
    const made = await api.post('/api/templates', { name: 't', subject: 's', text: 'x' });
    const body = { from: 'shop@example.com', to: ['ann@example.org'], template: { name: 't' } };
    const first = await send(api, body);
    await api.call('DELETE', `/api/templates/${made.json.id}`);
    const again = await send(api, body);
    assert.equal(again.status, 201, again.text);
    assert.deepEqual(again.json, first.json);
    assert.equal(again.headers['idempotent-replayed'], 'true');
  });

  test('has a bound', async () => {
    await using api = await startApi();
    const answer = await api.call('POST', '/api/messages', {
      body: simple,
      headers: { 'idempotency-key': 'x'.repeat(256) },
    });
    assert.equal(answer.status, 422);
    assert.equal(answer.json.error.field, 'idempotency-key');
  });
});

describe('bad input', () => {
  const bad: readonly (readonly [
    name: string,
    change: object,
    status: number,
    code: string,
    field: string,
  ])[] = [
    ['an unknown field', { subjct: 'x' }, 422, 'invalid', 'subjct'],
    ['an unknown field inside', { track: { open: true } }, 422, 'invalid', 'track.open'],
    ['a wrong type', { to: 'ann@example.org' }, 422, 'invalid', 'to'],
    ['a wrong type inside', { to: ['ann@example.org', 5] }, 422, 'invalid', 'to[1]'],
    ['no sender', { from: undefined }, 422, 'from-missing', 'from'],
    ['no subject', { subject: undefined }, 422, 'invalid', 'subject'],
    ['no body', { text: undefined }, 422, 'body-missing', 'text'],
    ['no recipient', { to: [] }, 422, 'recipients-missing', 'to'],
    ['a bad sender', { from: 'shop@' }, 422, 'address-invalid', 'from'],
    ['a bad recipient', { to: ['ann@example.org', 'bob@@x'] }, 422, 'address-invalid', 'to[1]'],
    ['two recipients in one', { bcc: ['a@example.org, b@example.org'] }, 422, 'address-invalid', 'bcc[0]'],
    ['a bad reply-to', { reply_to: ['nobody'] }, 422, 'address-invalid', 'reply_to[0]'],
    [
      'too many recipients',
      { to: Array.from({ length: limits.recipients + 1 }, (_, n) => `n${n}@example.org`) },
      422,
      'recipients-too-many',
      'recipients',
    ],
    ['a line break in the subject', { subject: 'a\r\nBcc: x@example.org' }, 422, 'header-invalid', 'subject'],
    ['a NUL in a header', { headers: { 'X-A': 'a\0b' } }, 422, 'header-invalid', 'headers.X-A'],
    ['a line break in a header', { headers: { 'X-A': 'a\nb' } }, 422, 'header-invalid', 'headers.X-A'],
    ['a line break in a header name', { headers: { 'X-A: b\r\nX': 'a' } }, 422, 'header-invalid', ''],
    ['a header that is ours', { headers: { 'DKIM-Signature': 'x' } }, 422, 'header-invalid', ''],
    ['a line break in a name', { from: 'A\r\nBcc: x@y.org <a@b.org>' }, 422, 'header-invalid', 'from'],
    ['a line break in an address', { to: ['a@b.org\r\nRCPT TO:<x@y.org>'] }, 422, 'header-invalid', 'to[0]'],
    [
      'a line break in a file name',
      { attachments: [{ filename: 'a\r\nb', content: '' }] },
      422,
      'header-invalid',
      'attachments[0].filename',
    ],
    [
      'an attachment that is no base64',
      { attachments: [{ filename: 'a', content: 'a*b=' }] },
      422,
      'invalid',
      'attachments[0].content',
    ],
    ['a tag too long', { tags: ['x'.repeat(65)] }, 422, 'options-invalid', 'tags[0]'],
    ['too many tags', { tags: 'abcdefghijk'.split('') }, 422, 'options-invalid', 'tags'],
    ['too much metadata', { metadata: { a: 'x'.repeat(2048) } }, 422, 'options-invalid', 'metadata'],
    ['a bad stream', { stream: 'Big News' }, 422, 'options-invalid', 'stream'],
    ['a template beside a text', { template: { id: 1 } }, 422, 'invalid', 'template'],
    ['an unknown template', { text: undefined, template: { name: 'x' } }, 404, 'template-unknown', ''],
    ['a message too large', { text: 'x\n'.repeat(limits.messageBytes / 2) }, 413, 'message-too-large', ''],
  ];

  test('is refused by name, and leaves nothing behind', async (t) => {
    await using api = await startApi();
    for (const [name, change, status, code, field] of bad) {
      await t.test(name, async () => {
        const { json } = await api.post('/api/messages', { ...simple, ...change }, status);
        assert.equal(json.error.code, code, json.error.message);
        if (field !== '') assert.equal(json.error.field, field);
        assert.ok(json.error.message.length > 10);
      });
    }
    assert.equal(await api.store.queue.depth(), 0);
    assert.equal(await api.store.log.lastId(api.accountId), 0);
    assert.equal(api.wakes(), 0);
    assert.deepEqual(api.log, []);
  });

  test('bodies: malformed, of another type, too large, missing', async () => {
    await using api = await startApi();
    const post = (body: string | Buffer, type = 'application/json') =>
      api.call('POST', '/api/messages', { body, headers: { 'content-type': type } });
    const outcomes = [
      [await post('{"from":'), 400, 'json-malformed'],
      [await post('{"__proto__":{"a":1}}'), 400, 'json-malformed'],
      [await post(Buffer.from('{"subject":"\xcf\xf0"}', 'latin1')), 400, 'json-malformed'],
      [await post('a=b', 'application/x-www-form-urlencoded'), 415, 'media-type-unsupported'],
      [await post('hello', 'text/plain'), 415, 'media-type-unsupported'],
      [await post(''), 422, 'invalid'],
      [await post('[]'), 422, 'invalid'],
      [await post(`{"text":"${'x'.repeat(2_000_000)}"}`), 413, 'body-too-large'],
    ] as const;
    for (const [{ status, json }, expected, code] of outcomes) {
      assert.deepEqual([status, json.error.code], [expected, code]);
    }
    assert.equal(await api.store.queue.depth(), 0);
  });
});
