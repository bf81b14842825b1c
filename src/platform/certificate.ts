/**
 * The certificate that STARTTLS shows: the operator's own, or one that the program signs for itself and keeps in the
 * data folder. Nobody can verify a self-signed one; it keeps passwords from listeners, not from impostors.
 */
import { createPrivateKey, generateKeyPairSync, sign, X509Certificate } from 'node:crypto';
import { mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Clock, Random } from './clock.ts';
import * as der from './der.ts';

export interface Certificate {
  /** PEM, with its chain if it has one. */
  readonly cert: string;
  /** PEM. */
  readonly key: string;
}

const dayMs = 24 * 3600_000;
const validForMs = 10 * 365 * dayMs;
/** A certificate with less than this left is made anew at the next start. */
const renewBeforeMs = 30 * dayMs;

/** @throws Error saying which file cannot be used */
export function readCertificate(files: { certificateFile: string; keyFile: string }): Certificate {
  const cert = readFileSync(files.certificateFile, 'utf8');
  const key = readFileSync(files.keyFile, 'utf8');
  if (!new X509Certificate(cert).checkPrivateKey(createPrivateKey(key))) {
    throw new Error(`the key in ${files.keyFile} is not that of the certificate in ${files.certificateFile}`);
  }
  return { cert, key };
}

/** The data folder's own certificate, made when there is none yet or it is about to run out. */
export function readOrMakeCertificate(
  dataFolder: string,
  hostname: string,
  { clock, random }: { clock: Clock; random: Random },
): Certificate {
  const file = join(dataFolder, 'submission-tls.pem');
  const kept = readKept(file, clock.now());
  if (kept !== undefined) return kept;
  const made = selfSigned(hostname, clock.now(), random);
  mkdirSync(dataFolder, { recursive: true, mode: 0o700 });
  // Written whole, then moved into place: a start that is killed in between leaves no half a file behind.
  const draft = `${file}.${random.bytes(6).toString('hex')}`;
  try {
    writeFileSync(draft, made.key + made.cert, { mode: 0o600, flag: 'wx' });
    renameSync(draft, file);
  } finally {
    rmSync(draft, { force: true });
  }
  return made;
}

function readKept(file: string, nowMs: number): Certificate | undefined {
  let pem: string;
  try {
    pem = readFileSync(file, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
  const cert = new X509Certificate(pem);
  if (cert.validToDate.getTime() - nowMs < renewBeforeMs) return undefined;
  return {
    cert: cert.toString(),
    key: createPrivateKey(pem).export({ type: 'pkcs8', format: 'pem' }),
  };
}

const oid = {
  ecdsaWithSha256: '1.2.840.10045.4.3.2',
  commonName: '2.5.4.3',
  subjectAltName: '2.5.29.17',
  basicConstraints: '2.5.29.19',
  extendedKeyUsage: '2.5.29.37',
  serverAuth: '1.3.6.1.5.5.7.3.1',
} as const;

/** X.509 version 3 (RFC 5280), ECDSA on P-256, for `hostname` and for programs on this machine. */
function selfSigned(hostname: string, nowMs: number, random: Random): Certificate {
  const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const algorithm = der.sequence(der.objectId(oid.ecdsaWithSha256));
  // RFC 5280 bounds a common name to 64 characters; who verifies looks at the alternative names.
  const name = der.sequence(
    der.set(der.sequence(der.objectId(oid.commonName), der.utf8(hostname.slice(0, 64)))),
  );
  const names = der.sequence(
    ...[...new Set([hostname, 'localhost'])].map((host) => der.implicit(2, Buffer.from(host))),
    der.implicit(7, Buffer.from([127, 0, 0, 1])),
    der.implicit(7, Buffer.from([...Array<number>(15).fill(0), 1])),
  );
  const unsigned = der.sequence(
    der.explicit(0, der.integer(Buffer.from([2]))),
    der.integer(random.bytes(16)),
    algorithm,
    name,
    der.sequence(der.time(nowMs - dayMs), der.time(nowMs + validForMs)),
    name,
    publicKey.export({ type: 'spki', format: 'der' }),
    der.explicit(
      3,
      der.sequence(
        extension(oid.basicConstraints, der.sequence(), 'critical'),
        extension(oid.extendedKeyUsage, der.sequence(der.objectId(oid.serverAuth))),
        extension(oid.subjectAltName, names),
      ),
    ),
  );
  const signature = sign('sha256', unsigned, privateKey);
  const certificate = der.sequence(unsigned, algorithm, der.bitString(signature));
  return {
    cert: new X509Certificate(certificate).toString(),
    key: privateKey.export({ type: 'pkcs8', format: 'pem' }),
  };
}

function extension(id: string, value: Buffer, critical?: 'critical'): Buffer {
  return der.sequence(
    der.objectId(id),
    ...(critical === undefined ? [] : [der.boolean(true)]),
    der.octetString(value),
  );
}
