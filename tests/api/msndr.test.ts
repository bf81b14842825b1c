/** The msndr-compatible API: exactly the shapes and statuses that the vendor's clients know. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import PostalMime from 'postal-mime';
import { type ApiUnderTest, limits, startApi } from './api-under-test.ts';

const simple = {
  from_email: 'alice@example.org',
  to: 'bob@example.org',
  subject: 'Hello',
  text: 'Hello, Bob!',
};

async function claimAndSettle(api: ApiUnderTest): Promise<void> {
  const nowMs = api.clock.now();
  for (const claim of await api.store.queue.claim({ nowMs, leaseMs: 60_000, limit: 10 })) {
    const { messageId, lease, attemptsMade } = claim;
    const answer = { code: '250', enhancedCode: '2.0.0', text: 'taken' };
    const host = { host: 'mx.example.org', address: '192.0.2.1' };
    await api.store.queue.settle({
      messageId,
      lease,
      atMs: nowMs,
      outcome: 'delivered',
      answer,
      detail: { attempt: 1, ...host },
      attempt: {
        number: attemptsMade + 1,
        startedAtMs: nowMs,
        durationMs: 3,
        outcome: 'delivered',
        ...host,
        sourceAddress: '192.0.2.9',
        tls: '',
        answer,
        category: '',
        dialogue: '> DATA',
      },
    });
  }
}

describe('sending by the msndr API', () => {
  test('answers the message in the order and shape of the vendor', async () => {
    await using api = await startApi();
    const { text } = await api.post('/v1/email/messages', {
      ...simple,
      from_name: 'Alice',
      html: '<h1>Hello, Bob!</h1>',
      payment: 'credit',
      smtp_headers: { 'Client-Id': 123 },
      not_known_here: { at: 'all' },
    });
    assert.equal(
      text,
      '{"id":1,"from_email":"alice@example.org","from_name":"Alice","to":"bob@example.org","subject":"Hello",' +
        '"text":"Hello, Bob!","html":"<h1>Hello, Bob!</h1>","attachments":[],"status":"queued",' +
        '"events":{"open":0,"redirect":{},"spam":0,"unsubscribe":0}}',
    );
    const mail = await PostalMime.parse((await api.get('/api/messages/1/source')).text);
    assert.equal(mail.headers.find(({ key }) => key === 'client-id')?.value, '123');
    assert.equal((await api.get('/v1/email/messages/1')).text, text);
  });

  test('tells what happened since', async () => {
    await using api = await startApi();
    await api.post('/v1/email/messages', { ...simple, html: '' });
    await claimAndSettle(api);
    const visitor = { kind: 'human', confidence: 0.8, reason: 'a browser' } as const;
    const client = { userAgent: 'x', address: '192.0.2.1', visitor };
    const who = ', by a person (80 % sure: a browser)';
    const at = { messageId: 1, atMs: api.clock.now() };
    await api.store.log.report({ ...at, type: 'opened', ...client });
    for (const url of ['http://foo.com', 'http://bar.com', 'http://bar.com']) {
      await api.store.log.report({ ...at, type: 'clicked', url, ...client });
    }
    await api.store.log.report({ ...at, type: 'unsubscribed', stream: 'default', how: 'page' });
    await api.store.log.report({ ...at, type: 'complained', feedbackType: 'abuse', source: 'mail' });
    const { json } = await api.get('/v1/email/messages/1');
    assert.equal(json.status, 'delivered');
    assert.deepEqual(json.events, {
      open: 1,
      redirect: { 'http://foo.com': 1, 'http://bar.com': 2 },
      spam: 1,
      unsubscribe: 1,
    });
    assert.deepEqual([json.text, json.html], ['Hello, Bob!', null]);
    const story = (await api.get('/api/messages/1')).json;
    assert.deepEqual(
      story.events.map(({ text }: { text: string }) => text),
      [
        'Taken in by HTTP and stored',
        'mx.example.org took it: 250 2.0.0 taken',
        `Opened for the first time${who}`,
        `A link was followed: http://foo.com${who}`,
        `A link was followed: http://bar.com${who}`,
        `A link was followed: http://bar.com${who}`,
        "The recipient unsubscribed from 'default'",
        'The recipient complained of it as spam',
      ],
    );
    assert.deepEqual(story.attempts[0].answer, { code: '250', enhanced_code: '2.0.0', text: 'taken' });
    assert.equal(story.attempts[0].dialogue, '> DATA');
  });

  test('takes multipart with files and headers', async () => {
    await using api = await startApi();
    const form = new FormData();
    for (const [name, value] of Object.entries(simple)) form.append(name, value);
    form.append('smtp_headers[Client-Id]', '123');
    form.append('attachments[]', new File(['one'], 'first.txt', { type: 'text/plain' }));
    form.append('attachments[]', new File([Buffer.alloc(3000, 7)], 'второй.bin'));
    const answer = await postForm(api, form);
    assert.equal(answer.status, 201, answer.text);
    assert.deepEqual(answer.json.attachments, ['first.txt', 'второй.bin']);
    const raw = (await api.get('/api/messages/1/source')).text;
    const mail = await PostalMime.parse(raw);
    assert.equal(mail.headers.find(({ key }) => key === 'client-id')?.value, '123');
    assert.deepEqual(
      mail.attachments.map(({ filename, mimeType }) => [filename, mimeType]),
      [
        ['first.txt', 'text/plain'],
        ['второй.bin', 'application/octet-stream'],
      ],
    );
    assert.deepEqual(Buffer.from(mail.attachments[1]?.content as ArrayBuffer), Buffer.alloc(3000, 7));
    assert.deepEqual((await api.get('/v1/email/messages/1')).json.attachments, ['first.txt', 'второй.bin']);
  });

  test('a form that is broken is refused as such, and is no fault of ours', async () => {
    await using api = await startApi();
    const part = '--B\r\nContent-Disposition: form-data; name="to"';
    const forms = {
      'no boundary given': ['multipart/form-data', `${part}\r\n\r\na@b.org\r\n--B--\r\n`],
      'no form': ['multipart/form-data; boundary=B', 'hello'],
      'no end of a field': ['multipart/form-data; boundary=B', `${part}\r\n\r\na@b.org\r\n`],
      'no end of a file': ['multipart/form-data; boundary=B', `${part}; filename="a"\r\n\r\nabc`],
    };
    for (const [what, [type = '', body = '']] of Object.entries(forms)) {
      const headers = { 'content-type': type };
      const answer = await api.call('POST', '/v1/email/messages', { headers, body });
      assert.deepEqual([answer.status, answer.json.errors[0].code], [400, 400], what);
    }
    assert.deepEqual(api.log, []);
  });

  test('JSON cannot smuggle attachments in, nor a form more than a body may hold', async () => {
    await using api = await startApi();
    const attachments = [{ filename: 'x', contentType: 'text/plain', content: 'x' }];
    assert.deepEqual(
      (await api.post('/v1/email/messages', { ...simple, attachments, uploads: attachments })).json
        .attachments,
      [],
    );
    const form = new FormData();
    for (const [name, value] of Object.entries(simple)) form.append(name, value);
    form.append('attachments[]', new File([Buffer.alloc(limits.messageBytes * 2 + 2 ** 20)], 'big'));
    const answer = await postForm(api, form);
    assert.equal(answer.status, 413);
    assert.equal(answer.json.errors[0].code, 413);
    assert.equal(await api.store.queue.depth(), 1);
  });

  test('sends by template, with the sender of the call or of the template', async () => {
    await using api = await startApi();
    const { id } = (
      await api.post('/api/templates', { name: 'order', subject: 'Order {{ n }}', html: '<p>{{ n }}</p>' })
    ).json;
    const path = `/v1/email/templates/${id}/messages`;
    const sent = await api.post(path, {
      to: 'bob@example.org',
      from_email: 'a@example.org',
      params: { n: 7 },
    });
    assert.deepEqual(
      [sent.json.id, sent.json.subject, sent.json.html, sent.json.text, sent.json.from_name],
      [1, 'Order 7', '<p>7</p>', null, ''],
    );
    const refused = await api.post(path, { to: 'bob@example.org', params: { n: 7 } }, 422);
    assert.deepEqual(refused.json, {
      errors: [{ code: 422, detail: 'from_email: The message has no sender' }],
    });
    const missing = await api.post(path, { to: 'bob@example.org', from_email: 'a@example.org' }, 422);
    assert.match(missing.json.errors[0].detail, /undefined variable: n/);
    await api.call('PATCH', `/api/templates/${id}`, { body: { from_email: 'shop@example.com' } });
    assert.equal(
      (await api.post(path, { to: 'bob@example.org', params: { n: 7 } })).json.from_email,
      'shop@example.com',
    );
    const unknown = await api.post('/v1/email/templates/99/messages', { to: 'b@example.org' }, 404);
    assert.equal(unknown.json.errors[0].code, 404);
  });
});

async function postForm(api: ApiUnderTest, form: FormData) {
  const encoded = new Response(form);
  return api.call('POST', '/v1/email/messages', {
    headers: { 'content-type': encoded.headers.get('content-type') ?? '' },
    body: Buffer.from(await encoded.arrayBuffer()),
  });
}

describe('the msndr API', () => {
  test('refuses in its own envelope', async () => {
    await using api = await startApi();
    const bad: readonly (readonly [object, number, RegExp])[] = [
      [{ to: undefined }, 422, /'to' is missing/],
      [
        { to: 'a@example.org,b@example.org' },
        422,
        /^to: "a@example.org,b@example.org" is not a mail address/,
      ],
      [{ to: ['a@example.org'] }, 422, /'to' must be string/],
      [{ from_email: 'alice' }, 422, /from_email: "alice"/],
      [{ text: '' }, 422, /neither text nor html/],
      [{ subject: 'a\nb' }, 422, /subject/],
      [{ smtp_headers: { 'X-A': 'a\r\nb' } }, 422, /smtp_headers\.X-A/],
    ];
    for (const [change, status, detail] of bad) {
      const { json } = await api.post('/v1/email/messages', { ...simple, ...change }, status);
      assert.deepEqual(Object.keys(json), ['errors']);
      assert.equal(json.errors[0].code, status);
      assert.match(json.errors[0].detail, detail);
    }
    const calls = [
      await api.call('GET', '/v1/email/messages/77'),
      await api.call('GET', '/v1/nothing'),
      await api.call('PUT', '/v1/email/messages'),
      await api.call('GET', '/v1/email/messages', { token: 'wrong' }),
      await api.call('POST', '/v1/email/messages', {
        body: '{',
        headers: { 'content-type': 'application/json' },
      }),
      await api.call('POST', '/v1/email/messages', { body: 'x', headers: { 'content-type': 'text/xml' } }),
    ];
    assert.deepEqual(
      calls.map(({ status, json }) => [status, json.errors[0].code]),
      [404, 404, 405, 401, 400, 415].map((status) => [status, status]),
    );
    assert.equal(await api.store.queue.depth(), 0);
  });

  test('collections go by page number, a hundred at most', async () => {
    await using api = await startApi();
    for (let count = 0; count < 5; count++) await api.post('/v1/email/messages', simple);
    const { json } = await api.get('/v1/email/messages?page_number=2&page_size=2');
    assert.deepEqual(
      { ...json, collection: json.collection.map(({ id }: { id: number }) => id) },
      { total_count: 5, total_pages: 3, page_number: 2, page_size: 2, collection: [3, 2] },
    );
    const beyond = (await api.get('/v1/email/messages?page_number=9')).json;
    assert.deepEqual([beyond.page_size, beyond.collection], [100, []]);
    const large = await api.get('/v1/email/messages?page_size=101', 412);
    assert.equal(large.text, '{"errors":[{"code":412,"detail":"Page size is too big. Max value is 100"}]}');
    const other = await api.call('GET', '/v1/email/messages', { token: await api.otherToken() });
    assert.equal(other.json.total_count, 0);
  });

  test('a GET with a Content-Type and a body is a GET', async () => {
    await using api = await startApi();
    const headers = { 'content-type': 'application/json' };
    assert.equal((await api.call('GET', '/v1/email/messages', { headers })).status, 200);
    assert.equal((await api.call('GET', '/v1/email/messages', { headers, body: '{"a":1}' })).status, 200);
  });
});
