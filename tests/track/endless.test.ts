/** A link that somebody asks for endlessly: what is told one by one, what is counted, and that no count is lost. */
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { test } from 'node:test';
import { Log } from './log.ts';
import {
  click,
  clock,
  copyOf,
  eventually,
  filesIn,
  folder,
  hourMs,
  rowsIn,
  start,
  visit,
} from './running.ts';

/** What is told of a message: how many events for how many visits, and whom the last one takes for the visitor. */
function toldOf(log: Log, messageId: number) {
  const reports = log.reports.filter((report) => report.messageId === messageId);
  const visits = reports.reduce((sum, { count = 1 }) => sum + count, 0);
  return { events: reports.length, visits, last: reports.at(-1)?.visitor.kind };
}

test('a link that is asked for endlessly makes a hundred events and one count an hour; others are told as ever', async () => {
  const log = new Log(clock);
  await using running = await start(log);
  const { recorder } = running;
  const ask = (times: number) => {
    for (let time = 0; time < times; time++) recorder.record(visit(1));
  };
  ask(60);
  await clock.advance(hourMs / 2);
  ask(9_940);
  recorder.record(visit(2));
  recorder.record({ ...click(1), userAgent: 'Mozilla/5.0 (X11; Linux x86_64) GoogleImageProxy' });
  await clock.advance(2000);
  await log.has(102);
  assert.deepEqual(toldOf(log, 2), { events: 1, visits: 1, last: 'human' });
  await eventually(() => recorder.journalBytes > 0);
  await clock.advance(hourMs / 2);
  await log.has(103);
  assert.deepEqual(toldOf(log, 1), { events: 102, visits: 10_001, last: 'machine' });
  assert.equal(recorder.waiting, 0);
  ask(1);
  await log.has(104);
  await eventually(() => recorder.journalBytes === 0);
  assert.deepEqual(toldOf(log, 1), { events: 103, visits: 10_002, last: 'human' }, 'a new hour');
});

test('what is counted outlives the process, whenever it is killed, and holds no other file back', async () => {
  const log = new Log(clock);
  const place = join(folder, 'in use');
  const killed = await start(log, {}, place);
  for (let time = 0; time < 400; time++) killed.recorder.record(visit(1));
  await log.has(100);
  const counted = async (copy: string) =>
    (await rowsIn(copy)).reduce((most, row) => (row.number === 0 ? Math.max(most, row.count) : most), 0);
  await eventually(async () => (await counted(place)) === 300);
  // A megabyte of others comes and goes after it.
  for (let time = 1; time <= 8; time++) {
    for (let id = 0; id < 1000; id++) killed.recorder.record(click(id + 2, `https://example.org/${time}`));
    await eventually(async () => (await rowsIn(place)).some(({ visit }) => visit.url.endsWith(`/${time}`)));
  }
  await clock.advance(2000);
  await log.has(8100);
  await eventually(async () => (await filesIn(place)).length === 1);
  assert.equal(await counted(place), 300);
  const copy = await copyOf(place, join(folder, 'killed while it counts'));
  {
    const before = log.stored.length;
    await using next = await start(log, {}, copy);
    await log.has(before + 1);
    assert.equal(next.recorder.lost, 0);
  }
  assert.deepEqual(toldOf(log, 1), { events: 101, visits: 400, last: 'machine' });
  assert.deepEqual(await filesIn(copy), []);

  log.behaviour = 'hangs';
  for (let time = 0; time < 50; time++) killed.recorder.record(visit(1));
  await clock.advance(hourMs);
  // The count is told under its number now: what counted before it stands beside it, and must not count again.
  await eventually(async () => (await rowsIn(place)).some((row) => row.sinceMs > 0 && row.number > 0));
  const later = await copyOf(place, join(folder, 'killed before it is told'));
  const another = new Log(clock);
  await using last = await start(another, {}, later);
  await last.recorder.drained();
  assert.deepEqual(toldOf(another, 1), { events: 1, visits: 350, last: 'machine' });
});
