/** Sending domains with the whole service and a real name server: added, published, seen, rotated, and then allowed to send. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { dkimVerify } from 'mailauth/lib/dkim/verify.js';
import { createTransport } from 'nodemailer';
import { peerOrSkip } from '../support/peers.ts';
import { startKnot, type ZoneText } from '../support/knot.ts';
import { type TestAccount, TestService } from '../support/service.ts';
import { recordsToPublish } from '../../src/domains/records.ts';
import { startScriptedServer } from '../deliver/scripted-server.ts';

interface DomainRecord {
  readonly purpose: string;
  readonly name: string;
  readonly value: string;
  readonly zone_line: string;
  readonly state: string | null;
}
interface Domain {
  readonly id: number;
  readonly state: string;
  readonly records: readonly DomainRecord[];
}

/** What a person would publish, as lines of a zone. */
const published = ({ records }: Domain): string[] => records.map(({ zone_line }) => zone_line);
const states = ({ records }: Domain) => records.map(({ purpose, state }) => `${purpose} ${state}`);

test('a domain sends once its records stand as they were shown', async (context) => {
  const knotd = peerOrSkip(context, 'knotd');
  if (knotd === undefined) return;
  await using smarthost = await startScriptedServer({ extensions: ['PIPELINING', '8BITMIME'] });
  await using stack = new AsyncDisposableStack();
  // A zone's text changes as the test goes on: each text has a server of its own, at the same address.
  let knot = await startKnot(knotd, [{ name: 'example.com', lines: ['@ A 192.0.2.1'] }]);
  stack.defer(() => knot[Symbol.asyncDispose]());
  const service = stack.use(
    await TestService.start({
      AFTERSEND_ROUTE: `smtp://127.0.0.1:${smarthost.port}`,
      AFTERSEND_HOSTNAME: 'mail.sender.example',
      AFTERSEND_PUBLIC_URL: 'https://mail.sender.example',
      AFTERSEND_DNS: knot.address,
    }),
  );
  const account = await service.createAccount('acme');
  const publish = async (lines: readonly string[]) => {
    const { port } = knot;
    await knot[Symbol.asyncDispose]();
    knot = await startKnot(knotd, [{ name: 'example.com', lines }] satisfies ZoneText[], port);
  };
  const look = (domain: Domain): Promise<Domain> =>
    service.call(account, 'POST', `/api/domains/${domain.id}/verify`);

  await refusedEverywhere(service, account);
  const added = await service.call<Domain>(account, 'POST', '/api/domains', { name: 'Example.COM' });
  assert.equal(added.state, 'unverified');
  assert.deepEqual(states(await look(added)), [
    'dkim missing',
    'dkim missing',
    'spf missing',
    'dmarc missing',
    'return-path missing',
    'tracking missing',
  ]);
  await publish(['@ TXT "v=spf1 mx -all"', '_dmarc TXT "v=DMARC1; p=reject"']);
  assert.deepEqual(states(await look(added)).slice(2, 4), ['spf wrong', 'dmarc found']);
  await refusedEverywhere(service, account);

  await publish(published(added));
  const verified = await look(added);
  assert.equal(verified.state, 'verified');
  assert.ok(
    verified.records.every(({ state }) => state === 'found'),
    states(verified).join(),
  );
  await sendAndCheck(service, account, added, smarthost);

  // Rotation: the old keys sign until the new ones are seen.
  const rotated = await service.call<Domain>(account, 'POST', `/api/domains/${added.id}/rotate`);
  assert.equal(rotated.records.filter(({ purpose }) => purpose === 'dkim').length, 4);
  await sendAndCheck(service, account, added, smarthost);
  await publish([...published(added), ...published(rotated).slice(0, 2)]);
  const after = await look(rotated);
  assert.equal(after.state, 'verified');
  assert.equal(after.records.filter(({ purpose }) => purpose === 'dkim').length, 2);
  await sendAndCheck(service, account, after, smarthost);

  await service.call(account, 'DELETE', `/api/domains/${added.id}`);
  await refusedEverywhere(service, account);
  assert.equal(smarthost.taken.length, 3);
});

/** By each door: native, msndr-compatible, SMTP. */
async function refusedEverywhere(service: TestService, account: TestAccount): Promise<void> {
  const from = 'shop@example.com';
  const native = { from, to: ['ann@example.org'], subject: 'Hi', text: 'Hi' };
  await assert.rejects(service.call(account, 'POST', '/api/messages', native), /403.*sender-unverified/);
  const msndr = { from_email: from, to: 'ann@example.org', subject: 'Hi', text: 'Hi' };
  await assert.rejects(service.call(account, 'POST', '/v1/email/messages', msndr), /403/);
  const { username: user, password: pass } = account.smtp;
  const transport = createTransport({
    host: '127.0.0.1',
    port: service.submissionPort,
    auth: { user, pass },
    tls: { rejectUnauthorized: false },
  });
  await assert.rejects(
    transport.sendMail({ from, to: 'ann@example.org', subject: 'Hi', text: 'Hi' }),
    /550 5\.7\.1 /,
  );
  // The simulator takes part in every route.
  await service.call(account, 'POST', '/api/messages', { ...native, to: ['delivered@simulator.test'] });
}

async function sendAndCheck(
  service: TestService,
  account: TestAccount,
  { records }: Domain,
  smarthost: Awaited<ReturnType<typeof startScriptedServer>>,
): Promise<void> {
  const before = smarthost.taken.length;
  await service.call(account, 'POST', '/api/messages', {
    from: 'shop@example.com',
    to: ['ann@example.org'],
    subject: 'Hi',
    text: 'Hi',
  });
  await smarthost.took(before + 1);
  const { from, content = '' } = smarthost.taken[before] ?? {};
  assert.match(from ?? '', /@bounce\.example\.com$/);
  const { results } = await dkimVerify(Buffer.from(content), {
    resolver: async (name) => [[records.find((record) => record.name === name)?.value ?? '']],
  });
  assert.deepEqual(
    results.map(({ status }) => status.result),
    ['pass', 'pass'],
  );
}

test('no alias to an address is shown as something to publish', () => {
  const purposes = (publicHost: string) =>
    recordsToPublish(
      { name: 'example.com' },
      [],
      { hostname: 'mail.example.net', publicHost },
      undefined,
    ).map(({ purpose }) => purpose);
  assert.ok(purposes('mail.example.net').includes('tracking'));
  for (const address of ['127.0.0.1', '[::1]']) assert.ok(!purposes(address).includes('tracking'), address);
});
