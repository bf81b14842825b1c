/** What a destination demands of TLS before a message may go there, and how an attempt at it is counted (RFC 8460). */

/** A TLSA record (RFC 6698 section 2.1). */
export interface TlsaRecord {
  /** 2: a certificate above the server's; 3: the server's own. 0 and 1 are of no use in SMTP (RFC 7672 section 3.1.3). */
  readonly usage: number;
  /** 0: the whole certificate; 1: its public key. */
  readonly selector: number;
  /** 0: as it is; 1: SHA-256; 2: SHA-512. */
  readonly matchingType: number;
  readonly certificate: Buffer;
}

export interface DaneDemand {
  readonly kind: 'dane';
  readonly records: readonly TlsaRecord[];
}

/**
 * `none`: it is not even tried. `opportunistic`: any certificate, and none. `required`: any certificate. `verified`: one
 * that the system's authorities vouch for, in the host's name.
 */
export type TlsDemand = 'none' | 'opportunistic' | 'required' | 'verified' | DaneDemand;

/** Which kind of policy made the demand (RFC 8460 section 4.4, `policy-type`). */
export type TlsPolicyType = 'tlsa' | 'sts' | 'no-policy-found';

/** How a session ended, in the words of TLS-RPT (RFC 8460 section 4.3). */
export type TlsResult =
  | 'success'
  | 'starttls-not-supported'
  | 'certificate-host-mismatch'
  | 'certificate-expired'
  | 'certificate-not-trusted'
  | 'validation-failure'
  | 'tlsa-invalid'
  | 'dnssec-invalid'
  | 'sts-policy-fetch-error'
  | 'sts-policy-invalid';

export type CountTls = (policy: TlsPolicyType, result: TlsResult) => void;

/** Two connections to a host may stand for each other only if this is the same. */
export function demandKey(demand: TlsDemand): string {
  if (typeof demand === 'string') return demand;
  return demand.records
    .map(({ usage, selector, matchingType, certificate }) =>
      [usage, selector, matchingType, certificate.toString('base64')].join(' '),
    )
    .sort()
    .join();
}

const resultByErrorCode: Readonly<Record<string, TlsResult>> = {
  CERT_HAS_EXPIRED: 'certificate-expired',
  ERR_TLS_CERT_ALTNAME_INVALID: 'certificate-host-mismatch',
  DEPTH_ZERO_SELF_SIGNED_CERT: 'certificate-not-trusted',
  SELF_SIGNED_CERT_IN_CHAIN: 'certificate-not-trusted',
  UNABLE_TO_GET_ISSUER_CERT: 'certificate-not-trusted',
  UNABLE_TO_GET_ISSUER_CERT_LOCALLY: 'certificate-not-trusted',
  UNABLE_TO_VERIFY_LEAF_SIGNATURE: 'certificate-not-trusted',
};

/** @param code of the error that node:tls gave */
export function resultOfError(code: string): TlsResult {
  return resultByErrorCode[code] ?? 'validation-failure';
}
