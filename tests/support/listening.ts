/** Waiting for a program that says nothing as it becomes ready: until its port takes a connection. */
import { once } from 'node:events';
import { connect } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';

const triesMs = 20;
const timeoutMs = 10_000;

/** @throws Error if nothing listens there after ten seconds */
export async function untilListening(port: number): Promise<void> {
  const deadlineMs = performance.now() + timeoutMs;
  while (performance.now() < deadlineMs) {
    const socket = connect(port, '127.0.0.1');
    const taken = await once(socket, 'connect').then(
      () => true,
      () => false,
    );
    socket.destroy();
    if (taken) return;
    await sleep(triesMs);
  }
  throw new Error(`nothing listens on port ${port}`);
}
