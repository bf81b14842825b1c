/** SendPulse's own example of a receiver, run by Debian's PHP, sees the events in the shape that its page shows. */
import assert from 'node:assert/strict';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { peerOrSkip } from '../support/peers.ts';
import { startProgram } from '../support/program.ts';
import { freePorts, TestService } from '../support/service.ts';

/** The two lines of the page's script, and one that shows what they read. */
const script = `<?php
$json_string = file_get_contents('php://input');
$data_array = json_decode($json_string, true);
foreach ($data_array as $event) error_log('event ' . json_encode($event, JSON_UNESCAPED_UNICODE | JSON_UNESCAPED_SLASHES));
?>
`;

type Event = Readonly<Record<string, string | number>>;

test('PHP reads delivered, opened, clicked and undelivered as arrays', async (context) => {
  const php = peerOrSkip(context, 'php');
  if (php === undefined) return;
  await using folder = await temporaryFolder();
  await writeFile(join(folder.path, 'hook.php'), script);
  const [port = 0] = await freePorts(1);
  await using server = startProgram(php.command, ['-n', '-S', `127.0.0.1:${port}`, '-t', folder.path], {
    env: php.env,
  });
  await server.stderr.match(/started/);

  await using service = await TestService.start({ AFTERSEND_WEBHOOK_ALLOW: '127.0.0.0/8' });
  const account = await service.createAccount('acme');
  await service.call(account, 'POST', '/api/webhooks', {
    url: `http://127.0.0.1:${port}/hook.php`,
    dialect: 'sendpulse',
    batch: { age_seconds: 1 },
  });
  const { messages } = await service.call<{ messages: { id: number }[] }>(account, 'POST', '/api/messages', {
    from: 'shop@example.com',
    to: ['clicked@simulator.test', 'hard-bounced@simulator.test'],
    subject: 'Ваш заказ',
    html: '<p><a href="https://example.com/order">Заказ</a></p>',
  });
  const [clickedId = 0, bouncedId = 0] = messages.map(({ id }) => id);

  const event = async (name: string): Promise<Event> => {
    const [line = ''] = await server.stderr.match(new RegExp(`event \\{[^\\n]*"event":"${name}".*`));
    return JSON.parse(line.slice('event '.length)) as Event;
  };
  const facts = { sender: 'shop@example.com', subject: 'Ваш заказ' };
  const clicked = { ...facts, message_id: clickedId, recipient: 'clicked@simulator.test' };
  for (const name of ['opened', 'clicked']) {
    const { timestamp, ...rest } = await event(name);
    assert.ok(Number.isSafeInteger(timestamp));
    assert.deepEqual(rest, { ...clicked, event: name });
  }
  const delivered = await event('delivered');
  assert.equal(delivered['smtp_server_response_code'], '250');
  assert.equal(delivered['message_id'], clickedId);
  const undelivered = await event('undelivered');
  assert.deepEqual(
    [undelivered['smtp_server_response_code'], undelivered['smtp_server_response_subcode']],
    ['550', '5.1.1'],
  );
  assert.equal(undelivered['message_id'], bouncedId);
});

async function temporaryFolder() {
  const path = await mkdtemp(join(tmpdir(), 'aftersend-php-'));
  return { path, [Symbol.asyncDispose]: () => rm(path, { recursive: true, force: true }) };
}
