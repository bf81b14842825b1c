/**
 * Postfix as Debian ships it, as a private instance: configuration and queue in a folder of its own, its programs from
 * `.peers/`. It queues and syncs as always; what it takes and where that goes is for who starts it. It needs root, to become
 * its own users.
 */
import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { findPeer, type Peer } from '../../scripts/peers.mjs';
import { untilListening } from './listening.ts';
import { startProgram } from './program.ts';

/** Users and group of every Debian; Postfix wants an owner of its own and a group that no other uses. */
const owner = 'mail';
const dropGroup = 'news';

/** @returns undefined if Postfix can run here, otherwise why not */
export function postfixMissing(): string | undefined {
  if (findPeer('postfix') === undefined) return 'Postfix is not there (npm run bench:setup)';
  if (process.getuid?.() !== 0) return 'Postfix needs root';
  return undefined;
}

/** Starts it listening on a port of 127.0.0.1. @param settings further lines of main.cf */
export async function startPostfix(port: number, settings: readonly string[]): Promise<AsyncDisposable> {
  const peer = findPeer('postfix');
  if (peer === undefined) throw new Error('Postfix is not there');
  const folder = mkdtempSync(join(tmpdir(), 'aftersend-postfix-'));
  layOut(folder, peer, port, settings);
  const master = join(peer.root, 'usr/lib/postfix/sbin/master');
  // In the foreground, so that it is this process's child: `postfix start` would leave it behind.
  const child = startProgram(master, ['-c', join(folder, 'etc'), '-d'], { env: peer.env });
  await untilListening(port);
  return {
    async [Symbol.asyncDispose]() {
      await child.end('SIGTERM');
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

function layOut(folder: string, { root, env }: Peer, port: number, settings: readonly string[]): void {
  const queue = join(folder, 'queue');
  const owned = 'active bounce corrupt defer deferred flush hold incoming private saved trace'.split(' ');
  for (const name of ['../etc', '../data', 'pid', 'public', 'maildrop', ...owned]) {
    mkdirSync(join(queue, name), { recursive: true, mode: 0o700 });
  }
  execFileSync('chmod', ['755', folder, queue, join(folder, 'etc'), join(queue, 'pid')]);
  execFileSync('chown', [owner, '../data', 'public', 'maildrop', ...owned], { cwd: queue });
  execFileSync('chgrp', [dropGroup, 'public', 'maildrop'], { cwd: queue });
  execFileSync('chmod', ['710', 'public'], { cwd: queue });
  execFileSync('chmod', ['730', 'maildrop'], { cwd: queue });
  writeFileSync(join(folder, 'etc/main.cf'), mainCf(folder, root, env, settings));
  writeFileSync(join(folder, 'etc/master.cf'), masterCf(port));
}

/** Paths and loopback; everything else is Postfix's default, or asked for. */
function mainCf(folder: string, root: string, env: Peer['env'], settings: readonly string[]): string {
  return `compatibility_level = 3.7
queue_directory = ${folder}/queue
data_directory = ${folder}/data
command_directory = ${root}/usr/sbin
daemon_directory = ${root}/usr/lib/postfix/sbin
shlib_directory = ${root}/usr/lib/postfix
meta_directory = ${root}/etc/postfix
mail_owner = ${owner}
setgid_group = ${dropGroup}
import_environment = MAIL_CONFIG LANG=C LD_LIBRARY_PATH=${env['LD_LIBRARY_PATH'] ?? ''}
maillog_file_prefixes = ${folder}
maillog_file = ${folder}/mail.log
myhostname = postfix.test
inet_interfaces = 127.0.0.1
inet_protocols = ipv4
mynetworks = 127.0.0.0/8
alias_maps =
alias_database =
${settings.join('\n')}
`;
}

/** Debian's table without what takes no part, and nothing in a chroot: there is none to go to. */
function masterCf(port: number): string {
  return `${port} inet n - n - - smtpd
pickup unix n - n 60 1 pickup
cleanup unix n - n - 0 cleanup
qmgr unix n - n 300 1 qmgr
tlsmgr unix - - n 1000? 1 tlsmgr
rewrite unix - - n - - trivial-rewrite
bounce unix - - n - 0 bounce
defer unix - - n - 0 bounce
trace unix - - n - 0 bounce
verify unix - - n - 1 verify
flush unix n - n 1000? 0 flush
proxymap unix - - n - - proxymap
smtp unix - - n - - smtp
relay unix - - n - - smtp
error unix - - n - - error
retry unix - - n - - error
discard unix - - n - - discard
anvil unix - - n - 1 anvil
scache unix - - n - 1 scache
postlog unix-dgram n - n - 1 postlogd
`;
}
