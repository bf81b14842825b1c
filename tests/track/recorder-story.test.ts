/** Any story of visits, time, troubles of log and disk, kills and restarts: each visit that was safe is told once, in order. */
import assert from 'node:assert/strict';
import { mkdtemp } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import * as fc from 'fast-check';
import { type Behaviour, Log } from './log.ts';
import {
  click,
  clock,
  copyOf,
  eventually,
  folder,
  numbersTo,
  type Process,
  rowsIn,
  start,
  visit,
} from './running.ts';

type Step =
  | { readonly kind: 'visits'; readonly opens: number; readonly clicks: number; readonly isAnswered: boolean }
  | { readonly kind: 'time'; readonly ms: number }
  | { readonly kind: 'log'; readonly behaviour: Behaviour }
  | { readonly kind: 'disk'; readonly refuses: boolean }
  | { readonly kind: 'kill' | 'restart' };

const steps = fc.array(
  fc.oneof(
    {
      weight: 4,
      arbitrary: fc.record({
        kind: fc.constant('visits'),
        opens: fc.nat(300),
        clicks: fc.nat(300),
        isAnswered: fc.boolean(),
      }),
    },
    { weight: 3, arbitrary: fc.record({ kind: fc.constant('time'), ms: fc.constantFrom(5, 10, 700, 2500) }) },
    {
      weight: 2,
      arbitrary: fc.record({
        kind: fc.constant('log'),
        behaviour: fc.constantFrom<Behaviour>('takes', 'takes', 'fails', 'hangs', 'forgets'),
      }),
    },
    { weight: 1, arbitrary: fc.record({ kind: fc.constant('disk'), refuses: fc.boolean() }) },
    { weight: 1, arbitrary: fc.record({ kind: fc.constantFrom('kill', 'restart') }) },
  ),
  { maxLength: 14 },
) as fc.Arbitrary<Step[]>;

/** A disk that takes nothing while it is told so. */
class Disk {
  refuses = false;
  /** It is tried again half a second after it refused. */
  lastRefusedMs = -Infinity;

  get isTrusted(): boolean {
    return !this.refuses && clock.now() > this.lastRefusedMs + 500;
  }

  async start(log: Log, place: string): Promise<Process> {
    const running = await start(log, {}, place);
    const { journal } = running;
    const append = journal.append.bind(journal);
    journal.append = (rows) => {
      if (!this.refuses) return append(rows);
      this.lastRefusedMs = clock.now();
      throw new Error('EROFS: read-only file system');
    };
    return running;
  }
}

test('whatever happens to log, disk and process, a visit that was answered or told is told once, in order', async () => {
  await fc.assert(
    fc.asyncProperty(steps, async (story) => {
      const root = await mkdtemp(join(folder, 'story-'));
      const log = new Log(clock);
      let place = join(root, '0');
      const disk = new Disk();
      let running: Process = await disk.start(log, place);
      let firstId = 1;
      let lastId = 0;
      let kills = 0;
      const safe = new Set<number>();
      for (const step of story) {
        if (step.kind === 'visits') {
          for (let open = 0; open < step.opens; open++) running.recorder.record(visit(++lastId));
          for (let count = 0; count < step.clicks; count++) running.recorder.record(click(++lastId));
          if (!step.isAnswered) continue;
          running.recorder.writeDown();
          if (disk.isTrusted) for (let id = firstId; id <= lastId; id++) safe.add(id);
        } else if (step.kind === 'time') {
          await clock.advance(step.ms);
        } else if (step.kind === 'log') {
          log.behaviour = step.behaviour;
          if (step.behaviour !== 'hangs') for (const gate of log.gates.splice(0)) gate();
        } else if (step.kind === 'disk') {
          disk.refuses = step.refuses;
        } else if (step.kind === 'restart') {
          disk.refuses = false;
          if (log.behaviour === 'hangs') log.behaviour = 'fails';
          for (const gate of log.gates.splice(0)) gate();
          await running[Symbol.asyncDispose]();
          for (const id of numbersTo(lastId)) if (kills === 0) safe.add(id);
          running = await disk.start(log, place);
        } else {
          place = await copyOf(place, join(root, String(++kills)));
          // Whatever the old process does from here on reaches nobody.
          await running.journal[Symbol.asyncDispose]();
          const dead = log.behaviour;
          log.behaviour = 'fails';
          for (const gate of log.gates.splice(0)) gate();
          await running.recorder[Symbol.asyncDispose]();
          log.behaviour = dead;
          for (const row of await rowsIn(place)) safe.add(row.visit.messageId);
          for (const id of log.ids) safe.add(id);
          running = await disk.start(log, place);
          firstId = lastId + 1;
        }
      }
      log.behaviour = 'takes';
      disk.refuses = false;
      for (const gate of log.gates.splice(0)) gate();
      await eventually(() => running.recorder.waiting === 0, 1000);
      await running[Symbol.asyncDispose]();
      const told = log.ids;
      assert.equal(new Set(told).size, told.length, 'none is told twice');
      assert.deepEqual(
        [...safe].filter((id) => !told.includes(id)),
        [],
        'none is lost',
      );
      if (kills === 0) assert.deepEqual(told, numbersTo(lastId));
      for (const type of ['opened', 'clicked'] as const) {
        const numbers = log.stored.filter(({ report }) => report.type === type).map(({ number }) => number);
        assert.deepEqual(
          numbers,
          numbers.toSorted((a, b) => a - b),
        );
      }
    }),
    { numRuns: 60 },
  );
});
