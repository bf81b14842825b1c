/** `npm run check`: everything that can be said of the code without running the service, in a few seconds. */
import { runChecks } from './checks.mjs';
import { ensureInstalled, entry } from './toolchain.mjs';

await entry(async () => {
  ensureInstalled('development');
  if (!(await runChecks())) process.exitCode = 1;
});
