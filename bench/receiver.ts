/** A webhook receiver that takes everything at once and counts events: it must not be what a run waits for. */
import { once } from 'node:events';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

/** Every event of the `sendpulse` dialect names its type once. */
const eventKey = '"event":';

export interface CountingReceiver extends AsyncDisposable {
  readonly url: string;
  /** Counts anew. @returns events a second from the first request's arrival to the answer that makes it `events` */
  take(events: number): Promise<number>;
}

export async function startCountingReceiver(): Promise<CountingReceiver> {
  let left = 0;
  let startedMs = 0;
  let done: (endedMs: number) => void = () => {};
  const take = async (request: IncomingMessage, response: ServerResponse) => {
    if (startedMs === 0) startedMs = performance.now();
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk as Buffer);
    left -= countOf(Buffer.concat(chunks));
    response.end();
    if (left <= 0) done(performance.now());
  };
  const server = createServer((request, response) => void take(request, response));
  await once(server.listen(0, '127.0.0.1'), 'listening');
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/`,
    async take(events) {
      left = events;
      startedMs = 0;
      const endedMs = await new Promise<number>((resolve) => {
        done = resolve;
      });
      if (left < 0) throw new Error(`${-left} events came more than once`);
      return events / ((endedMs - startedMs) / 1000);
    },
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

function countOf(body: Buffer): number {
  let count = 0;
  for (let at = body.indexOf(eventKey); at !== -1; at = body.indexOf(eventKey, at + eventKey.length)) count++;
  return count;
}
