/** Sending domains of an account: whose mail may go out, and the keys it is signed with. */
import type { CreatedOr } from './accounts.ts';

export const signingAlgorithms = ['rsa-sha256', 'ed25519-sha256'] as const;
export type SigningAlgorithm = (typeof signingAlgorithms)[number];

export interface SendingDomain {
  readonly id: number;
  readonly accountId: number;
  /** ASCII, lower case. Its subdomains send by it, too. */
  readonly name: string;
  /** Mail from it goes out by TLS or not at all. */
  readonly requireTls: boolean;
  /** When it was found to be the account's, undefined while mail from it is refused. */
  readonly verifiedAtMs: number | undefined;
  /** The operator has vouched for it: looking does not take that back. */
  readonly vouched: boolean;
  /** Its own bounce host leads to us: return paths are there. */
  readonly ownBounceHost: boolean;
  /** When its records were last looked at, undefined if never. */
  readonly checkedAtMs: number | undefined;
  /** What was found then, as JSON. */
  readonly checksJson: string;
  readonly createdAtMs: number;
}

export interface NewSigningKey {
  /** Unique in the domain. */
  readonly selector: string;
  readonly algorithm: SigningAlgorithm;
  /** As the record has it (`p=`). */
  readonly publicKey: string;
  readonly sealedPrivateKey: string;
}

export interface SigningKey extends NewSigningKey {
  readonly id: number;
  readonly createdAtMs: number;
  /** When its record was first found, undefined while it may not be published. */
  readonly seenAtMs: number | undefined;
  /** When a newer one took over; its record is needed for mail that is still under way. */
  readonly retiredAtMs: number | undefined;
}

/** What looking at the records of a domain came to. */
export interface DomainCheck {
  readonly accountId: number;
  readonly domainId: number;
  readonly verified: boolean;
  readonly ownBounceHost: boolean;
  /** Keys whose record is there. They retire the older ones of their algorithm. */
  readonly seenKeyIds: readonly number[];
  readonly checksJson: string;
  readonly atMs: number;
}

export interface DomainStore {
  add(input: {
    accountId: number;
    name: string;
    requireTls: boolean;
    keys: readonly NewSigningKey[];
    atMs: number;
  }): Promise<CreatedOr<SendingDomain>>;
  /** @returns false if the account has no such domain, as the next two do */
  setRequireTls(input: { accountId: number; domainId: number; requireTls: boolean }): Promise<boolean>;
  addKeys(input: {
    accountId: number;
    domainId: number;
    keys: readonly NewSigningKey[];
    atMs: number;
  }): Promise<boolean>;
  /** Its keys go with it. */
  remove(input: { accountId: number; domainId: number }): Promise<boolean>;
  recordCheck(check: DomainCheck): Promise<boolean>;
  /** The operator's word: verified from now on, and added first if it is not there. */
  vouch(input: { accountId: number; name: string; atMs: number }): Promise<SendingDomain>;

  byId(accountId: number, domainId: number): Promise<SendingDomain | undefined>;
  /** Newest first, after the keyset cursor `beforeId`. */
  list(input: {
    accountId: number;
    limit: number;
    beforeId?: number | undefined;
  }): Promise<readonly SendingDomain[]>;
  /** Newest first. */
  keys(accountId: number, domainId: number): Promise<readonly SigningKey[]>;
  /** The account's domain that a name is or lies under; the nearest one. */
  ofSender(accountId: number, name: string): Promise<SendingDomain | undefined>;
}
