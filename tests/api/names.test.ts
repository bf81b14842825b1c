/** Names that one account alone may have, whatever the store: who comes second is told so, however close behind. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createAccount } from '../../src/accounts/provision.ts';
import { systemClock, systemRandom } from '../../src/platform/clock.ts';
import { openPostgresStore } from '../../src/store/postgres/open.ts';
import { freshDatabase } from '../support/fresh-database.ts';
import { withoutPostgres } from '../support/postgres.ts';
import { startApi } from './api-under-test.ts';

const openShared = async () =>
  openPostgresStore({ url: await freshDatabase(), clock: systemClock, processName: 'api' });

for (const [place, open, skip] of [
  ['data folder', undefined, false],
  ['PostgreSQL', openShared, withoutPostgres],
] as const) {
  test(`of accounts that want a name at once, one has it and the others are told so (${place})`, {
    skip,
  }, async () => {
    await using api = await startApi({}, open);
    const { clock, store } = api;
    const provision = { accounts: store.accounts, clock, random: systemRandom };
    const tokens: string[] = [];
    for (const name of ['one', 'two', 'three', 'four', 'five', 'six']) {
      tokens.push((await createAccount(provision, { name, email: '', timeZone: 'UTC' })).token);
    }
    const atOnce = async (method: string, path: string, body: object) => {
      const answers = await Promise.all(tokens.map((token) => api.call(method, path, { token, body })));
      return answers.map(({ status }) => status).toSorted((a, b) => a - b);
    };
    for (let round = 1; round <= 5; round++) {
      const login = { username: `printer-${round}` };
      assert.deepEqual(await atOnce('POST', '/api/smtp-logins', login), [201, 422, 422, 422, 422, 422]);
      const named = { tracking_host: `track-${round}.example.com` };
      assert.deepEqual(await atOnce('PATCH', '/api/settings', named), [200, 409, 409, 409, 409, 409]);
    }
  });
}
