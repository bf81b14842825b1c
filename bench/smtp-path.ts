/**
 * The way from `smtp-source` over somebody to `smtp-sink`, both Postfix's: 20 sessions, messages of 4 KB.
 * Two moments are counted: when the source has every 250, and when the sink has every message.
 */
import { findPeer, type Peer } from '../scripts/peers.mjs';
import { runProgram } from '../tests/support/program.ts';
import { freePorts, TestService } from '../tests/support/service.ts';
import { startSmtpSink } from '../tests/support/smtp-sink.ts';
import { type Bench, type Contender, rateOf } from './measure.ts';
import { postfixMissing, startPostfix } from '../tests/support/postfix.ts';
import { harakaMissing, startHaraka } from './haraka.ts';
import { createSender } from './sender.ts';

export const sessions = 20;
const sizeBytes = 4096;

/** Which moment ends a run. */
export type Moment = 'accepted' | 'relayed';

/** Whether a session sends one message after another, or each message has a session of its own. */
export type Sessions = 'kept' | 'not kept';

interface SmtpPath {
  readonly messages: number;
  readonly moment: Moment;
  readonly sessions: Sessions;
}

/** The service, its peers and the bare way, each with a sink of its own. */
export async function openSmtpPath({ messages, moment, sessions: kept }: SmtpPath): Promise<Bench> {
  const source = findPeer('smtp-source');
  const sink = findPeer('smtp-sink');
  if (source === undefined || sink === undefined) {
    const leftOut = ['all: smtp-source and smtp-sink are not there (npm run bench:setup)'];
    return { contenders: [], leftOut, async [Symbol.asyncDispose]() {} };
  }
  await using stack = new AsyncDisposableStack();
  const ports = await freePorts(6);
  const [serviceSink = 0, postfixSink = 0, postfixPort = 0, harakaSink = 0, harakaPort = 0, bareSink = 0] =
    ports;
  const over = async (name: string, port: number, sinkPort: number): Promise<Contender> => {
    const taker = stack.use(await startSmtpSink(sink, sinkPort));
    let sent = 0;
    const run = async () => {
      await runSource(source, { port, messages, kept });
      if (moment === 'relayed') await taker.taken(sent);
    };
    return {
      name,
      async run() {
        sent += messages;
        const rate = await rateOf(messages, run);
        // What was only accepted so far has to be through before the next run begins.
        await taker.taken(sent);
        return rate;
      },
    };
  };

  const service = stack.use(
    await TestService.start({
      AFTERSEND_ROUTE: `smtp://127.0.0.1:${serviceSink}`,
      AFTERSEND_TRUSTED: '127.0.0.0/8=bench',
    }),
  );
  await createSender(service);
  const contenders = [await over('aftersend', service.submissionPort, serviceSink)];
  const leftOut: string[] = [];
  const peers = [
    {
      name: 'postfix',
      missing: postfixMissing,
      start: (port: number, nextHopPort: number) =>
        startPostfix(port, [
          'mydestination =',
          'local_recipient_maps =',
          `relayhost = [127.0.0.1]:${nextHopPort}`,
        ]),
      port: postfixPort,
      sinkPort: postfixSink,
    },
    { name: 'haraka', missing: harakaMissing, start: startHaraka, port: harakaPort, sinkPort: harakaSink },
  ];
  for (const { name, missing, start, port, sinkPort } of peers) {
    const reason = missing();
    if (reason !== undefined) {
      leftOut.push(reason);
      continue;
    }
    stack.use(await start(port, sinkPort));
    contenders.push(await over(name, port, sinkPort));
  }
  contenders.push(await over('bare source to sink', bareSink, bareSink));
  const open = stack.move();
  return { contenders, leftOut, [Symbol.asyncDispose]: () => open.disposeAsync() };
}

/** Ends when the source has all its 250s. @param load.sessions at once, as many as in the published rows if left out */
export async function runSource(
  source: Peer,
  load: { port: number; messages: number; kept: Sessions; sessions?: number },
): Promise<void> {
  const { port, messages, kept } = load;
  const sizes = ['-s', String(load.sessions ?? sessions), '-l', String(sizeBytes), '-m', String(messages)];
  // `-d` is "do not disconnect after each message".
  const flags = kept === 'kept' ? ['-d', ...sizes] : sizes;
  const addresses = ['-f', 'bench@example.com', '-t', 'someone@example.org', `127.0.0.1:${port}`];
  const { code, stderr } = await runProgram(source.command, [...flags, ...addresses], { env: source.env });
  if (code !== 0) throw new Error(`smtp-source ended with ${code}: ${stderr}`);
}
