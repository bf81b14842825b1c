/** What a destination takes, shared by processes: never more, all of it, fairly, and whatever becomes of them. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { fairShares } from '../../src/deliver/pace/sharing.ts';
import { JointWorld, takenOverMs } from './joint-world.ts';
import { mostWithin } from './most-within.ts';

const minuteMs = 60_000;
const limits = { connections: 6, messagesPerConnection: 100, messagesPerMinute: 600 };
const unhurried = { ...limits, messagesPerMinute: Infinity };

test('shares come to all there is or all that is wanted, and differ by one at most where more was wanted', () => {
  fc.assert(
    fc.property(
      fc.nat(40),
      fc.array(fc.nat(20), { minLength: 1, maxLength: 12 }),
      fc.nat(1000),
      (total, wants, turn) => {
        const wanted = new Map(wants.map((count, index) => [`p${index}`, count]));
        const shares = fairShares(total, wanted, turn);
        const sum = [...shares.values()].reduce((a, b) => a + b, 0);
        assert.equal(
          sum,
          Math.min(
            total,
            wants.reduce((a, b) => a + b, 0),
          ),
        );
        const unsatisfied = [...shares].filter(([process, share]) => share < (wanted.get(process) ?? 0));
        const least = Math.min(...unsatisfied.map(([, share]) => share));
        for (const [process, share] of shares) {
          assert.ok(share <= (wanted.get(process) ?? 0));
          assert.ok(share <= least + 1);
        }
      },
    ),
  );
});

test('where there are fewer connections than processes, each has its turn', () => {
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 7 }), fc.integer({ min: 1, max: 12 }), (total, processes) => {
      const wants = new Map(Array.from({ length: processes }, (_, index) => [`p${index}`, 10]));
      const had = new Map<string, number>();
      for (let turn = 0; turn < processes; turn++) {
        for (const [process, share] of fairShares(total, wants, turn)) {
          had.set(process, (had.get(process) ?? 0) + share);
        }
      }
      assert.deepEqual(new Set(had.values()), new Set([total]));
    }),
  );
});

const events = ['standStill', 'goOn', 'cutOff', 'reconnect', 'die', 'start'] as const;

type Step =
  | { readonly kind: 'post'; readonly process: number; readonly count: number }
  | { readonly kind: (typeof events)[number]; readonly process: number }
  | { readonly kind: 'pass'; readonly ms: number };

const process = fc.nat(3);
const step: fc.Arbitrary<Step> = fc.oneof(
  fc.record({ kind: fc.constant('post' as const), process, count: fc.integer({ min: 1, max: 120 }) }),
  fc.record({ kind: fc.constantFrom(...events), process }),
  fc.record({
    kind: fc.constant('pass' as const),
    ms: fc.oneof(
      fc.integer({ min: 1, max: 2_000 }),
      fc.integer({ min: 1, max: 25_000 }),
      fc.constant(7 * minuteMs),
    ),
  }),
);

test('no limit is passed, whichever processes have mail, stand still, are cut off, die and are started again', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.record({
        connections: fc.integer({ min: 1, max: 8 }),
        messagesPerConnection: fc.constant(100),
        messagesPerMinute: fc.oneof(fc.integer({ min: 1, max: 600 }), fc.constant(Infinity)),
      }),
      // No longer than a share holds at least: who is cut off ends what it has begun.
      fc.record({ serviceMs: fc.constantFrom(20, 300, 4_000), sending: fc.integer({ min: 1, max: 10 }) }),
      fc.array(step, { minLength: 5, maxLength: 40 }),
      async (limits, way, steps) => {
        const world = new JointWorld({ limits, ...way });
        const names = ['a', 'b', 'c', 'd'];
        const processes = names.map((name) => world.start(name));
        let lives = 0;
        for (const one of steps) {
          if (one.kind === 'pass') {
            await world.pass(one.ms);
            continue;
          }
          const { process: index } = one;
          if (one.kind === 'post') processes[index]?.post(one.count);
          else if (one.kind !== 'start') processes[index]?.[one.kind]();
          else if (processes[index]?.isDead) processes[index] = world.start(`${names[index]}${++lives}`);
        }
        await world.pass(20_000);
        assert.ok(world.mostOpen <= limits.connections, `${world.mostOpen} connections`);
        const most = mostWithin(
          minuteMs,
          world.begun.map(({ atMs }) => atMs),
        );
        assert.ok(most <= limits.messagesPerMinute, `${most} messages in a minute`);
      },
    ),
    { numRuns: 60 },
  );
});

/** A destination that has grown to its limits already. */
async function grown(names: readonly string[], taken = limits, serviceMs = 100) {
  const world = new JointWorld({ limits: taken, serviceMs });
  const first = world.start(names[0] ?? '');
  first.post(300);
  while (world.begun.length < 300) await world.pass(5_000);
  // It lets go of what it was lent.
  await world.pass(takenOverMs);
  return { world, processes: [first, ...names.slice(1).map((name) => world.start(name))] };
}

test('one process with mail has all of it, although others are there', async () => {
  const { world, processes } = await grown(['a', 'b', 'c', 'd'], unhurried);
  processes[3]?.post(3_000);
  await world.pass(2_000);
  assert.equal(world.open, 6);
  const sinceMs = world.clock.now();
  await world.pass(10_000);
  assert.ok(world.begunBy('d', sinceMs) >= 550, 'six connections with ten messages a second each');
});

test('a minute’s messages go to whoever has mail, by and large all of them', async () => {
  const { world, processes } = await grown(['a', 'b'], limits, 20);
  processes[1]?.post(3_000);
  await world.pass(minuteMs);
  const sinceMs = world.clock.now();
  await world.pass(3 * minuteMs);
  const aMinute = world.begunBy('b', sinceMs) / 3;
  assert.ok(aMinute > 500 && aMinute <= 600, `${aMinute} a minute`);
});

test('processes that all have mail share evenly, connections and messages', async () => {
  for (const taken of [
    limits,
    unhurried,
    { ...limits, connections: 2 },
    { ...limits, messagesPerMinute: 12 },
  ]) {
    const { world, processes } = await grown(['a', 'b', 'c'], taken);
    const sinceMs = world.clock.now() + minuteMs;
    for (let second = 0; second < 6 * 60; second++) {
      for (const one of processes) one.fill();
      await world.pass(1_000);
    }
    const counts = processes.map(({ name }) => world.begunBy(name, sinceMs));
    assert.ok(
      Math.min(...counts) > 0.7 * Math.max(...counts),
      `${JSON.stringify(taken)}: ${counts.join(', ')}`,
    );
  }
});

test('a dead process’s connections are free when its time is over; one that stands still keeps its own', async () => {
  for (const end of ['die', 'standStill'] as const) {
    const { world, processes } = await grown(['a', 'b'], unhurried);
    const [first, second] = processes;
    first?.post(80);
    await world.pass(500);
    assert.equal(world.open, 6);
    first?.[end]();
    second?.post(80);
    await world.pass(5_000);
    assert.equal(world.begunBy('b'), 0, 'until then nobody knows');
    await world.pass(takenOverMs);
    assert.equal(world.begunBy('b'), end === 'die' ? 80 : 0);
    if (end === 'standStill') {
      assert.equal(world.open, 6);
      await world.pass(6 * minuteMs);
      assert.equal(world.begunBy('b'), 80, 'its servers have hung up by now');
      const sinceMs = world.clock.now();
      first?.goOn();
      second?.post(80);
      await world.pass(takenOverMs);
      assert.ok(world.begunBy('a', sinceMs) > 0);
    }
  }
});

test('one that stood still begins nothing with a share that others have by now', async () => {
  for (const messagesPerMinute of [300, Infinity]) {
    for (const stoodMs of [4_000, 12_000, 8 * minuteMs]) {
      const { world, processes } = await grown(['a', 'b'], { ...limits, messagesPerMinute }, 700);
      const [first, second] = processes;
      world.begun.length = 0;
      first?.post(100);
      await world.pass(2_500);
      const before = world.begun.length;
      first?.standStill();
      second?.post(1_000);
      await world.pass(stoodMs);
      first?.goOn();
      // What was under way comes to its end, and nothing else begins before the store was asked.
      first?.cutOff();
      await world.pass(0);
      const isLent = messagesPerMinute === Infinity && stoodMs < 5_000;
      if (!isLent) assert.equal(world.begunBy('a'), before, `${messagesPerMinute}, ${stoodMs}`);
      first?.reconnect();
      await world.pass(minuteMs);
      assert.ok(world.begunBy('a') > before);
      assert.ok(world.mostOpen <= limits.connections);
      assert.ok(
        mostWithin(
          minuteMs,
          world.begun.map(({ atMs }) => atMs),
        ) <= messagesPerMinute,
      );
    }
  }
});

test('what one process is told, all know within seconds', async () => {
  let tooFast = false;
  const world = new JointWorld({
    limits,
    serviceMs: 100,
    result: (name) => (tooFast && name === 'a' ? 'too-fast' : 'served'),
  });
  const processes = ['a', 'b', 'c'].map((name) => world.start(name));
  for (const one of processes) one.post(5_000);
  await world.pass(minuteMs);
  tooFast = true;
  await world.pass(5_000);
  tooFast = false;
  const sinceMs = world.clock.now();
  await world.pass(20_000);
  assert.equal(world.begun.filter(({ atMs }) => atMs >= sinceMs).length, 0);
  await world.pass(2 * minuteMs);
  assert.ok(world.begunBy('b', sinceMs) > 0);
});

test('the store is asked a few times a second at most by each, and not at all where nothing is to be sent', async () => {
  const { world, processes } = await grown(['a', 'b', 'c']);
  for (const one of processes) one.post(10_000);
  await world.pass(takenOverMs);
  const before = world.changes;
  await world.pass(minuteMs);
  const aSecond = (world.changes - before) / 60;
  assert.ok(aSecond <= 3 * 1.2, `${aSecond} a second for three processes`);

  const quiet = new JointWorld({ limits, serviceMs: 100 });
  const idle = quiet.start('a');
  idle.post(1);
  await quiet.pass(takenOverMs);
  assert.equal(quiet.changes, 1, 'one message alone asks once');
  await quiet.pass(60 * minuteMs);
  assert.equal(quiet.changes, 1);
});
