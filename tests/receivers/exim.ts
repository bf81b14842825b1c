/** Exim as Debian ships it, receiving for a test: what it refuses and how is in its access lists. */
import { chmodSync, chownSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Peer } from '../../scripts/peers.mjs';
import { untilListening } from '../support/listening.ts';
import { users, withUsers } from '../support/private-users.ts';
import { startProgram } from '../support/program.ts';
import { freePorts } from '../support/service.ts';
import type { Receiver, ReceiverOptions } from './receiver.ts';

export async function startExim(
  peer: Peer,
  { certificate, largestBytes }: ReceiverOptions,
): Promise<Receiver> {
  const folder = mkdtempSync(join(tmpdir(), 'aftersend-exim-'));
  const [port = 0] = await freePorts(1);
  mkdirSync(join(folder, 'spool'));
  for (const [name, text] of Object.entries(certificate)) writeFileSync(join(folder, `${name}.pem`), text);
  writeFileSync(
    join(folder, 'exim.conf'),
    `spool_directory = ${folder}/spool
log_file_path = ${folder}/%slog
pid_file_path = ${folder}/pid
exim_user = Debian-exim
exim_group = Debian-exim
primary_hostname = exim.test
keep_environment =
daemon_smtp_ports = ${port}
local_interfaces = 127.0.0.1
tls_advertise_hosts = *
tls_certificate = ${folder}/cert.pem
tls_privatekey = ${folder}/key.pem
message_size_limit = ${largestBytes}
acl_smtp_rcpt = at_rcpt
acl_smtp_data = at_data
queue_only
begin acl
at_rcpt:
  deny local_parts = unknown
       message = 550 5.1.1 no such user here
  defer local_parts = soft
       message = 451 4.2.1 mailbox busy
  accept
at_data:
  drop condition = \${if match{$recipients}{dropped@}}
       message = go away
  accept
begin routers
all:
  driver = accept
  transport = nowhere
begin transports
nowhere:
  driver = appendfile
  file = /dev/null
`,
  );
  chmodSync(folder, 0o755);
  for (const owned of ['', 'spool', 'key.pem']) {
    chownSync(join(folder, owned), users['Debian-exim'], users['Debian-exim']);
  }
  const [enter = '', ...entering] = withUsers(folder);
  const run = [...entering, peer.command, '-C', join(folder, 'exim.conf'), '-bdf'];
  const child = startProgram(enter, run, { env: peer.env });
  await untilListening(port);
  return {
    port,
    async [Symbol.asyncDispose]() {
      await child[Symbol.asyncDispose]();
      rmSync(folder, { recursive: true, force: true });
    },
  };
}
