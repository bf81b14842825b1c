/**
 * The proof: four processes with mixed roles on a primary with a synchronous standby, mail by SMTP and HTTP, and
 * whatever can go wrong while it flows. When all is over and quiet, everything is accounted for.
 */
import { setTimeout as pause } from 'node:timers/promises';
import { createAccount } from '../../src/accounts/provision.ts';
import { systemClock, systemRandom } from '../../src/platform/clock.ts';
import { openPostgresStore } from '../../src/store/postgres/open.ts';
import { PostgresPair } from '../support/postgres-pair.ts';
import { type TestAccount, TestService } from '../support/service.ts';
import {
  type EventRow,
  type Findings,
  judge,
  type Ledger,
  type MessageRow,
  missingAt,
} from './accounting.ts';
import type { Subscription } from './accounting.ts';
import { chanceFrom, type Chance } from './chance.ts';
import { Endpoint } from './endpoints.ts';
import { type Fault, Faults, longPlan, type Member, shortPlan } from './faults.ts';
import { type Mailboxes, startMailboxes } from './mailboxes.ts';
import { type Door, Doors, type Sent, Traffic, visitAt } from './traffic.ts';

export interface Proof {
  readonly seed: number;
  /** Undefined for the short form. */
  readonly minutes: number | undefined;
  readonly senders: number;
  /** Of each sender. */
  readonly perSecond: number;
}

export interface Result extends Findings {
  readonly startMs: number;
  /** When nothing new came and nothing went wrong any more, and when all of it was through. */
  readonly stillMs: number;
  readonly endMs: number;
  readonly faults: readonly Fault[];
  readonly sent: readonly Sent[];
  readonly ledger: Ledger;
  readonly subscriptions: readonly Subscription[];
  readonly copies: Mailboxes['copies'];
  /** What the processes logged, if there are problems. */
  readonly logs: readonly string[];
}

const secret = 'a secret that all processes of the test share';
const accountNames = ['acme', 'globex', 'initech'];
const everyType = ['accepted', 'deferred', 'delivered', 'bounced', 'opened', 'unsubscribed'];
/** Everything that was accepted has gone its way by then, or is lost. */
const quietWithinMs = 6 * 60_000;
const lookEveryMs = 250;

export async function prove(proof: Proof): Promise<Result> {
  const chance = chanceFrom(proof.seed);
  await using stack = new AsyncDisposableStack();
  const pair = stack.use(await PostgresPair.start());
  const open: Door[] = [];
  const doors = new Doors(open, chance);
  const mailboxes = stack.use(
    await startMailboxes(chanceFrom(proof.seed + 1), (method, url) =>
      doors.knock((door) => visitAt(door, method, url)).catch(() => 0),
    ),
  );
  const members = await startMembers(stack, pair, mailboxes);
  for (const { service, accepts } of members) {
    if (accepts) open.push({ http: service.url, smtpPort: service.submissionPort });
  }
  const { accounts, subscriptions } = await furnish(stack, pair, members[0]?.service, chance);

  const startMs = performance.now();
  const traffic = new Traffic(doors, accounts, chanceFrom(proof.seed + 2));
  const flowing = traffic.run(proof.senders, proof.perSecond);
  const faults = new Faults(members, pair, chance);
  if (proof.minutes === undefined) await shortPlan(faults, chance);
  else await longPlan(faults, chance, proof.minutes * 60_000);
  traffic.stop();
  await faults.over();
  await flowing;

  const stillMs = performance.now();
  const ledger = await whenQuiet(pair, subscriptions);
  const problems = await waitingIn(pair);
  for (const { name, service } of members) {
    const status = await fetch(`${service.url}/readyz`).then(
      (response) => response.status,
      () => 0,
    );
    if (status !== 200) problems.push(`${name} has not come back (${status}):\n${service.log.slice(-2000)}`);
  }
  const { sent } = traffic;
  const findings = judge({ sent, mailboxes, subscriptions, faults: faults.done, ledger });
  problems.push(...findings.problems);
  // Who looks for the fault wants to know what the processes said.
  const logs = problems.length === 0 ? [] : members.map(({ name, service }) => `${name}: ${service.log}`);
  return {
    ...findings,
    ...{ problems, logs },
    ...{ startMs, stillMs, endMs: performance.now(), faults: faults.done, sent, ledger, subscriptions },
    copies: mailboxes.copies,
  };
}

interface DoorMember extends Member {
  readonly accepts: boolean;
}

async function startMembers(
  stack: AsyncDisposableStack,
  pair: PostgresPair,
  { port }: Mailboxes,
): Promise<readonly DoorMember[]> {
  const place = {
    AFTERSEND_DATABASE_URL: pair.url('postgres'),
    AFTERSEND_SECRET_KEY: secret,
    AFTERSEND_ROUTE: `smtp://127.0.0.1:${port}`,
    AFTERSEND_RETRY_FIRST: '1 s',
    AFTERSEND_WEBHOOK_ALLOW: '127.0.0.0/8',
    AFTERSEND_LOG: 'error',
    // One-click unsubscribing is offered by https alone (RFC 8058); who visits stands where the proxy would.
    AFTERSEND_PUBLIC_URL: 'https://mail.example.com',
  };
  const start = async (roles: string): Promise<DoorMember> => {
    const service = stack.use(await TestService.start({ ...place, AFTERSEND_ROLES: roles }));
    const does = (role: string) => roles === 'all' || roles.includes(role);
    const [accepts, delivers, tells] = [does('api'), does('delivery'), does('webhooks')];
    return { name: roles, service, accepts, delivers, tells };
  };
  // The first alone makes the tables.
  const first = await start('api,submission');
  const others = ['delivery', 'webhooks', 'all'].map(start);
  return [first, ...(await Promise.all(others))];
}

/** Accounts that may send, beside the running processes as an operator makes them. */
async function makeAccounts(url: string): Promise<readonly TestAccount[]> {
  await using store = await openPostgresStore({ url, clock: systemClock, processName: 'operator' });
  const deps = { accounts: store.accounts, clock: systemClock, random: systemRandom };
  const accounts: TestAccount[] = [];
  for (const name of accountNames) {
    const { account, token, smtp } = await createAccount(deps, { name, email: '', timeZone: 'UTC' });
    await store.domains.vouch({ accountId: account.id, name: 'example.com', atMs: systemClock.now() });
    await store.mailSettings.setAccount({ accountId: account.id, changes: { listUnsubscribe: true } });
    accounts.push({ account_id: account.id, token, smtp });
  }
  return accounts;
}

/** Accounts and their endpoints: of each manner one, and one that gets every event alone. */
async function furnish(
  stack: AsyncDisposableStack,
  pair: PostgresPair,
  service: TestService | undefined,
  chance: Chance,
): Promise<{ accounts: readonly TestAccount[]; subscriptions: readonly Subscription[] }> {
  if (service === undefined) throw new Error('there is no process');
  const subscriptions: Subscription[] = [];
  const accounts = await makeAccounts(pair.url('postgres'));
  for (const [index, account] of accounts.entries()) {
    const accountName = accountNames[index] ?? '';
    for (const [manner, framing, types] of [
      ['well', 'array', everyType],
      ['well', 'single', ['delivered', 'bounced']],
      ['slowly', 'array', everyType],
      ['with errors', 'array', ['delivered', 'unsubscribed']],
    ] as const) {
      const name = `${accountName}, ${manner}${framing === 'single' ? ', one by one' : ''}`;
      const endpoint = stack.use(await Endpoint.start({ name, manner, types }, chance));
      await service.call(account, 'POST', '/api/webhooks', {
        url: endpoint.url,
        dialect: 'aftersend',
        types,
        options: { framing },
        ...(framing === 'array' && { batch: { count: 100, age_seconds: 1 } }),
      });
      subscriptions.push({ accountId: account.account_id, endpoint });
    }
  }
  return { accounts, subscriptions };
}

/** What still waits in the queue, and for whom. */
async function waitingIn(pair: PostgresPair): Promise<string[]> {
  const rows = await pair.ask<Record<string, string>>(
    `SELECT message_id, attempts_made, lease, holder, due_at_ms - extract(epoch FROM now()) * 1000 AS due_in_ms,
       (SELECT count(*) FROM processes WHERE name = holder) AS living FROM queue ORDER BY message_id LIMIT 5`,
  );
  return rows.map((row) => `in the queue: ${JSON.stringify(row)}`);
}

/** Waits until nothing waits any more, or too long. */
async function whenQuiet(pair: PostgresPair, subscriptions: readonly Subscription[]): Promise<Ledger> {
  const deadlineMs = performance.now() + quietWithinMs;
  for (;;) {
    const [queue] = await pair.ask<{ waiting: string }>('SELECT count(*) AS waiting FROM queue');
    const ledger = {
      messages: await pair.ask<MessageRow>('SELECT id, recipient, state FROM messages ORDER BY id'),
      events: await pair.ask<EventRow>(
        'SELECT id, account_id, message_id, number, type FROM events ORDER BY id',
      ),
    };
    const isTold = subscriptions.every((subscription) => missingAt(subscription, ledger).length === 0);
    if ((Number(queue?.waiting) === 0 && isTold) || performance.now() > deadlineMs) return ledger;
    await pause(lookEveryMs);
  }
}
