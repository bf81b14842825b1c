/**
 * The promise to those who count readers: a visit that was answered is in the log, whenever the process is killed, after the
 * next start, and none is there twice. The service runs as a process of its own and dies by SIGKILL under load.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Pool } from 'undici';
import { deriveKeys } from '../../src/tokens/keys.ts';
import { type TrackingLinks, trackingLinks } from '../../src/tokens/links.ts';
import { signedTokens } from '../../src/tokens/signed.ts';
import { freshDatabase } from '../support/fresh-database.ts';
import { withoutPostgres } from '../support/postgres.ts';
import { type TestAccount, TestService } from '../support/service.ts';
import { until } from '../support/until.ts';

const secret = 'a secret of thirty-two characters or more';
const messages = 50;
const connections = 16;
const rounds = 3;
/** Answers before the kill, in the first round and more in the next ones. */
const answersOfRound = 700;

test('killed again and again under opens and clicks, it tells each that was answered, once', () =>
  killedAgainAndAgain({}));

test('the same on PostgreSQL', { skip: withoutPostgres }, async () =>
  killedAgainAndAgain({ AFTERSEND_DATABASE_URL: await freshDatabase() }),
);

async function killedAgainAndAgain(place: Readonly<Record<string, string>>): Promise<void> {
  await using service = await TestService.start({ AFTERSEND_SECRET_KEY: secret, ...place });
  const account = await service.createAccount('acme');
  const links = trackingLinks(signedTokens(deriveKeys([secret])), service.url, 'localhost');
  const { messages: sent } = await service.call<{ messages: { id: number }[] }>(
    account,
    'POST',
    '/api/messages',
    {
      from: 'shop@example.com',
      to: Array.from({ length: messages }, (_, index) => `delivered+${index}@simulator.test`),
      subject: 's',
      text: 'x',
    },
  );
  const ids = sent.map(({ id }) => id);
  const visits = new Visits(links, ids);
  for (let round = 1; round <= rounds; round++) {
    await visits.untilKilled(service, answersOfRound * round);
    await service.start();
  }
  assert.ok(visits.answered.size > answersOfRound * rounds, `only ${visits.answered.size} were answered`);

  await until(
    async () => (await fetch(`${service.url}/metrics`)).text(),
    (text) => /^aftersend_visits_waiting 0$/m.test(text) && /^aftersend_visits_journal_bytes 0$/m.test(text),
  );
  const told = await toldTo(service, account, ids);
  const missing = [...visits.answered].filter((name) => !told.has(name));
  assert.deepEqual(missing, [], 'each that was answered is there');
  const repeated = [...told].filter(([, times]) => times > 1);
  assert.deepEqual(repeated, [], 'none is there twice');
}

/** Opens and clicks, each known by the program that it says it is. */
class Visits {
  readonly answered = new Set<string>();
  readonly #links: TrackingLinks;
  readonly #ids: readonly number[];
  #made = 0;

  constructor(links: TrackingLinks, ids: readonly number[]) {
    this.#links = links;
    this.#ids = ids;
  }

  async untilKilled(service: TestService, killAfter: number): Promise<void> {
    const pool = new Pool(service.url, { connections });
    const answered: string[] = [];
    const { promise: enough, resolve: isEnough } = Promise.withResolvers<void>();
    const keepVisiting = async () => {
      // Until it is killed, when a request fails.
      for (;;) {
        const { path, name } = this.#next();
        const { body } = await pool.request({ method: 'GET', path, headers: { 'user-agent': name } });
        await body.dump();
        answered.push(name);
        if (answered.length === killAfter) isEnough();
      }
    };
    const visiting = Promise.allSettled(Array.from({ length: connections }, keepVisiting));
    await enough;
    await service.stop('SIGKILL');
    await visiting;
    await pool.destroy();
    for (const name of answered) this.answered.add(name);
  }

  /** Every fourth is an open; each click follows a link of its own, so none is asked for endlessly. */
  #next(): { path: string; name: string } {
    const number = this.#made++;
    const messageId = this.#ids[(number >> 2) % this.#ids.length] ?? 0;
    const isOpen = number % 4 === 0;
    const url = isOpen
      ? this.#links.pixelUrl(messageId)
      : this.#links.clickUrl(messageId, `https://example.org/${number}`);
    return { path: new URL(url ?? '').pathname, name: `visit ${number}` };
  }
}

/** How often the log has each. */
async function toldTo(service: TestService, account: TestAccount, ids: readonly number[]) {
  const told = new Map<string, number>();
  for (const id of ids) {
    const { events } = await service.call<{ events: { detail: { user_agent?: string; count?: number } }[] }>(
      account,
      'GET',
      `/api/messages/${id}`,
    );
    for (const { detail } of events) {
      if (detail.user_agent === undefined) continue;
      assert.equal(detail.count, undefined, 'none was counted together');
      told.set(detail.user_agent, (told.get(detail.user_agent) ?? 0) + 1);
    }
  }
  return told;
}
