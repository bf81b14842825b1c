/** How fast opens and clicks are answered, and taken into the log behind the answer. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { untilListening } from '../../tests/support/listening.ts';
import { startProgram } from '../../tests/support/program.ts';
import { freePorts, TestService } from '../../tests/support/service.ts';
import type { Contender, Row } from '../measure.ts';
import { nginxMissing, startNginx } from '../nginx.ts';
import { linksOf, sendMessages } from '../tracked-messages.ts';
import { runWrk, wrkMissing } from '../wrk.ts';
import { createSender } from '../sender.ts';

const seconds = 5;
const messages = 1000;

export const track: Row = {
  name: 'track',
  work: 'opens and clicks in turn, 32 connections, counted at the answer; each is appended to the log behind it',
  unit: 'requests/s',
  better: 'more',
  toReach: '0.6 of bare node:http',
  async open(scale) {
    const missing = wrkMissing();
    if (missing !== undefined)
      return { contenders: [], leftOut: [`all: ${missing}`], async [Symbol.asyncDispose]() {} };
    await using stack = new AsyncDisposableStack();
    const folder = mkdtempSync(join(tmpdir(), 'aftersend-bench-'));
    stack.defer(() => rmSync(folder, { recursive: true }));
    const service = stack.use(await TestService.start());
    const pathsFile = join(folder, 'paths');
    writeFileSync(pathsFile, await trackedPaths(service));

    const [barePort = 0, nginxPort = 0] = await freePorts(2);
    const bareServer = join(import.meta.dirname, '../bare-server.ts');
    stack.use(startProgram(process.execPath, [bareServer, 'pixel', String(barePort)]));
    await untilListening(barePort);
    const getter = (name: string, url: string): Contender => ({
      name,
      run: async () =>
        (await runWrk({ script: 'get-paths.lua', url, seconds: seconds * scale, args: [pathsFile] }))
          .perSecond,
    });
    const contenders = [
      getter('aftersend', service.url),
      getter('bare node:http', `http://127.0.0.1:${barePort}`),
    ];
    const withoutNginx = nginxMissing();
    if (withoutNginx === undefined) {
      stack.use(await startNginx(nginxPort));
      contenders.push(getter('nginx empty_gif', `http://127.0.0.1:${nginxPort}`));
    }
    const open = stack.move();
    return {
      contenders,
      leftOut: withoutNginx === undefined ? [] : [withoutNginx],
      [Symbol.asyncDispose]: () => open.disposeAsync(),
    };
  },
};

/** An open and a click of each message, one a line. */
async function trackedPaths(service: TestService): Promise<string> {
  const links = linksOf(service);
  const ids = await sendMessages(service, await createSender(service), messages);
  return ids
    .flatMap((id) => [links.pixelUrl(id), links.clickUrl(id, `https://shop.example.com/orders/${id}`) ?? ''])
    .map((url) => new URL(url).pathname)
    .join('\n');
}
