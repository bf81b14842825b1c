/** The short form of the proof (`prove.ts`); `npm run cluster` is the long one. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { withoutPostgres } from '../support/postgres.ts';
import { prove } from './prove.ts';
import { reportOf } from './report.ts';

test('processes die and are stopped, the primary dies: nothing is lost, order is kept, what comes twice is explained', {
  skip: withoutPostgres,
  // What a lane has given back may be due five minutes later (`deliver/lanes.ts`); mostly nothing is.
  timeout: 10 * 60_000,
}, async (context) => {
  const seed = 1;
  const result = await prove({ seed, minutes: undefined, senders: 12, perSecond: 3 });
  const report = reportOf(result);
  context.diagnostic(report);
  assert.deepEqual(result.problems, [], `seed ${seed}\n${report}`);
  assert.ok(result.ledger.messages.length > 50, report);
});
