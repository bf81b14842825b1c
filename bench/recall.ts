/**
 * `npm run recall [-- FOLDER]`: how much of real bounce and feedback mail is read right. FOLDER holds `mail/*.eml`,
 * `labels.json` and `reasons.json` (their meaning: tests/data/bounces/README.md). Prints what was read wrong, then counts.
 */
import { resolve } from 'node:path';
import { measureRecall } from '../tests/inbound/recall.ts';

const folder = resolve(process.argv[2] ?? 'tests/data/bounces');
const { misses, scores } = await measureRecall(folder);
for (const miss of misses) process.stdout.write(`${miss}\n`);
for (const [what, { right, of }] of Object.entries(scores)) {
  process.stdout.write(`${what.padEnd(9)}${right} of ${of}  ${((100 * right) / of).toFixed(1)} %\n`);
}
