/** Knot from Debian as the name server of the zones that a test writes, signed by DNSSEC where it wants that. */
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Peer } from '../../scripts/peers.mjs';
import { runProgram, startProgram } from './program.ts';
import { freePorts } from './service.ts';

export interface ZoneText {
  /** Without a dot at its end. */
  readonly name: string;
  /** Lines of the zone file below SOA and NS; names are relative to the zone unless they end in a dot. */
  readonly lines: readonly string[];
  readonly signed?: boolean;
}

export interface Knot extends AsyncDisposable {
  readonly port: number;
  /** HOST:PORT. */
  readonly address: string;
  /** The DS records of a signed zone, for a validating resolver to begin with. */
  delegation(zone: string): Promise<readonly string[]>;
}

/** @param fixedPort a free one if undefined */
export async function startKnot(peer: Peer, zones: readonly ZoneText[], fixedPort?: number): Promise<Knot> {
  const folder = await mkdtemp(join(tmpdir(), 'aftersend-knot-'));
  const [port = 0] = fixedPort === undefined ? await freePorts(1) : [fixedPort];
  await mkdir(join(folder, 'run'));
  for (const { name, lines } of zones) {
    const start = [
      `$ORIGIN ${name}.`,
      '$TTL 60',
      '@ SOA ns.invalid. root.invalid. 1 60 60 3600 5',
      '@ NS ns.invalid.',
    ];
    await writeFile(join(folder, `${name}.zone`), `${[...start, ...lines].join('\n')}\n`);
  }
  const settings = join(folder, 'knot.conf');
  await writeFile(
    settings,
    [
      'server:',
      `  rundir: ${folder}/run`,
      `  listen: 127.0.0.1@${port}`,
      '  udp-workers: 1',
      '  tcp-workers: 1',
      '  background-workers: 1',
      'database:',
      `  storage: ${folder}/run`,
      'template:',
      '  - id: default',
      `    storage: ${folder}`,
      '    file: "%s.zone"',
      '    zonefile-sync: -1',
      '    journal-content: none',
      'zone:',
      ...zones.map(({ name, signed }) => `  - domain: ${name}\n    dnssec-signing: ${signed ? 'on' : 'off'}`),
      '',
    ].join('\n'),
  );
  const child = startProgram(peer.command, ['-c', settings], { env: peer.env });
  // It listens before its zones are there and signed.
  await child.stdout.match(/server started/);
  return {
    port,
    address: `127.0.0.1:${port}`,
    async delegation(zone) {
      const keymgr = join(peer.command, '../keymgr');
      const { code, stdout, stderr } = await runProgram(keymgr, ['-c', settings, zone, 'ds'], {
        env: peer.env,
      });
      if (code !== 0) throw new Error(`keymgr ended with ${code}: ${stderr}`);
      return stdout.trim().split('\n');
    },
    async [Symbol.asyncDispose]() {
      await child[Symbol.asyncDispose]();
      await rm(folder, { recursive: true, force: true });
    },
  };
}
