/**
 * People: who they are, what they may do in which account, by which sessions they are signed in, and what they did.
 * Secrets (session cookies, invitation links) are known here by their SHA-256 alone, passwords by their argon2id hash.
 */
import type { AccountPage } from './accounts.ts';

/** From what may least to what may most: each may what those before it may. */
export const roles = ['support', 'developer', 'owner'] as const;
export type Role = (typeof roles)[number];

export interface User {
  readonly id: number;
  /** Lower case, unique in the service. */
  readonly email: string;
  /** Undefined for somebody who came by the OpenID provider and has set none. */
  readonly passwordHash: string | undefined;
  /** The secret of the second factor, encrypted; undefined while it is off. */
  readonly sealedTotp: string | undefined;
  readonly createdAtMs: number;
}

export interface Member {
  readonly user: User;
  readonly role: Role;
}

export interface Membership {
  readonly accountId: number;
  readonly accountName: string;
  readonly role: Role;
}

/** A link that lets one person in, once: into an account, or back in with a new password. */
export interface Invitation {
  readonly id: number;
  readonly email: string;
  readonly expiresAtMs: number;
  readonly createdAtMs: number;
  readonly purpose:
    | { readonly kind: 'join'; readonly accountId: number; readonly role: Role }
    | { readonly kind: 'reset'; readonly userId: number };
}

export interface NewInvitation {
  /** '' when whoever has the link says who they are. */
  readonly email: string;
  readonly purpose: Invitation['purpose'];
  readonly hash: string;
  readonly atMs: number;
  readonly expiresAtMs: number;
}

export interface Session {
  readonly id: number;
  readonly userId: number;
  /** Which of the user's accounts it looks at. */
  readonly accountId: number;
  readonly userAgent: string;
  readonly address: string;
  readonly createdAtMs: number;
  readonly seenAtMs: number;
  readonly expiresAtMs: number;
}

export interface NewSession {
  readonly userId: number;
  readonly hash: string;
  readonly userAgent: string;
  readonly address: string;
  readonly atMs: number;
  readonly expiresAtMs: number;
}

/** Whom an OpenID provider says that somebody is. */
export interface ProvenPerson {
  readonly issuer: string;
  /** The provider's own name for them, which never changes and is never given to another. */
  readonly subject: string;
  /** Undefined unless the provider has verified that it is theirs. */
  readonly email: string | undefined;
}

/** An account that a person may look at without an invitation. */
export interface Admission {
  readonly accountId: number;
  readonly role: Role;
}

/** A thing that somebody did. */
export interface AuditEntry {
  readonly id: number;
  /** Who, by e-mail address: the entry outlives the user. */
  readonly actor: string;
  /** The API's operation, as in `createToken`. */
  readonly action: string;
  /** What it was done to, as in `id 3`; '' if the action says it all. */
  readonly subject: string;
  readonly address: string;
  readonly atMs: number;
}

/** `last-owner`: it would leave the account without one. */
export type MemberChange = 'changed' | 'unknown' | 'last-owner';

export interface UserStore {
  /** Whether there is anybody at all. */
  any(): Promise<boolean>;
  byEmail(email: string): Promise<User | undefined>;
  byId(userId: number): Promise<User | undefined>;
  /** The accounts that a user may look at, oldest first. */
  memberships(userId: number): Promise<readonly Membership[]>;
  members(page: AccountPage): Promise<readonly Member[]>;
  changeRole(input: { accountId: number; userId: number; role: Role }): Promise<MemberChange>;
  /** Also ends their sessions in the account; a user without any account is gone. */
  removeMember(input: { accountId: number; userId: number }): Promise<MemberChange>;

  /** Ends all of the user's sessions but the one given. */
  setPassword(input: {
    userId: number;
    passwordHash: string;
    keepSessionId?: number | undefined;
  }): Promise<void>;
  setTotp(input: { userId: number; sealedTotp: string | undefined }): Promise<void>;
  /** @returns false if this step, or a later one, was used before */
  useTotpStep(input: { userId: number; step: number }): Promise<boolean>;

  invite(input: NewInvitation): Promise<Invitation>;
  invitationByHash(hash: string, nowMs: number): Promise<Invitation | undefined>;
  /** Into the account, still good. */
  invitations(accountId: number, nowMs: number): Promise<readonly Invitation[]>;
  withdraw(input: { accountId: number; invitationId: number }): Promise<boolean>;
  /** Makes the user and takes them into the account. `taken`: somebody has the address. */
  joinAsNew(input: {
    hash: string;
    email: string;
    passwordHash: string;
    atMs: number;
  }): Promise<{ readonly kind: 'joined'; readonly user: User } | { readonly kind: 'gone' | 'taken' }>;
  /** Takes a user into one more account. @returns false if the invitation is gone */
  joinAs(input: { hash: string; userId: number; atMs: number }): Promise<boolean>;
  /** Sets the password anew, takes the second factor away, ends every session. @returns undefined if it is gone */
  reset(input: { hash: string; passwordHash: string; atMs: number }): Promise<User | undefined>;

  /**
   * The user that a provider's person is: known by the subject, else by the verified address, else made. Takes them into
   * the accounts of all open invitations for the address and of `admissions`, whose role a member already there keeps.
   * `stranger`: no user, no invitation and no admission. `another-person`: the address is that of a user who is somebody
   * else at this provider.
   */
  joinByProvider(
    input: ProvenPerson & { readonly admissions: readonly Admission[]; readonly atMs: number },
  ): Promise<
    { readonly kind: 'joined'; readonly user: User } | { readonly kind: 'stranger' | 'another-person' }
  >;

  /** It looks at the user's first account. @returns undefined if the user has none */
  openSession(input: NewSession): Promise<Session | undefined>;
  /** The session with who it is and what they may in its account; undefined when it has ended. */
  sessionByHash(
    hash: string,
    nowMs: number,
  ): Promise<{ readonly session: Session; readonly user: User; readonly role: Role } | undefined>;
  touchSession(input: {
    sessionId: number;
    address: string;
    atMs: number;
    expiresAtMs: number;
  }): Promise<void>;
  /** @returns false if the user has no such account */
  lookAt(input: { sessionId: number; userId: number; accountId: number }): Promise<boolean>;
  /** The last used first, and no more than anybody looks through. */
  sessions(userId: number, nowMs: number): Promise<readonly Session[]>;
  /** @returns false if the user has no such session */
  endSession(input: { userId: number; sessionId: number }): Promise<boolean>;

  /** Resolves when it is durable. */
  note(input: Omit<AuditEntry, 'id'> & { readonly accountId: number }): Promise<void>;
  /** Newest first, after the keyset cursor `beforeId`. */
  audit(input: {
    accountId: number;
    limit: number;
    beforeId?: number | undefined;
  }): Promise<readonly AuditEntry[]>;
}
