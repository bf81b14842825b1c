/** How opens and clicks are doing, for Prometheus: told, waiting, on disk, lost. */
import { Counter, Gauge, Histogram, type Registry } from 'prom-client';
import type { Recorder } from './recorder.ts';

const syncBucketsS = [0.01, 0.025, 0.05, 0.1, 0.25, 1, 5];

/** @returns takes how long the first of visits that were synced together had to wait */
export function measureSyncs(registry: Registry): (waitedMs: number) => void {
  const syncs = new Histogram({
    name: 'aftersend_visits_sync_seconds',
    help: 'From the answer to a visit until the disk has it, of the first one of each sync',
    buckets: syncBucketsS,
    registers: [registry],
  });
  return (waitedMs) => syncs.observe(waitedMs / 1000);
}

export function measureVisits(registry: Registry, recorder: Recorder): void {
  const registers = [registry];
  const told: Counter = new Counter({
    name: 'aftersend_visits_total',
    help: 'Opens and clicks that went to the log, by who is taken to have made them',
    labelNames: ['type', 'visitor'],
    registers,
    collect() {
      told.reset();
      for (const { type, visitor, count } of recorder.counts()) told.inc({ type, visitor }, count);
    },
  });
  const lost: Counter = new Counter({
    name: 'aftersend_visits_lost_total',
    help: 'Opens and clicks that found room neither in memory nor on disk',
    registers,
    collect() {
      lost.reset();
      lost.inc(recorder.lost);
    },
  });
  const waiting: Gauge = new Gauge({
    name: 'aftersend_visits_waiting',
    help: 'Opens and clicks that the log is to be told, in memory and on disk',
    registers,
    collect() {
      waiting.set(recorder.waiting);
    },
  });
  const journal: Gauge = new Gauge({
    name: 'aftersend_visits_journal_bytes',
    help: 'Opens and clicks on disk, which the log may not have yet',
    registers,
    collect() {
      journal.set(recorder.journalBytes);
    },
  });
}
