/**
 * How processes share what a destination takes. Pure: what is kept of the destination and one process's ask go in, what
 * it may do and what is kept now come out. The store lets one ask at a time see a destination.
 *
 * Two things are given out. Connections are lent until a time: nobody can take one back that is open, so who asks gets
 * of the fair share what others have let go of, and each is told its fair share when it asks. Messages are paid for as
 * they are given out and have to go within moments; what is not sent of them is lost, never sent later.
 *
 * The sum of what is lent never passes the destination's limit, whoever asks when, dies or stands still.
 */
import type { DestinationLimits } from './destinations.ts';
import { type Learnt, Pace } from './pace.ts';

export interface SharedPace {
  /** Undefined for a destination that nobody has sent to yet. */
  readonly learnt: Learnt | undefined;
  readonly shares: Readonly<Record<string, Share>>;
}

/** One process's part, by its name in `shares`. */
interface Share {
  /** Connections that it may have open. */
  readonly connections: number;
  /** How many it has work for. */
  readonly wants: number;
  /** It asks again before, or it is dead or stands still. */
  readonly untilMs: number;
  /** Until then it is waiting for messages. */
  readonly hungryUntilMs: number;
  /** When it would have had what it got, had it come at its fair rate. */
  readonly fedUntilMs: number;
}

export interface Ask {
  readonly process: string;
  readonly limits: DestinationLimits;
  /** Connections that are open or will be in a moment. */
  readonly open: number;
  /** Connections that it has work for. */
  readonly wants: number;
  /** Messages that it could send within `spendMs`. */
  readonly messages: number;
  /** What came of messages since it last asked. */
  readonly served: number;
  readonly unreachable: number;
  /** Undefined if no server said that it is too fast. */
  readonly toldOffAtMs: number | undefined;
}

export interface Grant {
  /** That it may have open and use until `untilMs`; it closes what it has beyond. */
  readonly connections: number;
  readonly untilMs: number;
  /** That may go within `spendMs`; null if nothing limits them. */
  readonly messages: number | null;
  /** When asking for more could help. */
  readonly askAgainAtMs: number;
  readonly restUntilMs: number;
  /** Between two of its messages, on average, as long as others want as much. */
  readonly distanceMs: number;
}

/** Connections are lent for so long. */
export const lentMs = 15_000;
/** Messages that were given out go within this. */
export const spendMs = 3_000;
/** A process asks no more often for the same destination, unless it has something to tell. */
export const betweenAsksMs = 1_000;
/** Who was told to come back is waited for a little. */
const graceMs = 2_000;
/** Of times that are sums of distances, in messages. */
const roundingError = 1e-6;
/** Where there are fewer connections than processes, they take turns. */
const turnMs = 20_000;
/**
 * One that stands still is not dead: its connections are open until its servers hang up, which they do after five
 * minutes without a word (RFC 5321 section 4.5.3.2.7).
 */
const standingStillMs = 6 * 60_000;

/** It has closed what it was lent no longer, when it was seen alive so long before the end that others know of. */
const closedBeforeMs = 3_000;

/** @param seenAtMs when a process last said that it lives; Infinity for one that is gone, with all its connections */
export function share(
  kept: SharedPace | undefined,
  ask: Ask,
  nowMs: number,
  seenAtMs: (process: string) => number,
): { readonly kept: SharedPace; readonly grant: Grant } {
  const pace = new Pace(ask.limits, kept?.learnt, spendMs);
  learn(pace, ask);
  const others = Object.entries(kept?.shares ?? {}).filter(
    ([process, { untilMs }]) =>
      process !== ask.process &&
      (untilMs > nowMs ||
        (untilMs + standingStillMs > nowMs && seenAtMs(process) < untilMs - closedBeforeMs)),
  );
  const connections = lend(pace.connections, others, ask, nowMs);
  const hungry = others.filter(([, { hungryUntilMs }]) => hungryUntilMs > nowMs);
  const wanted = connections === 0 ? 0 : ask.messages;
  const everyMs = pace.distanceMs * (hungry.length + 1);
  const owedTo = (fedUntilMs: number) => owed({ fedUntilMs, everyMs, nowMs });
  const own = { process: ask.process, ...owedTo(kept?.shares[ask.process]?.fedUntilMs ?? 0) };
  const rivals = hungry.map(([process, { fedUntilMs }]) => ({ process, ...owedTo(fedUntilMs) }));
  const messages = Math.min(wanted, fairMessages(pace.readyCount(nowMs), own, rivals));
  pace.pay(messages, nowMs);
  const fedUntilMs = everyMs === 0 ? 0 : Math.min(own.sinceMs + messages * everyMs, nowMs + spendMs);

  const moreAtMs = messages < wanted ? Math.max(pace.readyAtMs, fedUntilMs + everyMs) : 0;
  const askAgainAtMs = Math.max(nowMs + betweenAsksMs, moreAtMs);
  const part: Share = {
    connections: Math.max(connections, ask.open),
    wants: ask.wants,
    untilMs: nowMs + lentMs,
    hungryUntilMs: messages < wanted ? askAgainAtMs + graceMs : 0,
    fedUntilMs,
  };
  const shares = Object.fromEntries(others);
  if (part.connections > 0 || part.wants > 0) shares[ask.process] = part;
  return {
    kept: { learnt: pace.learnt, shares },
    grant: {
      connections,
      untilMs: part.untilMs,
      messages: everyMs === 0 ? null : messages,
      askAgainAtMs,
      restUntilMs: pace.restUntilMs,
      distanceMs: everyMs,
    },
  };
}

/** What a process leaves behind when it goes in order: nothing of its own. */
export function leave(kept: SharedPace, process: string): SharedPace {
  const { [process]: _, ...shares } = kept.shares;
  return { learnt: kept.learnt, shares };
}

function learn(pace: Pace, { served, unreachable, toldOffAtMs }: Ask): void {
  for (let count = 0; count < served; count++) pace.served();
  for (let count = 0; count < unreachable; count++) pace.unreachable();
  if (toldOffAtMs !== undefined) pace.toldOff(toldOffAtMs);
}

type NamedShare = readonly [process: string, share: Share];

/** The fair share, as far as others have let go of it. */
function lend(total: number, others: readonly NamedShare[], ask: Ask, nowMs: number): number {
  const lent = others.reduce((sum, [, { connections }]) => sum + connections, 0);
  const [alive, standingStill] = [true, false].map((isAlive) =>
    others.filter(([, { untilMs }]) => untilMs > nowMs === isAlive),
  );
  const stuck = (standingStill ?? []).reduce((sum, [, { connections }]) => sum + connections, 0);
  const wants = new Map((alive ?? []).map(([process, share]) => [process, share.wants]));
  wants.set(ask.process, ask.wants);
  const fair = fairShares(Math.max(0, total - stuck), wants, Math.floor(nowMs / turnMs));
  return Math.max(0, Math.min(fair.get(ask.process) ?? 0, total - lent));
}

/**
 * Nobody gets more than it wants, and nobody less than another that wants as much, but for one that cannot be halved:
 * those go to some of them, and with each turn to others.
 */
export function fairShares(
  total: number,
  wants: ReadonlyMap<string, number>,
  turn: number,
): ReadonlyMap<string, number> {
  const shares = new Map([...wants.keys()].map((process) => [process, 0]));
  const names = [...wants.keys()].sort();
  const first = names.length === 0 ? 0 : (turn * Math.max(1, total)) % names.length;
  let wanting = [...names.slice(first), ...names.slice(0, first)];
  for (let left = total; left > 0; ) {
    wanting = wanting.filter((process) => (shares.get(process) ?? 0) < (wants.get(process) ?? 0));
    if (wanting.length === 0) break;
    const each = Math.max(1, Math.floor(left / wanting.length));
    for (const process of wanting) {
      const has = shares.get(process) ?? 0;
      const more = Math.min(each, left, (wants.get(process) ?? 0) - has);
      shares.set(process, has + more);
      left -= more;
    }
  }
  return shares;
}

interface Owed {
  readonly process: string;
  readonly messages: number;
  /** Since when they have come together. */
  readonly sinceMs: number;
}

/** What has come together for a process that is to have a message `everyMs`; what it leaves for long is for others. */
function owed({ fedUntilMs, everyMs, nowMs }: { fedUntilMs: number; everyMs: number; nowMs: number }) {
  const sinceMs = Math.max(fedUntilMs, nowMs - Math.max(everyMs, spendMs));
  const messages = everyMs === 0 ? 0 : Math.floor((nowMs - sinceMs) / everyMs + roundingError);
  return { sinceMs, messages: Math.max(0, messages) };
}

/** What others are owed stays for them; where there is less than is owed to all, each has its part of what there is. */
function fairMessages(ready: number, own: Owed, rivals: readonly Owed[]): number {
  const others = rivals.reduce((sum, { messages }) => sum + messages, 0);
  if (own.messages + others <= ready) return ready - others;
  const part = Math.floor((ready * own.messages) / (own.messages + others));
  // One that cannot be divided is for who is owed most.
  const isFirst = rivals.every(
    ({ process, messages }) =>
      messages < own.messages || (messages === own.messages && own.process < process),
  );
  return part === 0 && isFirst ? Math.min(1, ready) : part;
}
