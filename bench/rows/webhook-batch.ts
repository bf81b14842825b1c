/** How fast events that wait in the log are told: read, rendered, POSTed in batches of 1000, the cursor committed. */
import { join } from 'node:path';
import { runProgram } from '../../tests/support/program.ts';
import { type TestAccount, TestService } from '../../tests/support/service.ts';
import type { Row } from '../measure.ts';
import { type CountingReceiver, startCountingReceiver } from '../receiver.ts';
import { addWaitingEvents } from '../waiting-events.ts';

const waitingEvents = 1_000_000;
const postLoop = join(import.meta.dirname, '../post-loop.ts');

export const webhookBatch: Row = {
  name: 'webhook-batch',
  work: 'events waiting in the log, in the sendpulse dialect, batches of 1000, to a local receiver',
  unit: 'events/s',
  async open(scale) {
    const count = Math.ceil(waitingEvents * scale);
    await using stack = new AsyncDisposableStack();
    const receiver = stack.use(await startCountingReceiver());
    const service = stack.use(await TestService.start({ AFTERSEND_WEBHOOK_ALLOW: '127.0.0.0/8' }));
    await tellOneEvent(service, receiver);
    await service.stop();
    const file = join(service.folder, 'aftersend.db');
    let lastRunAfterId = 0;
    const open = stack.move();
    return {
      contenders: [
        {
          name: 'aftersend',
          async run() {
            lastRunAfterId = addWaitingEvents(file, count);
            const taken = receiver.take(count);
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
            const taken = receiver.take(count);
            const args = [postLoop, file, String(lastRunAfterId), receiver.url];
            const { code, stderr } = await runProgram(process.execPath, args);
            if (code !== 0) throw new Error(`the loop ended with ${code}: ${stderr}`);
            return taken;
          },
        },
      ],
      leftOut: [],
      [Symbol.asyncDispose]: () => open.disposeAsync(),
    };
  },
};

/** Makes the webhook and lets one real `delivered` event through it: what the waiting ones are copies of. */
async function tellOneEvent(service: TestService, receiver: CountingReceiver): Promise<void> {
  const account: TestAccount = await service.createAccount('bench');
  await service.call(account, 'POST', '/api/webhooks', {
    url: receiver.url,
    dialect: 'sendpulse',
    batch: { count: 1000, age_seconds: 1 },
  });
  const told = receiver.take(1);
  await service.call(account, 'POST', '/api/messages', {
    from: 'shop@example.com',
    to: ['delivered@simulator.test'],
    subject: 'Your order 12345 is on its way',
    text: 'Thank you.',
  });
  await told;
}
