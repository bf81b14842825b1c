/**
 * Mail servers of Debian as they expect to live: with users of their own names and with folders at fixed places. A mount
 * namespace gives them both, and nothing of it is seen outside. It needs root, as the servers themselves do.
 */
import { spawnSync } from 'node:child_process';
import { appendFileSync, copyFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { TestContext } from 'node:test';

/** User ids that no Debian machine gives out. */
export const users = { 'Debian-exim': 64_001, opensmtpd: 64_002, opensmtpq: 64_003 } as const;

/** @returns true if servers can be given users; otherwise the test was told to skip */
export function maySwitchUsers(context: TestContext): boolean {
  const works =
    process.getuid?.() === 0 && spawnSync('unshare', ['-m', 'mount', '--bind', '/', '/']).status === 0;
  if (!works) context.skip('mail servers need root, and a mount namespace');
  return works;
}

/** @returns what stands before a command to run it with these users; its files are put into `folder` */
export function withUsers(folder: string): readonly string[] {
  copyFileSync('/etc/passwd', join(folder, 'passwd'));
  copyFileSync('/etc/group', join(folder, 'group'));
  for (const [name, id] of Object.entries(users)) {
    appendFileSync(join(folder, 'passwd'), `${name}:x:${id}:${id}::/var/lib/empty:/bin/false\n`);
    appendFileSync(join(folder, 'group'), `${name}:x:${id}:\n`);
  }
  const script = join(folder, 'enter.sh');
  writeFileSync(
    script,
    [
      'set -e',
      `mount --bind '${folder}/passwd' /etc/passwd`,
      `mount --bind '${folder}/group' /etc/group`,
      'for place in /var/spool /var/lib /run; do mount -t tmpfs tmpfs "$place"; done',
      'mkdir -p /var/lib/empty /var/lib/opensmtpd/empty',
      'exec "$@"',
      '',
    ].join('\n'),
  );
  return ['unshare', '-m', 'sh', script];
}
