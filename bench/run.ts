/** `npm run bench [-- ROW…] [--rounds N] [--scale X] [--json FILE]`: measures rows and prints them as one table. */
import { writeFileSync } from 'node:fs';
import { cpus, totalmem } from 'node:os';
import { parseArgs } from 'node:util';
import { measure, type Row, type RowResult } from './measure.ts';
import { accept } from './rows/accept.ts';
import { append } from './rows/append.ts';
import { backlog } from './rows/backlog.ts';
import { count } from './rows/count.ts';
import { httpAccept } from './rows/http-accept.ts';
import { relay, relayNotKept } from './rows/relay.ts';
import { scaling, scalingWebhooks } from './rows/scaling.ts';
import { start } from './rows/start.ts';
import { track } from './rows/track.ts';
import { webhookBatch } from './rows/webhook-batch.ts';
import { webhookLatency } from './rows/webhook-latency.ts';
import { webhookSingle } from './rows/webhook-single.ts';

const rows: readonly Row[] = [
  relay,
  relayNotKept,
  accept,
  httpAccept,
  webhookBatch,
  append,
  count,
  webhookSingle,
  webhookLatency,
  track,
  start,
  backlog,
  scaling,
  scalingWebhooks,
];

function table({ row, work, unit, better, toReach, figures, leftOut, notes }: RowResult): string {
  const number = (value: number) => Math.round(value).toLocaleString('en').padStart(11);
  const lines = figures.map(
    ({ contender, median, lowest, highest, ratio }) =>
      `  ${contender.padEnd(26)}${number(median)}${number(lowest)}${number(highest)}${ratio.toFixed(2).padStart(9)}`,
  );
  return [
    `${row}: ${work}`,
    `  to reach: ${toReach}${better === 'less' ? ' (less is better)' : ''}`,
    `  ${unit.padEnd(26)}${['median', 'lowest', 'highest'].map((word) => word.padStart(11)).join('')}${'ratio'.padStart(9)}`,
    ...lines,
    ...notes.map((note) => `  ${note}`),
    ...leftOut.map((reason) => `  left out: ${reason}`),
    '',
  ].join('\n');
}

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    rounds: { type: 'string', default: '3' },
    scale: { type: 'string', default: '1' },
    json: { type: 'string' },
  },
});
const unknown = positionals.filter((name) => !rows.some((row) => row.name === name));
if (unknown.length > 0) {
  throw new Error(`no row ${unknown.join(', ')}; there are ${rows.map(({ name }) => name).join(', ')}`);
}

const machine = `${cpus()[0]?.model.trim() ?? '?'}, ${cpus().length} cores, ${Math.round(totalmem() / 2 ** 30)} GiB, Node ${process.versions.node}`;
console.log(`${machine}\n`);
const results: RowResult[] = [];
const chosen = rows.filter(({ name, byNameAlone = false }) =>
  positionals.length === 0 ? !byNameAlone : positionals.includes(name),
);
for (const row of chosen) {
  const result = await measure(row, Number(values.rounds), Number(values.scale));
  results.push(result);
  console.log(table(result));
}
if (values.json !== undefined) {
  writeFileSync(
    values.json,
    `${JSON.stringify({ machine, scale: Number(values.scale), results }, null, 2)}\n`,
  );
}
