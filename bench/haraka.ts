/**
 * Haraka as npm ships it, as a private instance: configuration and queue in a folder of its own. It queues mail on disk
 * before it answers and passes everything on to one next hop on loopback, by the one plugin that it has.
 */
import { getDiffieHellman } from 'node:crypto';
import { cpSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { findHaraka } from '../scripts/peers.mjs';
import { integer, sequence } from '../src/platform/der.ts';
import { untilListening } from '../tests/support/listening.ts';
import { startProgram } from '../tests/support/program.ts';

/** @returns undefined if Haraka can run here, otherwise why not */
export function harakaMissing(): string | undefined {
  return findHaraka() === undefined ? 'Haraka is not there (npm run bench:setup)' : undefined;
}

/** Starts it listening on one port of 127.0.0.1 and relaying to another. */
export async function startHaraka(port: number, nextHopPort: number): Promise<AsyncDisposable> {
  const program = findHaraka();
  if (program === undefined) throw new Error('Haraka is not there');
  const folder = mkdtempSync(join(tmpdir(), 'aftersend-haraka-'));
  for (const name of ['plugins', 'queue']) mkdirSync(join(folder, name));
  // As `haraka -i` does: its defaults stand in files.
  cpSync(join(program, 'config'), join(folder, 'config'), { recursive: true });
  const files = {
    'config/smtp.ini': `listen=127.0.0.1:${port}\nnodes=0\n`,
    'config/me': 'haraka.test\n',
    'config/loglevel': 'ERROR\n',
    'config/plugins': 'pass_on\n',
    'config/outbound.ini': 'local_mx_ok=true\n',
    'plugins/pass_on.js': passOn(nextHopPort),
    // Without it Haraka has openssl look for a prime, for a minute and on a core that somebody else is measured on.
    'config/dhparams.pem': knownGroup(),
  };
  for (const [name, text] of Object.entries(files)) writeFileSync(join(folder, name), text);
  const child = startProgram(process.execPath, [join(program, 'bin/haraka'), '-c', folder]);
  await untilListening(port);
  return {
    async [Symbol.asyncDispose]() {
      await child.end('SIGKILL');
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

/** Takes mail for everybody, and knows one server for all of it. */
function passOn(nextHopPort: number): string {
  return `'use strict';
exports.hook_connect = (next, connection) => { connection.relaying = true; next(); };
exports.hook_rcpt = (next) => next(OK);
exports.hook_get_mx = (next) => next(OK, { priority: 0, exchange: '127.0.0.1', port: ${nextHopPort} });
`;
}

/** The parameters of RFC 3526's 2048-bit group as PEM: SEQUENCE { INTEGER prime, INTEGER generator } (PKCS #3). */
function knownGroup(): string {
  const group = getDiffieHellman('modp14');
  const der = sequence(integer(group.getPrime()), integer(group.getGenerator())).toString('base64');
  return `-----BEGIN DH PARAMETERS-----\n${der.replaceAll(/.{64}/g, '$&\n')}\n-----END DH PARAMETERS-----\n`;
}
