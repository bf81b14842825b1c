/** A message's content as people look at it: in parts, as a page that can do nothing, and once more as a new message. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { startApi } from './api-under-test.ts';

const mail = {
  from: 'Shop <shop@example.com>',
  to: ['ann@example.org'],
  subject: 'Заказ 42',
  text: 'Заказ',
  html: '<p>Заказ</p><img src="cid:logo"><script>alert(1)</script>',
  tags: ['order'],
  metadata: { order: 42 },
  attachments: [
    { filename: 'logo.png', content: 'iVBORw0KGgo=', content_type: 'image/png', content_id: 'logo' },
    { filename: 'чек.txt', content: 'aGVsbG8=' },
  ],
};

test('content is read into parts; pictures that came along are in the HTML', async () => {
  await using api = await startApi();
  await api.post('/api/messages', mail);
  const { json } = await api.get('/api/messages/1/content');
  assert.equal(json.text.trim(), 'Заказ');
  assert.deepEqual(
    json.attachments.map(({ filename, size_bytes }: Record<string, unknown>) => [filename, size_bytes]),
    [
      ['logo.png', 8],
      ['чек.txt', 5],
    ],
  );
  assert.ok(json.headers.some(({ name }: { name: string }) => name === 'Message-ID'));
  const { text } = await api.get('/api/messages/1/html');
  assert.match(text, /<img src="data:image\/png;base64,iVBORw0KGgo=">/);
});

test('the HTML is a document without an origin, that runs and loads nothing, however it is opened', async () => {
  await using api = await startApi();
  await api.post('/api/messages', mail);
  const { headers } = await api.get('/api/messages/1/html');
  const policy = String(headers['content-security-policy']).split('; ');
  assert.match(policy[0] ?? '', /^sandbox(?!.*allow-(scripts|same-origin))/);
  assert.ok(policy.includes("default-src 'none'") && policy.includes('img-src data:'));
  assert.ok(policy.includes("form-action 'none'") && policy.includes("frame-ancestors 'self'"));
  assert.equal(headers['x-content-type-options'], 'nosniff');
});

test('a template is shown as such a page too, with its parameters', async () => {
  await using api = await startApi();
  await api.post('/api/templates', { name: 't', subject: 's', html: '<p>Hi {{ name }}</p>' });
  const params = encodeURIComponent('{"name":"<b>Ann</b>"}');
  const page = await api.get(`/api/templates/1/page?params=${params}`);
  assert.match(page.text, /<p>Hi &lt;b&gt;Ann&lt;\/b&gt;<\/p>/);
  assert.match(String(page.headers['content-security-policy']), /^sandbox /);
  assert.equal((await api.get('/api/templates/1/page?params=[', 422)).json.error.field, 'params');
});

test('a message sent again is a new one with the same content and an identity of its own', async () => {
  await using api = await startApi();
  await api.post('/api/messages', mail);
  const { id } = (await api.post('/api/messages/1/send-again', {})).json;
  assert.equal(id, 2);
  const [first, second] = [(await api.get('/api/messages/1')).json, (await api.get('/api/messages/2')).json];
  assert.notEqual(first.internet_message_id, second.internet_message_id);
  for (const field of ['recipient', 'sender', 'subject', 'tags', 'metadata', 'track', 'stream']) {
    assert.deepEqual(second[field], first[field], field);
  }
  const body = async (n: number) =>
    (await api.get(`/api/messages/${n}/source`)).text.split('\r\n\r\n').slice(1);
  assert.deepEqual(await body(2), await body(1));
  assert.equal(api.wakes(), 2);
  const other = { token: await api.otherToken() };
  for (const [method, path] of [
    ['GET', '/api/messages/1/content'],
    ['GET', '/api/messages/1/html'],
    ['POST', '/api/messages/1/send-again'],
  ] as const) {
    assert.equal((await api.call(method, path, other)).status, 404, path);
  }
});
