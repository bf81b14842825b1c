/** How opens and clicks are doing, for Prometheus: told, waiting, on disk, lost. */
import { Counter, Gauge, type Registry } from 'prom-client';
import type { Recorder } from './recorder.ts';

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
    help: 'Opens and clicks in memory',
    registers,
    collect() {
      waiting.set(recorder.waiting);
    },
  });
  const spooled: Gauge = new Gauge({
    name: 'aftersend_visits_spooled_bytes',
    help: 'Opens and clicks on disk, while the store does not take them',
    registers,
    collect() {
      spooled.set(recorder.spooledBytes);
    },
  });
}
