/** How fast mail goes where: what providers are known for, what they say, and what comes of it. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { destinationOf } from '../../src/deliver/pace/destinations.ts';
import { Pace } from '../../src/deliver/pace/pace.ts';
import { saysTooFast } from '../../src/deliver/pace/too-fast.ts';
import { mostWithin } from './most-within.ts';

const host = (name: string, preference = 10) => ({ name, preference });

test('the servers of one provider are one destination, whatever the domain', () => {
  const gmail = destinationOf(
    [host('gmail-smtp-in.l.google.com', 5), host('alt1.gmail-smtp-in.l.google.com')],
    new Map(),
  );
  const hosted = destinationOf([host('aspmx.l.google.com', 1)], new Map());
  assert.equal(gmail.name, 'google');
  assert.deepEqual(hosted, gmail);
  const yahoo = destinationOf([host('mta7.am0.yahoodns.net'), host('mta5.am0.yahoodns.net')], new Map());
  assert.deepEqual([yahoo.name, yahoo.limits.messagesPerConnection], ['yahoo', 20]);
});

test('others are told apart by their best MX host, the same one however chance has sorted them', () => {
  const hosts = [host('b.example.org'), host('a.example.org'), host('backup.example.net', 20)];
  assert.equal(destinationOf(hosts, new Map()).name, 'a.example.org');
  assert.equal(destinationOf(hosts.toReversed(), new Map()).name, 'a.example.org');
  assert.notEqual(destinationOf([host('notgoogle.com')], new Map()).name, 'google');
});

test('what the operator sets comes first, by provider or host name', () => {
  const limits = { connections: 1, messagesPerConnection: 2, messagesPerMinute: 3 };
  const settings = new Map([
    ['google', limits],
    ['example.org', limits],
  ]);
  assert.deepEqual(destinationOf([host('aspmx.l.google.com')], settings).limits, limits);
  assert.deepEqual(destinationOf([host('mx.example.org')], settings).limits, limits);
  assert.notDeepEqual(destinationOf([host('mx.notexample.org')], settings).limits, limits);
});

/** From the collection of providers' replies and their documentation. */
const replies: readonly (readonly [reply: string, tooFast: boolean])[] = [
  [
    '421 [IPTS04] Messages from (100.100.100.100) temporarily deferred due to unexpected volume or user complaints',
    true,
  ],
  [
    '421 4.7.0 [TSS04] Messages from 0.0.0.0 temporarily deferred due to unexpected volume or user complaints',
    true,
  ],
  [
    '421 4.7.1 [TS03] All messages from 100.100.100.100 will be permanently deferred; Retrying will NOT succeed.',
    true,
  ],
  [
    '421 4.7.28 [x.xx.xx.xx] Our system has detected an unusual rate of unsolicited mail originating from your IP address.',
    true,
  ],
  [
    '421 4.7.0 [100.100.100.100] Our system has detected an unusual amount of unsolicited mail originating',
    true,
  ],
  ['451 Message temporarily deferred - [170]', true],
  ['421 Message from 100.100.100.100 temporarily deferred - 4.16.50.', true],
  ['451 example.yahoo.com Resources temporarily unavailable. Please try again later [#4.16.1].', true],
  [
    '451 4.7.1 Received too many messages from a new or untrusted IP: 100.100.100.100 (Z27/6828692) (G28)',
    true,
  ],
  ['421 4.7.650 The mail server [192.0.2.1] has been temporarily rate limited due to IP reputation.', true],
  ['421 Too many connections, slow down.', true],
  ['421 Service refused, please try later. Too many simultaneous connections', true],
  ['452 4.3.1 You are sending mail too fast', true],
  [
    '450 4.2.1 The user you are trying to contact is receiving mail at a rate that prevents additional messages',
    false,
  ],
  ['450 User is receiving mail too quickly', false],
  ['421 Max message per connection reached closing transmission channel', false],
  ['452 4.2.2 The email account that you tried to reach is over quota.', false],
  [
    '421 4.7.0 Our system has detected that this message is suspicious due to the very low reputation of the domain',
    false,
  ],
  ['451 4.3.0 Mail server temporarily rejected message. - gsmtp', false],
  ['451 4.3.2 Internal server error', false],
  ['451 Internal resource temporarily unavailable - https://community.mimecast.com/docs/DOC-1369#451', false],
  ['452 <email@mydomain.com> Mailbox delivery restricted by policy error', false],
  ['452 temporary domain failure <example@example.com>', false],
  ['450 4.7.1 Greylisting in action, please come back later', false],
  ['550 5.7.1 Too many messages', false],
];

for (const [reply, tooFast] of replies) {
  test(`${tooFast ? 'too fast' : 'not about pace'}: ${reply.slice(0, 70)}`, () => {
    const [, code = '', enhancedCode = '', text = ''] = /^(\d{3}) (\d\.\d+\.\d+)? ?(.*)$/.exec(reply) ?? [];
    assert.equal(saysTooFast({ code, enhancedCode, text }), tooFast);
  });
}

test('a new destination begins slowly, grows to its limits, and rests longer each time that it says so', () => {
  const limits = { connections: 8, messagesPerConnection: 100, messagesPerMinute: 600 };
  const pace = new Pace(limits);
  assert.equal(pace.connections, 5);
  let sent = 0;
  for (; pace.readyAtMs <= 0; sent++) pace.sent(0);
  assert.equal(sent, 3, 'a twentieth of sixty a minute may go at once');
  assert.ok(pace.readyAtMs <= 60_000 / 58);
  for (let n = 0; n < 200; n++) pace.served();
  assert.equal(pace.connections, 8);
  const { distanceMs: full } = pace;
  assert.ok(full > 100 && full < 106);

  pace.toldOff(10_000);
  pace.toldOff(10_000);
  assert.deepEqual([pace.connections, pace.restUntilMs], [1, 40_000]);
  assert.ok(pace.distanceMs > full * 1.9 && pace.distanceMs < full * 2.1);
  assert.equal(pace.readyAtMs, 40_000);
  pace.sent(40_000);
  assert.equal(pace.readyAtMs, 40_000 + pace.distanceMs, 'no pent-up burst after a rest');
  pace.toldOff(40_000);
  assert.equal(pace.restUntilMs, 100_000);
  for (let n = 0; n < 40; n++) pace.toldOff(pace.restUntilMs);
  assert.equal(pace.distanceMs, 30_000, 'it never stops trying');
  const lastMs = pace.restUntilMs;
  pace.toldOff(lastMs);
  assert.equal(pace.restUntilMs - lastMs, 30 * 60_000);
  pace.served();
  pace.toldOff(pace.restUntilMs);
  assert.equal(pace.restUntilMs - lastMs - 30 * 60_000, 30_000, 'one that is taken begins it anew');
});

test('no minute has more messages than the limit, however they come and whatever is learnt meanwhile', () => {
  const steps = fc.array(
    fc.record({
      afterMs: fc.oneof(fc.constant(0), fc.integer({ min: 1, max: 20_000 })),
      result: fc.constantFrom('served', 'served', 'served', 'unreachable', 'toldOff'),
      wanted: fc.integer({ min: 1, max: 300 }),
    }),
    { maxLength: 60 },
  );
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 400 }), steps, (messagesPerMinute, walk) => {
      let pace = new Pace({ connections: 10, messagesPerConnection: 100, messagesPerMinute });
      let nowMs = 1_000_000;
      const sentAtMs: number[] = [];
      for (const { afterMs, result, wanted } of walk) {
        nowMs += afterMs;
        for (let n = 0; n < wanted && pace.readyAtMs <= nowMs; n++) {
          pace.sent(nowMs);
          sentAtMs.push(nowMs);
          if (result !== 'toldOff') pace[result]();
        }
        if (result === 'toldOff') pace.toldOff(nowMs);
        // As after a restart.
        pace = new Pace({ connections: 10, messagesPerConnection: 100, messagesPerMinute }, pace.learnt);
      }
      assert.ok(mostWithin(60_000, sentAtMs) <= messagesPerMinute);
    }),
    { numRuns: 300 },
  );
});
