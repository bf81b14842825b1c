/** The command line: which command, its words and options, what it prints, the exit code. No policy lives here. */
import { readFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { ProvisionError } from './accounts/provision.ts';
import { accountCommands } from './cli/account-commands.ts';
import { reportCommands } from './cli/report-commands.ts';
import { userCommands } from './cli/user-commands.ts';
import { databaseUrl } from './config/readers.ts';
import { SecretFileError } from './config/secret-file.ts';
import { ConfigError, describeSettings, readConfig } from './config/settings.ts';
import { systemClock } from './platform/clock.ts';
import { holdYoungHeap, letYoungHeapGrow } from './platform/young-heap.ts';
import { StoreBusyError, StoreUnusableError } from './store/contract/store.ts';
import { openStore } from './store/open.ts';
import { FolderLockedError, FolderUnusableError } from './store/sqlite/open.ts';

/** Wrong words on the command line. */
class UsageError extends Error {}

const storeCommands = { ...accountCommands, ...userCommands, ...reportCommands };

const usage = `aftersend COMMAND

  serve                                  run the service (settings: aftersend config)
  demo                                   see every event of a message come back by webhook, in 30 seconds
  config                                 every setting, its default and its meaning
  move --from FOLDER --to URL            take a data folder over to a PostgreSQL (as set: AFTERSEND_DATA, AFTERSEND_DATABASE_URL)
  inspect mail FILE…                     what the service makes of mail that came back: one JSON line a file
  inspect reply "550 5.1.1 …"            what it makes of a server's answer: one JSON line
${Object.entries(storeCommands)
  .map(([name, { words }]) => `  ${[name, ...words].join(' ')}`)
  .join('\n')}

  --json         print JSON and nothing else
  --email E      account create: where its owner is told of trouble
  --time-zone Z  account create: as in Europe/Moscow (UTC)
  --name N       token create: what it is for
  --role R       user invite: owner (as first set), developer or support
  --database URL demo: on an empty PostgreSQL, postgres://…, in the place of a data folder
  --version, --help`;

async function main(argv: readonly string[]): Promise<number> {
  const { values, positionals } = parse(argv);
  if (values.version) return print(version());
  const [first = 'help', second = '', ...rest] = positionals;
  if (values.help || first === 'help') return print(usage);
  if (first === 'config') {
    print(describeSettings());
    // The table helps to mend what is wrong, so it comes first.
    readConfig();
    return 0;
  }
  // What only some commands need is loaded by them: to make a token takes no HTTP server.
  if (first === 'serve') {
    holdYoungHeap();
    const { serve } = await import('./cli/serve.ts');
    return serve(readConfig(), { stop: stopSignal(), started: letYoungHeapGrow });
  }
  if (first === 'demo') {
    const { runDemo } = await import('./demo/demo.ts');
    return runDemo(print, stopSignal(), values.database);
  }

  if (first === 'inspect') return inspect(second, rest);
  if (first === 'move') return moveFolder(positionals, values);

  const command = storeCommands[`${first} ${second}`];
  if (command === undefined) throw new UsageError(`there is no command '${positionals.join(' ')}'`);
  if (rest.length !== command.words.length) {
    throw new UsageError(`write: aftersend ${[first, second, ...command.words].join(' ')}`);
  }
  const config = readConfig();
  const processName = `command-${process.pid}`;
  await using store = await openStore(config, { purpose: 'command', processName, clock: systemClock });
  const publicUrl = config.publicUrl ?? `http://${config.http.host}:${config.http.port}`;
  const { json, lines } = await command.run(store, rest, { ...values, publicUrl });
  return print(values.json ? JSON.stringify(json) : lines.join('\n'));
}

/** What is not said is as it is set. */
async function moveFolder(
  words: readonly string[],
  { from, to, json }: { from?: string | undefined; to?: string | undefined; json?: boolean | undefined },
): Promise<number> {
  if (words.length > 1) throw new UsageError('write: aftersend move --from ./data --to postgres://…');
  const config = readConfig();
  const url = to === undefined ? config.database?.url : readUrl(to);
  if (url === undefined)
    throw new UsageError('say where to: --to postgres://USER:PASSWORD@HOST:PORT/DATABASE');
  const { moveData } = await import('./cli/move.ts');
  return moveData(config, { from: from ?? config.dataFolder, to: url, isJson: json ?? false }, print);
}

function readUrl(text: string): string | undefined {
  try {
    return databaseUrl(text);
  } catch (error) {
    throw new UsageError(`--to ${(error as Error).message}`, { cause: error });
  }
}

/** Goes on after a file that cannot be read: one of a thousand should not cost the others. */
async function inspect(what: string, words: readonly string[]): Promise<number> {
  if (words.length === 0 || (what !== 'mail' && what !== 'reply')) {
    throw new UsageError('write: aftersend inspect mail FILE…, or: aftersend inspect reply "550 5.1.1 …"');
  }
  const { inspectMail, inspectReply } = await import('./cli/inspect.ts');
  if (what === 'reply') return print(JSON.stringify(inspectReply(words.join(' '))));
  let exitCode = 0;
  for (const file of words) {
    try {
      print(JSON.stringify(await inspectMail(file)));
    } catch (error) {
      process.stderr.write(`aftersend: ${(error as Error).message}\n`);
      exitCode = 1;
    }
  }
  return exitCode;
}

function parse(argv: readonly string[]) {
  try {
    return parseArgs({
      args: [...argv],
      allowPositionals: true,
      options: {
        json: { type: 'boolean' },
        email: { type: 'string' },
        'time-zone': { type: 'string' },
        name: { type: 'string' },
        role: { type: 'string' },
        from: { type: 'string' },
        to: { type: 'string' },
        database: { type: 'string' },
        version: { type: 'boolean' },
        help: { type: 'boolean', short: 'h' },
      },
    });
  } catch (error) {
    throw new UsageError((error as Error).message, { cause: error });
  }
}

function print(text: string): 0 {
  process.stdout.write(`${text}\n`);
  return 0;
}

function version(): string {
  const manifest = JSON.parse(readFileSync(new URL('../package.json', import.meta.url), 'utf8')) as {
    version: string;
  };
  return manifest.version;
}

/** A terminal sends Ctrl-C to npm and to us, and npm passes its own on: what comes together is one wish. */
const sameWishMs = 1000;

/** Aborts at the first SIGINT or SIGTERM; one that comes a while later ends the process at once. */
function stopSignal(): AbortSignal {
  const stop = new AbortController();
  let askedAtMs: number | undefined;
  const ask = (signal: NodeJS.Signals) => {
    askedAtMs ??= systemClock.now();
    stop.abort();
    if (systemClock.now() - askedAtMs < sameWishMs) return;
    process.removeAllListeners(signal);
    process.kill(process.pid, signal);
  };
  process.on('SIGINT', ask).on('SIGTERM', ask);
  return stop.signal;
}

const mendable = [
  ProvisionError,
  FolderLockedError,
  FolderUnusableError,
  StoreUnusableError,
  SecretFileError,
];

/** What a person can mend gets one line; anything else is a fault of the program and shows where. */
function explain(error: unknown): { text: string; exitCode: number } {
  if (error instanceof UsageError) return { text: `${error.message}\n\n${usage}`, exitCode: 2 };
  if (error instanceof ConfigError) return { text: `setting ${error.message}`, exitCode: 2 };
  if (mendable.some((kind) => error instanceof kind)) {
    return { text: (error as Error).message, exitCode: 1 };
  }
  if (error instanceof StoreBusyError) {
    const cause = error.cause instanceof Error ? `: ${error.cause.message}` : '';
    return { text: `${error.message}${cause}`, exitCode: 1 };
  }
  const { code, syscall, address, port } = error as NodeJS.ErrnoException & {
    address?: string;
    port?: number;
  };
  if (code === 'EADDRINUSE') {
    return {
      text: `${address ?? ''}:${port ?? ''} is taken by another program; set AFTERSEND_HTTP, AFTERSEND_SUBMISSION or AFTERSEND_INBOUND`,
      exitCode: 1,
    };
  }
  // What the operating system refuses (a file that may not be read, an address that is not ours) says so itself.
  if (syscall !== undefined) return { text: (error as Error).message, exitCode: 1 };
  return { text: error instanceof Error ? (error.stack ?? error.message) : String(error), exitCode: 1 };
}

// Mail and secrets are the owner's alone, also in a data folder that somebody else made.
process.umask(0o077);
try {
  process.exitCode = await main(process.argv.slice(2));
} catch (error) {
  const { text, exitCode } = explain(error);
  process.stderr.write(`aftersend: ${text}\n`);
  process.exitCode = exitCode;
}
