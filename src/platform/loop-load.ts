/** How busy the process is: what can wait asks, and leaves the time to what cannot. */
import { performance } from 'node:perf_hooks';

/** @returns tells, each time it is asked, which part of the time since then the main thread has not waited for anything */
export function loopLoad(): () => number {
  let last = performance.eventLoopUtilization();
  return () => {
    const now = performance.eventLoopUtilization();
    const { utilization } = performance.eventLoopUtilization(now, last);
    last = now;
    return utilization;
  };
}
