/** Whether the accounts at the end of the proof notice what they are there for: one thing amiss in a world that is whole. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type EventRow, type Evidence, judge, type MessageRow } from './accounting.ts';
import type { Fault } from './faults.ts';

const recipients = ['ann@example.org', 'bob@example.org', 'carl@example.org'];
const types = ['accepted', 'delivered', 'unsubscribed'];
const startMs = 100_000;

interface World {
  sent: { answered: { atMs: number; firstId: number } | undefined; recipients: string[] }[];
  copies: Map<string, number[]>;
  left: Set<string>;
  messages: MessageRow[];
  events: EventRow[];
  taken: { eventId: number; atMs: number }[];
  overlaps: number[];
  faults: Fault[];
}

/** Three messages, each accepted, delivered and left; an endpoint that was told of all of it. */
function aWorld(): World {
  const messages = recipients.map((recipient, index) => ({
    id: String(index + 1),
    recipient,
    state: 'delivered',
  }));
  const events = types.flatMap((type, round) =>
    messages.map(({ id }, index) => ({
      id: String(round * messages.length + index + 1),
      account_id: '1',
      message_id: id,
      number: String(round + 1),
      type,
    })),
  );
  return {
    sent: recipients.map((recipient, index) => ({
      recipients: [recipient],
      answered: { atMs: startMs + index, firstId: index + 1 },
    })),
    copies: new Map(recipients.map((recipient, index) => [recipient, [startMs + 10 + index]])),
    left: new Set(recipients),
    messages,
    events,
    taken: events.map(({ id }) => ({ eventId: Number(id), atMs: startMs + 20 + Number(id) })),
    overlaps: [],
    faults: [],
  };
}

function problemsOf({ sent, copies, left, messages, events, taken, overlaps, faults }: World) {
  const endpoint = {
    name: 'acme',
    types,
    taken,
    overlaps,
  } as unknown as Evidence['subscriptions'][0]['endpoint'];
  return judge({
    sent: sent.map((one) => ({ by: 'http', isKeyed: true, tries: 1, ...one })),
    mailboxes: { copies, left },
    subscriptions: [{ accountId: 1, endpoint }],
    faults,
    ledger: { messages, events },
  }).problems;
}

const restart = (fromMs: number): Fault => ({
  kind: 'failover',
  member: undefined,
  fromMs,
  untilMs: fromMs + 1000,
});
/** So long after all of it that no fault of then explains it. */
const lateMs = startMs + 60_000;

test('a world that is whole has no problems', () => {
  assert.deepEqual(problemsOf(aWorld()), []);
});

const sabotages: readonly (readonly [string, (world: World) => void, RegExp])[] = [
  [
    'a message that was answered is lost',
    ({ messages }) => messages.splice(1, 1),
    /bob.* was answered and is lost/,
  ],
  [
    'a message has another id than was told',
    ({ sent }) => Object.assign(sent[1] ?? {}, { answered: { atMs: startMs, firstId: 9 } }),
    /bob.* with another id/,
  ],
  [
    'a message is there twice',
    ({ messages }) => messages.push({ id: '4', recipient: 'bob@example.org', state: 'delivered' }),
    /bob.* is there 2 times/,
  ],
  [
    'a message never left the queue',
    ({ messages }) => Object.assign(messages[1] ?? {}, { state: 'queued' }),
    /bob.* ended as queued/,
  ],
  [
    'a message counts as delivered and no mailbox has it',
    ({ copies }) => copies.delete('bob@example.org'),
    /bob.* is delivered and there are 0 copies/,
  ],
  [
    'a mailbox has what nobody sent',
    ({ copies }) => copies.set('eve@example.org', [startMs]),
    /eve.* is not in the database/,
  ],
  [
    'a copy came again for no reason',
    ({ copies }) => copies.get('bob@example.org')?.push(lateMs),
    /bob.* came again .* for no reason/,
  ],
  [
    'an event is missing in the log and everywhere',
    ({ events, taken }) => {
      events.splice(4, 1);
      taken.splice(4, 1);
    },
    /the events of bob.* are not 1, 2, 3|the story of bob/,
  ],
  [
    'an end came twice',
    ({ events }) => Object.assign(events[7] ?? {}, { type: 'delivered' }),
    /the story of bob.* is accepted, delivered, delivered/,
  ],
  [
    'two events have one number',
    ({ events }) => Object.assign(events[7] ?? {}, { number: '2' }),
    /the events of bob.* are not 1, 2, 3/,
  ],
  [
    'who was told that they have left has not',
    ({ events, taken }) => {
      events.splice(7, 1);
      taken.splice(7, 1);
    },
    /bob.* was told to have left/,
  ],
  ['an endpoint lacks an event', ({ taken }) => taken.splice(4, 1), /acme lacks 1 events: 5/],
  ['an endpoint lacks the last event', ({ taken }) => taken.pop(), /acme lacks 1 events: 9/],
  [
    'an endpoint took events out of order',
    ({ taken }) => taken.splice(3, 2, ...taken.slice(3, 5).toReversed()),
    /acme took event 4 after 5/,
  ],
  [
    'an endpoint took an event again for no reason',
    ({ taken }) => taken.push({ eventId: 5, atMs: lateMs }),
    /acme took event 5 again .* for no reason/,
  ],
  [
    'an endpoint took what is not in the log',
    ({ taken }) => taken.push({ eventId: 99, atMs: startMs }),
    /acme took event 99, which is not/,
  ],
  [
    'two requests were under way to one endpoint',
    ({ overlaps }) => overlaps.push(lateMs),
    /two requests at once to acme/,
  ],
];

for (const [name, sabotage, problem] of sabotages) {
  test(`it is noticed that ${name}`, () => {
    const world = aWorld();
    sabotage(world);
    const problems = problemsOf(world);
    assert.match(problems.join('\n'), problem);
    for (const other of recipients.filter((recipient) => recipient !== 'bob@example.org')) {
      assert.ok(!problems.some((line) => line.includes(other)), `of ${other} nothing is amiss`);
    }
  });
}

test('what came twice around a fault is explained, by a fault that lay between and no other', () => {
  const world = aWorld();
  world.copies.get('bob@example.org')?.push(lateMs);
  world.taken.push({ eventId: 5, atMs: lateMs });
  assert.equal(problemsOf({ ...world, faults: [restart(lateMs + 1)] }).length, 2, 'it came after them');
  assert.equal(
    problemsOf({ ...world, faults: [restart(startMs - 30_000)] }).length,
    2,
    'it was over long before',
  );
  assert.deepEqual(problemsOf({ ...world, faults: [restart(startMs + 2000)] }), []);
});

test('who had a copy and left while a fault kept that from being settled may be skipped, and nobody else', () => {
  const world = aWorld();
  Object.assign(world.messages[1] ?? {}, { state: 'skipped' });
  Object.assign(world.events[4] ?? {}, { type: 'unsubscribed' });
  Object.assign(world.events[7] ?? {}, { type: 'skipped' });
  world.taken.splice(7, 1);
  assert.equal(problemsOf(world).length, 3, 'no fault explains it');
  const faults = [restart(startMs + 2000)];
  assert.deepEqual(problemsOf({ ...world, faults }), []);
  assert.ok(problemsOf({ ...world, faults, left: new Set() }).length > 0, 'nobody left');
  assert.ok(problemsOf({ ...world, faults, copies: new Map([...world.copies].toSpliced(1, 1)) }).length > 0);
});
