/** Unbound from Debian as a validating resolver that knows nothing of the internet: only the zones that it is told of. */
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Peer } from '../../scripts/peers.mjs';
import { untilListening } from './listening.ts';
import { startProgram } from './program.ts';
import { freePorts } from './service.ts';

export interface Unbound extends AsyncDisposable {
  /** HOST:PORT. */
  readonly address: string;
}

/**
 * @param zones each with where it is served
 * @param anchors DS records that it trusts
 */
export async function startUnbound(
  peer: Peer,
  { zones, anchors }: { zones: ReadonlyMap<string, number>; anchors: readonly string[] },
): Promise<Unbound> {
  const folder = await mkdtemp(join(tmpdir(), 'aftersend-unbound-'));
  const [port = 0] = await freePorts(1);
  const settings = join(folder, 'unbound.conf');
  await writeFile(
    settings,
    [
      'server:',
      '  interface: 127.0.0.1',
      `  port: ${port}`,
      '  username: ""',
      '  chroot: ""',
      `  directory: "${folder}"`,
      '  pidfile: ""',
      '  use-syslog: no',
      '  module-config: "validator iterator"',
      '  do-not-query-localhost: no',
      '  root-hints: ""',
      ...anchors.map((anchor) => `  trust-anchor: "${anchor}"`),
      // Unbound answers for `test.` itself otherwise (RFC 6761).
      '  local-zone: "test." nodefault',
      '  unblock-lan-zones: yes',
      '  insecure-lan-zones: yes',
      'remote-control:',
      '  control-enable: no',
      ...[...zones].flatMap(([zone, at]) => [
        'stub-zone:',
        `  name: "${zone}"`,
        `  stub-addr: 127.0.0.1@${at}`,
      ]),
      '',
    ].join('\n'),
  );
  const child = startProgram(peer.command, ['-d', '-c', settings], { env: peer.env });
  await untilListening(port);
  return {
    address: `127.0.0.1:${port}`,
    async [Symbol.asyncDispose]() {
      await child[Symbol.asyncDispose]();
      await rm(folder, { recursive: true, force: true });
    },
  };
}
