/**
 * The promise of the whole: what was answered with 2xx or 250 is delivered and told, whatever the moment at which the
 * process is killed. The service runs as a process of its own and dies by SIGKILL in the middle of the traffic.
 */
import assert from 'node:assert/strict';
import { createTransport } from 'nodemailer';
import { onEachStore, type Place } from '../support/each-store.ts';
import { TestReceiver } from '../support/receiver.ts';
import { type TestAccount, TestService } from '../support/service.ts';

const rounds = 4;
const messagesOfRound = 60;

interface MsndrEvent {
  message: { id: number };
  event: { name: string };
}

onEachStore(
  'killed again and again under load, it delivers and tells all that it has accepted',
  killedAgainAndAgain,
);

async function killedAgainAndAgain(place: Place): Promise<void> {
  await using receiver = await TestReceiver.start();
  await using service = await TestService.start({ AFTERSEND_WEBHOOK_ALLOW: '127.0.0.0/8', ...place });
  const account = await service.createAccount('acme');
  await service.call(account, 'POST', '/v1/email/webhook', { url: `${receiver.url}/msndr` });
  await service.call(account, 'POST', '/api/webhooks', {
    url: `${receiver.url}/sendpulse`,
    dialect: 'sendpulse',
    types: ['delivered'],
    batch: { age_seconds: 1 },
  });

  const accepted = new Set<number>();
  for (let round = 1; round <= rounds; round++) {
    // Dies after a different number of answers each time: in the first rounds almost at once.
    await sendUntilKilled(service, account, accepted, round * round * 3);
    await service.start();
  }
  assert.ok(accepted.size >= 30, `only ${accepted.size} were accepted`);

  for (const id of accepted) {
    await receiver.request(({ body }) =>
      body.startsWith(`{"message":{"id":${id}},"event":{"name":"delivered"`),
    );
    await receiver.request(({ body }) => body.startsWith('[') && body.includes(`"message_id":${id},`));
  }
  // Nothing was told of messages that are not there, and each message's events are told in the order of its story.
  const told = Map.groupBy(
    receiver.requests
      .filter(({ path }) => path === '/msndr')
      .map(({ body }) => JSON.parse(body) as MsndrEvent),
    ({ message }) => message.id,
  );
  for (const [id, events] of told) {
    const { state } = await service.call<{ state: string }>(account, 'GET', `/api/messages/${id}`);
    assert.equal(state, 'delivered');
    // A simulated recipient dies with the process: it may not have come to opening its mail.
    const names = new Set(events.map(({ event }) => event.name));
    assert.ok(['delivered', 'delivered,opened'].includes([...names].join()), [...names].join());
  }
}

/** Sends by HTTP and SMTP at once and kills the service at the given number of answers. */
async function sendUntilKilled(
  service: TestService,
  account: TestAccount,
  accepted: Set<number>,
  killAfter: number,
): Promise<void> {
  let answers = 0;
  const { promise: enough, resolve: killNow } = Promise.withResolvers<void>();
  const note = (id: number) => {
    accepted.add(id);
    if (++answers === killAfter) killNow();
  };
  const transport = createTransport({
    host: '127.0.0.1',
    port: service.submissionPort,
    auth: { user: account.smtp.username, pass: account.smtp.password },
    tls: { rejectUnauthorized: false },
  });
  const mail = {
    from: 'shop@example.com',
    to: 'opened@simulator.test',
    subject: 'Hello',
    html: '<p>Hello</p>',
  };
  const sends = Array.from({ length: messagesOfRound }, async (_, index) => {
    if (index % 4 === 0) {
      const { response } = await transport.sendMail(mail);
      note(Number(/queued as (\d+)/.exec(response)?.[1]));
    } else {
      note(
        (await service.call<{ id: number }>(account, 'POST', '/api/messages', { ...mail, to: [mail.to] })).id,
      );
    }
  });
  const outcomes = Promise.allSettled(sends);
  await Promise.race([enough, outcomes]);
  await service.stop('SIGKILL');
  await outcomes;
}
