/** Where a customer's URL may lead: every spelling of an address, ports, names that resolve to what they should not. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { describe, test } from 'node:test';
import ipaddr from 'ipaddr.js';
import { request } from 'undici';
import { addressGuard } from '../../src/platform/guard.ts';
import { AddressRefusedError, guardedAgent } from '../../src/platform/guard-agent.ts';
import { systemResolve } from '../../src/platform/guard-resolve.ts';
import { judgeUrl } from '../../src/platform/guard-url.ts';

const strict = addressGuard([]);

describe('addresses', () => {
  const refused = `
    0.0.0.0 0.1.2.3 10.0.0.1 100.64.0.1 127.0.0.1 127.255.255.254 169.254.169.254 172.16.0.1 172.31.255.255 192.0.0.8
    192.0.2.1 192.168.1.1 198.18.0.1 198.51.100.1 203.0.113.1 224.0.0.1 240.0.0.1 255.255.255.255
    :: ::1 ::127.0.0.1 ::8.8.8.8 ::ffff:127.0.0.1 ::ffff:10.0.0.1 ::ffff:7f00:1 ::ffff:0:127.0.0.1 64:ff9b::127.0.0.1
    64:ff9b::a00:1 64:ff9b:1::1 100::1 2001::1 2001:db8::1 2001:10::1 2002:7f00:1::1 2002:808:808::1 3fff::1 5f00::1 fc00::1
    ::10.0.0.1 fd12:3456::1 fe80::1 fe80::1%eth0 2a00::1%lo fec0::1 ff02::1 4000::1 localhost example.com 1.2.3 127.1 0x7f000001 2130706433`;
  for (const address of refused.trim().split(/\s+/)) {
    test(`${address} is refused`, () => assert.equal(strict(address), false));
  }

  for (const address of [
    '8.8.8.8',
    '1.1.1.1',
    '172.32.0.1',
    '2a00:1450::1',
    '2606:4700::1111',
    '64:ff9b::8.8.8.8',
    '::ffff:8.8.8.8',
  ]) {
    test(`${address} may be reached`, () => assert.equal(strict(address), true));
  }

  test('what the operator allows may be reached, in every spelling of it, and no more', () => {
    const guard = addressGuard([ipaddr.parseCIDR('10.0.0.0/8'), ipaddr.parseCIDR('fd00::/8')]);
    for (const address of ['10.1.2.3', '::ffff:10.1.2.3', '64:ff9b::10.1.2.3', 'fd00::1'])
      assert.ok(guard(address), address);
    for (const address of ['11.0.0.1', '127.0.0.1', 'fc00::1', 'fd00::1%eth0']) {
      assert.equal(guard(address), address === '11.0.0.1', address);
    }
  });
});

describe('URLs', () => {
  const refused = [
    'ftp://example.com/',
    'file:///etc/passwd',
    'example.com',
    '//example.com/',
    'http://',
    'http://user:password@example.com/',
    'http://example.com:22/',
    'http://example.com:25/',
    'https://example.com:6667/',
    'https://example.com:0/',
    'http://127.0.0.1/',
    'http://127.0.0.1./',
    'http://127.1/',
    'http://2130706433/',
    'http://0x7f000001/',
    'http://0x7f.0.0.1/',
    'http://0177.0.0.1/',
    'http://017700000001/',
    'http://0/',
    'http://１２７.0.0.1/',
    'http://127。0。0。1/',
    'http://[::1]/',
    'http://[::]/',
    'http://[::ffff:127.0.0.1]/',
    'http://[0:0:0:0:0:ffff:7f00:1]/',
    'http://[::127.0.0.1]/',
    'http://[64:ff9b::7f00:1]/',
    'http://[2002:7f00:1::]/',
    'http://[fe80::1%25eth0]/',
    'http://[fe80::1%eth0]/',
    'http://169.254.169.254/latest/meta-data/',
    `http://example.com/${'a'.repeat(2048)}`,
  ];
  for (const url of refused) {
    test(`${url.slice(0, 60)} is refused`, () => assert.equal(judgeUrl(url, strict).kind, 'refused'));
  }

  for (const url of [
    'http://example.com/',
    'https://example.com:8443/a?b=c',
    'https://[2a00:1450::1]/',
    'http://8.8.8.8:1024/',
  ]) {
    test(`${url} may be called`, () => assert.equal(judgeUrl(url, strict).kind, 'callable'));
  }
});

describe('connections', () => {
  const serve = async () => {
    const server = createServer((_request, response) => response.end('inside')).listen(0, '127.0.0.1');
    await once(server, 'listening');
    const { port } = server.address() as AddressInfo;
    return { port, [Symbol.dispose]: () => server.close() };
  };
  const refusal = (error: Error) => error instanceof AddressRefusedError;

  for (const host of ['127.0.0.1', '[::ffff:127.0.0.1]', 'localhost', 'name.localhost', 'localhost.']) {
    test(`${host} is not connected to`, async () => {
      using server = await serve();
      const dispatcher = guardedAgent(strict, systemResolve());
      await assert.rejects(request(`http://${host}:${server.port}/`, { dispatcher }), refusal);
      await dispatcher.destroy();
    });
  }

  test('one address that is not public among others is enough to refuse a name', async () => {
    const dispatcher = guardedAgent(strict, async () => ['8.8.8.8', '127.0.0.1']);
    await assert.rejects(request('http://mixed.example/', { dispatcher }), refusal);
    await dispatcher.destroy();
  });

  test('the connection goes to the address that was judged, whatever the name says next', async () => {
    using server = await serve();
    let looks = 0;
    const guard = addressGuard([ipaddr.parseCIDR('127.0.0.1/32')]);
    const dispatcher = guardedAgent(guard, async () => {
      looks += 1;
      return looks === 1 ? ['127.0.0.1'] : ['127.0.0.2'];
    });
    const url = `http://rebinding.example:${server.port}/`;
    const { body } = await request(url, { dispatcher, reset: true });
    assert.equal(await body.text(), 'inside');
    assert.equal(looks, 1);
    await assert.rejects(request(url, { dispatcher }), refusal);
    await dispatcher.destroy();
  });
});
