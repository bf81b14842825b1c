/**
 * The way from `smtp-source` over somebody to `smtp-sink`, both Postfix's: 20 sessions that are kept, messages of 4 KB.
 * Two moments are counted: when the source has every 250, and when the sink has every message.
 */
import { findPeer } from '../scripts/peers.mjs';
import { type Companion, runProgram, startProgram } from '../tests/support/program.ts';
import { freePorts, TestService } from '../tests/support/service.ts';
import { untilListening } from './listening.ts';
import { type Bench, type Contender, rateOf } from './measure.ts';
import { postfixMissing, startPostfix } from './postfix.ts';

const sessions = 20;
const sizeBytes = 4096;
/** Connections that may wait at the sink. */
const backlog = '1000';

/** Which moment ends a run. */
export type Moment = 'accepted' | 'relayed';

/** The service, Postfix and the bare way, each with a next hop of its own. */
export async function openSmtpPath(messages: number, moment: Moment): Promise<Bench> {
  if (findPeer('smtp-source') === undefined) {
    return {
      contenders: [],
      leftOut: ['all: smtp-source is not there (npm run bench:setup)'],
      async [Symbol.asyncDispose]() {},
    };
  }
  await using stack = new AsyncDisposableStack();
  const [serviceHop = 0, postfixHop = 0, postfixPort = 0, bareHop = 0] = await freePorts(4);
  const service = stack.use(
    await TestService.start({
      AFTERSEND_ROUTE: `smtp://127.0.0.1:${serviceHop}`,
      AFTERSEND_TRUSTED: '127.0.0.0/8=bench',
    }),
  );
  await service.createAccount('bench');
  const over = (name: string, port: number, hop: number): Contender => ({
    name,
    run: () => sendThrough(port, hop, messages, moment),
  });
  const contenders = [over('aftersend', service.submissionPort, serviceHop)];
  const reason = postfixMissing();
  if (reason === undefined) {
    stack.use(await startPostfix(postfixPort, postfixHop));
    contenders.push(over('postfix', postfixPort, postfixHop));
  }
  contenders.push(over('bare source to sink', bareHop, bareHop));
  const open = stack.move();
  return {
    contenders,
    leftOut: reason === undefined ? [] : [reason],
    [Symbol.asyncDispose]: () => open.disposeAsync(),
  };
}

/**
 * One run: one source, and a new sink that ends by itself with the last message. In the bare way it must not: it would
 * be gone before the source has read its last answers, and what is accepted there is relayed.
 */
async function sendThrough(port: number, hopPort: number, messages: number, moment: Moment): Promise<number> {
  const bare = port === hopPort;
  await using sink = await startSink(hopPort, bare ? undefined : messages);
  const throughSink = async () => {
    if (!bare) await sink.closed;
  };
  const rate = await rateOf(messages, async () => {
    await runSource(port, messages);
    if (moment === 'relayed') await throughSink();
  });
  // What was only accepted so far has to be through before the next run begins.
  await throughSink();
  return rate;
}

/** @param endsAfter messages; it goes on until disposed of when undefined */
async function startSink(port: number, endsAfter: number | undefined): Promise<Companion> {
  const sink = peer('smtp-sink');
  // Started by root without a user to become, it dies and says nothing.
  const asNobody = process.getuid?.() === 0 ? ['-u', 'nobody'] : [];
  const bound = endsAfter === undefined ? [] : ['-M', String(endsAfter)];
  const child = startProgram(sink.command, [...asNobody, ...bound, `127.0.0.1:${port}`, backlog], {
    env: sink.env,
  });
  await untilListening(port);
  return child;
}

async function runSource(port: number, messages: number): Promise<void> {
  const source = peer('smtp-source');
  const flags = ['-d', '-s', String(sessions), '-l', String(sizeBytes), '-m', String(messages)];
  const addresses = ['-f', 'bench@example.com', '-t', 'someone@example.org', `127.0.0.1:${port}`];
  const { code, stderr } = await runProgram(source.command, [...flags, ...addresses], { env: source.env });
  if (code !== 0) throw new Error(`smtp-source ended with ${code}: ${stderr}`);
}

function peer(program: string) {
  const found = findPeer(program);
  if (found === undefined) throw new Error(`${program} is not there`);
  return found;
}
