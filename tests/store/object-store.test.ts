/** The object store's protocol, spoken with one that nobody here wrote. */
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { test } from 'node:test';
import { pino } from 'pino';
import { systemClock, systemRandom } from '../../src/platform/clock.ts';
import { BodyMissingError } from '../../src/store/contract/bodies.ts';
import { StoreBusyError } from '../../src/store/contract/store.ts';
import { defaultObjectLimits, ObjectBodies, type ObjectPlace } from '../../src/store/objects/bodies.ts';
import { peerOrSkip } from '../support/peers.ts';
import { startSwift } from '../support/swift.ts';

const hourMs = 3_600_000;

function open(place: ObjectPlace, nowMs?: number) {
  const lines: string[] = [];
  const clock = nowMs === undefined ? systemClock : { ...systemClock, now: () => nowMs };
  const bodies = new ObjectBodies(place, {
    clock,
    random: systemRandom,
    logger: pino({ level: 'error' }, { write: (line: string) => void lines.push(line) }),
    limits: { ...defaultObjectLimits, cacheBytes: 0 },
  });
  return { bodies, lines, [Symbol.asyncDispose]: () => bodies[Symbol.asyncDispose]() };
}

test('OpenStack Swift takes, gives, lists and removes bodies, and refuses who signs with another key', async (context) => {
  const peer = peerOrSkip(context, 'swift-ring-builder');
  if (peer === undefined) return;
  await using swift = await startSwift(peer);
  await using place = open(swift.place);
  const { bodies } = place;
  const nowMs = systemClock.now();
  await bodies.probe();

  const contents = [Buffer.from('Subject: one\r\n\r\n'), randomBytes(3 * 2 ** 20), Buffer.alloc(0)];
  const keys = await Promise.all(
    contents.map((body, index) => bodies.put(body, nowMs - (50 - index) * hourMs)),
  );
  for (const [index, key] of keys.entries()) {
    assert.deepEqual(await bodies.get(key), contents[index]);
  }
  const [oldest = '', second = '', youngest = ''] = keys;
  const before = (beforeMs: number, limit: number) => bodies.prune({ beforeMs, limit });
  assert.equal(await before(nowMs - 51 * hourMs, 10), 0);
  assert.equal(await before(nowMs, 1), 1);
  await assert.rejects(bodies.get(oldest), BodyMissingError);
  assert.deepEqual(await bodies.get(second), contents[1]);
  assert.equal(await before(nowMs, 10), 2);
  await assert.rejects(bodies.get(youngest), BodyMissingError);

  const secretKey = 'an entirely different secret';
  const wrong: readonly Partial<ObjectPlace>[] = [
    { secretKey },
    { accessKey: 'test:nobody' },
    { bucket: 'none' },
  ];
  for (const change of wrong) {
    await using other = open({ ...swift.place, ...change });
    await assert.rejects(other.bodies.put(Buffer.from('x'), nowMs), (error: StoreBusyError) => {
      assert.ok(error instanceof StoreBusyError);
      assert.doesNotMatch(`${error.stack} ${(error.cause as Error).stack}`, /different secret|Signature=/);
      return true;
    });
    await assert.rejects(other.bodies.get(second), StoreBusyError);
    assert.match(other.lines.join(), /40[34] (SignatureDoesNotMatch|InvalidAccessKeyId|NoSuchBucket)/);
    assert.doesNotMatch(other.lines.join(), /different secret|Signature=/);
  }
  await using early = open(swift.place, nowMs - 24 * hourMs);
  await assert.rejects(early.bodies.put(Buffer.from('x'), nowMs), StoreBusyError);
  assert.match(early.lines.join(), /RequestTimeTooSkewed|AccessDenied/);
});
