/**
 * Telling endpoints of events that wait in the log of a stopped service, from its start to the last one's answer, beside
 * a loop that does the least. What differs between rows is the dialect and how many endpoints there are.
 */
import { join } from 'node:path';
import { runProgram } from '../tests/support/program.ts';
import { type TestAccount, TestService } from '../tests/support/service.ts';
import type { Bench } from './measure.ts';
import { type CountingReceiver, startCountingReceiver } from './receiver.ts';
import { addWaitingEvents } from './waiting-rows.ts';
import { createSender } from './sender.ts';

const postLoop = join(import.meta.dirname, 'post-loop.ts');

export interface WaitingWebhooks {
  readonly dialect: 'sendpulse' | 'msndr';
  /** Each is told of all events. */
  readonly endpoints: number;
  readonly events: number;
}

export async function openWaitingWebhooks(what: WaitingWebhooks): Promise<Bench> {
  const { dialect, endpoints, events } = what;
  const told = events * endpoints;
  await using stack = new AsyncDisposableStack();
  const receiver = stack.use(await startCountingReceiver());
  const service = stack.use(await TestService.start({ AFTERSEND_WEBHOOK_ALLOW: '127.0.0.0/8' }));
  await tellOneEvent(service, receiver, what);
  await service.stop();
  const file = join(service.folder, 'aftersend.db');
  let lastRunAfterId = 0;
  const open = stack.move();
  return {
    contenders: [
      {
        name: 'aftersend',
        async run() {
          lastRunAfterId = addWaitingEvents(file, events);
          const taken = receiver.take(told);
          await service.start();
          const rate = await taken;
          // Stopping commits the last cursor; an event that comes again in the next run fails it.
          await service.stop();
          return rate;
        },
      },
      {
        name: 'read, stringify, undici',
        async run() {
          const taken = receiver.take(told);
          const framing = dialect === 'msndr' ? ['single', String(endpoints)] : ['batch'];
          const args = [postLoop, file, String(lastRunAfterId), receiver.url, ...framing];
          const { code, stderr } = await runProgram(process.execPath, args);
          if (code !== 0) throw new Error(`the loop ended with ${code}: ${stderr}`);
          return taken;
        },
      },
    ],
    leftOut: [],
    [Symbol.asyncDispose]: () => open.disposeAsync(),
  };
}

/** Makes the webhooks and lets one real `delivered` event through them: what the waiting ones are copies of. */
async function tellOneEvent(
  service: TestService,
  receiver: CountingReceiver,
  { dialect, endpoints }: WaitingWebhooks,
): Promise<void> {
  const account: TestAccount = await createSender(service);
  for (let endpoint = 0; endpoint < endpoints; endpoint++) {
    await service.call(account, 'POST', '/api/webhooks', {
      url: receiver.url,
      dialect,
      ...(dialect === 'sendpulse' && { batch: { count: 1000, age_seconds: 1 } }),
    });
  }
  const told = receiver.take(endpoints);
  await service.call(account, 'POST', '/api/messages', {
    from: 'shop@example.com',
    to: ['delivered@simulator.test'],
    subject: 'Your order 12345 is on its way',
    text: 'Thank you.',
  });
  await told;
}
