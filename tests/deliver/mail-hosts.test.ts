/** From a domain to the servers that take its mail, with a real name server on loopback. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { AttemptError } from '../../src/deliver/attempt-error.ts';
import { createMailHosts } from '../../src/deliver/dns/mail-hosts.ts';
import { createResolver } from '../../src/platform/dns/resolver.ts';
import { systemClock, systemRandom } from '../../src/platform/clock.ts';
import { ManualClock } from '../support/manual-clock.ts';
import { startNameServer, type Zone } from './name-server.ts';

const mx = (name: string, preference: number, exchange: string) =>
  ({ type: 'MX', name, ttl: 300, data: { preference, exchange } }) as const;
const a = (name: string, data: string, ttl = 300) => ({ type: 'A', name, ttl, data }) as const;
const aaaa = (name: string, data: string) => ({ type: 'AAAA', name, ttl: 300, data }) as const;

const records = [
  mx('example.org', 20, 'second.example.org'),
  mx('example.org', 10, 'first.example.org'),
  mx('example.org', 30, 'gone.example.org'),
  a('first.example.org', '192.0.2.1'),
  a('first.example.org', '192.0.2.2'),
  aaaa('first.example.org', '2001:db8::1'),
  a('second.example.org', '192.0.2.3'),
  a('bare.test', '192.0.2.4'),
  mx('nomail.test', 0, '.'),
  mx('hollow.test', 10, 'gone.test'),
  { type: 'TXT', name: 'empty.test', ttl: 300, data: 'no address' },
  mx('private.test', 10, 'inside.private.test'),
  a('inside.private.test', '10.0.0.1'),
  { type: 'CNAME', name: 'alias.test', ttl: 300, data: 'bare.test' },
  a('alias.test', '203.0.113.9'),
  mx('xn--e1afmkfd.test', 10, 'first.example.org'),
  mx('broken.test', 10, 'servfail.test'),
  a('short.test', '192.0.2.8', 5),
  mx('backed-up.test', 10, 'first.example.org'),
  mx('backed-up.test', 20, 'ours.example.net'),
  mx('backed-up.test', 20, 'second.example.org'),
  mx('backed-up.test', 30, 'second.example.org'),
  mx('circle.test', 10, 'OURS.example.net'),
  mx('circle.test', 20, 'second.example.org'),
  a('ours.example.net', '192.0.2.9'),
  mx('half-known.test', 10, 'servfail.test'),
  mx('half-known.test', 20, 'inside.private.test'),
] as const;

const servfail = 2;

async function open(zone: Partial<Zone> = {}, clock = systemClock) {
  const server = await startNameServer({ records, failing: { 'servfail.test': servfail }, ...zone });
  const resolver = createResolver({ server: server.address, clock, random: systemRandom });
  const mayConnect = (address: string) => !address.startsWith('10.');
  return {
    asked: server.asked,
    mailHosts: createMailHosts({
      resolver,
      mayConnect,
      ownNames: ['ours.example.net'],
      random: systemRandom,
    }),
    [Symbol.asyncDispose]: () => server[Symbol.asyncDispose](),
  };
}

async function refusal(attempt: Promise<unknown>): Promise<[boolean, string, string]> {
  const error: unknown = await attempt.then(
    () => assert.fail('it found a way'),
    (error: unknown) => error,
  );
  assert.ok(error instanceof AttemptError);
  return [error.permanent, error.answer.code, error.answer.enhancedCode];
}

test('hosts come by preference, each with all its addresses; one without an address is passed over', async () => {
  await using dns = await open();
  const { mailHosts } = dns;
  const expected = [
    {
      name: 'first.example.org',
      preference: 10,
      addresses: ['192.0.2.1', '2001:db8::1', '192.0.2.2'],
      secure: false,
    },
    { name: 'second.example.org', preference: 20, addresses: ['192.0.2.3'], secure: false },
  ];
  assert.deepEqual(await mailHosts('example.org'), expected);
  assert.deepEqual(await mailHosts('Example.ORG'), expected);
});

test('a domain without MX is its own mail server; a literal is one, too; names beyond ASCII are found', async () => {
  await using dns = await open();
  const { mailHosts } = dns;
  assert.deepEqual(await mailHosts('bare.test'), [
    { name: 'bare.test', preference: 0, addresses: ['192.0.2.4'], secure: false },
  ]);
  assert.deepEqual(await mailHosts('[192.0.2.9]'), [
    { name: '[192.0.2.9]', preference: 0, addresses: ['192.0.2.9'], secure: false },
  ]);
  assert.equal((await mailHosts('[IPv6:2001:db8::9]'))[0]?.addresses[0], '2001:db8::9');
  assert.equal((await mailHosts('пример.test'))[0]?.name, 'first.example.org');
});

test('no such domain, null MX, no address: for good. A server that fails: for now', async () => {
  await using dns = await open();
  const { mailHosts } = dns;
  for (const domain of ['nowhere.test', 'nomail.test', 'hollow.test', 'empty.test']) {
    assert.deepEqual(await refusal(mailHosts(domain)), [true, '554', '5.4.4'], domain);
  }
  assert.deepEqual(await refusal(mailHosts('broken.test')), [false, '451', '4.4.4']);
  assert.deepEqual(await refusal(mailHosts('servfail.test')), [false, '451', '4.4.4']);
});

test('an address that the guard refuses is never given, wherever it comes from', async () => {
  await using dns = await open();
  const { mailHosts } = dns;
  assert.deepEqual(await refusal(mailHosts('private.test')), [true, '554', '5.4.1']);
  assert.deepEqual(await refusal(mailHosts('[10.0.0.1]')), [true, '554', '5.4.1']);
});

test('a guarded address is no reason to give up while another host could not be asked for', async () => {
  await using dns = await open();
  assert.deepEqual(await refusal(dns.mailHosts('half-known.test')), [false, '451', '4.4.4']);
});

test('hosts no better than ourselves are passed over; where we are the best, mail would come back for ever', async () => {
  await using dns = await open();
  const { mailHosts } = dns;
  const names = (await mailHosts('backed-up.test')).map(({ name }) => name);
  assert.deepEqual(names, ['first.example.org']);
  for (const domain of ['circle.test', 'ours.example.net']) {
    assert.deepEqual(await refusal(mailHosts(domain)), [true, '554', '5.4.6'], domain);
  }
});

test('an answer that was cut short comes by TCP', async () => {
  await using dns = await open({ onlyTcp: true });
  const { mailHosts } = dns;
  assert.equal((await mailHosts('bare.test'))[0]?.addresses[0], '192.0.2.4');
});

test('answers are kept as long as they may be, and asked once however many ask', async () => {
  const clock = new ManualClock();
  await using dns = await open({}, clock);
  const { mailHosts } = dns;
  await Promise.all(Array.from({ length: 10 }, () => mailHosts('short.test')));
  assert.deepEqual(dns.asked.toSorted(), ['A short.test', 'AAAA short.test', 'MX short.test']);
  await clock.advance(4_000);
  await mailHosts('short.test');
  assert.equal(dns.asked.filter((question) => question === 'A short.test').length, 1);
  await clock.advance(1_000);
  await mailHosts('short.test');
  assert.equal(dns.asked.filter((question) => question === 'A short.test').length, 2);
});
