/** `npm run cluster -- [--minutes N] [--seed N] [--rate N]`: the long form of the proof; exit code 1 if anything is amiss. */
import { parseArgs } from 'node:util';
import { withoutPostgres } from '../support/postgres.ts';
import { prove } from './prove.ts';
import { reportOf } from './report.ts';

const senders = 8;

const { values } = parseArgs({
  options: {
    minutes: { type: 'string', default: '5' },
    seed: { type: 'string', default: String(Date.now() % 1_000_000) },
    rate: { type: 'string', default: '40' },
  },
});
if (withoutPostgres !== false) throw new Error(withoutPostgres);
const seed = Number(values.seed);
console.log(`seed ${seed}, ${values.minutes} minutes`);
const result = await prove({
  seed,
  minutes: Number(values.minutes),
  senders,
  perSecond: Number(values.rate) / senders,
});
console.log(reportOf(result));
if (result.problems.length > 0) process.exitCode = 1;
