/** OpenSMTPD as Debian ships it, receiving for a test. */
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Peer } from '../../scripts/peers.mjs';
import { untilListening } from '../support/listening.ts';
import { withUsers } from '../support/private-users.ts';
import { startProgram } from '../support/program.ts';
import { freePorts } from '../support/service.ts';
import type { Receiver, ReceiverOptions } from './receiver.ts';

export async function startOpenSmtpd(
  peer: Peer,
  { certificate, largestBytes }: ReceiverOptions,
): Promise<Receiver> {
  const folder = mkdtempSync(join(tmpdir(), 'aftersend-opensmtpd-'));
  const [port = 0] = await freePorts(1);
  for (const [name, text] of Object.entries(certificate)) {
    writeFileSync(join(folder, `${name}.pem`), text, { mode: 0o600 });
  }
  chmodSync(folder, 0o755);
  writeFileSync(
    join(folder, 'smtpd.conf'),
    `pki own cert "${folder}/cert.pem"
pki own key "${folder}/key.pem"
smtp max-message-size "${largestBytes}"
table known { "ann@example.org" = "nobody", "large@example.org" = "nobody" }
table busy { "soft@example.org" }
filter soft phase rcpt-to match rcpt-to <busy> reject "451 4.2.1 mailbox busy"
listen on 127.0.0.1 port ${port} tls pki own hostname opensmtpd.test filter { "soft" }
action nowhere mda "cat >/dev/null" virtual <known>
match from any for domain "example.org" action nowhere
`,
  );
  const [enter = '', ...entering] = withUsers(folder);
  const child = startProgram(enter, [...entering, peer.command, '-d', '-f', join(folder, 'smtpd.conf')], {
    env: peer.env,
  });
  await untilListening(port);
  return {
    port,
    async [Symbol.asyncDispose]() {
      await child[Symbol.asyncDispose]();
      rmSync(folder, { recursive: true, force: true });
    },
  };
}
