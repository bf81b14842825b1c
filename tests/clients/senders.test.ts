/** Mail in by programs that nobody here wrote: nodemailer, swaks, curl. Each message's own `delivered` has to come back. */
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { createTransport } from 'nodemailer';
import { machineHas, peerOrSkip } from '../support/peers.ts';
import { runProgram } from '../support/program.ts';
import { TestReceiver } from '../support/receiver.ts';
import { type TestAccount, TestService } from '../support/service.ts';

const open = new AsyncDisposableStack();
let service: TestService;
let receiver: TestReceiver;
let account: TestAccount;

before(async () => {
  receiver = open.use(await TestReceiver.start());
  service = open.use(await TestService.start({ AFTERSEND_WEBHOOK_ALLOW: '127.0.0.0/8' }));
  account = await service.createAccount('acme');
  await service.call(account, 'POST', '/v1/email/webhook', { url: `${receiver.url}/events` });
});

after(() => open.disposeAsync());

/** The msndr webhook's request that tells of it. */
async function deliveredIsTold(messageId: number): Promise<void> {
  assert.ok(messageId > 0, 'the answer names the message');
  const start = `{"message":{"id":${messageId}},"event":{"name":"delivered","timestamp":`;
  const { body } = await receiver.request((request) => request.body.startsWith(start));
  assert.match(body, /"timestamp":\d{10},"data":\{\}\}\}$/);
}

test('nodemailer sends by STARTTLS and AUTH, to several recipients at once', async () => {
  const transport = createTransport({
    host: '127.0.0.1',
    port: service.submissionPort,
    requireTLS: true,
    auth: { user: account.smtp.username, pass: account.smtp.password },
    tls: { rejectUnauthorized: false },
  });
  const { response } = await transport.sendMail({
    from: 'Shop <shop@example.com>',
    to: ['delivered@simulator.test', 'delivered+two@simulator.test'],
    subject: 'Ваш заказ',
    html: '<p>Спасибо</p>',
    attachments: [{ filename: 'чек.txt', content: 'один' }],
  });
  const [, first, last] = /^250 2\.0\.0 queued as (\d+)-(\d+)$/.exec(response) ?? [];
  assert.equal(Number(last), Number(first) + 1);
  await deliveredIsTold(Number(first));
  await deliveredIsTold(Number(last));
});

test('swaks sends by STARTTLS and AUTH, and is refused with a wrong password', async (context) => {
  const swaks = peerOrSkip(context, 'swaks');
  if (swaks === undefined) return;
  const send = (password: string) =>
    runProgram(
      swaks.command,
      [
        ...['--server', '127.0.0.1', '--port', String(service.submissionPort), '--tls', '--auth', 'PLAIN'],
        ...['--auth-user', account.smtp.username, '--auth-password', password],
        ...['--from', 'shop@example.com', '--to', 'delivered@simulator.test'],
        ...['--no-hints', '--helo', 'client.example.com'],
      ],
      { env: swaks.env },
    );
  const refused = await send('wrong');
  assert.equal(refused.code, 28, refused.stdout + refused.stderr);
  const sent = await send(account.smtp.password);
  assert.equal(sent.code, 0, sent.stdout + sent.stderr);
  await deliveredIsTold(Number(/250 2\.0\.0 queued as (\d+)/.exec(sent.stdout)?.[1]));
});

test('curl sends by the msndr API and by SMTP', async (context) => {
  if (!machineHas(context, 'curl')) return;
  const http = await runProgram('curl', [
    ...['-sS', '-X', 'POST', `${service.url}/v1/email/messages`, '-H', 'Content-Type: application/json'],
    ...['-H', `Authorization: Bearer ${account.token}`, '-d'],
    '{"from_email":"shop@example.com","to":"delivered@simulator.test","subject":"Hello","text":"Hello"}',
  ]);
  const message = JSON.parse(http.stdout) as { id: number; status: string };
  assert.equal(message.status, 'queued', http.stdout);
  await deliveredIsTold(message.id);

  const smtp = await runProgram(
    'curl',
    [
      ...['-sSv', '--ssl-reqd', '-k', `smtp://127.0.0.1:${service.submissionPort}/client.example.com`],
      ...['--user', `${account.smtp.username}:${account.smtp.password}`, '--mail-from', 'shop@example.com'],
      ...['--mail-rcpt', 'delivered@simulator.test', '--upload-file', '-'],
    ],
    { input: 'From: shop@example.com\r\nTo: delivered@simulator.test\r\nSubject: Hello\r\n\r\nHello\r\n' },
  );
  assert.equal(smtp.code, 0, smtp.stderr);
  await deliveredIsTold(Number(/250 2\.0\.0 queued as (\d+)/.exec(smtp.stderr)?.[1]));
});

test('the calls of Cloud4Y’s page set, show and delete the webhook', async (context) => {
  if (!machineHas(context, 'curl')) return;
  const other = await service.createAccount('cloud4y');
  /** The page's curl line, with `-w` to see the status. */
  const curl = async (method: string, body: string | undefined) => {
    const { stdout, stderr } = await runProgram('curl', [
      ...['-sS', '-X', method, `${service.url}/v1/email/webhook`, '-H', 'Content-Type: application/json'],
      ...['-H', `Authorization: Bearer ${other.token}`, '-w', '\n%{http_code}'],
      ...(body === undefined ? [] : ['-d', body]),
    ]);
    assert.equal(stderr, '');
    const [status = '', ...lines] = stdout.split('\n').toReversed();
    return { status: Number(status), body: lines.toReversed().join('\n') };
  };
  const settings = '{"url":"https://example.com/some/path"}';
  for (const bodyOfDelete of [undefined, settings]) {
    assert.deepEqual(await curl('POST', settings), { status: 201, body: settings });
    assert.deepEqual(await curl('GET', undefined), { status: 200, body: settings });
    assert.deepEqual(await curl('DELETE', bodyOfDelete), { status: 204, body: '' });
    assert.equal((await curl('GET', undefined)).status, 404);
  }
});
