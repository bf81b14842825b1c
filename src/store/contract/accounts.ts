/** Accounts and what lets programs in: API tokens and SMTP logins, known to the store only by their SHA-256. */

export interface Account {
  readonly id: number;
  /** Unique in the service; what the operator calls it. */
  readonly name: string;
  /** Where the owner is told of trouble, '' if nowhere. */
  readonly email: string;
  /** IANA name; times in compatible APIs are written in it. */
  readonly timeZone: string;
  readonly settings: AccountSettings;
  readonly createdAtMs: number;
}

/** What a message does when it does not say otherwise. */
export interface AccountSettings {
  readonly trackOpens: boolean;
  /** Links in HTML. */
  readonly trackClicks: boolean;
  /** With `trackClicks`: links in plain text as well. */
  readonly trackText: boolean;
  readonly listUnsubscribe: boolean;
}

export interface Token {
  readonly id: number;
  readonly accountId: number;
  readonly name: string;
  readonly createdAtMs: number;
  /** Undefined while it is good. */
  readonly revokedAtMs: number | undefined;
}

export interface SmtpLogin {
  readonly id: number;
  readonly accountId: number;
  readonly username: string;
  readonly createdAtMs: number;
  readonly revokedAtMs: number | undefined;
}

export interface NewAccount {
  readonly name: string;
  readonly email: string;
  readonly timeZone: string;
  readonly settings: AccountSettings;
  /** Its first token and SMTP login, made in the same commit: no account is left half made. */
  readonly token: { readonly name: string; readonly hash: string };
  readonly smtpLogin: { readonly username: string; readonly hash: string };
  readonly atMs: number;
}

/** `taken`: another has the name or username. */
export type CreatedOr<T> = { readonly kind: 'created'; readonly value: T } | { readonly kind: 'taken' };

/** Of a list of an account's things: newest first, after the keyset cursor `beforeId`. */
export interface AccountPage {
  readonly accountId: number;
  readonly limit: number;
  readonly beforeId?: number | undefined;
}

export interface AccountStore {
  create(input: NewAccount): Promise<CreatedOr<Account>>;
  list(): Promise<readonly Account[]>;
  byId(id: number): Promise<Account | undefined>;
  byName(name: string): Promise<Account | undefined>;

  createToken(input: { accountId: number; name: string; hash: string; atMs: number }): Promise<Token>;
  listTokens(page: AccountPage): Promise<readonly Token[]>;
  /** @returns false if the account has no such token that is still good */
  revokeToken(input: { accountId: number; tokenId: number; atMs: number }): Promise<boolean>;
  /** The account that a good (not revoked) token belongs to. */
  byTokenHash(hash: string): Promise<Account | undefined>;

  createSmtpLogin(input: {
    accountId: number;
    username: string;
    hash: string;
    atMs: number;
  }): Promise<CreatedOr<SmtpLogin>>;
  listSmtpLogins(page: AccountPage): Promise<readonly SmtpLogin[]>;
  revokeSmtpLogin(input: { accountId: number; username: string; atMs: number }): Promise<boolean>;
  /** The account and password hash of a good SMTP login. */
  bySmtpUsername(username: string): Promise<{ account: Account; hash: string } | undefined>;
}
