/** The whole service and its command line, with mail that comes back: who is written to again, what is listed, what is inspected. */
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { test } from 'node:test';
import { RawClient } from '../smtp/raw-client.ts';
import { runProgram } from '../support/program.ts';
import { type TestAccount, TestService } from '../support/service.ts';
import { until } from '../support/until.ts';

interface Story {
  readonly state: string;
  readonly events: readonly {
    readonly type: string;
    readonly detail: Readonly<Record<string, unknown>>;
  }[];
}

async function sent(
  service: TestService,
  account: TestAccount,
  local: string,
  more: object = {},
): Promise<number> {
  const body = {
    from: 'shop@example.com',
    to: [`${local}@simulator.test`],
    subject: 's',
    text: 'x',
    ...more,
  };
  return (await service.call<{ id: number }>(account, 'POST', '/api/messages', body)).id;
}

const story = (service: TestService, account: TestAccount, id: number, type: string) =>
  until(
    () => service.call<Story>(account, 'GET', `/api/messages/${id}`),
    ({ events }) => events.some((event) => event.type === type),
  );

test('who bounced, complained or left is skipped with the reason; essential mail passes those who left alone', async () => {
  await using service = await TestService.start();
  const account = await service.createAccount('acme');
  for (const [local, type, reason] of [
    ['hard-bounced', 'bounced', 'bounced'],
    ['late-bounced', 'bounced', 'bounced'],
    ['complained', 'complained', 'complained'],
    ['unsubscribed', 'unsubscribed', 'unsubscribed'],
  ] as const) {
    const first = await story(service, account, await sent(service, account, local), type);
    if (type === 'bounced') {
      const { detail } = first.events.find((event) => event.type === type) ?? {};
      assert.deepEqual(
        [detail?.['late'], detail?.['category']],
        [local === 'late-bounced', 'recipient-unknown'],
      );
    }
    const { state, events } = await story(service, account, await sent(service, account, local), 'skipped');
    assert.equal(state, 'skipped');
    assert.equal(events.at(-1)?.detail['reason'], reason);
    const essential = await sent(service, account, local, { essential: true });
    await story(service, account, essential, reason === 'unsubscribed' ? 'delivered' : 'skipped');
  }
  await sent(service, account, 'unsubscribed', { stream: 'receipts' });
  const csv = await fetch(`${service.url}/api/suppressions/csv`, {
    headers: { authorization: `Bearer ${account.token}` },
  });
  assert.match(
    await csv.text(),
    /^recipient,stream,reason,event_id,created_at\r\n(?:\S+@simulator\.test,(?:\*|default),\w+,\d+,\S+Z\r\n){4,5}$/,
  );
});

test('a report without a token is listed for the operator, and a token in the quoted mail speaks for its message', async () => {
  await using service = await TestService.start({ AFTERSEND_HOSTNAME: 'mail.example.com' });
  const account = await service.createAccount('acme');
  const send = async (quoted: string) => {
    using client = await RawClient.connect(service.inboundPort);
    await client.reply();
    await client.ask('EHLO mx.example.org');
    await client.ask('MAIL FROM:<>');
    assert.match(await client.ask('RCPT TO:<bounces@mail.example.com>'), /^250 /);
    await client.ask('DATA');
    const words = [
      'From: MAILER-DAEMON@mx.example.org',
      'Subject: failure notice',
      '',
      '<ann@example.org>:',
      '550 5.1.1 no such user',
      '',
    ];
    const lines = [...words, '--- Below this line is a copy of the message.', '', quoted, '.'];
    assert.match(await client.ask(lines.join('\r\n')), /^250 /);
  };
  await send('Subject: s');
  const listed = await service.command<readonly object[]>('report', 'list');
  assert.partialDeepStrictEqual(listed, [
    { kind: 'bounce', recipient: 'ann@example.org', message_id: null, category: 'recipient-unknown' },
  ]);

  const id = await sent(service, account, 'delivered');
  const { attempts } = await until(
    () => service.call<{ attempts: readonly object[] }>(account, 'GET', `/api/messages/${id}`),
    (message) => message.attempts.length > 0,
  );
  const [returnPath = ''] = /bounce-[a-z2-7]+@mail\.example\.com/i.exec(JSON.stringify(attempts)) ?? [];
  await send(`Return-Path: <${returnPath}>`);
  const { state } = await story(service, account, id, 'bounced');
  assert.equal(state, 'bounced');
});

test('aftersend inspect says what it makes of mail and of answers, a JSON line each', async () => {
  const main = join(import.meta.dirname, '../../src/main.ts');
  const mails = join(import.meta.dirname, '../data/bounces/mail');
  const inspect = (...words: string[]) => runProgram(process.execPath, [main, 'inspect', ...words]);
  const files = ['lhost-opensmtpd-17', 'arf-15', 'rfc3834-01'].map((name) => join(mails, `${name}.eml`));
  const read = await inspect('mail', ...files, 'no-such-file');
  assert.equal(read.code, 1);
  assert.match(read.stderr, /no-such-file/);
  const row = { status: '', reply: '', category: '', hard: false, feedback: '' };
  assert.deepEqual(
    read.stdout
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line) as unknown),
    [
      {
        file: files[0],
        kind: 'bounce',
        recipients: [
          {
            ...row,
            recipient: 'userunknown@libsisimai.net',
            status: '5.1.1',
            reply: '550',
            category: 'recipient-unknown',
            hard: true,
          },
          {
            ...row,
            recipient: 'mailboxfull@libsisimai.net',
            status: '5.2.2',
            reply: '552',
            category: 'mailbox-full',
          },
        ],
      },
      { file: files[1], kind: 'complaint', recipients: [{ ...row, recipient: '', feedback: 'abuse' }] },
      { file: files[2], kind: 'auto-reply', recipients: [{ ...row, recipient: 'kijitora@example.net' }] },
    ],
  );
  const reply = await inspect('reply', '550 5.1.1 No such user');
  assert.deepEqual(JSON.parse(reply.stdout), {
    status: '5.1.1',
    reply: '550',
    category: 'recipient-unknown',
    hard: true,
    text: 'No such user',
  });
  assert.equal((await inspect('reply')).code, 2);
});
