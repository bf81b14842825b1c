/** Mail out to a smarthost that nobody here wrote: Postfix's smtp-sink. Also across a crash with the smarthost away. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { peerOrSkip } from '../support/peers.ts';
import { TestReceiver } from '../support/receiver.ts';
import { freePorts, TestService } from '../support/service.ts';
import { startSmtpSink } from '../support/smtp-sink.ts';

test('what was accepted before a crash reaches the smarthost after it, and is told', async (context) => {
  const sink = peerOrSkip(context, 'smtp-sink');
  if (sink === undefined) return;
  const count = 20;
  const [port = 0] = await freePorts(1);
  await using receiver = await TestReceiver.start();
  await using service = await TestService.start({
    AFTERSEND_ROUTE: `smtp://127.0.0.1:${port}`,
    AFTERSEND_RETRY_FIRST: '1 s',
    AFTERSEND_WEBHOOK_ALLOW: '127.0.0.0/8',
  });
  const account = await service.createAccount('acme');
  await service.command('domain', 'vouch', 'acme', 'example.com');
  await service.call(account, 'POST', '/v1/email/webhook', { url: receiver.url });
  const { messages } = await service.call<{ messages: { id: number }[] }>(account, 'POST', '/api/messages', {
    from: 'shop@example.com',
    to: Array.from({ length: count }, (_, index) => `person${index}@example.org`),
    subject: 'Hello',
    text: 'Hello',
  });
  await service.stop('SIGKILL');

  await using _smarthost = await startSmtpSink(sink, port);
  await service.start();
  for (const { id } of messages) {
    await receiver.request(({ body }) =>
      body.startsWith(`{"message":{"id":${id}},"event":{"name":"delivered"`),
    );
  }
  const [first] = messages;
  const story = await service.call<{ state: string }>(account, 'GET', `/api/messages/${first?.id}`);
  assert.equal(story.state, 'delivered');
});
