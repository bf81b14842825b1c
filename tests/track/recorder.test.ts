/** Opens and clicks on their way to a store that may be slow, failing or gone, and over the end of a process. */
import assert from 'node:assert/strict';
import { appendFile, cp, mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, test } from 'node:test';
import { pino } from 'pino';
import { Registry } from 'prom-client';
import type { Report } from '../../src/store/contract/log.ts';
import { StoreBusyError } from '../../src/store/contract/store.ts';
import { measureVisits } from '../../src/track/metrics.ts';
import { Recorder } from '../../src/track/recorder.ts';
import { Spool } from '../../src/track/spool.ts';
import type { Visit } from '../../src/track/visit.ts';
import { ManualClock } from '../support/manual-clock.ts';
import { runProgram } from '../support/program.ts';

const logger = pino({ level: 'silent' });
const browser = 'Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 Chrome/140.0 Safari/537.36';

let folder: string;
let clock: ManualClock;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'aftersend-recorder-'));
  clock = new ManualClock();
});
afterEach(() => rm(folder, { recursive: true }));

const visit = (messageId: number, changes: Partial<Visit> = {}): Visit => ({
  type: 'opened',
  messageId,
  atMs: clock.now(),
  url: '',
  userAgent: browser,
  address: '192.0.2.1',
  isHead: false,
  isPrefetch: false,
  ...changes,
});

/** A log that takes reports when it is let, of messages that were delivered an hour ago. */
class Log {
  behaviour: 'takes' | 'fails' | 'hangs' = 'takes';
  readonly stored: Report[] = [];
  readonly gates: (() => void)[] = [];
  readonly tries: number[] = [];
  readonly #startMs = clock.now();
  #watchers: (() => void)[] = [];

  get ids(): number[] {
    return this.stored.map(({ messageId }) => messageId).sort((a, b) => a - b);
  }

  async finishedAtMs() {
    return this.#startMs - 3_600_000;
  }

  async report(report: Report) {
    this.tries.push(clock.now() - this.#startMs);
    if (this.behaviour === 'hangs') await new Promise<void>((resolve) => this.gates.push(resolve));
    if (this.behaviour === 'fails') throw new StoreBusyError('attempt to write a readonly database');
    this.stored.push(report);
    for (const watcher of this.#watchers.splice(0)) watcher();
    return { kind: 'repeated' as const };
  }

  async has(count: number): Promise<void> {
    while (this.stored.length < count) await new Promise<void>((resolve) => this.#watchers.push(resolve));
  }
}

const start = async (log: Log, mostBytes?: number, place = folder) =>
  new Recorder({ log, spool: await Spool.open(place, mostBytes), clock, logger });

async function linesIn(place: string): Promise<string[]> {
  const files = (await readdir(place)).filter((name) => name.endsWith('.jsonl'));
  const texts = await Promise.all(files.map((name) => readFile(join(place, name), 'utf8')));
  return texts.flatMap((text) => text.split('\n').filter((line) => line !== ''));
}

/** The spool writes on its own time: resolves when it holds something. */
async function spooled(recorder: Recorder): Promise<void> {
  while (recorder.spooledBytes === 0) await new Promise<void>((resolve) => setImmediate(resolve));
}

/** Resolves when the spool holds more than it does now. */
async function grown(recorder: Recorder): Promise<void> {
  const before = recorder.spooledBytes;
  while (recorder.spooledBytes <= before) await new Promise<void>((resolve) => setImmediate(resolve));
}

test('recording returns at once while the store hangs: memory, then disk, then lost and counted', async () => {
  const log = new Log();
  log.behaviour = 'hangs';
  const recorder = await start(log, 2_000_000);
  for (let id = 1; id <= 40_000; id++) recorder.record(visit(id));
  assert.equal(recorder.waiting, 20_000, 'memory is bounded');
  assert.equal(recorder.lost, 40_000 - 20_000 - 10_000 - 256, 'ten thousand go to disk, 256 to the store');
  await clock.advance(3000);
  await spooled(recorder);
  assert.ok(recorder.spooledBytes <= 2_000_000, 'the spool is bounded');
  const registry = new Registry();
  measureVisits(registry, recorder);
  assert.match(await registry.metrics(), /aftersend_visits_lost_total [1-9]/);
});

test('a store that fails is tried again, later and later; what waits is on disk meanwhile and comes back', async () => {
  const log = new Log();
  log.behaviour = 'fails';
  await using recorder = await start(log);
  recorder.record(visit(1));
  recorder.record(visit(2));
  await clock.advance(500);
  assert.deepEqual(log.tries, [0, 0, 500, 500]);
  await clock.advance(500);
  await spooled(recorder);
  assert.equal(recorder.waiting, 0);
  log.behaviour = 'takes';
  const all = log.has(2);
  await clock.advance(60_000);
  await all;
  assert.deepEqual(log.ids, [1, 2]);
  assert.equal(recorder.lost, 0);
});

test('a burst of clicks, which wait to be judged, goes to disk as well, and comes back judged', async () => {
  const log = new Log();
  await using recorder = await start(log);
  const clicks = 30_000;
  for (let id = 1; id <= clicks; id++) {
    recorder.record(visit(id % 1000, { type: 'clicked', url: `https://example.org/${id}` }));
    if (id % 10_000 === 0) await grown(recorder);
  }
  assert.equal(recorder.lost, 0);
  assert.equal(log.stored.length, 0, 'none is told before it can be judged');
  const all = log.has(clicks);
  await clock.advance(2000);
  await all;
  assert.ok(log.stored.every((report) => report.type === 'clicked' && report.visitor.kind === 'machine'));
});

test('clicks are told in time also when the clock is set back', async () => {
  const log = new Log();
  await using recorder = await start(log);
  const click = (atMs: number) =>
    recorder.record(visit(1, { type: 'clicked', url: 'https://example.org/', atMs }));
  // As it looks after the clock went back by an hour.
  click(clock.now() + 3_600_000);
  click(clock.now());
  await clock.advance(2000);
  await log.has(2);
});

test('what is no visit is passed over on disk, and what is too large to be one’s own is left there', async () => {
  const lines = [
    ...['null', '{}', '17', '[]', '"opened"', '\0\0\0', '{"type":"opened"', '\ufffd'],
    JSON.stringify({ ...visit(1), messageId: '1' }),
    JSON.stringify({ ...visit(1), atMs: null }),
    JSON.stringify({ ...visit(1), type: 'bounced' }),
    JSON.stringify(visit(2)),
  ];
  await writeFile(join(folder, 'visits-000000000007.jsonl'), lines.join('\n'));
  await writeFile(join(folder, 'visits-000000000008.jsonl.new'), lines.join('\n'));
  await writeFile(join(folder, 'visits-000000000009.jsonl'), 'x'.repeat(5000));
  await mkdir(join(folder, 'visits-000000000010.jsonl'));
  const log = new Log();
  await using recorder = await start(log, 4000);
  await log.has(1);
  recorder.record(visit(3));
  await log.has(2);
  while (recorder.spooledBytes > 0) await new Promise<void>((resolve) => setImmediate(resolve));
  assert.deepEqual(log.ids, [2, 3]);
  assert.deepEqual(await readdir(folder), ['visits-000000000009.jsonl', 'visits-000000000010.jsonl']);
});

test('what is on disk is read back by the next process, also after half a line', async () => {
  const failing = new Log();
  failing.behaviour = 'fails';
  const place = join(folder, 'in use');
  const crashed = await start(failing, undefined, place);
  for (let id = 1; id <= 600; id++) crashed.record(visit(id, { type: 'clicked', url: 'https://пример.рф/' }));
  crashed.record(visit(601));
  const copy = join(folder, 'as the crash leaves it');
  for (let lines = 0; lines < 601; ) {
    await clock.advance(1000);
    await rm(copy, { recursive: true, force: true });
    await cp(place, copy, { recursive: true });
    lines = (await linesIn(copy)).length;
  }
  const [file = ''] = await readdir(copy);
  await appendFile(join(copy, file), '{"type":"opened","mess');

  const log = new Log();
  const next = await start(log, undefined, copy);
  await log.has(601);
  await next[Symbol.asyncDispose]();
  assert.deepEqual(
    log.ids,
    Array.from({ length: 601 }, (_, index) => index + 1),
  );
  assert.equal(log.stored.find(({ type }) => type === 'clicked')?.type, 'clicked');
  assert.deepEqual(await readdir(copy), [], 'what was told is not told again');
});

test('what a store was asked to take and never answered for is on disk, until it answers', async () => {
  const log = new Log();
  log.behaviour = 'hangs';
  await using recorder = await start(log);
  recorder.record(visit(1));
  recorder.record(visit(2));
  for (let lines = 0; lines < 2; lines = (await linesIn(folder)).length) await clock.advance(1000);
  for (const gate of log.gates.splice(0)) gate();
  await recorder.drained();
  while (recorder.spooledBytes > 0) await new Promise<void>((resolve) => setImmediate(resolve));
  await clock.advance(10_000);
  assert.deepEqual(log.ids, [1, 2], 'and is not told twice');
});

test('the end tries what waits once more, keeps the rest on disk, and waits no longer than its bound', async () => {
  const log = new Log();
  log.behaviour = 'fails';
  const resting = await start(log);
  resting.record(visit(1));
  // It rests half a second after the first failure.
  await clock.someoneSleeps(clock.now() + 500);
  log.behaviour = 'takes';
  await resting[Symbol.asyncDispose]();
  assert.deepEqual(log.ids, [1]);
  resting.record(visit(2));
  assert.equal(resting.lost, 1, 'what comes after the end');

  log.behaviour = 'fails';
  const failing = await start(log);
  failing.record(visit(3));
  failing.record(visit(4, { type: 'clicked', url: 'https://example.org/' }));
  await failing[Symbol.asyncDispose]();
  assert.equal(failing.lost, 0);

  log.behaviour = 'hangs';
  const hanging = await start(log);
  hanging.record(visit(5));
  const disposed = hanging[Symbol.asyncDispose]();
  await clock.advance(5_000);
  await disposed;

  log.behaviour = 'takes';
  await using next = await start(log);
  await log.has(4);
  assert.deepEqual(log.ids, [1, 3, 4, 5]);
  assert.equal(next.lost, 0);
});

test('a disk that takes nothing costs no answer: visits stay in memory up to its bound', async () => {
  const log = new Log();
  log.behaviour = 'fails';
  const spool = {
    isEmpty: true,
    bytes: 0,
    add: () => Promise.reject(new Error('EROFS: read-only file system')),
    hold: () => Promise.reject(new Error('EROFS: read-only file system')),
    take: async () => undefined,
  };
  await using recorder = new Recorder({ log, spool, clock, logger });
  recorder.record(visit(1));
  await clock.advance(10_000);
  log.behaviour = 'takes';
  await clock.advance(30_000);
  assert.deepEqual(log.ids, [1]);
  assert.equal(recorder.lost, 0);
});

test('of what a full disk took a part of, nothing comes back twice, and nothing after it is spoilt', async () => {
  const child = join(import.meta.dirname, 'full-disk-child.ts');
  // No file may become larger than a few kilobytes: the disk takes the beginning of what is written, and then no more.
  const limited = ['-c', 'ulimit -f 8; exec "$0" "$1" "$2"', process.execPath, child, folder];
  const { stdout, stderr } = await runProgram('sh', limited);
  assert.match(stdout, /^(?:refused )+exact$/, stderr);
});

test('a click is judged with those around it: many links at once are a machine, one by one a person', async () => {
  const log = new Log();
  await using recorder = await start(log);
  const click = (messageId: number, path: string) =>
    recorder.record(visit(messageId, { type: 'clicked', url: `https://example.org/${path}` }));
  click(1, 'a');
  click(2, 'a');
  click(2, 'a');
  click(2, 'b');
  await clock.advance(500);
  click(1, 'b');
  click(1, 'c');
  await clock.advance(5000);
  click(3, 'a');
  await clock.advance(5000);
  click(3, 'b');
  await clock.advance(5000);
  click(3, 'c');
  await recorder.drained();
  const labels = log.stored.map((report) =>
    report.type === 'clicked' ? `${report.messageId} ${report.visitor.kind}` : '',
  );
  assert.deepEqual(labels.sort(), [
    ...['1 machine', '1 machine', '1 machine'],
    ...['2 human', '2 human', '2 human'],
    ...['3 human', '3 human', '3 human'],
  ]);
  assert.deepEqual(
    [...recorder.counts()].map(({ type, visitor, count }) => `${type} ${visitor} ${count}`).sort(),
    ['clicked human 6', 'clicked machine 3'],
  );
});
