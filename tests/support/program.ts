/** Running a program to its end, or beside a test: never left behind, its output kept for the failure message. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';

/** Beyond it a program hangs: it is killed, and its result says so by its signal. */
const timeoutMs = 60_000;

interface ProgramOptions {
  readonly env?: Readonly<Record<string, string>>;
  readonly cwd?: string;
  readonly input?: string;
}

export interface ProgramResult {
  /** Undefined when it was ended by a signal. */
  readonly code: number | undefined;
  readonly stdout: string;
  readonly stderr: string;
}

/** @returns what it printed and how it ended, whatever the exit code */
export async function runProgram(
  command: string,
  args: readonly string[],
  options: ProgramOptions = {},
): Promise<ProgramResult> {
  const { stdout, stderr, child } = start(command, args, options);
  // A program may end without reading what it was given; how it ended says more than a broken pipe.
  child.stdin?.on('error', () => {});
  child.stdin?.end(options.input ?? '');
  const [code] = (await once(child, 'close')) as [number | null];
  return { code: code ?? undefined, stdout: stdout.text, stderr: stderr.text };
}

/** A program that runs beside the test until it is disposed of. */
export interface Companion extends AsyncDisposable {
  readonly pid: number;
  /** Resolves with its exit code when it has ended, undefined after a signal. */
  readonly closed: Promise<number | undefined>;
  readonly stdout: Printed;
  readonly stderr: Printed;
  /** @returns its exit code, undefined after a signal */
  end(signal?: NodeJS.Signals): Promise<number | undefined>;
}

export function startProgram(
  command: string,
  args: readonly string[],
  options: ProgramOptions = {},
): Companion {
  const { stdout, stderr, child } = start(command, args, { ...options, endless: true });
  const closed = once(child, 'close').then(([code]) => (code as number | null) ?? undefined);
  const end = (signal: NodeJS.Signals = 'SIGTERM') => {
    child.kill(signal);
    return closed;
  };
  return {
    pid: child.pid ?? 0,
    closed,
    stdout,
    stderr,
    end,
    async [Symbol.asyncDispose]() {
      await end('SIGKILL');
    },
  };
}

/** What a program has printed on one stream, and a way to wait for more of it. */
export class Printed {
  text = '';
  ended = false;
  readonly #waiting = new Set<() => void>();

  constructor(stream: NodeJS.ReadableStream) {
    stream.setEncoding('utf8');
    stream.on('data', (text: string) => {
      this.text += text;
      this.#wake();
    });
    stream.on('end', () => {
      this.ended = true;
      this.#wake();
    });
  }

  /** Resolves with the match as soon as the text has it. @throws Error with the text if it ends without */
  async match(pattern: RegExp): Promise<RegExpMatchArray> {
    let found = this.text.match(pattern);
    while (found === null) {
      await this.more();
      found = this.text.match(pattern);
    }
    return found;
  }

  /** Resolves when more was printed. @throws Error with all that was printed if nothing more will come */
  async more(): Promise<void> {
    if (this.ended) throw new Error(`it ended, having printed:\n${this.text}`);
    await new Promise<void>((resolve) => this.#waiting.add(resolve));
  }

  #wake(): void {
    for (const wake of this.#waiting) wake();
    this.#waiting.clear();
  }
}

function start(
  command: string,
  args: readonly string[],
  { env = {}, cwd, endless = false }: ProgramOptions & { endless?: boolean },
): { child: ChildProcess; stdout: Printed; stderr: Printed } {
  const child = spawn(command, args, {
    cwd,
    env: { ...process.env, ...env },
    ...(!endless && { timeout: timeoutMs }),
  });
  return { child, stdout: new Printed(child.stdout), stderr: new Printed(child.stderr) };
}
