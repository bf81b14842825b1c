/** The main job on either store: mail in by SMTP and HTTP, out to a server that is not ours, back by links, told by webhook. */
import assert from 'node:assert/strict';
import { chmodSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createTransport } from 'nodemailer';
import { request } from 'undici';
import { findPeer } from '../../scripts/peers.mjs';
import { onEachStore } from '../support/each-store.ts';
import { TestReceiver } from '../support/receiver.ts';
import { freePorts, TestService } from '../support/service.ts';
import { startSmtpSink } from '../support/smtp-sink.ts';
import { until } from '../support/until.ts';

const publicUrl = 'https://mail.example.com';
const sink = findPeer('smtp-sink');
const mail = {
  from: 'shop@example.com',
  subject: 'Your order',
  html: '<p><a href="https://shop.example.com/orders/1">Your order</a></p>',
};

onEachStore(
  'what comes in by SMTP and HTTP goes out, is opened, clicked and left, and told',
  async (place) => {
    if (sink === undefined) throw new Error('smtp-sink is not there');
    await using stack = new AsyncDisposableStack();
    const folder = mkdtempSync(join(tmpdir(), 'aftersend-sink-'));
    // Where everybody may write: started by root, the sink is nobody.
    chmodSync(folder, 0o777);
    stack.defer(() => rmSync(folder, { recursive: true }));
    const [port = 0] = await freePorts(1);
    stack.use(await startSmtpSink(sink, port, ['-d', `${folder}/%M.`]));
    const receiver = stack.use(await TestReceiver.start());
    const service = stack.use(
      await TestService.start({
        ...place,
        AFTERSEND_ROUTE: `smtp://127.0.0.1:${port}`,
        AFTERSEND_WEBHOOK_ALLOW: '127.0.0.0/8',
        // One-click unsubscribing is offered by https alone (RFC 8058); the test stands where the proxy would.
        AFTERSEND_PUBLIC_URL: publicUrl,
      }),
    );
    const account = await service.createAccount('acme');
    await service.command('domain', 'vouch', 'acme', 'example.com');
    await service.call(account, 'PATCH', '/api/settings', { list_unsubscribe: true });
    await service.call(account, 'POST', '/v1/email/webhook', { url: `${receiver.url}/msndr` });

    const { id: first } = await service.call<{ id: number }>(account, 'POST', '/api/messages', {
      ...mail,
      to: ['ann@example.org'],
    });
    const transport = createTransport({
      host: '127.0.0.1',
      port: service.submissionPort,
      auth: { user: account.smtp.username, pass: account.smtp.password },
      tls: { rejectUnauthorized: false },
    });
    const { response } = await transport.sendMail({ ...mail, to: 'bob@example.org' });
    const second = Number(/queued as (\d+)/.exec(response)?.[1]);

    const taken = await until(
      () => readdirSync(folder).map((name) => readFileSync(join(folder, name), 'latin1')),
      (mails) =>
        ['ann@', 'bob@'].every((to) => mails.some((text) => text.includes(to) && text.includes('</p>'))),
    );
    for (const [to, id] of [
      ['ann@', first],
      ['bob@', second],
    ] as const) {
      const text =
        taken
          .find((one) => one.includes(to))
          ?.replaceAll('=\n', '')
          .replaceAll('=3D', '=') ?? '';
      const urlOf = (pattern: RegExp) => pattern.exec(text)?.[1] ?? '';
      const visits = [
        [200, { method: 'GET' }, urlOf(/<img[^>]+src="(http[^"]+)"/)],
        [302, { method: 'GET' }, urlOf(/<a href="(http[^"]+)"/)],
        [200, { method: 'POST', body: 'List-Unsubscribe=One-Click' }, urlOf(/<(http[^>]+)>/)],
      ] as const;
      for (const [status, options, url] of visits) {
        assert.ok(url.startsWith(publicUrl), text);
        const headers = { host: 'mail.example.com', 'content-type': 'application/x-www-form-urlencoded' };
        const { statusCode, body } = await request(url.replace(publicUrl, service.url), {
          ...options,
          headers,
        });
        await body.dump();
        assert.equal(statusCode, status, url);
      }
      for (const name of ['delivered', 'opened', 'clicked', 'unsubscribed']) {
        await receiver.request(({ body }) =>
          body.startsWith(`{"message":{"id":${id}},"event":{"name":"${name}"`),
        );
      }
    }
  },
  sink === undefined && 'smtp-sink is not there: npm run bench:setup fetches it on Debian',
);
