/** The checks that every commit passes: types, lint, format, unused code, and the rules of tests/tidy.test.ts. */
import { spawn } from 'node:child_process';
import { join } from 'node:path';
import { pinnedNode, projectRoot } from './toolchain.mjs';

const tool = (/** @type {string} */ path) => join(projectRoot, 'node_modules', path);

/** Each by its name, with what stands after `node` on its command line. */
const checks = {
  types: [tool('typescript/bin/tsc'), '-p', '.'],
  'console types': [tool('typescript/bin/tsc'), '-p', 'console'],
  lint: [tool('oxlint/bin/oxlint'), '--type-aware', '--deny-warnings'],
  format: [tool('@biomejs/biome/bin/biome'), 'format', '--colors=off', '.'],
  'unused code': [tool('knip/bin/knip.js'), '--no-progress'],
  tidy: ['--test', '--test-reporter=spec', 'tests/tidy.test.ts'],
};

/**
 * Runs all of them at the same time and prints what the failing ones say.
 * @returns {Promise<boolean>} whether all passed
 */
export async function runChecks() {
  const node = pinnedNode();
  const results = await Promise.all(
    Object.entries(checks).map(async ([name, args]) => ({ name, ...(await capture(node, args)) })),
  );
  const failed = results.filter(({ code }) => code !== 0);
  for (const { name, output } of failed) process.stdout.write(`── ${name} ──\n${output.trim()}\n\n`);
  const names = failed.map(({ name }) => name).join(', ');
  process.stdout.write(failed.length > 0 ? `Failed: ${names}\n` : `All ${results.length} checks passed.\n`);
  return failed.length === 0;
}

/**
 * @param {string} command
 * @param {string[]} args
 * @returns {Promise<{ code: number | null, output: string }>}
 */
function capture(command, args) {
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, { cwd: projectRoot, stdio: ['ignore', 'pipe', 'pipe'] });
    let output = '';
    for (const stream of [child.stdout, child.stderr]) {
      stream.setEncoding('utf8').on('data', (text) => {
        output += text;
      });
    }
    child.once('error', reject);
    child.once('close', (code) => resolve({ code, output }));
  });
}
