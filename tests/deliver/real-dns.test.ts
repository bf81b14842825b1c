/** Finding mail servers by name servers that nobody here wrote: zones served by Knot, asked for through Unbound. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { AttemptError } from '../../src/deliver/attempt-error.ts';
import { createMailHosts } from '../../src/deliver/dns/mail-hosts.ts';
import { systemClock, systemRandom } from '../../src/platform/clock.ts';
import { createResolver } from '../../src/platform/dns/resolver.ts';
import { addressGuard } from '../../src/platform/guard.ts';
import { startKnot } from '../support/knot.ts';
import { peerOrSkip } from '../support/peers.ts';
import { startUnbound } from '../support/unbound.ts';

const many = Array.from({ length: 60 }, (_, index) => `@ TXT "record ${index} ${'x'.repeat(150)}"`);

test('MX, its absence, null MX, aliases, both families and long answers, as real servers give them', async (context) => {
  const [knotd, unbound] = [peerOrSkip(context, 'knotd'), peerOrSkip(context, 'unbound')];
  if (knotd === undefined || unbound === undefined) return;
  await using zones = await startKnot(knotd, [
    {
      name: 'outside.test',
      signed: true,
      lines: [
        '@ MX 20 second',
        '@ MX 10 first',
        '@ MX 30 gone',
        'first A 9.9.9.1',
        'first AAAA 2600::1',
        'second AAAA 2600::2',
        'bare A 9.9.9.3',
        'nomail MX 0 .',
        'hollow MX 10 gone',
        'alias CNAME @',
        'inside MX 10 private',
        'private A 10.0.0.1',
        ...many,
      ],
    },
    { name: 'unsigned.test', lines: ['@ MX 10 mx', 'mx A 9.9.9.9'] },
    { name: 'bogus.test', signed: true, lines: ['@ MX 10 mx', 'mx A 9.9.9.9'] },
  ]);
  const names = ['outside.test', 'unsigned.test', 'bogus.test'];
  const anchors = await zones.delegation('outside.test');
  await using resolving = await startUnbound(unbound, {
    zones: new Map(names.map((name) => [name, zones.port])),
    anchors: [...anchors, ...anchors.map((line) => line.replace(/^outside/, 'bogus'))],
  });
  const resolver = createResolver({ server: resolving.address, clock: systemClock, random: systemRandom });
  const mailHosts = createMailHosts({
    resolver,
    mayConnect: addressGuard([]),
    ownNames: [],
    random: systemRandom,
  });
  const refusal = async (domain: string) => {
    const error: unknown = await mailHosts(domain).then(
      () => undefined,
      (error: unknown) => error,
    );
    assert.ok(error instanceof AttemptError, domain);
    return `${error.answer.code} ${error.answer.enhancedCode}`;
  };

  const expected = [
    {
      name: 'first.outside.test',
      preference: 10,
      addresses: ['9.9.9.1', '2600::1'],
      secure: true,
    },
    { name: 'second.outside.test', preference: 20, addresses: ['2600::2'], secure: true },
  ];
  assert.deepEqual(await mailHosts('outside.test'), expected);
  assert.deepEqual(await mailHosts('alias.outside.test'), expected);
  assert.deepEqual(await mailHosts('bare.outside.test'), [
    { name: 'bare.outside.test', preference: 0, addresses: ['9.9.9.3'], secure: true },
  ]);
  assert.equal((await mailHosts('unsigned.test'))[0]?.secure, false);
  assert.equal(await refusal('nomail.outside.test'), '554 5.4.4');
  assert.equal(await refusal('hollow.outside.test'), '554 5.4.4');
  assert.equal(await refusal('nowhere.outside.test'), '554 5.4.4');
  assert.equal(await refusal('inside.outside.test'), '554 5.4.1');
  assert.equal(await refusal('bogus.test'), '451 4.4.4', 'what cannot be believed may be better later');

  const texts = await resolver.lookup('outside.test', 'TXT');
  assert.equal(texts.kind === 'found' && texts.records.length, many.length, 'by TCP where UDP is too small');
});
