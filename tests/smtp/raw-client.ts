/** An SMTP client without manners: it sends exactly the bytes it is told to, and reads replies one by one. */
import { connect as connectTcp, type Socket } from 'node:net';
import { connect as connectTls, type ConnectionOptions } from 'node:tls';

export class RawClient implements Disposable {
  #socket: Socket;
  #text = '';
  #ended = false;
  #arrived = Promise.withResolvers<void>();

  private constructor(socket: Socket) {
    this.#socket = socket;
    this.#listen(socket);
  }

  static async connect(port: number, host = '127.0.0.1'): Promise<RawClient> {
    const socket = connectTcp({ port, host, noDelay: true });
    await new Promise<void>((resolve, reject) => {
      socket.once('connect', resolve);
      socket.once('error', reject);
    });
    return new RawClient(socket);
  }

  write(bytes: string | Buffer): void {
    this.#socket.write(bytes);
  }

  end(): void {
    this.#socket.end();
  }

  /** Sends a line and gives its reply. */
  ask(line: string): Promise<string> {
    this.write(`${line}\r\n`);
    return this.reply();
  }

  /** The next reply with all its lines, without the last line end; '' if the server closed instead. */
  async reply(): Promise<string> {
    for (;;) {
      const match = /^(?:\d{3}-.*\r\n)*\d{3}(?: .*)?\r\n/.exec(this.#text);
      if (match !== null) {
        this.#text = this.#text.slice(match[0].length);
        return match[0].trimEnd().replaceAll('\r\n', '\n');
      }
      if (this.#ended) return '';
      await this.#arrived.promise;
    }
  }

  /** Resolves when the server has closed. @returns replies that nobody read */
  async closed(): Promise<string> {
    while (!this.#ended) await this.#arrived.promise;
    return this.#text;
  }

  async startTls(options: ConnectionOptions): Promise<void> {
    const plain = this.#socket;
    plain.removeAllListeners();
    const secured = connectTls({ ...options, socket: plain });
    await new Promise<void>((resolve, reject) => {
      secured.once('secureConnect', resolve);
      secured.once('error', reject);
    });
    this.#socket = secured;
    this.#listen(secured);
  }

  [Symbol.dispose](): void {
    this.#socket.destroy();
  }

  #listen(socket: Socket): void {
    const arrived = () => {
      this.#arrived.resolve();
      this.#arrived = Promise.withResolvers<void>();
    };
    socket.on('data', (chunk: Buffer) => {
      this.#text += chunk.toString();
      arrived();
    });
    const ended = () => {
      this.#ended = true;
      arrived();
    };
    socket.on('end', ended);
    socket.on('error', ended);
    socket.on('close', ended);
  }
}
