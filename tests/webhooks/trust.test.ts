/** Signatures as the receivers' own libraries verify them, and every way to sign in at a receiver. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { createPublicKey, verify } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { createServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { gunzipSync } from 'node:zlib';
import { EventWebhook } from '@sendgrid/eventwebhook';
import { Webhook as StandardWebhook } from 'standardwebhooks';
import { Webhook as SvixWebhook } from 'svix';
import type { TLSSocket } from 'node:tls';
import { answer, Receiver, take, World } from './world.ts';

/** The libraries refuse what is more than five minutes off the machine's own time. */
const now = Date.now();

describe('signatures', () => {
  test('v1 as standardwebhooks and svix verify it, v1a as node does', async () => {
    await using world = await World.open(now);
    await using receiver = await Receiver.open();
    const { webhook, secret } = await world.endpoints.create(world.accountId, {
      url: receiver.url,
      dialect: 'aftersend',
      sending: { signatures: ['v1a', 'v1'] },
    });
    await world.opened(2);
    await world.start();
    await world.drive(() => receiver.requests.length > 0);
    const { headers = {}, body = '' } = receiver.requests[0] ?? {};
    assert.deepEqual(new StandardWebhook(secret).verify(body, headers), JSON.parse(body));
    assert.deepEqual(new SvixWebhook(secret).verify(body, headers), JSON.parse(body));
    assert.throws(() => new StandardWebhook(secret).verify(`${body} `, headers));

    const publicText = webhook.keys.find(({ kind }) => kind === 'v1a')?.publicKey ?? '';
    assert.match(publicText, /^whpk_/);
    const x = Buffer.from(publicText.slice(5), 'base64').toString('base64url');
    const key = createPublicKey({ key: { kty: 'OKP', crv: 'Ed25519', x }, format: 'jwk' });
    const signed = Buffer.from(`${headers['webhook-id']}.${headers['webhook-timestamp']}.${body}`);
    const given = headers['webhook-signature']?.split(' ').find((part) => part.startsWith('v1a,')) ?? '';
    assert.ok(verify(null, signed, key, Buffer.from(given.slice(4), 'base64')));
  });

  test('sendgrid as @sendgrid/eventwebhook verifies it', async () => {
    await using world = await World.open(now);
    await using receiver = await Receiver.open();
    const webhook = await world.webhook(receiver, { dialect: 'sendgrid' });
    await world.opened(2);
    await world.start();
    await world.drive(() => receiver.requests.length > 0);
    const { headers = {}, body = '' } = receiver.requests[0] ?? {};
    const library = new EventWebhook();
    const key = library.convertPublicKeyToECDSA(
      webhook.keys.find(({ kind }) => kind === 'ecdsa-p256')?.publicKey ?? '',
    );
    const signature = headers['x-twilio-email-event-webhook-signature'] ?? '';
    const timestamp = headers['x-twilio-email-event-webhook-timestamp'] ?? '';
    assert.ok(library.verifySignature(key, body, signature, timestamp));
    assert.ok(!library.verifySignature(key, `${body} `, signature, timestamp));
  });

  test('after a rotation both secrets verify for a day, then the new one alone', async () => {
    await using world = await World.open(now);
    await using receiver = await Receiver.open();
    const first = await world.endpoints.create(world.accountId, { url: receiver.url, dialect: 'msndr' });
    const second = await world.endpoints.rotate(world.accountId, first.webhook.id, 24 * 3_600_000);
    assert.ok(second && second.secret !== first.secret);
    await world.start();
    const signatures = async () => {
      const before = receiver.requests.length;
      await world.opened(1);
      await world.drive(() => receiver.requests.length > before);
      return receiver.requests.at(-1);
    };
    const during = await signatures();
    for (const { secret } of [first, second]) {
      new StandardWebhook(secret).verify(during?.body ?? '', during?.headers ?? {});
    }
    await world.clock.advance(24 * 3_600_000 + 1);
    const after = await signatures();
    assert.equal(after?.headers['webhook-signature']?.split(' ').length, 1);
  });

  test('a compressed body is the signed one when it is unpacked', async () => {
    await using world = await World.open(now);
    const bodies: Buffer[] = [];
    await using receiver = await Receiver.open((body) => bodies.push(body));
    const { secret } = await world.endpoints.create(world.accountId, {
      url: receiver.url,
      dialect: 'sendpulse',
      batch: { count: 2 },
      sending: { gzip: true },
    });
    await world.opened(2);
    await world.start();
    await receiver.got(1);
    const { headers = {} } = receiver.requests[0] ?? {};
    assert.equal(headers['content-encoding'], 'gzip');
    const plain = gunzipSync(bodies[0] ?? Buffer.alloc(0)).toString('utf8');
    new StandardWebhook(secret).verify(plain, headers);
  });
});

describe('signing in', () => {
  test('Basic, Bearer and headers of the owner’s are sent, and shown to nobody', async () => {
    await using world = await World.open();
    await using receiver = await Receiver.open();
    const password = 'correct horse';
    const webhook = await world.webhook(receiver, {
      dialect: 'msndr',
      access: {
        headers: { 'X-Key': 'k-secret' },
        authentication: { kind: 'basic', username: 'ann', password },
      },
    });
    await world.opened(1);
    await world.start();
    await receiver.got(1);
    const { headers = {} } = receiver.requests[0] ?? {};
    assert.equal(headers['authorization'], `Basic ${Buffer.from(`ann:${password}`).toString('base64')}`);
    assert.equal(headers['x-key'], 'k-secret');
    await world.stop();
    const [attempt] = await world.store.webhooks.attempts(world.accountId, webhook.id);
    const stored = JSON.stringify([attempt, await world.store.webhooks.load(webhook.id)]);
    for (const secret of [password, 'k-secret', headers['authorization'] ?? '']) {
      assert.ok(!stored.includes(secret), secret);
    }
    assert.deepEqual(world.endpoints.maskedAccess(webhook).headers, { 'X-Key': '***' });
    const bearer = { headers: {}, authentication: { kind: 'bearer', token: 'tok' } } as const;
    await world.endpoints.change(world.accountId, webhook.id, { access: bearer });
    await world.start();
    await world.opened(1);
    await receiver.got(2);
    assert.equal(receiver.requests[1]?.headers['authorization'], 'Bearer tok');
  });

  test('a receiver that answers with what it was sent makes nothing secret shown', async () => {
    await using world = await World.open();
    await using receiver = await Receiver.open();
    receiver.behave = ({ headers }, response) => response.end(`${'.'.repeat(900)}${JSON.stringify(headers)}`);
    const webhook = await world.webhook(receiver, {
      dialect: 'msndr',
      access: {
        headers: { 'X-Key': 'hush "quoted" key' },
        authentication: { kind: 'bearer', token: 'a-token-to-keep' },
      },
    });
    await world.start();
    await world.opened(1);
    await receiver.got(1);
    await world.idle();
    await world.stop();
    const [kept] = await world.store.webhooks.attempts(world.accountId, webhook.id);
    const [tried] = await world.endpoints.test(webhook, new AbortController().signal);
    assert.match(tried?.answer ?? '', /"authorization":"Bearer \*\*\*"/);
    for (const text of [kept?.answer, tried?.answer]) assert.doesNotMatch(text ?? '', /quoted|token-to/);
  });

  test('an OAuth 2 token is fetched once, renewed before it ends, and after a 401', async () => {
    await using world = await World.open();
    await using receiver = await Receiver.open();
    await using issuer = await Receiver.open();
    issuer.behave = (_request, response, index) =>
      response.end(
        JSON.stringify({ access_token: `token-${index}`, token_type: 'Bearer', expires_in: 3600 }),
      );
    await world.webhook(receiver, {
      dialect: 'msndr',
      access: {
        headers: {},
        authentication: {
          kind: 'oauth2',
          tokenUrl: issuer.url,
          clientId: 'me',
          clientSecret: 's:cret',
          scope: 'hooks',
        },
      },
    });
    await world.start();
    const send = async () => {
      const before = receiver.requests.length;
      await world.opened(1);
      await world.drive(() => receiver.requests.length > before);
      return receiver.requests.at(-1)?.headers['authorization'];
    };
    assert.equal(await send(), 'Bearer token-0');
    assert.equal(await send(), 'Bearer token-0');
    assert.equal(issuer.requests[0]?.body, 'grant_type=client_credentials&scope=hooks');
    await world.clock.advance(59 * 60_000 + 1);
    assert.equal(await send(), 'Bearer token-1');
    receiver.behave = answer(401);
    assert.equal(await send(), 'Bearer token-1');
    receiver.behave = take;
    await world.drive(() => receiver.requests.at(-1)?.headers['authorization'] === 'Bearer token-2');
    issuer.behave = answer(500);
    await assert.rejects(
      world.endpoints.create(world.accountId, {
        url: receiver.url,
        dialect: 'msndr',
        access: {
          headers: {},
          authentication: {
            kind: 'oauth2',
            tokenUrl: 'http://10.0.0.1/token',
            clientId: 'me',
            clientSecret: 'x',
            scope: '',
          },
        },
      }),
      { field: 'authentication.token_url' },
    );
  });

  test('mutual TLS: the receiver sees the certificate, we believe its authority', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'aftersend-tls-'));
    const make = (name: string, host: string) => {
      const [key, cert] = [join(folder, `${name}.key`), join(folder, `${name}.pem`)];
      const subject = ['-subj', `/CN=${name}`, '-addext', `subjectAltName=${host}`];
      const kind = ['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes'];
      execFileSync('openssl', [...kind, '-keyout', key, '-out', cert, '-days', '2', ...subject], {
        stdio: 'ignore',
      });
      return { key: readFileSync(key, 'utf8'), cert: readFileSync(cert, 'utf8') };
    };
    const [server, client] = [make('server', 'IP:127.0.0.1'), make('client', 'DNS:client')];
    rmSync(folder, { recursive: true });
    const seen: string[] = [];
    const https = createServer({ ...server, ca: client.cert, requestCert: true }, (request, response) => {
      seen.push(String((request.socket as TLSSocket).getPeerCertificate().subject.CN));
      response.end();
    });
    await new Promise<void>((resolve) => https.listen(0, '127.0.0.1', resolve));
    await using world = await World.open();
    const url = `https://127.0.0.1:${(https.address() as AddressInfo).port}/`;
    const webhook = await world.webhook(
      { url },
      {
        dialect: 'msndr',
        access: {
          headers: {},
          mutualTls: { certificate: client.cert, privateKey: client.key, serverCa: server.cert },
        },
      },
    );
    await world.opened(1);
    await world.start();
    await world.drive(() => seen.length > 0);
    assert.deepEqual(seen, ['client']);
    assert.match(world.endpoints.maskedAccess(webhook).mutualTls?.subject ?? '', /CN=client/);
    await world.stop();
    https.closeAllConnections();
    https.close();
  });
});
