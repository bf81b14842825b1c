/**
 * The numbers of a service that is killed again and again: once it has caught up, they are those of its log.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { TestService } from '../support/service.ts';
import { until } from '../support/until.ts';

const rounds = 3;
const messagesOfRound = 25;
const recipients = ['opened', 'clicked', 'delivered', 'hard-bounced', 'complained'];

interface Told {
  readonly uncounted_events: number;
  readonly total: {
    readonly accepted: number;
    readonly delivered: number;
    readonly complained: number;
    readonly bounced: { readonly total: number };
    readonly opened: {
      readonly human: number;
      readonly proxy: number;
      readonly machine: number;
      readonly unique_any: number;
    };
  };
}

interface Logged {
  readonly events: readonly { readonly type: string; readonly message_id: number }[];
  readonly next_after: number;
  readonly at_end: boolean;
}

test('killed while it counts, it shows in the end what the log says', async () => {
  await using service = await TestService.start();
  const account = await service.createAccount('acme');
  for (let round = 0; round < rounds; round++) {
    for (let index = 0; index < messagesOfRound; index++) {
      // Another recipient each time: who has complained or is not there is written to once.
      const to = `${recipients[index % recipients.length]}+${round}-${index}@simulator.test`;
      const message = {
        from: 'shop@example.com',
        to: [to],
        subject: 'x',
        html: '<a href="https://example.com/">x</a>',
      };
      await service.call(account, 'POST', '/api/messages', message);
    }
    await service.stop('SIGKILL');
    await service.start();
  }
  const statistics = () => service.call<Told>(account, 'GET', '/api/statistics');
  // What a killed simulator would have done, it never does: so the log says when all is over.
  await until(
    () => service.call<{ waiting: number }>(account, 'GET', '/api/statistics/queue'),
    ({ waiting }) => waiting === 0,
  );
  const logged = async () => {
    const events: { type: string; message_id: number }[] = [];
    for (let after = 0; ; ) {
      const page = await service.call<Logged>(account, 'GET', `/api/events?limit=1000&after=${after}`);
      events.push(...page.events);
      after = page.next_after;
      if (page.at_end) return events;
    }
  };
  const of = (events: Logged['events'], type: string) => events.filter((event) => event.type === type);
  await service.stop();
  await service.start();
  // Opens and clicks may still come in while it is asked.
  const look = async () => ({ before: await logged(), told: await statistics(), after: await logged() });
  const { told, after: events } = await until(
    look,
    ({ before, told, after }) => told.uncounted_events === 0 && before.length === after.length,
  );
  const { total } = told;
  assert.equal(total.accepted, rounds * messagesOfRound);
  assert.deepEqual(
    [total.delivered, total.bounced.total, total.complained],
    ['delivered', 'bounced', 'complained'].map((type) => of(events, type).length),
  );
  const { human, proxy, machine, unique_any: unique } = total.opened;
  const opened = of(events, 'opened');
  assert.equal(human + proxy + machine, opened.length);
  assert.equal(unique, new Set(opened.map(({ message_id: id }) => id)).size);
});
