/** Postfix's smtp-sink, which takes all mail and keeps none, and its count of messages. */
import { untilListening } from './listening.ts';
import type { Peer } from '../../scripts/peers.mjs';
import { startProgram } from './program.ts';

/** Connections that may wait to be taken. */
const backlog = 1000;
/** Its line of counters is shorter. */
const countLength = 80;

export interface SmtpSink extends AsyncDisposable {
  /** Resolves when it has taken so many messages since it was started. */
  taken(count: number): Promise<void>;
}

/** @param flags faults, as its manual has them */
export async function startSmtpSink(
  peer: Peer,
  port: number,
  flags: readonly string[] = [],
): Promise<SmtpSink> {
  // Started by root without a user to become, it dies and says nothing.
  const asNobody = process.getuid?.() === 0 ? ['-u', 'nobody'] : [];
  // Not `-M`: it would end with the last message, before its answers to that and others are sent.
  const args = [...asNobody, ...flags, '-c', `127.0.0.1:${port}`, String(backlog)];
  const child = startProgram(peer.command, args, { env: peer.env });
  await untilListening(port);
  return {
    async taken(count) {
      const enough = () =>
        Number(/mesg=(\d+)\s*$/.exec(child.stdout.text.slice(-countLength))?.[1] ?? 0) >= count;
      while (!enough()) await child.stdout.more();
    },
    [Symbol.asyncDispose]: () => child[Symbol.asyncDispose](),
  };
}
