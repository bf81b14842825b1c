/** All that a store answers of what it has, for holding one store to another. */
import type { LoggedEvent } from '../../src/events/types.ts';
import { startMs } from '../../src/store/conformance/fixtures.ts';
import type { Message } from '../../src/store/contract/messages.ts';
import type { Counted } from '../../src/store/contract/statistics.ts';
import type { Store } from '../../src/store/contract/store.ts';
import type { Member } from '../../src/store/contract/users.ts';
import type { Webhook } from '../../src/store/contract/webhooks.ts';

async function ofMessage(store: Store, message: Message) {
  const { accountId, id } = message;
  return {
    // What is leased has another time there, and is due.
    message: { ...message, nextAttemptAtMs: message.nextAttemptAtMs === undefined },
    found: (await store.messages.byId(accountId, id))?.id,
    attempts: await store.messages.attempts(accountId, id),
    story: await store.log.ofMessage(accountId, id),
    body: Buffer.from((await store.queue.readBody(message.submissionId)) ?? []).toString('hex'),
    finishedAtMs: [...(await store.log.finishedAtMs([id]))],
  };
}

async function ofWebhook(store: Store, webhook: Webhook) {
  const { accountId, id: webhookId } = webhook;
  return {
    webhook: await store.webhooks.byId(accountId, webhookId),
    attempts: await store.webhooks.attempts(accountId, webhookId),
    setAside: await store.webhooks.setAside({ accountId, webhookId, afterId: 0, limit: 1000 }),
    notices: await store.webhooks.notices(accountId, webhookId),
    replays: await store.replays.list(accountId, webhookId),
    ranges: await store.webhooks.rangesOver(accountId, 1),
  };
}

async function wholeLog(store: Store, accountId: number): Promise<readonly LoggedEvent[]> {
  const events: LoggedEvent[] = [];
  for (let afterId = 0; ; ) {
    const page = await store.log.readAfter({ accountId, afterId, limit: 100, scanLimit: 100 });
    events.push(...page.events);
    if (page.atEnd) return events;
    afterId = page.scannedTo;
  }
}

/** The days that a test's store has lived through, and some more. */
const days = 400;
const dayMs = 86_400_000;

async function statisticsOf(store: Store, accountId: number) {
  const fromMs = startMs - (startMs % dayMs) - dayMs;
  const toMs = fromMs + days * dayMs;
  const sums = async (of: Counted) =>
    (await store.statistics.sums({ accountId, of, fromMs, lengthMs: dayMs, intervals: days })).toSorted(
      (a, b) => a.index - b.index,
    );
  const byName = async (by: 'domain' | 'provider') =>
    (await store.statistics.sumsByName({ accountId, by, fromMs, toMs })).toSorted((a, b) =>
      `${a.name} ${a.provider}` < `${b.name} ${b.provider}` ? -1 : 1,
    );
  const { messages, oldestAtMs } = await store.statistics.waiting({ accountId, cap: 1000, lookAt: 0 });
  return {
    countedTo: await store.statistics.countedTo(accountId),
    uncounted: await store.statistics.readUncounted({ accountId, limit: 1000 }),
    all: await sums({ kind: 'all' }),
    ofTag: await sums({ kind: 'tag', tag: 'a' }),
    ofProvider: await sums({ kind: 'provider', provider: 'a provider' }),
    domains: await byName('domain'),
    providers: await byName('provider'),
    waiting: { messages, oldestAtMs },
  };
}

async function ofUser(store: Store, { user }: Member) {
  return {
    user: await store.users.byId(user.id),
    memberships: await store.users.memberships(user.id),
    sessions: await store.users.sessions(user.id, startMs),
  };
}

async function ofAccount(store: Store, accountId: number) {
  const limit = 10_000;
  const messages = await store.messages.list({ accountId }, { limit });
  const templates = await store.templates.list({ accountId, limit });
  const domains = await store.domains.list({ accountId, limit });
  const members = await store.users.members({ accountId, limit });
  return {
    account: await store.accounts.byId(accountId),
    tokens: await store.accounts.listTokens({ accountId, limit }),
    logins: await store.accounts.listSmtpLogins({ accountId, limit }),
    messages: await Promise.all(messages.map((message) => ofMessage(store, message))),
    tagged: (await store.messages.list({ accountId, tag: 'a' }, { limit })).map(({ id }) => id),
    queued: await store.messages.count({ accountId, state: 'queued' }, limit),
    log: await wholeLog(store, accountId),
    suppressions: await store.suppressions.list({ accountId, limit }),
    suppressing: await store.suppressions.settings(accountId),
    settings: await store.mailSettings.list(accountId),
    host: await store.mailSettings.hostOf(accountId),
    templates: await Promise.all(
      templates.map(async (template) => [template, await store.templates.versions(accountId, template.id)]),
    ),
    domains: await Promise.all(
      domains.map(async (domain) => [domain, await store.domains.keys(accountId, domain.id)]),
    ),
    members,
    users: await Promise.all(members.map((member) => ofUser(store, member))),
    invitations: await store.users.invitations(accountId, startMs),
    audit: await store.users.audit({ accountId, limit }),
    webhooks: await Promise.all(
      (await store.webhooks.list(accountId)).map((webhook) => ofWebhook(store, webhook)),
    ),
    received: await store.simulator.received(accountId),
    statistics: await statisticsOf(store, accountId),
  };
}

/** Everything that a store answers of what it has. */
export async function answersOf(store: Store): Promise<object> {
  const accounts = await store.accounts.list();
  return {
    accounts: await Promise.all(accounts.map(({ id }) => ofAccount(store, id))),
    reports: await store.reports.list({ accountId: undefined, withUnclaimed: true, limit: 10_000 }),
    notices: await store.webhooks.unmailedNotices(10_000),
    told: await Promise.all(
      [0, 1, 2].map((journal) => store.log.visitsTold({ journal: `journal ${journal}`, atMs: startMs })),
    ),
    providers: [...(await store.statistics.providersOf(['example.org', 'example.com']))],
    uncounted: (await store.statistics.uncountedAccounts()).toSorted((a, b) => a - b),
    depth: await store.queue.depth(),
    paces: (await store.paces.recent(100)).toSorted((a, b) => (a.name < b.name ? -1 : 1)),
    keys: await Promise.all(
      accounts.flatMap(({ id: accountId }) =>
        Array.from({ length: 200 }, (_, n) =>
          store.intake.earlier({ accountId, key: `key ${n}`, fingerprint: 'f', atMs: startMs }),
        ),
      ),
    ),
  };
}
