/** Whether mail is taken in as fast when much waits: events for an endpoint that hangs, messages for a still smarthost. */
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { TestService } from '../../tests/support/service.ts';
import type { Row } from '../measure.ts';
import { startStillServer } from '../still-server.ts';
import { addQueuedMessages, addWaitingEvents } from '../waiting-rows.ts';
import { wrkMissing } from '../wrk.ts';
import { messagePoster } from './http-accept.ts';
import { createSender } from '../sender.ts';

const waitingEvents = 5_000_000;
const queuedMessages = 1_000_000;
/** Claiming, and the endpoint's first request, are under way by then. */
const settleMs = 3000;

export const backlog: Row = {
  name: 'backlog',
  work: `POST /api/messages, 32 connections, while ${waitingEvents.toLocaleString('en')} events wait for an endpoint that hangs and ${queuedMessages.toLocaleString('en')} messages for a smarthost that holds still`,
  unit: 'messages/s',
  better: 'more',
  toReach: '0.9 of the same with an empty log, in 400 MB',
  byNameAlone: true,
  async open(scale) {
    const missing = wrkMissing();
    if (missing !== undefined) {
      return { contenders: [], leftOut: [`all: ${missing}`], async [Symbol.asyncDispose]() {} };
    }
    await using stack = new AsyncDisposableStack();
    const still = stack.use(await startStillServer());
    const env = {
      AFTERSEND_ROUTE: `smtp://127.0.0.1:${still.port}`,
      AFTERSEND_WEBHOOK_ALLOW: '127.0.0.0/8',
    };
    const service = stack.use(await TestService.start(env));
    const account = await createSender(service);
    await service.call(account, 'POST', '/api/webhooks', {
      url: `http://127.0.0.1:${still.port}/`,
      dialect: 'sendpulse',
    });
    await service.call(account, 'POST', '/api/messages', {
      from: 'shop@example.com',
      to: ['reader@example.org'],
      subject: 'Your order 12345 is on its way',
      text: 'Thank you.',
    });
    await service.stop();
    const file = join(service.folder, 'aftersend.db');
    addWaitingEvents(file, Math.ceil(waitingEvents * scale));
    addQueuedMessages(file, Math.ceil(queuedMessages * scale));
    await service.start();

    const empty = stack.use(await TestService.start(env));
    const { token } = await createSender(empty);
    await sleep(settleMs);
    const open = stack.move();
    return {
      contenders: [
        messagePoster('aftersend', service.url, 1, account.token),
        messagePoster('with an empty log', empty.url, 1, token),
      ],
      leftOut: [],
      notes: async () => [
        `memory: ${await service.residentMegabytes()} MB, with an empty log ${await empty.residentMegabytes()} MB`,
      ],
      [Symbol.asyncDispose]: () => open.disposeAsync(),
    };
  },
};
