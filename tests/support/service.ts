/**
 * The real service as its operator runs it: `src/main.ts serve` as a process of its own, on free ports, with a data
 * folder of its own that goes with it. Stopped, killed and started again as a test likes.
 */
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { createServer } from 'node:net';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Companion, runProgram, startProgram } from './program.ts';

const main = join(import.meta.dirname, '../../src/main.ts');

export interface TestAccount {
  readonly account_id: number;
  readonly token: string;
  readonly smtp: { readonly username: string; readonly password: string };
}

export class TestService implements AsyncDisposable {
  readonly url: string;
  readonly submissionPort: number;
  readonly inboundPort: number;
  readonly #env: Readonly<Record<string, string>>;
  /** Its data folder, gone with it. */
  readonly folder: string;
  #process: Companion | undefined;

  private constructor(folder: string, ports: readonly number[], env: Readonly<Record<string, string>>) {
    const [http = 0, submission = 0, inbound = 0] = ports;
    this.url = `http://127.0.0.1:${http}`;
    this.submissionPort = submission;
    this.inboundPort = inbound;
    this.folder = folder;
    this.#env = {
      AFTERSEND_DATA: folder,
      AFTERSEND_HTTP: `127.0.0.1:${http}`,
      AFTERSEND_SUBMISSION: `127.0.0.1:${submission}`,
      AFTERSEND_INBOUND: `127.0.0.1:${inbound}`,
      AFTERSEND_LOG: 'warn',
      ...env,
    };
  }

  /** @param env settings beside those of ports and folder */
  static async start(env: Readonly<Record<string, string>> = {}): Promise<TestService> {
    const folder = await mkdtemp(join(tmpdir(), 'aftersend-test-'));
    const service = new TestService(folder, await freePorts(3), env);
    try {
      await service.start();
    } catch (error) {
      await service[Symbol.asyncDispose]();
      throw error;
    }
    return service;
  }

  /** Starts it again on the same ports and folder. @throws Error with what it said if it does not come up */
  async start(): Promise<void> {
    const child = startProgram(process.execPath, [main, 'serve'], { env: this.#env, cwd: this.folder });
    this.#process = child;
    try {
      await child.stdout.match(/is up/);
    } catch (cause) {
      throw new Error(`the service did not start:\n${child.stderr.text}`, { cause });
    }
  }

  /** Stops it as Ctrl-C does, or with SIGKILL as a crash. @returns its exit code, undefined after a kill */
  async stop(signal: 'SIGINT' | 'SIGTERM' | 'SIGKILL' = 'SIGTERM'): Promise<number | undefined> {
    const code = await this.#process?.end(signal);
    this.#process = undefined;
    return code;
  }

  /** Stops it in the middle of whatever it does, and lets it go on. */
  signal(name: 'SIGSTOP' | 'SIGCONT'): void {
    if (this.#process !== undefined) process.kill(this.#process.pid, name);
  }

  /** What it has printed since its last start, for the person who started it. */
  get printed(): string {
    return this.#process?.stdout.text ?? '';
  }

  /** What it has logged since its last start. */
  get log(): string {
    return this.#process?.stderr.text ?? '';
  }

  /** 0 while it does not run. */
  get pid(): number {
    return this.#process?.pid ?? 0;
  }

  /** What it holds in memory now, as Linux counts it. */
  async residentMegabytes(): Promise<number> {
    const status = await readFile(`/proc/${this.pid}/status`, 'utf8');
    return Math.round(Number(/^VmRSS:\s+(\d+) kB/m.exec(status)?.[1]) / 1024);
  }

  /** Runs a command of its command line on its data folder. @returns its JSON */
  async command<T>(...words: readonly string[]): Promise<T> {
    const { code, stdout, stderr } = await runProgram(process.execPath, [main, ...words, '--json'], {
      env: this.#env,
      cwd: this.folder,
    });
    if (code !== 0) throw new Error(`aftersend ${words.join(' ')} ended with ${code}: ${stderr}`);
    return JSON.parse(stdout) as T;
  }

  createAccount(name: string): Promise<TestAccount> {
    return this.command('account', 'create', name);
  }

  /** Calls its API as an account. @throws Error with the answer unless it is 2xx */
  async call<T>(account: TestAccount, method: string, path: string, body?: object): Promise<T> {
    const response = await fetch(`${this.url}${path}`, {
      method,
      headers: { authorization: `Bearer ${account.token}`, 'content-type': 'application/json' },
      ...(body !== undefined && { body: JSON.stringify(body) }),
    });
    const text = await response.text();
    if (!response.ok) throw new Error(`${method} ${path} answered ${response.status}: ${text}`);
    return (text === '' ? undefined : JSON.parse(text)) as T;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop('SIGKILL');
    await rm(this.folder, { recursive: true, force: true });
  }
}

/** Ports that were free a moment ago, all different. */
export async function freePorts(count: number): Promise<readonly number[]> {
  const servers = Array.from({ length: count }, () => createServer().listen(0, '127.0.0.1'));
  await Promise.all(servers.map((server) => new Promise((resolve) => server.once('listening', resolve))));
  const ports = servers.map((server) => (server.address() as AddressInfo).port);
  await Promise.all(servers.map((server) => new Promise((resolve) => server.close(resolve))));
  return ports;
}
