/** Bodies that cannot be read when they are needed: messages wait, and none is lost or sent without its content. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { BodyMissingError } from '../../src/store/contract/bodies.ts';
import { StoreBusyError } from '../../src/store/contract/store.ts';
import { hostAt, openPostOffice, routeTo, unhurried } from './post-office.ts';
import { startScriptedServer } from './scripted-server.ts';

const recipients = Array.from({ length: 40 }, (_, index) => `r${index}@example.org`);

test('while the place of bodies is away, messages stay queued as they were and it is asked seldom', async () => {
  await using server = await startScriptedServer();
  await using office = await openPostOffice({ router: routeTo(hostAt(server.port)) });
  const { queue } = office.store;
  const readBody = queue.readBody.bind(queue);
  const claim = queue.claim.bind(queue);
  const asked: number[] = [];
  let claims = 0;
  queue.readBody = async () => {
    asked.push(office.clock.now());
    throw new StoreBusyError('the place of bodies is away');
  };
  queue.claim = (input) => {
    claims++;
    return claim(input);
  };
  const ids: number[] = [];
  for (const recipient of recipients) ids.push(...(await office.post([recipient])));
  for (let second = 0; second < 60; second++) await office.aSecond();
  assert.ok(new Set(asked).size <= 13, 'after a failure nobody asks for five seconds');
  assert.ok(claims < 60, `${claims} claims in a minute`);
  assert.equal(await queue.depth(), ids.length);
  for (const id of ids) {
    assert.deepEqual(
      (await office.events(id)).map(({ type }) => type),
      ['accepted'],
    );
    assert.deepEqual(await office.attempts(id), []);
  }

  queue.readBody = readBody;
  while ((await queue.depth()) > 0) await office.aSecond();
  assert.deepEqual(server.taken.map(({ to }) => to).toSorted(), recipients.toSorted());
});

test('an outage of the store makes no destination look slow: what waits there goes when it is over', async () => {
  await using server = await startScriptedServer();
  const host = hostAt(server.port);
  const narrow = { name: 'narrow', limits: { ...unhurried, connections: 1 } };
  const other = { name: 'other', limits: unhurried };
  await using office = await openPostOffice({
    router: async ({ recipient }) => ({
      destination: recipient === 'other@example.org' ? other : narrow,
      hosts: [host],
    }),
  });
  const { queue } = office.store;
  const readBody = queue.readBody.bind(queue);
  const outage = Promise.withResolvers<void>();
  let isOver = false;
  /** Submissions are numbered as they come. */
  const otherId = recipients.length + 1;
  queue.readBody = async (id) => {
    if (!isOver && id === otherId) throw new StoreBusyError('the database cannot be reached');
    // Another connection to it has gone without a word.
    await outage.promise;
    return readBody(id);
  };
  for (const recipient of recipients) await office.post([recipient]);
  await office.post(['other@example.org']);
  for (let second = 0; second < 12; second++) await office.aSecond();
  isOver = true;
  outage.resolve();
  for (let second = 0; second < 20; second++) await office.aSecond();
  assert.equal(server.taken.length, recipients.length + 1);
});

test('an outage is two lines in the log, however many messages notice it', async () => {
  await using server = await startScriptedServer();
  const lines: string[] = [];
  await using office = await openPostOffice({
    router: routeTo(hostAt(server.port)),
    onLog: ({ msg }) => lines.push(msg),
  });
  const { queue } = office.store;
  const [settle, claim] = [queue.settle.bind(queue), queue.claim.bind(queue)];
  let isAway = true;
  queue.settle = async (settlement) => {
    if (isAway) throw new StoreBusyError('the database cannot be reached');
    return settle(settlement);
  };
  await office.post(recipients);
  await server.took(recipients.length);
  queue.claim = async (input) => {
    if (isAway) throw new StoreBusyError('the database cannot be reached');
    return claim(input);
  };
  for (let second = 0; second < 10; second++) {
    office.delivery.wake();
    await office.aSecond();
  }
  assert.deepEqual(lines.length, 1, lines.join('\n'));
  isAway = false;
  while ((await queue.depth()) > 0) await office.aSecond();
  await office.aSecond();
  assert.match(lines[0] ?? '', /could not be stored; it is tried again/);
  assert.deepEqual(lines.slice(1), ['the store answers again']);
});

test('a body that is missing puts its message off, for as long as any other trouble, and no other message', async () => {
  await using server = await startScriptedServer();
  await using office = await openPostOffice({ router: routeTo(hostAt(server.port)) });
  const { queue } = office.store;
  const readBody = queue.readBody.bind(queue);
  const missing = new Set<number | undefined>();
  const { promise: posted, resolve: allPosted } = Promise.withResolvers<void>();
  queue.readBody = async (id) => {
    await posted;
    if (missing.has(id)) throw new BodyMissingError('it is not there');
    return readBody(id);
  };
  const [back = 0] = await office.post(['back@example.org']);
  const [lost = 0] = await office.post(['lost@example.org']);
  const [fine = 0] = await office.post(['fine@example.org']);
  const submissionOf = async (id: number) =>
    (await office.store.messages.byId(office.accountId, id))?.submissionId;
  for (const id of [back, lost]) missing.add(await submissionOf(id));
  allPosted();
  const types = async (id: number) => (await office.events(id)).map(({ type }) => type);
  while ((await types(fine)).length < 2) await office.aSecond();
  while ((await types(back)).length < 2 || (await types(lost)).length < 2) await office.aSecond();
  assert.deepEqual(await types(fine), ['accepted', 'delivered']);
  assert.deepEqual(await types(back), ['accepted', 'deferred']);
  missing.delete(await submissionOf(back));
  while ((await types(lost)).at(-1) !== 'bounced') {
    await office.clock.advance(3_600_000);
    await office.delivery.drained();
  }
  assert.equal((await types(back)).at(-1), 'delivered');
  const bounced = (await office.events(lost)).at(-1);
  assert.match(bounced?.response ?? '', /not delivered within 3 days.*content cannot be found/);
  assert.deepEqual(await office.store.suppressions.find(office.accountId, 'lost@example.org'), []);
});
