/** wrk, the load generator: keeps connections busy for a time with what a Lua script makes, and counts answers. */
import { join } from 'node:path';
import { findPeer } from '../scripts/peers.mjs';
import { runProgram } from '../tests/support/program.ts';

const connections = 32;

export interface WrkRun {
  /** Of the folder `bench/`. */
  readonly script: string;
  readonly url: string;
  readonly seconds: number;
  /** For the script. */
  readonly args: readonly string[];
}

export interface WrkResult {
  readonly answers: number;
  readonly perSecond: number;
}

/** @returns undefined if wrk can run here, otherwise why not */
export function wrkMissing(): string | undefined {
  return findPeer('wrk') === undefined ? 'wrk is not there (npm run bench:setup)' : undefined;
}

/** @throws Error if an answer was neither 2xx nor 3xx, or a connection failed */
export async function runWrk({ script, url, seconds, args }: WrkRun): Promise<WrkResult> {
  const peer = findPeer('wrk');
  if (peer === undefined) throw new Error('wrk is not there');
  const flags = ['-t', '1', '-c', String(connections), '-d', `${Math.max(1, Math.round(seconds))}s`];
  const words = [...flags, '-s', join(import.meta.dirname, script), url, '--', ...args];
  const { code, stdout, stderr } = await runProgram(peer.command, words, { env: peer.env });
  const [, answers] = /(\d+) requests in/.exec(stdout) ?? [];
  const [, perSecond] = /Requests\/sec:\s+([\d.]+)/.exec(stdout) ?? [];
  if (
    code !== 0 ||
    answers === undefined ||
    perSecond === undefined ||
    /Non-2xx|Socket errors/.test(stdout)
  ) {
    throw new Error(`wrk failed:\n${stdout}${stderr}`);
  }
  return { answers: Number(answers), perSecond: Number(perSecond) };
}
