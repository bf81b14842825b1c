/** `node scripts/run.mjs FILE ARGS…`: runs one of the project's own TypeScript tools on the pinned Node, all installed. */
import { ensureInstalled, entry, runFile } from './toolchain.mjs';

await entry(async () => {
  ensureInstalled('development');
  const [file = '', ...args] = process.argv.slice(2);
  await runFile(file, args);
});
