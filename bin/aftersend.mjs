#!/usr/bin/env node
/**
 * `npx aftersend COMMAND` and `npm start`: installs what is missing, then runs the service's command line on the pinned
 * Node. Standard output carries what the command says and nothing else.
 */
import { ensureConsole } from '../scripts/console.mjs';
import { ensureInstalled, entry, runFile } from '../scripts/toolchain.mjs';

await entry(async () => {
  ensureInstalled('runtime');
  if (process.argv[2] === 'serve') ensureConsole();
  await runFile('src/main.ts', process.argv.slice(2));
});
