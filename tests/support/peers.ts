/** Programs that nobody here wrote, for tests: a test that lacks one skips with a line that names it. */
import { spawnSync } from 'node:child_process';
import type { TestContext } from 'node:test';
import { findPeer, type Peer } from '../../scripts/peers.mjs';

/** @returns the program from `.peers/`, or undefined after the test was told to skip */
export function peerOrSkip(context: Pick<TestContext, 'skip'>, program: string): Peer | undefined {
  const peer = findPeer(program);
  if (peer === undefined) context.skip(`${program} is not there: npm run bench:setup fetches it on Debian`);
  return peer;
}

/** @returns true if the machine has the program; otherwise the test was told to skip */
export function machineHas(context: TestContext, program: string, ask = '--version'): boolean {
  const { status } = spawnSync(program, [ask]);
  if (status !== 0) context.skip(`${program} is not installed on this machine`);
  return status === 0;
}
