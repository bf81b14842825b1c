/**
 * The real HTTP application on a real store (SQLite, if the test opens no other) and a loopback port, with an account, as the tests of the API use
 * it. Every answer is checked against the schema that its route documents.
 */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pino } from 'pino';
import { Registry } from 'prom-client';
import { Value } from 'typebox/value';
import { request } from 'undici';
import { createAccept } from '../../src/accept/accept.ts';
import { credentials } from '../../src/accept/credentials.ts';
import { createAccount } from '../../src/accounts/provision.ts';
import { type ApiDependencies, buildApi } from '../../src/api/server.ts';
import { systemRandom } from '../../src/platform/clock.ts';
import type { Store } from '../../src/store/contract/store.ts';
import { openSqliteStore } from '../../src/store/sqlite/open.ts';
import { passwords } from '../../src/users/passwords.ts';
import { createPeople, type People } from '../../src/users/people.ts';
import { ManualClock } from '../support/manual-clock.ts';

export const startMs = Date.UTC(2026, 10, 21, 12);

export interface Answer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  readonly text: string;
  // oxlint-disable-next-line typescript/no-explicit-any -- tests look into answers, and fail where they look wrong
  readonly json: any;
}

interface CallOptions {
  readonly token?: string | undefined;
  readonly headers?: Readonly<Record<string, string>>;
  /** An object goes as JSON, a text or bytes as they are. */
  readonly body?: object | string | Buffer;
}

export interface ApiUnderTest extends AsyncDisposable {
  readonly url: string;
  readonly port: number;
  readonly store: Store;
  readonly clock: ManualClock;
  readonly accountId: number;
  readonly people: People;
  readonly token: string;
  /** What was logged, one JSON line an entry. */
  readonly log: string[];
  /** Times that delivery was woken. */
  readonly wakes: () => number;
  /** A second account's token. */
  otherToken(): Promise<string>;
  call(method: string, path: string, options?: CallOptions): Promise<Answer>;
  /** POSTs JSON and expects the status. */
  post(path: string, body: object, status?: number): Promise<Answer>;
  get(path: string, status?: number): Promise<Answer>;
}

export const limits = { messageBytes: 200_000, recipients: 5 };

export async function startApi(
  changes: Partial<ApiDependencies> = {},
  open = (folder: string): Promise<Store> => openSqliteStore(folder, 'serve'),
): Promise<ApiUnderTest> {
  const folder = await mkdtemp(join(tmpdir(), 'aftersend-api-'));
  const store = await open(folder);
  const clock = new ManualClock(startMs);
  const provision = { accounts: store.accounts, clock, random: systemRandom };
  const { account, token } = await createAccount(provision, { name: 'acme', email: '', timeZone: 'UTC' });
  const log: string[] = [];
  let wakes = 0;
  const people = createPeople({
    users: store.users,
    passwords: passwords(systemRandom),
    seal: { close: (secret) => secret, open: (sealed) => sealed },
    clock,
    random: systemRandom,
  });
  store.queue.subscribe(() => wakes++);
  const app = await buildApi({
    accept: createAccept({
      checkSender: async () => {},
      intake: store.intake,
      mailSettings: store.mailSettings,
      clock,
      random: systemRandom,
      hostname: 'mail.example.net',
      limits,
    }),
    store,
    credentials: credentials(store.accounts, clock),
    people,
    provider: undefined,
    admissions: async () => [],
    submission: () => ({ host: 'mail.example.net', port: 2587 }),
    consoleFolder: join(folder, 'console'),
    clock,
    random: systemRandom,
    logger: pino({ level: 'warn' }, { write: (line) => log.push(line) }),
    registry: new Registry(),
    publicUrl: 'https://mail.example.net',
    anyTrackingName: true,
    limits,
    metricsToken: 'metrics-token',
    isProxy: () => false,
    ready: () => true,
    routes: { open: [], native: [], msndr: [] },
    ...changes,
  });
  const offences: string[] = [];
  app.addHook('preSerialization', async ({ routeOptions }, reply, payload) => {
    const schemas = routeOptions.schema?.response as Record<number, object> | undefined;
    const schema = schemas?.[reply.statusCode];
    if (schema !== undefined && !Value.Check(schema, payload)) {
      offences.push(`${routeOptions.url} ${JSON.stringify(Value.Errors(schema, payload))}`);
    }
    return payload;
  });
  await app.listen({ host: '127.0.0.1', port: 0 });
  const { port } = app.server.address() as AddressInfo;
  const url = `http://127.0.0.1:${port}`;

  const call: ApiUnderTest['call'] = async (method, path, options = {}) => {
    const { headers = {}, body } = options;
    const bearer = 'token' in options ? options.token : token;
    const asJson = typeof body === 'object' && !Buffer.isBuffer(body);
    const answer = await request(`${url}${path}`, {
      method: method as 'GET',
      headers: {
        ...(bearer !== undefined && { authorization: `Bearer ${bearer}` }),
        ...(asJson && { 'content-type': 'application/json' }),
        ...headers,
      },
      body: asJson ? JSON.stringify(body) : (body ?? null),
    });
    const text = await answer.body.text();
    assert.deepEqual(offences, [], 'an answer is not what its schema says');
    const isJson = String(answer.headers['content-type']).startsWith('application/json');
    return {
      status: answer.statusCode,
      headers: answer.headers,
      text,
      json: isJson ? JSON.parse(text) : undefined,
    };
  };
  const expecting = async (answer: Promise<Answer>, status: number) => {
    const got = await answer;
    assert.equal(got.status, status, got.text);
    return got;
  };
  return {
    url,
    port,
    store,
    clock,
    accountId: account.id,
    people,
    token,
    log,
    wakes: () => wakes,
    otherToken: async () =>
      (await createAccount(provision, { name: 'other', email: '', timeZone: 'UTC' })).token,
    call,
    post: (path, body, status = 201) => expecting(call('POST', path, { body }), status),
    get: (path, status = 200) => expecting(call('GET', path), status),
    async [Symbol.asyncDispose]() {
      const closed = once(app.server, 'close');
      await app.close();
      await closed;
      await store[Symbol.asyncDispose]();
      await rm(folder, { recursive: true });
    },
  };
}
