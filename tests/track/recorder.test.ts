/** Opens and clicks on their way to a store that may be slow, failing or gone, and over the end of a process. */
import assert from 'node:assert/strict';
import { appendFile, mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { Registry } from 'prom-client';
import { systemRandom } from '../../src/platform/clock.ts';
import { startTellingLeft } from '../../src/track/left-behind.ts';
import { measureVisits } from '../../src/track/metrics.ts';
import { runProgram } from '../support/program.ts';
import { Log } from './log.ts';
import {
  click,
  clock,
  copyOf,
  eventually,
  filesIn,
  folder,
  hourMs,
  logger,
  numbersTo,
  onDisk,
  quiet,
  rowsIn,
  start,
  visit,
} from './running.ts';

test('recording returns at once while the store hangs: memory, then disk, then lost and counted', async () => {
  const log = new Log(clock);
  log.behaviour = 'hangs';
  const { recorder } = await start(log, {}, folder, 2_000_000);
  for (let id = 1; id <= 50_000; id++) recorder.record(visit(id));
  assert.equal(recorder.lost, 30_000, 'before the disk has taken anything, twenty thousand find room');
  await eventually(() => recorder.journalBytes > 1_990_000);
  for (let id = 1; id <= 50_000; id++) recorder.record(visit(id));
  await clock.advance(1000);
  assert.ok(recorder.journalBytes <= 2_000_000, 'the disk is bounded');
  assert.ok(recorder.waiting <= 40_000, 'memory is bounded');
  assert.equal(recorder.waiting + recorder.lost, 100_000);
  const registry = new Registry();
  measureVisits(registry, recorder);
  assert.match(await registry.metrics(), /aftersend_visits_lost_total [1-9]/);
});

test('a visit is in the journal before it is answered, and synced with others unless the log has it by then', async () => {
  const log = new Log(clock);
  let syncs = 0;
  await using running = await start(log);
  const { recorder, journal } = running;
  const sync = journal.sync.bind(journal);
  journal.sync = () => {
    syncs++;
    return sync();
  };
  const numbersThere = async () => (await rowsIn(folder)).map(({ number }) => number);
  recorder.record(visit(1));
  recorder.writeDown();
  assert.deepEqual(await numbersThere(), [1]);
  await log.has(1);
  await clock.advance(1000);
  await eventually(() => recorder.journalBytes === 0);
  assert.equal(syncs, 0);
  recorder.record(click(2));
  log.behaviour = 'hangs';
  recorder.record(visit(3));
  recorder.writeDown();
  await clock.advance(9);
  recorder.record(visit(4));
  recorder.writeDown();
  assert.deepEqual(await numbersThere(), [2, 3, 4]);
  assert.equal(syncs, 0, 'others may come to be synced with it');
  await clock.advance(1);
  assert.equal(syncs, 1);
  log.behaviour = 'takes';
  for (const gate of log.gates.splice(0)) gate();
  await eventually(() => recorder.journalBytes === 0);
  assert.deepEqual(log.ids, [1, 2, 3, 4]);
  assert.deepEqual(await filesIn(folder), [], 'what is told is taken away');
});

test('a store that fails is tried again, later and later, and nothing is lost meanwhile', async () => {
  const log = new Log(clock);
  log.behaviour = 'fails';
  await using running = await start(log);
  const { recorder } = running;
  recorder.record(visit(1));
  recorder.record(visit(2));
  await clock.advance(3600);
  assert.deepEqual(log.tries, [0, 500, 1500, 3500]);
  log.behaviour = 'takes';
  await clock.advance(60_000);
  await log.has(2);
  assert.deepEqual([log.ids, recorder.lost], [[1, 2], 0]);
});

test('a burst beyond what memory holds goes to disk alone, and comes back in order, judged', async () => {
  const log = new Log(clock);
  await using running = await start(log);
  const { recorder } = running;
  const clicks = 45_000;
  for (let id = 1; id <= clicks; id++) {
    recorder.record(click(id % 1000, `https://example.org/${id}`));
    if (id % 10_000 === 0) await eventually(async () => (await rowsIn(folder)).length >= id, 1);
  }
  assert.equal(recorder.lost, 0);
  assert.equal(log.stored.length, 0, 'none is told before it can be judged');
  await clock.advance(2000);
  await log.has(clicks);
  assert.deepEqual(
    log.stored.map(({ number }) => number),
    numbersTo(clicks),
  );
  assert.ok(log.reports.every(({ visitor }) => visitor.kind === 'machine'));
  await eventually(() => recorder.journalBytes === 0);
});

test('clicks are told in time also when the clock is set back', async () => {
  const log = new Log(clock);
  await using running = await start(log);
  const { recorder } = running;
  // As it looks after the clock went back by an hour.
  recorder.record({ ...click(1), atMs: clock.now() + hourMs });
  recorder.record(click(1));
  await clock.advance(2000);
  await log.has(2);
});

test('while the process is busy with answers the log gets little at a time, and the rest when it is not', async () => {
  const log = new Log(clock);
  let load = 1;
  await using running = await start(log, { load: () => load });
  for (let id = 1; id <= 1000; id++) running.recorder.record(visit(id));
  await clock.advance(0);
  assert.equal(log.stored.length, 256);
  await clock.advance(50);
  assert.equal(log.stored.length, 512);
  load = 0.5;
  await clock.advance(50);
  await log.has(1000);
});

test('visits that come faster than the log may be told while the process is busy wait, ten seconds at most', async () => {
  const log = new Log(clock);
  let load = 0.6;
  await using running = await start(log, { load: () => load });
  let last = 0;
  const come = async (perMs: number, ms: number) => {
    for (const untilMs = clock.now() + ms; clock.now() < untilMs; await clock.advance(5)) {
      for (const until = last + 5 * perMs; last < until; last++) running.recorder.record(visit(last + 1));
    }
  };
  await come(6, 1000);
  const toldAtFirst = log.stored.length;
  assert.ok(toldAtFirst < 1000);
  await come(6, 8000);
  assert.equal(log.stored.length, toldAtFirst);
  await come(6, 3000);
  assert.ok(log.stored.length > toldAtFirst);
  await come(1, 100);
  await log.has(last);
  load = 1;
  await come(1, 1000);
  assert.equal(log.stored.length, last, 'few are told at once, however busy the process is');
});

test('a visit that the log never takes is given up and takes no other with it; a log that takes none loses none', async () => {
  const log = new Log(clock);
  log.refused.add(13).add(14).add(90);
  await using running = await start(log);
  const { recorder } = running;
  for (let id = 1; id <= 100; id++) recorder.record(visit(id));
  await log.has(97);
  assert.deepEqual(
    log.ids,
    numbersTo(100).filter((id) => ![13, 14, 90].includes(id)),
  );
  assert.equal(recorder.lost, 3);

  log.refused.clear();
  log.behaviour = 'breaks';
  for (let id = 101; id <= 200; id++) recorder.record(visit(id));
  await clock.advance(100_000);
  log.behaviour = 'takes';
  await clock.advance(100_000);
  await log.has(197);
  assert.equal(recorder.lost, 3);
});

test('what is no visit is passed over on disk, and what is too large to be one’s own is left there', async () => {
  const good = [7, 0, 2, clock.now(), '', '', '', 0];
  const lines = [
    ...['null', '{}', '17', '[]', '"opened"', '\0\0\0', '[[7,0', '\ufffd', '[null]', '[[]]', '[[1],[2]]'],
    JSON.stringify([
      good.with(2, '1'),
      good.with(3, ''),
      good.with(0, -1),
      good.with(4, 5),
      good.with(2, 1.5),
    ]),
    JSON.stringify([good]),
    '[[8,0,9,1,"","","",0]',
  ];
  await mkdir(join(folder, '1'));
  const write = (name: string, text: string) => writeFile(join(folder, '1', name), text);
  await write('visits-000000000007.jsonl', lines.join('\n'));
  await write('visits-000000000008.jsonl', '');
  await write('visits-000000000009.jsonl', 'x'.repeat(5000));
  await write('name', 'half a na');
  await mkdir(join(folder, '1', 'visits-000000000010.jsonl'));
  const log = new Log(clock);
  await using running = await start(log, {}, folder, 4000);
  await log.has(1);
  running.recorder.record(visit(3));
  await log.has(2);
  await eventually(async () => (await filesIn(folder)).length === 2);
  assert.deepEqual(log.ids, [2, 3]);
  assert.deepEqual(await filesIn(folder), ['visits-000000000009.jsonl', 'visits-000000000010.jsonl']);
});

test('what is on disk is told by the next process, also after half a line, and numbers go on', async () => {
  const log = new Log(clock);
  log.behaviour = 'hangs';
  const crashed = await start(log, {}, join(folder, 'in use'));
  for (let id = 1; id <= 600; id++) crashed.recorder.record(click(id, 'https://пример.рф/'));
  crashed.recorder.record(visit(601));
  await onDisk([600, 601], join(folder, 'in use'));
  const copy = await copyOf(join(folder, 'in use'), join(folder, 'as the crash leaves it'));
  const [file = ''] = await filesIn(copy);
  await appendFile(join(copy, '1', file), '[[602,0,602,17,"","","');

  log.behaviour = 'takes';
  {
    await using next = await start(log, {}, copy);
    next.recorder.record(visit(700));
    await eventually(() => log.stored.length === 602);
  }
  assert.deepEqual(log.ids, [...numbersTo(601), 700]);
  assert.ok((log.stored.find(({ report }) => report.messageId === 700)?.number ?? 0) > 601);
  assert.deepEqual(await filesIn(copy), [], 'what was told is taken away');
});

test('processes that share a folder have a journal each; who comes later takes what a dead one left', async () => {
  const log = new Log(clock);
  log.behaviour = 'hangs';
  const one = await start(log);
  const other = await start(log);
  assert.notEqual(one.journal.name, other.journal.name);
  one.recorder.record(visit(1));
  other.recorder.record(visit(2));
  for (const { recorder } of [one, other]) await eventually(() => recorder.journalBytes > 0);
  await assert.doesNotReject(onDisk([1]));
  await one.journal[Symbol.asyncDispose]();
  log.behaviour = 'takes';
  await using next = await start(log);
  assert.equal(next.journal.name, one.journal.name);
  await log.has(1);
  assert.deepEqual(log.ids, [1], 'and leaves the living one its own');
  for (const gate of log.gates.splice(0)) gate();
  await log.has(2);
  await other[Symbol.asyncDispose]();
});

test('what processes left that do not come back is told by one that lives, and their files go', async () => {
  const log = new Log(clock);
  log.behaviour = 'fails';
  const processes = [await start(log), await start(log), await start(log)];
  for (const [index, { recorder }] of processes.entries()) {
    for (let time = 0; time <= 100; time++) recorder.record(visit(index + 1));
    recorder.record(click(index + 11));
    recorder.writeDown();
  }
  const [living, ...dead] = processes;
  for (const { recorder, journal } of dead) {
    await recorder[Symbol.asyncDispose]();
    await journal[Symbol.asyncDispose]();
  }
  log.behaviour = 'takes';
  const { load, onSynced } = quiet;
  const parts = { log, clock, logger, load, onSynced, root: folder, random: systemRandom };
  await using _telling = startTellingLeft(parts);
  await eventually(
    async () => (await Promise.all([2, 3].map((n) => filesIn(folder, n)))).flat().length === 0,
  );
  const toldTimes = (id: number) =>
    log.reports.reduce((sum, { messageId, count = 1 }) => sum + (messageId === id ? count : 0), 0);
  assert.deepEqual([2, 3, 12, 13].map(toldTimes), [101, 101, 1, 1]);
  await living?.[Symbol.asyncDispose]();
});

test('the end tries what waits once more, keeps the rest on disk, and waits no longer than its bound', async () => {
  const log = new Log(clock);
  log.behaviour = 'fails';
  const resting = await start(log);
  resting.recorder.record(visit(1));
  // It rests half a second after the first failure.
  while (log.tries.length === 0) await clock.advance(0);
  log.behaviour = 'takes';
  await resting[Symbol.asyncDispose]();
  assert.deepEqual(log.ids, [1]);
  resting.recorder.record(visit(2));
  assert.equal(resting.recorder.lost, 1, 'what comes after the end');

  log.behaviour = 'fails';
  const failing = await start(log);
  failing.recorder.record(visit(3));
  failing.recorder.record(click(4));
  await failing[Symbol.asyncDispose]();
  assert.equal(failing.recorder.lost, 0);

  log.behaviour = 'hangs';
  const hanging = await start(log);
  hanging.recorder.record(visit(5));
  const disposed = hanging[Symbol.asyncDispose]();
  await clock.advance(5_000);
  await disposed;

  log.behaviour = 'takes';
  await using next = await start(log);
  await log.has(4);
  assert.deepEqual(log.ids, [1, 3, 4, 5]);
  assert.equal(next.recorder.lost, 0);
});

test('a disk that takes nothing costs no answer and one warning: visits stay in memory up to its bound', async () => {
  const log = new Log(clock);
  log.behaviour = 'fails';
  const warnings: string[] = [];
  const warn = (_facts: unknown, text: string) => void warnings.push(text);
  await using running = await start(log, { logger: { warn } as never });
  const { recorder, journal } = running;
  journal.append = () => {
    throw new Error('EROFS: read-only file system');
  };
  recorder.record(visit(1));
  recorder.record(click(2));
  await clock.advance(10_000);
  assert.equal(warnings.filter((text) => /cannot be written/.test(text)).length, 1);
  log.behaviour = 'takes';
  await clock.advance(30_000);
  await log.has(2);
  for (let id = 3; id <= 30_000; id++) recorder.record(visit(id));
  assert.equal(recorder.lost, 30_000 - 2 - 20_000);
  await log.has(20_002);
});

test('of what a full disk took a part of, nothing comes back twice, and nothing after it is spoilt', async () => {
  const child = join(import.meta.dirname, 'full-disk-child.ts');
  // No file may become larger than a few kilobytes: the disk takes the beginning of what is written, and then no more.
  const limited = ['-c', 'ulimit -f 8; exec "$0" "$1" "$2"', process.execPath, child, folder];
  const { stdout, stderr } = await runProgram('sh', limited);
  assert.match(stdout, /^(?:refused )+exact$/, stderr);
});

test('a click is judged with those around it: many links at once are a machine, one by one a person', async () => {
  const log = new Log(clock);
  await using running = await start(log);
  const { recorder } = running;
  const follow = (messageId: number, path: string) =>
    recorder.record(click(messageId, `https://example.org/${path}`));
  follow(1, 'a');
  follow(2, 'a');
  follow(2, 'a');
  follow(2, 'b');
  await clock.advance(500);
  follow(1, 'b');
  follow(1, 'c');
  await clock.advance(5000);
  follow(3, 'a');
  await clock.advance(5000);
  follow(3, 'b');
  await clock.advance(5000);
  follow(3, 'c');
  await recorder.drained();
  assert.deepEqual(log.reports.map(({ messageId, visitor }) => `${messageId} ${visitor.kind}`).sort(), [
    ...['1 machine', '1 machine', '1 machine'],
    ...['2 human', '2 human', '2 human'],
    ...['3 human', '3 human', '3 human'],
  ]);
  assert.deepEqual(
    [...recorder.counts()].map(({ type, visitor, count }) => `${type} ${visitor} ${count}`).sort(),
    ['clicked human 6', 'clicked machine 3'],
  );
});
