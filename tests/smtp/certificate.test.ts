/** The certificate of STARTTLS: kept, renewed in time, right for its names; the operator's own is checked. */
import assert from 'node:assert/strict';
import { X509Certificate } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { readCertificate, readOrMakeCertificate } from '../../src/platform/certificate.ts';
import { systemRandom } from '../../src/platform/clock.ts';
import { ManualClock } from '../support/manual-clock.ts';

const folder = mkdtempSync(join(tmpdir(), 'certificate-'));
after(() => rmSync(folder, { recursive: true }));

const clock = new ManualClock(Date.UTC(2045, 5, 1, 12));
const make = (name: string) =>
  readOrMakeCertificate(join(folder, name), 'mail.example.com', { clock, random: systemRandom });

test('a made certificate is for the host name and for this machine, signed by its own key', () => {
  const certificate = new X509Certificate(make('a').cert);
  for (const host of ['mail.example.com', 'localhost']) assert.equal(certificate.checkHost(host), host);
  for (const ip of ['127.0.0.1', '::1']) assert.equal(certificate.checkIP(ip), ip);
  assert.equal(certificate.checkHost('example.com'), undefined);
  assert.equal(certificate.verify(certificate.publicKey), true);
  assert.deepEqual(
    [certificate.validFromDate, certificate.validToDate].map((date) => date.toISOString().slice(0, 10)),
    ['2045-05-31', '2055-05-30'],
  );
});

test('it is kept as long as it is good for another month, then made anew', async () => {
  const first = make('b');
  await clock.advance((10 * 365 - 31) * 24 * 3600_000);
  assert.deepEqual(make('b'), first);
  await clock.advance(2 * 24 * 3600_000);
  const next = make('b');
  assert.notEqual(next.cert, first.cert);
  assert.deepEqual(make('b'), next);
});

test('an operator’s key that is another certificate’s is refused by name', () => {
  const [one, two] = [make('c'), make('d')];
  const files = { certificateFile: join(folder, 'own.crt'), keyFile: join(folder, 'own.key') };
  writeFileSync(files.certificateFile, one.cert);
  writeFileSync(files.keyFile, one.key);
  assert.deepEqual(readCertificate(files), one);
  writeFileSync(files.keyFile, two.key);
  assert.throws(() => readCertificate(files), /own\.key is not that of the certificate in .*own\.crt/);
});
