/** The service with its bodies in an object store that comes and goes: everybody is told to come later, nothing is lost. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createTransport } from 'nodemailer';
import { startObjectServer } from '../support/object-server.ts';
import { TestService } from '../support/service.ts';
import { until } from '../support/until.ts';

const mail = { from: 'shop@example.com', subject: 'Hello', text: 'content that is kept elsewhere' };

test('when the object store is away doors say "later" and delivery waits; what was accepted is delivered', async () => {
  await using objects = await startObjectServer();
  const { endpoint, region, accessKey, secretKey } = objects.place;
  await using service = await TestService.start({
    AFTERSEND_BODIES: 's3://mail/aftersend',
    AFTERSEND_S3_ENDPOINT: endpoint,
    AFTERSEND_S3_REGION: region,
    AFTERSEND_S3_ACCESS_KEY: accessKey,
    AFTERSEND_S3_SECRET_KEY: secretKey,
    AFTERSEND_RETRY_FIRST: '1 second',
  });
  const shop = await service.createAccount('shop');
  const send = (to: string) =>
    service.call<{ id: number }>(shop, 'POST', '/api/messages', { ...mail, to: [to] });
  const stateOf = async (id: number) =>
    (await service.call<{ state: string }>(shop, 'GET', `/api/messages/${id}`)).state;

  const first = await send('delivered@simulator.test');
  await until(
    () => stateOf(first.id),
    (state) => state === 'delivered',
  );
  const [kept = ''] = [...objects.objects]
    .filter(([key]) => key.includes('/bodies/'))
    .map(([, body]) => body.toString());
  assert.match(kept, /content that is kept elsewhere/);

  objects.fault = (method) => (method === 'PUT' ? 503 : undefined);
  await assert.rejects(send('delivered@simulator.test'), /answered 503/);
  const { username, password } = shop.smtp;
  const transport = createTransport({
    host: '127.0.0.1',
    port: service.submissionPort,
    auth: { user: username, pass: password },
    tls: { rejectUnauthorized: false },
  });
  await assert.rejects(transport.sendMail({ ...mail, to: 'delivered@simulator.test' }), /451 4\.3\.0/);
  assert.equal((await fetch(`${service.url}/readyz`)).status, 503);
  assert.equal((await fetch(`${service.url}/healthz`)).status, 200);

  // A body that is in no memory any more when it is wanted.
  objects.fault = () => undefined;
  const waiting = await send('soft-bounced@simulator.test');
  objects.fault = (method) => (method === 'GET' ? 'drop' : undefined);
  await service.stop('SIGKILL');
  await service.start();
  await until(
    () => service.log,
    (log) => log.includes('bodies cannot be read'),
  );
  assert.equal(await stateOf(waiting.id), 'queued');
  // Who looks at it is told to come later, too.
  const content = service.call(shop, 'GET', `/api/messages/${waiting.id}/content`);
  await assert.rejects(content, /answered 503/);
  objects.fault = () => undefined;
  await until(
    () => stateOf(waiting.id),
    (state) => state === 'delivered',
  );
  objects.objects.clear();
  await assert.rejects(
    service.call(shop, 'GET', `/api/messages/${first.id}/content`),
    /answered 503.*cannot be found/,
  );
  assert.doesNotMatch(service.log + service.printed, new RegExp(secretKey));
});
