/** Receivers that are away: for a moment, for a day, for good; and whom is told of it, when. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { pino } from 'pino';
import type { Draft } from '../../src/accept/draft.ts';
import { mailNotices } from '../../src/notices/mailer.ts';
import { tellOfExpiring } from '../../src/webhooks/expiry.ts';
import { answer, type Behaviour, hang, Receiver, take, World } from './world.ts';

const hourMs = 3_600_000;
const dayMs = 24 * hourMs;
const ids = (receiver: Receiver) => receiver.requests.map(({ headers }) => headers['webhook-id']);

async function failing(behave: Behaviour, dialect = 'msndr') {
  const world = await World.open();
  const receiver = await Receiver.open();
  receiver.behave = behave;
  const webhook = await world.webhook(receiver, { dialect });
  const eventIds = await world.opened(3);
  await world.start();
  const load = () => world.until(webhook.id, () => true);
  return {
    world,
    receiver,
    webhook,
    eventIds,
    load,
    notices: () => world.store.webhooks.notices(world.accountId, webhook.id),
    async [Symbol.asyncDispose]() {
      await receiver[Symbol.asyncDispose]();
      await world[Symbol.asyncDispose]();
    },
  };
}

describe('an outage', () => {
  test('the owner is told at 6 h and 24 h; after 5 days it is off, and on again it goes on from where it stopped', async () => {
    await using t = await failing((_request, response) => response.destroy());
    await t.world.pass(6 * hourMs - 60_000);
    assert.deepEqual(await t.notices(), []);
    await t.world.pass(61_000);
    assert.match((await t.notices())[0]?.text ?? '', /failing for 6 hours/);
    await t.world.pass(18 * hourMs);
    assert.deepEqual(
      (await t.notices()).map(({ kind }) => kind),
      ['failing', 'failing'],
    );
    await t.world.pass(4 * dayMs);
    assert.equal((await t.load()).pausedBy, 'failing');
    assert.equal((await t.notices())[0]?.kind, 'paused');
    const tries = t.receiver.requests.length;
    assert.ok(tries > 20 && tries < 80, `${tries} tries in five days`);
    assert.equal(new Set(ids(t.receiver)).size, 1, 'one request, again and again');
    await t.world.pass(dayMs);
    assert.equal(t.receiver.requests.length, tries, 'off is off');
    t.receiver.behave = take;
    await t.world.endpoints.change(t.world.accountId, t.webhook.id, { paused: false });
    await t.world.drive(() => t.receiver.requests.length === tries + 3);
    assert.deepEqual(
      ids(t.receiver).slice(tries),
      t.eventIds.map((id) => `${t.webhook.id}-1-${id}-${id}`),
    );
  });

  for (const [what, behave, forMs] of [
    ['401 for a day', answer(401), dayMs],
    ['503 for an hour', answer(503), hourMs],
    ['429 for an hour', answer(429), hourMs],
    ['403 for a day', answer(403), dayMs],
    ['404 for a day', answer(404), dayMs],
    ['no answer for an hour', hang, hourMs],
    ['half an answer for an hour', ((_request, response) => response.write('ta')) as Behaviour, hourMs],
  ] as const) {
    test(`${what} loses nothing and sets nothing aside`, async () => {
      await using t = await failing(behave, 'aftersend');
      await t.world.pass(forMs);
      assert.equal(await t.world.store.webhooks.countSetAside(t.world.accountId, t.webhook.id), 0);
      const before = t.receiver.requests.length;
      t.receiver.behave = take;
      await t.world.drive(async () => (await t.load()).progress.cursorId === t.eventIds.at(-1));
      const sent = t.receiver.requests
        .slice(before)
        .flatMap(({ body }) => JSON.parse(body) as { id: number }[]);
      assert.deepEqual([...new Set(sent.map(({ id }) => id))], t.eventIds);
    });
  }

  test('a clock that was ahead when the next try was stored is not waited out, and owners are told by the right one', async () => {
    await using t = await failing(answer(503));
    const behindMs = 365 * dayMs;
    await t.world.pass(hourMs);
    await t.world.stop();
    const { progress } = await t.load();
    await t.world.store.webhooks.saveProgress({
      webhookId: t.webhook.id,
      turn: 0,
      replayId: 0,
      settingsVersion: t.webhook.settingsVersion,
      progress: {
        ...progress,
        nextTryAtMs: progress.nextTryAtMs + behindMs,
        failingSinceMs: (progress.failingSinceMs ?? 0) + behindMs,
      },
      attempts: [],
      counts: { accepted: 0, failed: 0 },
      accepted: [],
      setAside: [],
      takenAgain: [],
      notices: [],
      pause: undefined,
      finishedAtMs: undefined,
    });
    const before = t.receiver.requests.length;
    await t.world.start();
    await t.world.pass(4 * hourMs);
    assert.ok(t.receiver.requests.length > before);
    await t.world.pass(2 * hourMs);
    assert.match((await t.notices())[0]?.text ?? '', /failing for 6 hours/);
  });

  test('410 switches it off at once, and nothing is lost', async () => {
    await using t = await failing(answer(410));
    await t.world.drive(async () => (await t.load()).pausedBy === 'gone');
    assert.match((await t.notices())[0]?.text ?? '', /410 Gone/);
    await t.world.pass(hourMs);
    assert.equal(t.receiver.requests.length, 1);
    t.receiver.behave = take;
    await t.world.endpoints.change(t.world.accountId, t.webhook.id, { paused: false });
    await t.world.drive(() => t.receiver.requests.length === 4);
    assert.equal(ids(t.receiver)[0], ids(t.receiver)[1]);
  });

  test('Retry-After is honoured', async () => {
    await using t = await failing((_request, response) =>
      response.writeHead(503, { 'retry-after': '600' }).end(),
    );
    await t.world.pass(599_000);
    assert.equal(t.receiver.requests.length, 1);
    await t.world.pass(2_000);
    assert.equal(t.receiver.requests.length, 2);
  });
});

describe('what owners are told', () => {
  test('notices are mailed once, to the account’s address, from the operator’s', async () => {
    await using t = await failing(answer(410));
    await t.world.drive(async () => (await t.notices()).length === 1);
    const drafts: Draft[] = [];
    const account = await t.world.store.accounts.byId(t.world.accountId);
    assert.ok(account);
    const dependencies = {
      webhooks: t.world.store.webhooks,
      accounts: { byId: async () => ({ ...account, email: 'owner@example.com' }) },
      accept: async (draft: Draft) => {
        drafts.push(draft);
        return { submissionId: 1, messageIds: [1], recipients: [], repeated: false };
      },
      from: 'notices@example.org',
      clock: t.world.clock,
      logger: pino({ level: 'silent' }),
    };
    await mailNotices(dependencies);
    await mailNotices(dependencies);
    assert.equal(drafts.length, 1);
    assert.deepEqual(drafts[0]?.recipients, [{ address: 'owner@example.com', role: 'to' }]);
    const { key } = drafts[0]?.idempotency ?? { key: '' };
    assert.throws(() => new Headers([['idempotency-key', key]]), 'no customer can say it first');
    const mail = drafts[0]?.mail;
    assert.ok(mail && 'content' in mail);
    assert.equal(mail.content.from.address, 'notices@example.org');
    assert.match(mail.content.text ?? '', /switched off/);
  });

  test('before events go that an endpoint has not had, it is told, once a day', async () => {
    await using t = await failing(answer(503));
    const keepMs = 30 * dayMs;
    const expiring = async () => (await t.notices()).filter(({ kind }) => kind === 'expiring').length;
    const round = () => tellOfExpiring({ ...t.world.store, clock: t.world.clock }, keepMs);
    await round();
    assert.equal(await expiring(), 0);
    await t.world.stop();
    await t.world.clock.advance(28 * dayMs + hourMs);
    await round();
    await round();
    assert.equal(await expiring(), 1);
    await t.world.clock.advance(dayMs + 1);
    await round();
    assert.equal(await expiring(), 2);
  });
});
