/** The end of all doors, on a real store: what it makes of raw mail, and that refusing leaves nothing behind. */
import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { createAccept } from '../../src/accept/accept.ts';
import { createSenderCheck } from '../../src/accept/sender.ts';
import { type Draft, noOptions, type RefusalReason, RefusedError } from '../../src/accept/draft.ts';
import { createAccount } from '../../src/accounts/provision.ts';
import { systemRandom } from '../../src/platform/clock.ts';
import { openSqliteStore } from '../../src/store/sqlite/open.ts';
import { ManualClock } from '../support/manual-clock.ts';

const startMs = Date.UTC(2026, 10, 21, 12);

async function startAccept() {
  const folder = await mkdtemp(join(tmpdir(), 'aftersend-accept-'));
  const store = await openSqliteStore(folder, 'serve');
  const clock = new ManualClock(startMs);
  const provision = { accounts: store.accounts, clock, random: systemRandom };
  const { account } = await createAccount(provision, { name: 'acme', email: '', timeZone: 'UTC' });
  let wakes = 0;
  store.queue.subscribe(() => wakes++);
  const accept = createAccept({
    intake: store.intake,
    mailSettings: store.mailSettings,
    checkSender: createSenderCheck({
      domains: store.domains,
      staysHere: (recipient) => !recipient.endsWith('@outside.example'),
    }),
    clock,
    random: systemRandom,
    hostname: 'mail.example.net',
    limits: { messageBytes: 5000, recipients: 3 },
  });
  const draft = (raw: string, changes: Partial<Draft> = {}): Draft => ({
    account,
    door: 'smtp',
    envelopeSender: 'bounce@example.com',
    recipients: [{ address: 'ann@example.org', role: 'to' }],
    mail: { raw: Buffer.from(raw) },
    options: noOptions,
    template: undefined,
    idempotency: undefined,
    ...changes,
  });
  return {
    store,
    account,
    accept,
    draft,
    wakes: () => wakes,
    async [Symbol.asyncDispose]() {
      await store[Symbol.asyncDispose]();
      await rm(folder, { recursive: true });
    },
  };
}

const bare = 'From: Shop <shop@example.com>\r\nBcc: secret@example.org\r\nSubject: Hi\r\n\r\nHello\r\n';

describe('raw mail', () => {
  test('is completed, keeps its body to the byte, and loses its Bcc', async () => {
    await using door = await startAccept();
    const { submissionId, messageIds, recipients, repeated } = await door.accept(door.draft(bare));
    assert.deepEqual([messageIds, recipients, repeated], [[1], ['ann@example.org'], false]);
    const stored = Buffer.from((await door.store.queue.readBody(submissionId)) ?? []).toString();
    assert.doesNotMatch(stored, /secret/);
    assert.match(stored, /^Date: Sat, 21 Nov 2026 12:00:00 \+0000\r$/m);
    assert.ok(stored.endsWith('\r\n\r\nHello\r\n'));
    const message = await door.store.messages.byId(door.account.id, 1);
    assert.ok(message);
    assert.equal(message.envelopeSender, 'bounce@example.com');
    assert.deepEqual(
      [message.sender, message.senderName, message.subject],
      ['shop@example.com', 'Shop', 'Hi'],
    );
    assert.ok(stored.includes(`Message-ID: ${message.internetMessageId}\r\n`));
    assert.deepEqual([message.trackOpens, message.listUnsubscribe], [true, false], "the account's settings");
    assert.equal(door.wakes(), 1);
  });

  test('recipients come in the order to, cc, bcc, each once, in the role it has first', async () => {
    await using door = await startAccept();
    const { messageIds, recipients } = await door.accept(
      door.draft(bare, {
        recipients: [
          { address: 'c@example.org', role: 'bcc' },
          { address: 'a@EXAMPLE.org', role: 'cc' },
          { address: 'A@example.org', role: 'to' },
        ],
      }),
    );
    assert.deepEqual(
      [messageIds, recipients],
      [
        [1, 2],
        ['A@example.org', 'c@example.org'],
      ],
    );
    const roles = await Promise.all(messageIds.map((id) => door.store.messages.byId(door.account.id, id)));
    assert.deepEqual(
      roles.map((message) => message?.role),
      ['to', 'bcc'],
    );
  });

  test('what is wrong with it is told, and nothing is stored', async () => {
    await using door = await startAccept();
    const { draft } = door;
    const to = (...addresses: string[]) => ({
      recipients: addresses.map((address) => ({ address, role: 'to' as const })),
    });
    const options = (changes: object) => ({ options: { ...noOptions, ...changes } });
    const bad: readonly (readonly [Draft, RefusalReason, string])[] = [
      [draft(bare, to()), 'recipients-missing', 'recipients'],
      [draft(bare, to('a@b.c', 'b@b.c', 'c@b.c', 'd@b.c')), 'recipients-too-many', 'recipients'],
      [draft(bare, to('a@b.org', 'a@b.org\r\n')), 'address-invalid', 'recipients[1]'],
      [draft('Subject: Hi\r\n\r\nHello\r\n'), 'from-missing', 'headers.From'],
      [draft(`${bare}${'x'.repeat(78)}\r\n`.padEnd(5000, 'x')), 'message-too-large', ''],
      [draft('From: a@b.org\r\nno header\r\n\r\nx\r\n'), 'message-malformed', ''],
      [draft('From: a@b.org\r\n\r\nx\n.\nx\r\n'), 'message-malformed', ''],
      [draft(bare, options({ tags: ['a\u0007'] })), 'options-invalid', 'tags[0]'],
      [draft(bare, options({ tags: [''] })), 'options-invalid', 'tags[0]'],
      [draft(bare, options({ tags: ['\ud800'] })), 'options-invalid', 'tags[0]'],
      [draft(bare, options({ stream: '*' })), 'options-invalid', 'stream'],
      [draft(bare, options({ metadata: { a: 'я'.repeat(1100) } })), 'options-invalid', 'metadata'],
    ];
    for (const [bent, reason, field] of bad) {
      await assert.rejects(door.accept(bent), (error) => {
        assert.ok(error instanceof RefusedError, String(error));
        assert.deepEqual([error.reason, error.field], [reason, field], error.message);
        return true;
      });
    }
    assert.equal(await door.store.queue.depth(), 0);
    assert.equal(door.wakes(), 0);
  });
});

describe('the sender', () => {
  test('is a verified domain of the account, or under one, for mail that leaves the machine', async () => {
    await using door = await startAccept();
    const { id: accountId } = door.account;
    const outside = { recipients: [{ address: 'ann@outside.example', role: 'to' as const }] };
    const mail = (from: string) => door.draft(`From: ${from}\r\nSubject: Hi\r\n\r\nHello\r\n`, outside);
    const refused = (from: string, words: RegExp) =>
      assert.rejects(door.accept(mail(from)), (error) => {
        assert.ok(error instanceof RefusedError, String(error));
        assert.equal(error.reason, 'sender-unverified');
        assert.match(error.message, words);
        return true;
      });
    await refused('shop@example.com', /^example\.com is no sending domain/);
    const keys = { requireTls: false, keys: [], atMs: startMs };
    await door.store.domains.add({ accountId, name: 'example.com', ...keys });
    await refused('shop@example.com', /^example\.com is not verified yet/);
    assert.equal(await door.store.queue.depth(), 0);
    await door.accept(door.draft(bare));
    await door.store.domains.vouch({ accountId, name: 'example.com', atMs: startMs });
    await door.accept(mail('shop@example.com'));
    await door.accept(mail('shop@news.example.com'));
    await refused('shop@notexample.com', /^notexample\.com is no sending domain/);
    assert.equal(await door.store.queue.depth(), 3);
  });
});
