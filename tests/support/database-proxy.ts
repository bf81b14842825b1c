/**
 * Stands between processes and their PostgreSQL: counts the statements that go through, knows when none is under way,
 * and cuts everybody off when a test says so. It reads the protocol's frames and changes nothing.
 */
import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';

/** A message of the protocol: a letter, then its length, which counts itself and not the letter. */
const headerBytes = 5;

/** The messages of one direction of a connection, by their letters. */
class Frames {
  #left = 0;
  #header = Buffer.alloc(0);
  /** A client's first message has no letter. */
  #isFirst: boolean;
  readonly #on: (letter: string) => void;

  constructor(hasStart: boolean, on: (letter: string) => void) {
    this.#isFirst = hasStart;
    this.#on = on;
  }

  push(chunk: Buffer): void {
    for (let at = 0; at < chunk.length; ) {
      if (this.#left > 0) {
        const passed = Math.min(this.#left, chunk.length - at);
        this.#left -= passed;
        at += passed;
        continue;
      }
      const letters = this.#isFirst ? 0 : 1;
      const wanted = headerBytes - 1 + letters - this.#header.length;
      this.#header = Buffer.concat([this.#header, chunk.subarray(at, at + wanted)]);
      at += wanted;
      if (this.#header.length < headerBytes - 1 + letters) return;
      this.#left = this.#header.readInt32BE(letters) - (headerBytes - 1);
      if (!this.#isFirst) this.#on(String.fromCharCode(this.#header[0] ?? 0));
      this.#isFirst = false;
      this.#header = Buffer.alloc(0);
    }
  }
}

export class DatabaseProxy implements AsyncDisposable {
  readonly url: string;
  /** Statements that were sent so far. */
  statements = 0;
  /** Connections that were wanted while everybody was cut off. */
  refused = 0;
  /** Asked, and not answered to the end. */
  #underWay = 0;
  #isCut = false;
  #cutAt: { left: number; readonly side: 'asked' | 'answered' } | undefined;
  readonly #sockets = new Set<Socket>();
  readonly #server: ReturnType<typeof createServer>;

  private constructor(server: ReturnType<typeof createServer>, target: URL) {
    this.#server = server;
    const own = new URL(target);
    own.port = String((server.address() as AddressInfo).port);
    this.url = own.href;
    server.on('connection', (socket) => this.#take(socket, target));
  }

  static async start(url: string): Promise<DatabaseProxy> {
    const server = createServer();
    await once(server.listen(0, '127.0.0.1'), 'listening');
    return new DatabaseProxy(server, new URL(url));
  }

  /** Resolves when nothing is asked that is not answered, for some turns of the loop. */
  async quiet(): Promise<void> {
    for (let turns = 0; turns < 20; ) {
      await new Promise((resolve) => setImmediate(resolve));
      turns = this.#underWay === 0 ? turns + 1 : 0;
    }
  }

  /** Ends all connections, and every new one, until `mend`. */
  cut(): void {
    this.#isCut = true;
    for (const socket of this.#sockets) socket.destroy();
  }

  mend(): void {
    this.#isCut = false;
    this.#cutAt = undefined;
  }

  /**
   * Cuts everybody off at a statement to come: before the server has it, or when it has done it and nobody knows. That is
   * how a process that is killed, and one whose last word was lost, look to the server.
   */
  cutAt(statements: number, side: 'asked' | 'answered'): void {
    this.#cutAt = { left: statements, side };
  }

  #count(side: 'asked' | 'answered'): void {
    if (this.#cutAt?.side !== side) return;
    this.#cutAt.left -= 1;
    if (this.#cutAt.left <= 0) this.cut();
  }

  #take(client: Socket, { hostname, port }: URL): void {
    if (this.#isCut) {
      this.refused += 1;
      client.destroy();
      return;
    }
    const server = connect(Number(port), hostname);
    // A connection is under way until the server is ready for its first query.
    let underWay = 1;
    this.#underWay += 1;
    const change = (by: number) => {
      underWay += by;
      this.#underWay += by;
    };
    const asked = new Frames(true, (letter) => {
      // A simple query, or the execution of a prepared one; the latter's end is asked for by a Sync.
      if (letter === 'Q' || letter === 'E') {
        this.statements += 1;
        this.#count('asked');
      }
      if (letter === 'Q' || letter === 'S') change(1);
    });
    const answered = new Frames(false, (letter) => {
      if (letter === 'Z') {
        change(-1);
        this.#count('answered');
      }
    });
    client.on('data', (chunk: Buffer) => asked.push(chunk)).pipe(server);
    server.on('data', (chunk: Buffer) => answered.push(chunk)).pipe(client);
    for (const [one, other] of [
      [client, server],
      [server, client],
    ] as const) {
      this.#sockets.add(one);
      one.on('error', () => undefined);
      one.once('close', () => {
        this.#sockets.delete(one);
        other.destroy();
        change(-underWay);
      });
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.cut();
    await new Promise((resolve) => this.#server.close(resolve));
  }
}
