/** The suppression list by API: as CSV both ways, what fills it by itself; and the reports that fill nothing. */
import assert from 'node:assert/strict';
import { Readable } from 'node:stream';
import { describe, test } from 'node:test';
import * as fc from 'fast-check';
import { csvLine, readCsv } from '../../src/api/csv.ts';
import { everyStream } from '../../src/store/contract/suppressions.ts';
import { type ApiUnderTest, startApi } from './api-under-test.ts';

const csv = { 'content-type': 'text/csv' };

async function imported(api: ApiUnderTest, body: string | Buffer, status = 200) {
  const answer = await api.call('POST', '/api/suppressions/csv', { headers: csv, body });
  assert.equal(answer.status, status, answer.text);
  return answer.json;
}

describe('CSV', () => {
  test('what is exported can be imported elsewhere, and means the same', async () => {
    await using api = await startApi();
    const { suppressions } = api.store;
    const { accountId } = api;
    const entries = Array.from({ length: 1234 }, (_, index) => ({
      recipient: `user${index}@example.org`,
      stream: 'news',
      reason: 'unsubscribed' as const,
      atMs: index * 1000,
    }));
    await suppressions.addAll({ accountId, entries });
    // A local part may hold what CSV is made of.
    const odd = {
      recipient: '"a,\\"b;c"@example.org',
      stream: everyStream,
      reason: 'complained' as const,
      atMs: 1,
    };
    await suppressions.add({ accountId, ...odd });
    const exported = await api.get('/api/suppressions/csv');
    assert.equal(exported.headers['content-type'], 'text/csv; charset=utf-8');
    const lines = exported.text.split('\r\n');
    assert.equal(lines[0], 'recipient,stream,reason,event_id,created_at');
    assert.equal(lines.length, 1 + 1235 + 1);

    const token = await api.otherToken();
    const call = (body: string) => api.call('POST', '/api/suppressions/csv', { headers: csv, body, token });
    assert.deepEqual((await call(exported.text)).json, { added: 1235, known: 0, refused: 0, refusals: [] });
    assert.deepEqual((await call(exported.text)).json, { added: 0, known: 1235, refused: 0, refusals: [] });
    const [other] = (await api.store.accounts.list()).slice(1);
    const [found] = await suppressions.find(other?.id ?? 0, odd.recipient);
    assert.partialDeepStrictEqual(found, { stream: '*', reason: 'complained', createdAtMs: 1 });
  });

  test('a list of another service is taken: other names, semicolons, a byte order mark, no header', async () => {
    await using api = await startApi();
    assert.partialDeepStrictEqual(
      await imported(
        api,
        '\uFEFFName;Email Address;Reason\n"Ann; B";Ann@Example.org;bounced\n\nBob;bob@example.org;\n',
      ),
      { added: 2, refused: 0 },
    );
    assert.partialDeepStrictEqual(await imported(api, 'eve@example.org'), { added: 1 });
    const { suppressions } = (await api.get('/api/suppressions')).json;
    assert.deepEqual(
      suppressions.map(
        (entry: { recipient: string; reason: string }) => `${entry.recipient} ${entry.reason}`,
      ),
      ['eve@example.org manual', 'bob@example.org manual', 'ann@example.org bounced'],
    );
    assert.equal((await api.get('/api/suppressions?reason=bounced&stream=*')).json.suppressions.length, 1);
    assert.equal((await api.get('/api/suppressions?stream=news')).json.suppressions.length, 0);
  });

  test('an address that a spreadsheet would calculate is exported as text, and comes back as it was', async () => {
    await using api = await startApi();
    const recipients = ["=cmd|'/c'!a0@example.org", '+tag@example.org', '-x@example.org', "'=x@example.org"];
    await imported(api, csvLine(['email']) + recipients.map((recipient) => csvLine([recipient])).join(''));
    const kept = await api.store.suppressions.list({ accountId: api.accountId, limit: 10 });
    assert.deepEqual(kept.map(({ recipient }) => recipient).toSorted(), recipients.toSorted());
    const exported = await api.get('/api/suppressions/csv');
    for (const line of exported.text.split('\r\n')) assert.doesNotMatch(line, /^"?[=+@-]/);
  });

  test('lines that say nothing are named and the others taken; of what is no CSV nothing is', async () => {
    await using api = await startApi();
    const answer = await imported(
      api,
      [
        'recipient,stream,reason,created_at',
        'ann@example.org,news,unsubscribed,2026-01-01',
        'nobody',
        'bob@example.org,A B',
        'bob@example.org,,dead',
        'bob@example.org,,,2099-01-01',
      ].join('\n'),
    );
    assert.deepEqual(
      [answer.added, answer.refused, answer.refusals.map(({ line }: { line: number }) => line)],
      [1, 4, [3, 4, 5, 6]],
    );
    for (const bad of [
      'recipient\nbob@example.org,"x',
      'recipient\nb"ob@example.org',
      'recipient\n"b"ob@example.org',
      'name\nx',
      Buffer.from([0xff, 0xfe]),
    ]) {
      assert.equal((await imported(api, bad, 422)).error.code, 'csv-malformed');
    }
    const json = await api.call('POST', '/api/suppressions/csv', { body: { recipient: 'bob@example.org' } });
    assert.equal(json.status, 415);
    await imported(api, `recipient\n${'x'.repeat(33 * 2 ** 20)}`, 422);
    assert.equal(
      (await imported(api, `recipient\n${'bob@example.org\n'.repeat(200_001)}`, 413)).error.code,
      'body-too-large',
    );
    assert.equal((await api.get('/api/suppressions')).json.suppressions.length, 1);
  });

  test('any fields come back as they were, however the text is cut', async () => {
    const field = fc.string().map((text) => text.trim().replaceAll('\r', '').replaceAll('\uFEFF', ''));
    const row = fc
      .array(field, { minLength: 2, maxLength: 5 })
      .filter((fields) => fields.some((one) => one !== ''));
    await fc.assert(
      fc.asyncProperty(
        fc.array(row, { minLength: 1, maxLength: 5 }),
        fc.integer({ min: 1, max: 20 }),
        async (rows, size) => {
          const text = rows.map((fields) => csvLine(fields)).join('');
          const pieces = Array.from({ length: Math.ceil(text.length / size) }, (_, index) =>
            text.slice(index * size, (index + 1) * size),
          );
          const read: (readonly string[])[] = [];
          for await (const { fields } of readCsv(Readable.from(pieces))) read.push(fields);
          assert.deepEqual(read, rows);
        },
      ),
    );
  });
});

test('what fills the list by itself is the account’s to say', async () => {
  await using api = await startApi();
  const path = '/api/suppressions/settings';
  assert.deepEqual((await api.get(path)).json, { bounces: true, complaints: true, unsubscribes: true });
  const changed = await api.call('PATCH', path, { body: { complaints: false } });
  assert.deepEqual(changed.json, { bounces: true, complaints: false, unsubscribes: true });
  assert.equal((await api.call('PATCH', path, { body: { other: true } })).status, 422);
  const { accountId } = api;
  const sent = await api.post('/api/messages', {
    from: 'a@example.com',
    to: ['ann@example.org'],
    subject: 's',
    text: 'x',
  });
  const report = { messageId: sent.json.id, atMs: api.clock.now() };
  await api.store.log.report({ ...report, type: 'complained', feedbackType: 'abuse', source: 'mail' });
  assert.deepEqual(await api.store.suppressions.find(accountId, 'ann@example.org'), []);
  await api.store.log.report({ ...report, type: 'unsubscribed', stream: 'default', how: 'mail' });
  assert.partialDeepStrictEqual((await api.get('/api/suppressions')).json.suppressions, [
    { recipient: 'ann@example.org', stream: 'default', reason: 'unsubscribed', event_id: 3 },
  ]);
});

test('reports are shown to the account they are about, and to the first one if they say nothing', async () => {
  await using api = await startApi();
  const token = await api.otherToken();
  const [, other] = await api.store.accounts.list();
  const facts = {
    atMs: api.clock.now(),
    messageId: undefined,
    kind: 'bounce' as const,
    action: 'failed',
    recipient: 'ann@example.org',
    feedbackType: '',
    code: '550',
    enhancedCode: '5.1.1',
    text: 'no such user',
    category: 'recipient-unknown',
    reporter: 'mailer-daemon@example.org',
    subject: 'Undelivered',
  };
  await api.store.reports.add({ ...facts, claimedAccountId: other?.id });
  await api.store.reports.add({ ...facts, claimedAccountId: undefined, kind: 'other' });
  const [unclaimed, ...more] = (await api.get('/api/reports?limit=1')).json.reports;
  assert.deepEqual(more, []);
  assert.partialDeepStrictEqual(unclaimed, { id: 2, kind: 'other', message_id: null, answer: null });
  const { json } = await api.call('GET', '/api/reports', { token });
  assert.partialDeepStrictEqual(json, {
    reports: [
      {
        id: 1,
        recipient: 'ann@example.org',
        answer: { code: '550', enhanced_code: '5.1.1', text: 'no such user' },
      },
    ],
    next_cursor: null,
  });
});
