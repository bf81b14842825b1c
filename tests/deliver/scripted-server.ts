/** An SMTP server on loopback that answers as a test tells it to, by default as a good one. It keeps what it took. */
import { once } from 'node:events';
import { createServer, type Socket } from 'node:net';
import type { AddressInfo } from 'node:net';

export interface Taken {
  readonly from: string;
  readonly to: string;
  readonly content: string;
}

export interface Script {
  /** Lines after the first of the answer to EHLO. */
  readonly extensions?: readonly string[];
  /**
   * What to say: an answer, `drop` to end the connection, `silence` for nothing; undefined leaves it to the default.
   * @param command as it came; `GREETING` on connecting, `CONTENT` after the dot
   * @param connection 1, 2, 3 …
   */
  readonly answer?: (command: string, connection: number, to: string) => string | undefined;
}

export interface ScriptedServer extends AsyncDisposable {
  readonly port: number;
  readonly taken: Taken[];
  /** All commands of all connections in the order in which they came. */
  readonly commands: string[];
  readonly connectionCount: number;
  /** Resolves when so many messages have been taken. */
  took(count: number): Promise<void>;
  /** Resolves when a command that matches has come. */
  saw(command: RegExp): Promise<void>;
  hangUp(): void;
}

export async function startScriptedServer({ extensions, answer }: Script = {}): Promise<ScriptedServer> {
  const taken: Taken[] = [];
  const commands: string[] = [];
  const sockets = new Set<Socket>();
  const watchers = new Set<() => void>();
  let connections = 0;

  const server = createServer((socket) => {
    const number = ++connections;
    let rest = '';
    let inContent = false;
    let from = '';
    let to = '';
    socket.setNoDelay(true);
    sockets.add(socket);
    socket.on('close', () => sockets.delete(socket));
    socket.on('error', () => {});

    const say = (command: string, usual: string): boolean => {
      commands.push(command);
      for (const watcher of watchers) watcher();
      const said = answer?.(command, number, to) ?? usual;
      if (said === 'drop') socket.destroy();
      else if (said !== 'silence') socket.write(`${said}\r\n`);
      return said === usual;
    };
    const ehlo = ['250-test', ...(extensions ?? []).map((line) => `250-${line}`), '250 HELP'].join('\r\n');
    const onLine = (line: string): void => {
      const verb = line.slice(0, 4).toUpperCase();
      if (verb === 'MAIL') from = /<(.*?)>/.exec(line)?.[1] ?? '';
      if (verb === 'RCPT') to = /<(.*?)>/.exec(line)?.[1] ?? '';
      if (verb === 'EHLO') say(line, ehlo);
      else if (verb === 'DATA') inContent = say(line, '354 go on');
      else if (verb === 'QUIT') socket.end('221 bye\r\n');
      else say(line, '250 2.0.0 ok');
    };
    socket.setEncoding('utf8');
    socket.on('data', (chunk: string) => {
      rest += chunk;
      for (;;) {
        const ends = inContent ? '\r\n.\r\n' : '\r\n';
        const at = inContent && rest.startsWith('.\r\n') ? -2 : rest.indexOf(ends);
        if (at === -1) return;
        const piece = rest.slice(0, Math.max(0, at));
        rest = rest.slice(at + ends.length);
        if (inContent) {
          inContent = false;
          if (say('CONTENT', '250 2.0.0 queued')) {
            taken.push({ from, to, content: `${piece}\r\n`.replaceAll('\r\n.', '\r\n').replace(/^\./, '') });
            for (const watcher of watchers) watcher();
          }
        } else {
          onLine(piece);
        }
      }
    });
    say('GREETING', '220 test ESMTP');
  });
  const somethingNew = () =>
    new Promise<void>((resolve) => {
      const watcher = () => {
        watchers.delete(watcher);
        resolve();
      };
      watchers.add(watcher);
    });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');

  return {
    port: (server.address() as AddressInfo).port,
    taken,
    commands,
    get connectionCount() {
      return connections;
    },
    async took(count) {
      while (taken.length < count) await somethingNew();
    },
    async saw(command) {
      while (!commands.some((seen) => command.test(seen))) await somethingNew();
    },
    hangUp() {
      for (const socket of sockets) socket.destroy();
    },
    async [Symbol.asyncDispose]() {
      for (const socket of sockets) socket.destroy();
      server.close();
      await once(server, 'close');
    },
  };
}
