/**
 * The accounts at the end: every message that was answered with 2xx or 250, every copy in a mailbox, every event at
 * every endpoint. What is there twice has to be explained by what went wrong just then, or it counts as a fault of ours.
 */
import type { Endpoint } from './endpoints.ts';
import type { Fault } from './faults.ts';
import type { Mailboxes } from './mailboxes.ts';
import type { Sent } from './traffic.ts';

export interface MessageRow {
  readonly id: string;
  readonly recipient: string;
  readonly state: string;
}

export interface EventRow {
  readonly id: string;
  readonly account_id: string;
  readonly message_id: string;
  readonly number: string;
  readonly type: string;
}

/** What is in the database when all is quiet. */
export interface Ledger {
  readonly messages: readonly MessageRow[];
  /** By id. */
  readonly events: readonly EventRow[];
}

/** An endpoint and the account whose events it gets. */
export interface Subscription {
  readonly accountId: number;
  readonly endpoint: Endpoint;
}

export interface Evidence {
  readonly sent: readonly Sent[];
  readonly mailboxes: Pick<Mailboxes, 'copies' | 'left'>;
  readonly subscriptions: readonly Subscription[];
  readonly faults: readonly Fault[];
  readonly ledger: Ledger;
}

export interface Findings {
  /** What must not be; empty when all is well. */
  readonly problems: readonly string[];
  /** Second copies, by the fault that explains them. */
  readonly secondCopies: ReadonlyMap<Fault, number>;
  /** Events that an endpoint took again, by endpoint and fault. */
  readonly secondEvents: ReadonlyMap<Endpoint, ReadonlyMap<Fault, number>>;
}

/** What was done and is not in the database when a process dies: cursors are saved each second, outcomes each commit. */
const unsavedMs = 5_000;

export function judge(evidence: Evidence): Findings {
  const problems: string[] = [];
  const cutOff = leftWhileCutOff(evidence);
  messagesAreAllThere(evidence, cutOff, problems);
  eventsAreWhole(evidence, cutOff, problems);
  const secondCopies = copiesAreExplained(evidence, problems);
  const secondEvents = new Map<Endpoint, ReadonlyMap<Fault, number>>();
  for (const subscription of evidence.subscriptions) {
    secondEvents.set(subscription.endpoint, endpointHasAll(subscription, evidence, problems));
  }
  return { problems, secondCopies, secondEvents };
}

/** Every event that an endpoint should have and has not taken. */
export function missingAt({ accountId, endpoint }: Subscription, { events }: Ledger): readonly number[] {
  const taken = new Set(endpoint.taken.map(({ eventId }) => eventId));
  return events
    .filter((event) => Number(event.account_id) === accountId && endpoint.types.includes(event.type))
    .map(({ id }) => Number(id))
    .filter((id) => !taken.has(id));
}

/**
 * Recipients who had their copy and left while a fault kept that from being settled: their message was tried again, and
 * was skipped, for they had left.
 */
function leftWhileCutOff({ mailboxes, faults, ledger }: Evidence): ReadonlySet<string> {
  const able = faults.filter(({ member }) => member?.delivers !== false);
  const skipped = ledger.messages.filter(({ recipient, state }) => {
    const copyMs = mailboxes.copies.get(recipient)?.at(-1);
    if (state !== 'skipped' || copyMs === undefined || !mailboxes.left.has(recipient)) return false;
    return explanation(able, copyMs, Infinity) !== undefined;
  });
  return new Set(skipped.map(({ recipient }) => recipient));
}

function messagesAreAllThere(
  { sent, mailboxes, ledger }: Evidence,
  cutOff: ReadonlySet<string>,
  problems: string[],
): void {
  const byRecipient = Map.groupBy(ledger.messages, ({ recipient }) => recipient);
  for (const { by, recipients, isKeyed, tries, answered } of sent) {
    for (const [index, recipient] of recipients.entries()) {
      const rows = byRecipient.get(recipient) ?? [];
      const what = `${recipient} (${by}${isKeyed ? `, keyed, ${tries} tries` : ''})`;
      if (rows.length > 1) problems.push(`${what} is there ${rows.length} times`);
      if (answered === undefined) continue;
      const [row] = rows;
      if (row === undefined) problems.push(`${what} was answered and is lost`);
      else if (Number(row.id) !== answered.firstId + index)
        problems.push(`${what} was answered with another id than ${row.id}`);
    }
  }
  for (const { recipient, state } of ledger.messages) {
    if (cutOff.has(recipient)) continue;
    if (state !== 'delivered' && state !== 'bounced') problems.push(`${recipient} ended as ${state}`);
    const copies = mailboxes.copies.get(recipient)?.length ?? 0;
    if ((state === 'delivered') !== copies > 0)
      problems.push(`${recipient} is ${state} and there are ${copies} copies`);
  }
  const known = new Set(ledger.messages.map(({ recipient }) => recipient));
  for (const recipient of mailboxes.copies.keys()) {
    if (!known.has(recipient)) problems.push(`${recipient} was delivered and is not in the database`);
  }
}

/** Each message's events are numbered 1, 2, 3 …: accepted, then what became of it, once; nobody's leaving is forgotten. */
function eventsAreWhole(
  { mailboxes, ledger }: Evidence,
  cutOff: ReadonlySet<string>,
  problems: string[],
): void {
  const byMessage = Map.groupBy(ledger.events, ({ message_id: id }) => id);
  for (const { id, recipient } of ledger.messages) {
    const events = byMessage.get(id) ?? [];
    const types = events.map(({ type }) => type);
    if (events.some(({ number }, index) => Number(number) !== index + 1))
      problems.push(`the events of ${recipient} are not 1, 2, 3 … in the order of their ids`);
    const ending = cutOff.has(recipient) ? ['skipped'] : ['delivered', 'bounced'];
    const ends = types.filter((type) => ending.includes(type)).length;
    if (types[0] !== 'accepted' || ends !== 1)
      problems.push(`the story of ${recipient} is ${types.join(', ')}`);
    if (mailboxes.left.has(recipient) && !types.includes('unsubscribed'))
      problems.push(`${recipient} was told to have left, and the log does not say so`);
  }
}

function copiesAreExplained({ mailboxes, faults }: Evidence, problems: string[]): ReadonlyMap<Fault, number> {
  const explained = new Map<Fault, number>();
  const able = faults.filter(({ member }) => member?.delivers !== false);
  for (const [recipient, times] of mailboxes.copies) {
    for (const [index, atMs] of times.entries()) {
      if (index === 0) continue;
      const fault = explanation(able, times[index - 1] ?? 0, atMs);
      if (fault === undefined) problems.push(`${recipient} came again at ${seconds(atMs)} for no reason`);
      else explained.set(fault, (explained.get(fault) ?? 0) + 1);
    }
  }
  return explained;
}

function endpointHasAll(
  subscription: Subscription,
  { faults, ledger }: Evidence,
  problems: string[],
): ReadonlyMap<Fault, number> {
  const { accountId, endpoint } = subscription;
  const { name } = endpoint;
  const missing = missingAt(subscription, ledger);
  if (missing.length > 0)
    problems.push(`${name} lacks ${missing.length} events: ${missing.slice(0, 5).join()}`);
  const own = new Set(
    ledger.events.filter((event) => Number(event.account_id) === accountId).map(({ id }) => Number(id)),
  );
  const able = faults.filter(({ member }) => member?.tells !== false);
  const explained = new Map<Fault, number>();
  const lastAtMs = new Map<number, number>();
  let highest = 0;
  for (const { eventId, atMs } of endpoint.taken) {
    if (!own.has(eventId)) problems.push(`${name} took event ${eventId}, which is not in the log`);
    const before = lastAtMs.get(eventId);
    lastAtMs.set(eventId, atMs);
    if (before === undefined) {
      if (eventId < highest) problems.push(`${name} took event ${eventId} after ${highest}`);
      highest = Math.max(highest, eventId);
      continue;
    }
    const fault = explanation(able, before, atMs);
    if (fault === undefined)
      problems.push(`${name} took event ${eventId} again at ${seconds(atMs)} for no reason`);
    else explained.set(fault, (explained.get(fault) ?? 0) + 1);
  }
  for (const atMs of endpoint.overlaps) {
    if (explanation(able, atMs, Infinity) === undefined)
      problems.push(`two requests at once to ${name} at ${seconds(atMs)}`);
  }
  return explained;
}

/** The fault that lay between two times that something came, and struck while the first was not yet in the database. */
function explanation(faults: readonly Fault[], firstMs: number, againMs: number): Fault | undefined {
  return faults.findLast(
    ({ fromMs, untilMs }) =>
      againMs >= fromMs && firstMs >= fromMs - unsavedMs && firstMs <= untilMs + unsavedMs,
  );
}

const seconds = (atMs: number): string => `${(atMs / 1000).toFixed(1)} s`;
