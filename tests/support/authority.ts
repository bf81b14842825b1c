/** A certificate authority for one test, made by openssl, and certificates that it signs. */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

export interface Authority {
  readonly cert: string;
  /** For these host names; the chain goes up to the authority, as servers with DANE-TA records send it. */
  certificate(...names: readonly string[]): { readonly cert: string; readonly key: string };
}

export function anAuthority(): Authority {
  const subject = '/CN=Test authority';
  const ca = inFolder((folder) => {
    openssl(folder, `req -x509 ${fresh} -keyout ca.key -out ca.pem -days 30 -subj`, subject);
    return { cert: read(folder, 'ca.pem'), key: read(folder, 'ca.key') };
  });
  return {
    cert: ca.cert,
    certificate: (...names) =>
      inFolder((folder) => {
        writeFileSync(join(folder, 'ca.pem'), ca.cert);
        writeFileSync(join(folder, 'ca.key'), ca.key);
        openssl(folder, `req ${fresh} -keyout own.key -out own.csr -subj`, `/CN=${names[0] ?? ''}`);
        const alternatives = names.map((name) => `DNS:${name}`).join();
        writeFileSync(join(folder, 'extensions'), `subjectAltName=${alternatives}\n`);
        openssl(
          folder,
          'x509 -req -in own.csr -CA ca.pem -CAkey ca.key -CAcreateserial -days 30 -extfile extensions -out own.pem',
        );
        return { cert: read(folder, 'own.pem') + ca.cert, key: read(folder, 'own.key') };
      }),
  };
}

const fresh = '-newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes';

const read = (folder: string, file: string): string => readFileSync(join(folder, file), 'utf8');

function openssl(folder: string, command: string, ...more: readonly string[]): void {
  const { status, stderr } = spawnSync('openssl', [...command.split(' '), ...more], {
    cwd: folder,
    encoding: 'utf8',
  });
  if (status !== 0) throw new Error(`openssl ${command} failed: ${stderr}`);
}

function inFolder<T>(work: (folder: string) => T): T {
  const folder = mkdtempSync(join(tmpdir(), 'aftersend-ca-'));
  try {
    return work(folder);
  } finally {
    rmSync(folder, { recursive: true });
  }
}
