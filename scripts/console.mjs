/**
 * Builds the web console into `console/dist/` when what is there was made of other sources. So a fresh clone has it at
 * its first start, a start that changes nothing waits for a comparison alone, and nobody builds by hand.
 */
import { createHash } from 'node:crypto';
import { existsSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { spawnSync } from 'node:child_process';
import { ensureInstalled, pinnedNode, projectRoot, SetupError } from './toolchain.mjs';

const folder = join(projectRoot, 'console');
/** Says which sources `dist` was made of. */
const stamp = join(folder, 'dist', 'sources.sha256');

/** @throws {SetupError} */
export function ensureConsole() {
  const sources = fingerprint();
  if (existsSync(stamp) && readFileSync(stamp, 'utf8') === sources) return;
  ensureInstalled('development');
  process.stderr.write('Building the console, once …\n');
  rmSync(stamp, { force: true });
  const vite = join(projectRoot, 'node_modules/vite/bin/vite.js');
  const args = [vite, 'build', '--logLevel', 'warn', '--config', join(folder, 'vite.config.mjs')];
  const { status, stderr } = spawnSync(pinnedNode(), args, { cwd: projectRoot, encoding: 'utf8' });
  if (status !== 0) throw new SetupError(`the console could not be built: ${stderr.trim()}`);
  writeFileSync(stamp, sources);
}

/** Of all that the console is made of: its own files and the packages it was locked with. */
function fingerprint() {
  const hash = createHash('sha256').update(readFileSync(join(projectRoot, 'package-lock.json')));
  const files = readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && !entry.parentPath.startsWith(join(folder, 'dist')))
    .map((entry) => join(entry.parentPath, entry.name))
    .sort();
  for (const file of files) hash.update(`\0${file.slice(folder.length)}\0`).update(readFileSync(file));
  return hash.digest('hex');
}
