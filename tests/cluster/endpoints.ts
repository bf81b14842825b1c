/** Webhook receivers that answer well, slowly, or with errors, and note every event they took, in its order. */
import { once } from 'node:events';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { setTimeout as pause } from 'node:timers/promises';
import { between, type Chance } from './chance.ts';

export type Manner = 'well' | 'slowly' | 'with errors';

/** How often the one with errors has one: half of them are answers, half broken connections. */
const errors = 0.1;

export class Endpoint implements AsyncDisposable {
  readonly name: string;
  readonly manner: Manner;
  readonly types: readonly string[];
  readonly url: string;
  /** Every event that was taken, each time, with when. */
  readonly taken: { readonly eventId: number; readonly atMs: number }[] = [];
  /** When a request came while another was open: two processes were sending. */
  readonly overlaps: number[] = [];
  requests = 0;
  failed = 0;
  #open = 0;
  readonly #chance: Chance;
  readonly #server: ReturnType<typeof createServer>;

  private constructor(
    { name, manner, types }: { name: string; manner: Manner; types: readonly string[] },
    chance: Chance,
    server: ReturnType<typeof createServer>,
  ) {
    this.name = name;
    this.manner = manner;
    this.types = types;
    this.#chance = chance;
    this.#server = server;
    this.url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/`;
    server.on('request', (request: IncomingMessage, response: ServerResponse) => {
      // A client that was killed leaves its request unfinished.
      this.#take(request, response).catch(() => response.destroy());
    });
  }

  static async start(
    what: { name: string; manner: Manner; types: readonly string[] },
    chance: Chance,
  ): Promise<Endpoint> {
    const server = createServer();
    await once(server.listen(0, '127.0.0.1'), 'listening');
    return new Endpoint(what, chance, server);
  }

  async #take(request: IncomingMessage, response: ServerResponse): Promise<void> {
    if (this.#open > 0) this.overlaps.push(performance.now());
    this.#open += 1;
    response.once('close', () => {
      this.#open -= 1;
    });
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk as Buffer);
    this.requests += 1;
    if (this.manner === 'slowly') await pause(between(this.#chance, 100, 500));
    if (this.manner === 'with errors' && this.#chance() < errors) {
      this.failed += 1;
      if (this.#chance() < 0.5) response.writeHead(503).end('not now');
      else response.destroy();
      return;
    }
    const told = JSON.parse(Buffer.concat(chunks).toString('utf8')) as { id: number } | { id: number }[];
    const atMs = performance.now();
    for (const { id: eventId } of [told].flat()) this.taken.push({ eventId, atMs });
    response.end('taken');
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
  }
}
