/** Reading MTA-STS policies, and keeping them as long as they hold. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { MockAgent } from 'undici';
import { createStsPolicies, namesHost, parsePolicy } from '../../src/deliver/tls/mta-sts.ts';
import { systemRandom } from '../../src/platform/clock.ts';
import { createResolver } from '../../src/platform/dns/resolver.ts';
import { ManualClock } from '../support/manual-clock.ts';
import { startNameServer } from './name-server.ts';

const text = (lines: readonly string[]) => `${lines.join('\n')}\n`;
const good = [
  'version: STSv1',
  'mode: enforce',
  'mx: mail.example.org',
  'mx: *.Example.net',
  'max_age: 604800',
];

test('a policy is read as RFC 8461 has it, and what is none is not guessed at', () => {
  const hosts = ['mail.example.org', '*.example.net'];
  assert.deepEqual(parsePolicy(text(good)), { mode: 'enforce', hosts, maxAgeS: 604_800 });
  assert.equal(parsePolicy(text(good).replaceAll('\n', '\r\n'))?.mode, 'enforce');
  assert.equal(parsePolicy(text([...good, 'unknown: field']))?.mode, 'enforce');
  assert.equal(parsePolicy('version: STSv1\nmode: none\nmax_age: 99999999\n')?.maxAgeS, 31_557_600);
  for (const missing of ['version: STSv1', 'mode: enforce', 'max_age: 604800']) {
    assert.equal(parsePolicy(text(good.filter((line) => line !== missing))), undefined, missing);
  }
  assert.equal(parsePolicy('version: STSv1\nmode: enforce\nmax_age: 5\n'), undefined, 'without a host');
  assert.equal(parsePolicy('<html>'), undefined);
});

test('a wildcard stands for one label', () => {
  const policy = { mode: 'enforce', hosts: ['mail.example.org', '*.example.net'], maxAgeS: 1 } as const;
  const named = ['mail.example.org', 'a.example.net'];
  const others = ['example.net', 'a.b.example.net', 'x.mail.example.org', 'localhost'];
  assert.deepEqual(
    [...named, ...others].filter((host) => namesHost(policy, host)),
    named,
  );
});

test('a policy that cannot be fetched again holds until its time is up; a new id fetches it anew', async () => {
  const clock = new ManualClock();
  const records = [{ type: 'TXT' as const, name: '_mta-sts.example.org', ttl: 5, data: 'v=STSv1; id=one;' }];
  await using names = await startNameServer({ records });
  const agent = new MockAgent();
  agent.disableNetConnect();
  const site = agent.get('https://mta-sts.example.org');
  const serve = (mode: string) =>
    site
      .intercept({ path: '/.well-known/mta-sts.txt' })
      .reply(200, text(good).replace('enforce', mode).replace('604800', '3600'), {
        headers: { 'content-type': 'text/plain' },
      });
  const counted: string[] = [];
  const find = createStsPolicies({
    resolver: createResolver({ server: names.address, clock, random: systemRandom }),
    agent,
    clock,
    count: (policy, result) => counted.push(`${policy} ${result}`),
  });
  assert.equal(await find('none.example.org'), undefined);
  serve('enforce');
  assert.equal((await find('example.org'))?.mode, 'enforce');
  await clock.advance(10_000);
  assert.equal((await find('example.org'))?.mode, 'enforce', 'the same id, so nothing is fetched');
  records[0] = { ...records[0]!, data: 'v=STSv1; id=two;' };
  await clock.advance(10_000);
  assert.equal((await find('example.org'))?.mode, 'enforce', 'nobody serves it, and the old one holds');
  assert.deepEqual(counted, ['sts sts-policy-fetch-error']);
  serve('testing');
  assert.equal((await find('example.org'))?.mode, 'enforce', 'not asked for again at once');
  await clock.advance(5 * 60_000);
  assert.equal((await find('example.org'))?.mode, 'testing');
  await agent.close();
});
