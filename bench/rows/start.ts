/** How long the service takes from nothing to taking mail, and what it holds when it has nothing to do. */
import { setTimeout as sleep } from 'node:timers/promises';
import { TestService } from '../../tests/support/service.ts';
import type { Row } from '../measure.ts';

/** The garbage of the start is gone by then. */
const idleMs = 5000;
const askEveryMs = 5;

export const start: Row = {
  name: 'start',
  work: 'from starting the process on a folder with an account to 200 at /readyz',
  unit: 'ms',
  better: 'less',
  toReach: '1000 ms, and 150 MB when idle',
  async open() {
    const service = await TestService.start();
    await service.createAccount('bench');
    await service.stop();
    return {
      contenders: [
        {
          name: 'aftersend',
          async run() {
            const startedMs = performance.now();
            const started = service.start();
            while (!(await isReady(service.url))) await sleep(askEveryMs);
            const tookMs = performance.now() - startedMs;
            await started;
            await service.stop();
            return tookMs;
          },
        },
      ],
      leftOut: [],
      async notes() {
        await service.start();
        await sleep(idleMs);
        return [`idle: ${await service.residentMegabytes()} MB`];
      },
      [Symbol.asyncDispose]: () => service[Symbol.asyncDispose](),
    };
  },
};

const isReady = (url: string): Promise<boolean> =>
  fetch(`${url}/readyz`).then(
    ({ ok }) => ok,
    () => false,
  );
