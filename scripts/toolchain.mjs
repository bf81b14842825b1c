/**
 * What every command of the project stands on: the packages of package-lock.json in node_modules, and the pinned Node
 * among them. It runs on the machine's own Node, 20 or newer, before anything is installed, so it is JavaScript without
 * dependencies. It must never write to standard output: that belongs to the command that is run.
 */
import { spawn, spawnSync } from 'node:child_process';
import { existsSync, lstatSync, readFileSync, realpathSync } from 'node:fs';
import nodeModule from 'node:module';
import { constants } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';

export const projectRoot = fileURLToPath(new URL('..', import.meta.url));
const modules = join(projectRoot, 'node_modules');

/** Something a person has to do; its message is printed without a stack. */
export class SetupError extends Error {}

/**
 * Runs `npm ci` when node_modules is not what package-lock.json says.
 * @param {'runtime' | 'development'} scope `runtime` is content without the packages that only checks and tests need
 * @throws {SetupError}
 */
export function ensureInstalled(scope) {
  if (isInstalled(scope)) return;
  if (lstatSync(modules, { throwIfNoEntry: false })?.isSymbolicLink()) {
    throw new SetupError(`node_modules is a link to ${realpathSync(modules)}; run 'npm ci' there`);
  }
  process.stderr.write('Installing the dependencies (npm ci), once …\n');
  const [command, ...args] = npmCommand();
  const { status, error } = spawnSync(
    command,
    [...args, 'ci', '--loglevel=error', '--no-audit', '--no-fund'],
    {
      cwd: projectRoot,
      stdio: ['ignore', 'ignore', 'inherit'],
      shell: command.endsWith('.cmd'),
    },
  );
  if (error !== undefined) throw new SetupError(`npm could not be started: ${error.message}`);
  if (status !== 0)
    throw new SetupError(`'npm ci' failed with exit code ${status}; what it said stands above`);
}

/**
 * @param {'runtime' | 'development'} scope
 * @returns {boolean}
 */
function isInstalled(scope) {
  const present = lockedPackages(join(modules, '.package-lock.json'));
  const wanted = lockedPackages(join(projectRoot, 'package-lock.json'));
  return Object.entries(wanted).every(([path, entry]) => {
    if (path === '' || (scope === 'runtime' && entry.dev)) return true;
    const found = present[path];
    // An optional package is one for another platform, or it could not be had: its user says so.
    return found === undefined
      ? entry.optional === true
      : found.version === entry.version && found.integrity === entry.integrity;
  });
}

/**
 * @typedef {{ version?: string, integrity?: string, optional?: boolean, dev?: boolean }} LockedPackage
 * @param {string} file
 * @returns {Record<string, LockedPackage>} by path; empty if there is no such file
 */
function lockedPackages(file) {
  return existsSync(file) ? JSON.parse(readFileSync(file, 'utf8')).packages : {};
}

/** @returns {[string, ...string[]]} the npm that runs this script, or else the one in PATH */
function npmCommand() {
  const { npm_execpath: npm, npm_node_execpath: node } = process.env;
  if (npm?.endsWith('.js')) return [node ?? process.execPath, npm];
  return [process.platform === 'win32' ? 'npm.cmd' : 'npm'];
}

/**
 * @returns {string} the pinned Node's path, or this process's own if none is packaged for the platform and it will do
 * @throws {SetupError}
 */
export function pinnedNode() {
  const { optionalDependencies } = JSON.parse(readFileSync(join(projectRoot, 'package.json'), 'utf8'));
  const program = process.platform === 'win32' ? 'node.exe' : 'node';
  const packaged = Object.keys(optionalDependencies)
    .map((name) => join(modules, name, 'bin', program))
    .find((path) => existsSync(path));
  if (packaged !== undefined) return realpathSync(packaged);
  const [pinned] = /** @type {string[]} */ (Object.values(optionalDependencies));
  if (Number.parseInt(process.versions.node, 10) >= Number.parseInt(pinned ?? '', 10))
    return process.execPath;
  throw new SetupError(
    `no Node ${pinned} is packaged for ${process.platform}-${process.arch}, and this is Node ${process.versions.node}: ` +
      `install Node ${pinned} or newer and run again`,
  );
}

/**
 * Node keeps here what it has made of the sources: TypeScript without its types, compiled. Starting takes half the CPU
 * with it (docs/performance.md).
 */
const compileCache = join(modules, '.cache/node-compile');

/**
 * Runs a file of the project with the pinned Node, in this process if that is what it runs on.
 * @param {string} file relative to the project's root
 * @param {readonly string[]} args
 */
export async function runFile(file, args) {
  const path = join(projectRoot, file);
  const node = pinnedNode();
  process.env['NODE_COMPILE_CACHE'] ??= compileCache;
  if (realpathSync(process.execPath) === realpathSync(node)) {
    // The variable is read by a process that starts; this one runs already, perhaps on a Node that lacks it.
    nodeModule.enableCompileCache?.();
    process.argv.splice(1, process.argv.length, path, ...args);
    await import(pathToFileURL(path).href);
  } else {
    process.exitCode = await runToEnd(node, [path, ...args]);
  }
}

/** SIGINT comes from a terminal to the whole group, but from `kill` or a supervisor to this process alone. */
const forwardedSignals = /** @type {const} */ (['SIGINT', 'SIGTERM', 'SIGHUP']);

/**
 * A child with this process's streams: signals go on to it, and its end is told as a shell does.
 * @param {string} command
 * @param {readonly string[]} args
 * @returns {Promise<number>} its exit code
 */
export function runToEnd(command, args) {
  const child = spawn(command, args, { stdio: 'inherit' });
  for (const signal of forwardedSignals) process.on(signal, () => child.kill(signal));
  return new Promise((resolve, reject) => {
    child.once('error', reject);
    child.once('exit', (code, signal) => resolve(code ?? 128 + (signal ? constants.signals[signal] : 0)));
  });
}

/**
 * Runs an entry script's work: a SetupError becomes one line and exit code 1.
 * @param {() => void | Promise<void>} work
 */
export async function entry(work) {
  try {
    await work();
  } catch (error) {
    if (!(error instanceof SetupError)) throw error;
    process.stderr.write(`aftersend: ${error.message}\n`);
    process.exitCode = 1;
  }
}
