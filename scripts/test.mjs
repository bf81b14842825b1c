/**
 * `npm test [-- FILE…]`: installs what the tests need, runs the checks, then all tests (or the files named). A failed
 * check does not keep the tests from running: one run tells everything. The last lines are node's own summary.
 */
import { ensureConsole } from './console.mjs';
import { installPeers } from './peers.mjs';
import { runChecks } from './checks.mjs';
import { ensureInstalled, entry, pinnedNode, projectRoot, runToEnd } from './toolchain.mjs';

/** Test files at a time: each may start a service of its own. */
const concurrency = 2;
/** Bounds a test that hangs; none comes near it. */
const testTimeoutMs = 120_000;

await entry(async () => {
  process.chdir(projectRoot);
  ensureInstalled('development');
  installPeers({ forBench: false });
  ensureConsole();
  const checked = await runChecks();
  const named = process.argv.slice(2);
  const tested = await runToEnd(pinnedNode(), [
    '--test',
    '--test-reporter=spec',
    `--test-concurrency=${concurrency}`,
    `--test-timeout=${testTimeoutMs}`,
    '--test-global-setup=tests/support/one-postgres.ts',
    ...(named.length > 0 ? named : ['tests/**/*.test.ts']),
  ]);
  process.exitCode = checked ? tested : 1;
});
