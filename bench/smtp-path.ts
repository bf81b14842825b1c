/**
 * The way from `smtp-source` over somebody to `smtp-sink`, both Postfix's: 20 sessions that are kept, messages of 4 KB.
 * Two moments are counted: when the source has every 250, and when the sink has every message.
 */
import { findPeer, type Peer } from '../scripts/peers.mjs';
import { runProgram } from '../tests/support/program.ts';
import { freePorts, TestService } from '../tests/support/service.ts';
import { startSmtpSink } from '../tests/support/smtp-sink.ts';
import { type Bench, type Contender, rateOf } from './measure.ts';
import { postfixMissing, startPostfix } from '../tests/support/postfix.ts';

const sessions = 20;
const sizeBytes = 4096;

/** Which moment ends a run. */
export type Moment = 'accepted' | 'relayed';

/** The service, Postfix and the bare way, each with a sink of its own. */
export async function openSmtpPath(messages: number, moment: Moment): Promise<Bench> {
  const source = findPeer('smtp-source');
  const sink = findPeer('smtp-sink');
  if (source === undefined || sink === undefined) {
    const leftOut = ['all: smtp-source and smtp-sink are not there (npm run bench:setup)'];
    return { contenders: [], leftOut, async [Symbol.asyncDispose]() {} };
  }
  await using stack = new AsyncDisposableStack();
  const [serviceSink = 0, postfixSink = 0, postfixPort = 0, bareSink = 0] = await freePorts(4);
  const over = async (name: string, port: number, sinkPort: number): Promise<Contender> => {
    const taker = stack.use(await startSmtpSink(sink, sinkPort));
    let sent = 0;
    const run = async () => {
      await runSource(source, port, messages);
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
  await service.createAccount('bench');
  await service.command('domain', 'vouch', 'bench', 'example.com');
  const contenders = [await over('aftersend', service.submissionPort, serviceSink)];
  const reason = postfixMissing();
  if (reason === undefined) {
    stack.use(
      await startPostfix(postfixPort, [
        'mydestination =',
        'local_recipient_maps =',
        `relayhost = [127.0.0.1]:${postfixSink}`,
      ]),
    );
    contenders.push(await over('postfix', postfixPort, postfixSink));
  }
  contenders.push(await over('bare source to sink', bareSink, bareSink));
  const open = stack.move();
  return {
    contenders,
    leftOut: reason === undefined ? [] : [reason],
    [Symbol.asyncDispose]: () => open.disposeAsync(),
  };
}

async function runSource(source: Peer, port: number, messages: number): Promise<void> {
  const flags = ['-d', '-s', String(sessions), '-l', String(sizeBytes), '-m', String(messages)];
  const addresses = ['-f', 'bench@example.com', '-t', 'someone@example.org', `127.0.0.1:${port}`];
  const { code, stderr } = await runProgram(source.command, [...flags, ...addresses], { env: source.env });
  if (code !== 0) throw new Error(`smtp-source ended with ${code}: ${stderr}`);
}
