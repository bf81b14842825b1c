/**
 * Remembers for a moment what every message asks of a store and people seldom change: who is calling, what the account's
 * mail does by default, as which domain it goes out. Such a question costs as much as the message's own rows when the
 * file is written to all the time, and a round trip where the store is a server.
 *
 * What is changed through the same store is seen at once. What another process changes (the command line, another
 * process on the same database) is seen when the moment is over, so a token that is revoked there may be good for that
 * long. An account or domain that is not there is never remembered as such: a new one counts at once.
 */
import type { Clock } from '../platform/clock.ts';
import type { Store } from './contract/store.ts';

/** How old an answer may be. */
const mostMs = 1000;
/** Answers of some hundred bytes to a few kilobytes. */
const mostAnswers = 5000;

class Memory {
  readonly #clock: Pick<Clock, 'now'>;
  readonly #answers = new Map<string, { readonly answer: Promise<unknown>; readonly askedAtMs: number }>();
  #changes = 0;

  constructor(clock: Pick<Clock, 'now'>) {
    this.#clock = clock;
  }

  /** @param question names it, with all that it depends on */
  recall<Answer>(question: string, ask: () => Promise<Answer>): Promise<Answer> {
    const askedAtMs = this.#clock.now();
    const known = this.#answers.get(question);
    return known !== undefined && Math.abs(askedAtMs - known.askedAtMs) < mostMs
      ? (known.answer as Promise<Answer>)
      : this.#learn(question, ask(), askedAtMs);
  }

  async #learn<Answer>(question: string, asked: Promise<Answer>, askedAtMs: number): Promise<Answer> {
    const changes = this.#changes;
    const answer = await asked;
    // What was changed meanwhile may be newer than this answer.
    if (answer === undefined || changes !== this.#changes) return answer;
    if (this.#answers.size >= mostAnswers) this.#answers.clear();
    this.#answers.set(question, { answer: asked, askedAtMs });
    return answer;
  }

  /** @returns these verbs of a room, after each of which nothing that was known counts any more */
  changing<Room extends object, Verb extends keyof Room & string>(
    room: Room,
    ...verbs: readonly Verb[]
  ): Pick<Room, Verb> {
    const entries = verbs.map((verb) => {
      const change = room[verb] as (input: unknown) => Promise<unknown>;
      return [verb, (input: unknown) => change(input).finally(() => this.#forget())] as const;
    });
    return Object.fromEntries(entries) as unknown as Pick<Room, Verb>;
  }

  #forget(): void {
    this.#changes++;
    this.#answers.clear();
  }
}

export function remembering(store: Store, clock: Pick<Clock, 'now'>): Store {
  const memory = new Memory(clock);
  const { accounts, mailSettings, domains } = store;
  return {
    ...store,
    accounts: {
      ...accounts,
      ...memory.changing(
        accounts,
        'create',
        'createToken',
        'revokeToken',
        'createSmtpLogin',
        'revokeSmtpLogin',
      ),
      byTokenHash: (hash) => memory.recall(`token ${hash}`, () => accounts.byTokenHash(hash)),
      bySmtpUsername: (name) => memory.recall(`login ${name}`, () => accounts.bySmtpUsername(name)),
    },
    mailSettings: {
      ...mailSettings,
      ...memory.changing(mailSettings, 'setAccount', 'set', 'remove', 'setHost'),
      isHost: (host) => memory.recall(`host ${host}`, () => mailSettings.isHost(host)),
      defaultsFor: (input) =>
        memory.recall(`defaults ${JSON.stringify(input)}`, () => mailSettings.defaultsFor(input)),
    },
    domains: {
      ...domains,
      ...memory.changing(domains, 'add', 'setRequireTls', 'addKeys', 'remove', 'recordCheck', 'vouch'),
      keys: (accountId, domainId) =>
        memory.recall(`keys ${accountId} ${domainId}`, () => domains.keys(accountId, domainId)),
      ofSender: (accountId, name) =>
        memory.recall(`sender ${accountId} ${name}`, () => domains.ofSender(accountId, name)),
    },
  };
}
