/**
 * Whether a server's certificate is the one that its TLSA records name (RFC 6698, as RFC 7672 uses it for SMTP). The
 * system's authorities have no say in it.
 */
import { createHash, X509Certificate } from 'node:crypto';
import type { TlsaRecord } from './demand.ts';

const trustAnchor = 2;
const endEntity = 3;
const hashes: Readonly<Record<number, string>> = { 1: 'sha256', 2: 'sha512' };

/** A longer chain is nobody's. */
const maxChain = 10;

/** RFC 7672 section 3.1: records that say nothing we could check ask for TLS, and for no particular certificate. */
export function isUsable({ usage, selector, matchingType }: TlsaRecord): boolean {
  const known = matchingType === 0 || matchingType in hashes;
  return (usage === trustAnchor || usage === endEntity) && (selector === 0 || selector === 1) && known;
}

/**
 * @param leaf the server's own certificate; its issuers as it sent them hang on it
 * @param records usable ones
 */
export function fitsRecords(
  leaf: X509Certificate,
  records: readonly TlsaRecord[],
  { host, nowMs }: { host: string; nowMs: number },
): boolean {
  // RFC 7672 section 3.1.1: neither the name in the certificate nor its dates matter.
  if (records.some((record) => record.usage === endEntity && names(record, leaf))) return true;
  const anchors = records.filter(({ usage }) => usage === trustAnchor);
  if (anchors.length === 0 || leaf.checkHost(host) === undefined) return false;
  return leadsToAnchor(leaf, anchors, nowMs);
}

/** Section 3.1.2: the chain is checked up to the certificate that a record names, which the server has to send. */
function leadsToAnchor(leaf: X509Certificate, anchors: readonly TlsaRecord[], nowMs: number): boolean {
  let certificate = leaf;
  for (let depth = 0; depth < maxChain; depth++) {
    if (!isCurrent(certificate, nowMs)) return false;
    const above: X509Certificate | undefined =
      certificate.issuerCertificate ?? issuerInRecords(certificate, anchors);
    if (above === undefined || !certificate.checkIssued(above) || !certificate.verify(above.publicKey)) {
      return false;
    }
    if (anchors.some((record) => names(record, above))) return isCurrent(above, nowMs);
    if (above.fingerprint256 === certificate.fingerprint256 || !above.ca) return false;
    certificate = above;
  }
  return false;
}

/** A record may hold the whole certificate, and then the server need not send it. */
function issuerInRecords(
  certificate: X509Certificate,
  anchors: readonly TlsaRecord[],
): X509Certificate | undefined {
  for (const { selector, matchingType, certificate: data } of anchors) {
    if (selector !== 0 || matchingType !== 0) continue;
    try {
      const above = new X509Certificate(data);
      if (certificate.checkIssued(above)) return above;
    } catch {
      // It is no certificate, so it names none.
    }
  }
  return undefined;
}

function names({ selector, matchingType, certificate: data }: TlsaRecord, certificate: X509Certificate) {
  const chosen =
    selector === 0 ? certificate.raw : certificate.publicKey.export({ type: 'spki', format: 'der' });
  const hash = hashes[matchingType];
  return (hash === undefined ? chosen : createHash(hash).update(chosen).digest()).equals(data);
}

const isCurrent = ({ validFromDate, validToDate }: X509Certificate, nowMs: number): boolean =>
  validFromDate.getTime() <= nowMs && nowMs <= validToDate.getTime();
