/** How fast mail is taken in by HTTP: every 201 stands for a durable commit. */
import { join } from 'node:path';
import { startProgram } from '../../tests/support/program.ts';
import { untilListening } from '../../tests/support/listening.ts';
import { freePorts, TestService } from '../../tests/support/service.ts';
import { findPeer } from '../../scripts/peers.mjs';
import { startSmtpSink } from '../../tests/support/smtp-sink.ts';
import type { Contender, Row } from '../measure.ts';
import { startStillServer } from '../still-server.ts';
import { runWrk, wrkMissing } from '../wrk.ts';
import { createSender } from '../sender.ts';

const seconds = 5;

/** One who is sent messages by 32 connections. */
export function messagePoster(name: string, url: string, scale: number, token = ''): Contender {
  const post = {
    script: 'post-messages.lua',
    url: `${url}/api/messages`,
    seconds: seconds * scale,
    args: [token],
  };
  return { name, run: async () => (await runWrk(post)).perSecond };
}

export const httpAccept: Row = {
  name: 'http-accept',
  work: 'POST /api/messages, 32 connections, counted at the 201; the smarthost holds still, so nothing goes out meanwhile',
  unit: 'messages/s',
  better: 'more',
  toReach: '0.5 of bare fastify',
  async open(scale) {
    const missing = wrkMissing();
    if (missing !== undefined)
      return { contenders: [], leftOut: [`all: ${missing}`], async [Symbol.asyncDispose]() {} };
    await using stack = new AsyncDisposableStack();
    const still = stack.use(await startStillServer());
    const service = stack.use(await TestService.start({ AFTERSEND_ROUTE: `smtp://127.0.0.1:${still.port}` }));
    const { token } = await createSender(service);

    const [barePort = 0, sinkPort = 0] = await freePorts(2);
    const bareServer = join(import.meta.dirname, '../bare-server.ts');
    stack.use(startProgram(process.execPath, [bareServer, 'parse', String(barePort)]));
    await untilListening(barePort);
    const contenders = [
      messagePoster('aftersend', service.url, scale, token),
      messagePoster('bare fastify', `http://127.0.0.1:${barePort}`, scale),
    ];
    const sink = findPeer('smtp-sink');
    if (sink !== undefined) contenders.push(await whileSending(stack, sinkPort, scale));
    const open = stack.move();
    return { contenders, leftOut: [], [Symbol.asyncDispose]: () => open.disposeAsync() };

    /** The service again, but its mail goes out at the same time. */
    async function whileSending(
      parts: AsyncDisposableStack,
      port: number,
      share: number,
    ): Promise<Contender> {
      const taker = parts.use(await startSmtpSink(sink as NonNullable<typeof sink>, port));
      const sending = parts.use(await TestService.start({ AFTERSEND_ROUTE: `smtp://127.0.0.1:${port}` }));
      const account = await createSender(sending);
      const poster = messagePoster('aftersend, sending too', sending.url, share, account.token);
      let sent = 0;
      return {
        name: poster.name,
        async run() {
          const rate = await poster.run();
          sent += Math.floor(rate * seconds * share);
          await taker.taken(sent);
          return rate;
        },
      };
    }
  },
};
