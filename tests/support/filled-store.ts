/** A store with something of everything in it, made of a list of small steps. What it answers then: `store-answers.ts`. */
import * as fc from 'fast-check';
import {
  accepted,
  anAccount,
  aSubmission,
  delivered,
  startMs,
} from '../../src/store/conformance/fixtures.ts';
import type { Report } from '../../src/store/contract/log.ts';
import type { AttemptRecord, ClaimedMessage, Settlement } from '../../src/store/contract/queue.ts';
import type { Store } from '../../src/store/contract/store.ts';
import { countEvents } from '../../src/statistics/count.ts';

import { at, type Step, type World } from './filled-world.ts';
import { webhookSteps } from './filled-webhooks.ts';

const dayMs = 86_400_000;
/** Later than everything that a store has. */
export const afterAllMs = startMs + 1000 * dayMs;

const answer = { code: '451', enhancedCode: '4.2.0', text: 'later, please' };

const attempt = (number: number, outcome: AttemptRecord['outcome'], atMs: number): AttemptRecord => ({
  number,
  startedAtMs: atMs,
  durationMs: 7,
  outcome,
  host: 'mx.example.org',
  address: '192.0.2.1',
  sourceAddress: '192.0.2.9',
  tls: 'TLSv1.3',
  answer,
  category: 'busy',
  dialogue: 'RCPT\n451 later',
});

function settlement(
  { messageId, lease, attemptsMade }: ClaimedMessage,
  pick: number,
  atMs: number,
): Settlement {
  const number = attemptsMade + 1;
  const facts = {
    attempt: number,
    host: 'mx.example.org',
    address: '192.0.2.1',
    stage: 'rcpt',
    category: 'busy',
  } as const;
  const of = { messageId, lease, atMs, answer };
  switch (pick % 4) {
    case 0:
      return delivered({ messageId, lease, attemptsMade }, atMs);
    case 1:
      return {
        ...of,
        outcome: 'deferred',
        attempt: attempt(number, 'deferred', atMs),
        detail: { ...facts, refused: true, nextAttemptAtMs: atMs + 60_000 },
      };
    case 2:
      return {
        ...of,
        outcome: 'bounced',
        attempt: attempt(number, 'bounced', atMs),
        detail: { ...facts, recipientAtFault: pick % 8 === 2, late: false },
      };
    default:
      return { messageId, lease, atMs, outcome: 'skipped', detail: { reason: 'manual', stream: '*' } };
  }
}

const answered = { code: '550', enhancedCode: '5.1.1', text: 'nobody' };
const visit = {
  userAgent: 'reader',
  address: '192.0.2.7',
  visitor: { kind: 'human', confidence: 0.5, reason: 'so' },
} as const;

function reported(messageId: number, pick: number, atMs: number): Report {
  const of = { messageId, atMs };
  switch (pick % 5) {
    case 0:
      return { ...of, ...visit, type: 'opened' };
    case 1:
      return { ...of, ...visit, type: 'clicked', url: `https://example.com/${pick}` };
    case 2:
      return { ...of, type: 'unsubscribed', stream: pick % 2 ? '*' : 'default', how: 'page' };
    case 3:
      return { ...of, type: 'complained', feedbackType: 'abuse', source: 'mail' };
    default:
      return {
        ...of,
        type: 'bounced',
        answer: answered,
        host: 'mx',
        category: 'mailbox',
        recipientAtFault: true,
      };
  }
}

/** What may happen to a store, one small thing each. */
const steps = {
  async account(world: World) {
    world.accountIds.push((await anAccount(world.store, `account ${++world.count}`)).id);
  },
  async accept(world: World, { pick, text }: Step) {
    const accountId = at(world.accountIds, pick) ?? 0;
    const key = `key ${++world.count}`;
    const recipients = Array.from({ length: 1 + (pick % 4) }, (_, index) => ({
      address: `R${pick % 9}.${index}@example.org`,
      role: index === 0 ? ('to' as const) : ('bcc' as const),
    }));
    const changes = {
      recipients,
      subject: text,
      senderName: text,
      tags: pick % 3 === 0 ? ['a', text] : [],
      metadataJson: JSON.stringify({ text }),
      stream: pick % 2 ? 'default' : 'news',
      raw: Buffer.from(`Subject: x\r\n\r\n${text}\0`),
      idempotency: pick % 5 === 0 ? { key, fingerprint: 'f', expiresAtMs: world.nowMs + dayMs } : undefined,
      atMs: world.nowMs,
    };
    world.messageIds.push(...(await accepted(world.store, aSubmission(accountId, changes))));
  },
  async deliver({ store, nowMs }: World, { pick }: Step) {
    const claimed = await store.queue.claim({ nowMs, leaseMs: 60_000, limit: 1 + (pick % 5) });
    for (const [index, one] of claimed.entries())
      await store.queue.settle(settlement(one, pick + index, nowMs));
  },
  /** By a process that dies then. */
  async claim({ store, nowMs }: World) {
    await store.queue.claim({ nowMs, leaseMs: dayMs, limit: 1 });
  },
  async report({ store, nowMs, messageIds }: World, { pick }: Step) {
    await store.log.report(reported(at(messageIds, pick) ?? 0, pick, nowMs));
  },
  /** As a process tells what is in its journal. */
  async visits({ store, nowMs, messageIds }: World, { pick }: Step) {
    const journal = `journal ${pick % 3}`;
    const { opened } = await store.log.visitsTold({ journal, atMs: nowMs });
    const report = { ...visit, type: 'opened', messageId: at(messageIds, pick) ?? 0, atMs: nowMs } as const;
    const visits = [{ number: opened + 1 + (pick % 4), report }];
    await store.log.reportVisits({ journal, visits, atMs: nowMs });
  },
  async received({ store, nowMs, messageIds }: World, { pick, text }: Step) {
    const answerOf = {
      code: '',
      enhancedCode: '',
      category: '',
      recipient: '',
      feedbackType: '',
      action: 'delayed',
    };
    await store.reports.add({
      ...answerOf,
      atMs: nowMs,
      messageId: pick % 2 ? at(messageIds, pick) : undefined,
      claimedAccountId: undefined,
      kind: 'other',
      text,
      reporter: 'postmaster@example.org',
      subject: text,
    });
  },
  ...webhookSteps,
  async template(world: World, { pick, text }: Step) {
    const accountId = at(world.accountIds, pick) ?? 0;
    const content = {
      name: `template ${++world.count}`,
      fromAddress: '',
      fromName: '',
      subject: text,
      html: undefined,
      text,
      missingVariables: 'empty',
      listUnsubscribe: undefined,
    } as const;
    const made = { author: '', atMs: world.nowMs };
    const created = await world.store.templates.create({ accountId, content, ...made });
    if (created.kind !== 'created') return;
    const templateId = created.value.id;
    if (pick % 3 === 0) await world.store.templates.remove({ accountId, templateId });
    else
      await world.store.templates.change({
        accountId,
        templateId,
        content: { ...content, html: text },
        ...made,
      });
  },
  async domain(world: World, { pick }: Step) {
    const accountId = at(world.accountIds, pick) ?? 0;
    const key = {
      selector: 's1',
      algorithm: 'rsa-sha256',
      publicKey: 'p',
      sealedPrivateKey: 'sealed',
    } as const;
    const name = `d${++world.count}.example`;
    await world.store.domains.add({
      accountId,
      name,
      requireTls: pick % 2 === 0,
      keys: [key],
      atMs: world.nowMs,
    });
  },
  async suppress({ store, nowMs, accountIds }: World, { pick }: Step) {
    const accountId = at(accountIds, pick) ?? 0;
    const recipient = `r${pick % 9}.0@example.org`;
    await store.suppressions.add({ accountId, recipient, stream: '*', reason: 'manual', atMs: nowMs });
    const settings = { bounces: pick % 2 === 0, complaints: true, unsubscribes: pick % 3 > 0 };
    if (pick % 4 === 0) await store.suppressions.configure({ accountId, settings });
  },
  async settings(world: World, { pick }: Step) {
    const accountId = at(world.accountIds, pick) ?? 0;
    const host = `track${++world.count}.example`;
    await world.store.mailSettings.set({
      accountId,
      scope: 'stream',
      name: `s${pick % 3}`,
      settings: { trackOpens: false },
    });
    await world.store.mailSettings.setHost({ accountId, host });
  },
  async person(world: World, { pick, text }: Step) {
    const { store, nowMs } = world;
    const accountId = at(world.accountIds, pick) ?? 0;
    const email = `person${++world.count}@example.org`;
    const hash = `link ${world.count}`;
    const purpose = { kind: 'join', accountId, role: 'owner' } as const;
    const expiresAtMs = nowMs + 1000 * dayMs;
    await store.users.invite({ email, purpose, hash, atMs: nowMs, expiresAtMs });
    if (pick % 3 === 0) return;
    const joined = await store.users.joinAsNew({ hash, email, passwordHash: 'hash', atMs: nowMs });
    if (joined.kind !== 'joined') return;
    const session = {
      userId: joined.user.id,
      hash: `session ${world.count}`,
      userAgent: text,
      address: '',
      atMs: nowMs,
    };
    await store.users.openSession({ ...session, expiresAtMs });
    await store.users.setTotp({ userId: joined.user.id, sealedTotp: 'sealed' });
    await store.users.useTotpStep({ userId: joined.user.id, step: pick });
    await store.users.note({
      accountId,
      actor: email,
      action: 'signIn',
      subject: '',
      address: '',
      atMs: nowMs,
    });
  },
  async provided({ store, nowMs, accountIds }: World, { pick, text }: Step) {
    await store.users.joinByProvider({
      issuer: 'https://id.example',
      subject: `${pick} ${text}`,
      email: `provided${pick}@example.org`,
      admissions: [{ accountId: at(accountIds, pick) ?? 0, role: 'support' }],
      atMs: nowMs,
    });
  },
  async token({ store, nowMs, accountIds }: World, { pick, text }: Step) {
    const accountId = at(accountIds, pick) ?? 0;
    const token = await store.accounts
      .createToken({ accountId, name: text, hash: `hash ${pick} ${nowMs}`, atMs: nowMs })
      .catch(() => undefined);
    if (pick % 2 && token !== undefined)
      await store.accounts.revokeToken({ accountId, tokenId: token.id, atMs: nowMs });
  },
  async simulated({ store, nowMs, accountIds }: World, { pick, text }: Step) {
    await store.simulator.receive({
      accountId: at(accountIds, pick) ?? 0,
      atMs: nowMs,
      headers: {},
      body: text,
    });
    await store.simulator.softBounce(`envelope ${pick}`);
    const state = new Map([[`mx${pick % 3}.example`, JSON.stringify({ pick })]]);
    await store.paces.change({ names: [...state.keys()], nowMs }, () => ({ state, result: undefined }));
  },
  /** As the one that counts the log does. */
  async counted({ store, nowMs, accountIds }: World, { pick }: Step) {
    const accountId = at(accountIds, pick) ?? 0;
    const { afterId, events } = await store.statistics.readUncounted({ accountId, limit: 1 + (pick % 20) });
    const last = events.at(-1);
    if (last === undefined) return;
    const providers = pick % 3 === 0 ? [{ domain: 'example.org', provider: 'a provider' }] : [];
    const rows = countEvents(events, await store.statistics.providersOf(['example.org']));
    await store.statistics.add({ accountId, afterId, lastId: last.id, rows, providers, atMs: nowMs });
  },
  async time(world: World, { pick }: Step) {
    world.nowMs += (pick % 3) * (dayMs / 2) + 1000;
  },
  async forget({ store, nowMs }: World) {
    await store.retention.prune({
      eventsBeforeMs: nowMs - 3 * dayMs,
      bodiesBeforeMs: nowMs - dayMs,
      statisticsBeforeMs: nowMs - 5 * dayMs,
      nowMs,
      limit: 3,
    });
  },
};

type Name = keyof typeof steps;
const names = Object.keys(steps) as Name[];
/** What comes most often, as in the world. */
const often: Name[] = ['accept', 'accept', 'accept', 'deliver', 'deliver', 'report', 'report', 'time'];

interface NamedStep extends Step {
  readonly does: Name;
}

/** Steps that make a store with something of everything in it. */
export const someSteps: fc.Arbitrary<readonly NamedStep[]> = fc.array(
  fc.record({
    does: fc.constantFrom(...names, ...often, ...often),
    pick: fc.nat(10_000),
    text: fc.string({ unit: 'binary', maxLength: 30 }),
  }),
  { minLength: 40, maxLength: 120 },
);

/** Each step, several times: no table is empty then. */
export const everyStep: readonly NamedStep[] = [0, 1, 2, 5, 10].flatMap((pick) =>
  names.filter((does) => does !== 'forget').map((does) => ({ does, pick, text: `text ${pick}` })),
);

/** @param count how many names were given before: none of them comes again */
export async function fillStore(store: Store, list: readonly NamedStep[], count = 0): Promise<void> {
  const world: World = { store, nowMs: startMs, count, accountIds: [], messageIds: [], webhookIds: [] };
  await steps.account(world);
  for (const step of list) await steps[step.does](world, step);
}
