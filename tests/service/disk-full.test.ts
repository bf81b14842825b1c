/** A disk that is full: everybody is told to come later, nothing that was taken is lost, and room is all it needs. */
import assert from 'node:assert/strict';
import { rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { createTransport } from 'nodemailer';
import { runProgram } from '../support/program.ts';
import { TestService } from '../support/service.ts';

const mail = { from: 'shop@example.com', subject: 'Hello', text: 'x'.repeat(60_000) };

test('on a full disk every door says "later", and goes on when there is room', async (context) => {
  await using service = await TestService.start({ AFTERSEND_MAX_MESSAGE: '1 MiB' });
  await service.stop();
  if ((await mountSmall(service.folder)) !== 0) {
    context.skip('a file system of a few megabytes cannot be mounted here (mount -t tmpfs, as root)');
    return;
  }
  try {
    await service.start();
    const shop = await service.createAccount('shop');
    const ballast = join(service.folder, 'ballast');
    await writeFile(ballast, Buffer.alloc(3 * 2 ** 20));
    const send = (n: number) =>
      service.call<{ id: number }>(shop, 'POST', '/api/messages', {
        ...mail,
        to: [`delivered+${n}@simulator.test`],
      });

    const taken: number[] = [];
    const fill = async (): Promise<string> => {
      for (let n = 0; n < 200; n++) {
        try {
          taken.push((await send(n)).id);
        } catch (error) {
          return (error as Error).message;
        }
      }
      return 'never refused';
    };
    const refusal = await fill();
    assert.match(refusal, /answered 503.*no room/);
    assert.equal((await fetch(`${service.url}/readyz`)).status, 503);
    assert.equal((await fetch(`${service.url}/healthz`)).status, 200);
    const { username, password } = shop.smtp;
    const transport = createTransport({
      host: '127.0.0.1',
      port: service.submissionPort,
      auth: { user: username, pass: password },
      tls: { rejectUnauthorized: false },
    });
    await assert.rejects(transport.sendMail({ ...mail, to: 'delivered@simulator.test' }), /452 4\.3\.1/);

    await rm(ballast);
    taken.push((await send(201)).id);
    assert.equal((await fetch(`${service.url}/readyz`)).status, 200);
    for (const id of taken) {
      const { internet_message_id: kept } = await service.call<{ internet_message_id: string }>(
        shop,
        'GET',
        `/api/messages/${id}`,
      );
      assert.ok(kept);
    }
  } finally {
    await service.stop('SIGKILL');
    await runProgram('umount', [service.folder]);
  }
});

/** @returns mount's exit code */
async function mountSmall(folder: string): Promise<number | undefined> {
  return (await runProgram('mount', ['-t', 'tmpfs', '-o', 'size=12m', 'aftersend-test', folder])).code;
}
