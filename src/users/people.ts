/**
 * How people come in: by password and second factor, by an OpenID provider's word, by an invitation's link, and by the
 * session that follows. Guessing is
 * slowed by address and by user. What lets somebody in (cookies, links) is random and kept as its SHA-256 alone.
 * Must never tell a stranger whether an address belongs to a user.
 */
import type { Clock, Random } from '../platform/clock.ts';
import type {
  Admission,
  Invitation,
  ProvenPerson,
  Role,
  Session,
  User,
  UserStore,
} from '../store/contract/users.ts';
import { hashSecret, newSecret } from '../accept/credentials.ts';
import { totpStep } from './one-time-codes.ts';
import { type Claim, type Proof, proof, type Seal, totpOwner, type Verdict } from './proof.ts';
import type { Passwords } from './passwords.ts';

const minute = 60_000;
const day = 24 * 60 * minute;

/** A session ends when it was not used for so long, and in any case after the second. */
const idleMs = 7 * day;
const sessionMs = 30 * day;
/** How exactly it is known when a session was last used. */
const seenEveryMs = 5 * minute;
const invitationMs = 7 * day;
/** Of the browser's name, as it is kept. */
const maxUserAgentChars = 300;

/** Who asks, from where. */
export interface Visitor {
  readonly address: string;
  readonly userAgent: string;
}

export type SignIn =
  | { readonly kind: 'signed-in'; readonly user: User; readonly session: Session; readonly cookie: string }
  | Exclude<Verdict, { readonly kind: 'proven' }>;

/** `stranger`: nobody has invited them. `another-person`: the address is that of somebody else of the provider's. */
export type ProviderSignIn = SignIn | { readonly kind: 'stranger' | 'another-person' };

/** `gone`: used, withdrawn, expired, or never made. */
export type Acceptance = SignIn | { readonly kind: 'gone' };

export interface PeopleDependencies {
  readonly users: UserStore;
  readonly passwords: Passwords;
  readonly seal: Seal;
  readonly clock: Clock;
  readonly random: Random;
}

export interface SignedIn {
  readonly user: User;
  readonly session: Session;
  readonly role: Role;
}

/** Makes an invitation. @returns what stands in its link, which nobody can read again */
export async function makeInvitation(
  { users, clock, random }: Pick<PeopleDependencies, 'users' | 'clock' | 'random'>,
  { email, purpose }: { readonly email: string; readonly purpose: Invitation['purpose'] },
): Promise<string> {
  const secret = newSecret(random);
  const atMs = clock.now();
  const expiresAtMs = atMs + invitationMs;
  await users.invite({ email: email.trim(), purpose, hash: hashSecret(secret), atMs, expiresAtMs });
  return secret;
}

/** The page that an invitation's secret opens. It stands behind the #, which browsers send to nobody. */
export const invitationLink = (publicUrl: string, secret: string): string => `${publicUrl}/welcome#${secret}`;

export interface People {
  /** @throws PasswordsBusyError, as everything does that checks a password */
  signIn(claim: Claim, visitor: Visitor): Promise<SignIn>;
  /** By the provider's word alone: its second factor is its business, and ours is for passwords. */
  signInByProvider(
    person: ProvenPerson,
    admissions: readonly Admission[],
    visitor: Visitor,
  ): Promise<ProviderSignIn>;
  /** The session of a cookie, which is thereby used. */
  bySession(cookie: string, visitor: Visitor): Promise<SignedIn | undefined>;

  /** @returns the secret of its link */
  invite(input: { readonly email: string; readonly purpose: Invitation['purpose'] }): Promise<string>;
  invitation(secret: string): Promise<Invitation | undefined>;
  /** Somebody who is a user already has to know their password. */
  accept(claim: Claim & { readonly secret: string }, visitor: Visitor): Promise<Acceptance>;

  /** Whether it is the user's password; slowed as signing in is. */
  knowsPassword(user: User, password: string, visitor: Visitor): Promise<boolean>;
  changePassword(signedIn: SignedIn, password: string): Promise<void>;
  /** Switches the second factor on. @returns false if the code does not fit the secret now */
  setTotp(user: User, secret: string, code: string): Promise<boolean>;
}

export function createPeople(deps: PeopleDependencies): People {
  const { users, passwords, seal, clock, random } = deps;
  const doorkeeper = proof(deps);
  const letIn = (user: User, visitor: Visitor) => openSession(deps, user, visitor);

  return {
    async signIn({ email, password, code }, visitor) {
      const verdict = await doorkeeper.judge({ email: plain(email), password, code }, visitor.address);
      return verdict.kind === 'proven' ? letIn(verdict.user, visitor) : verdict;
    },

    async signInByProvider(person, admissions, visitor) {
      const joined = await users.joinByProvider({ ...person, admissions, atMs: clock.now() });
      if (joined.kind !== 'joined') return joined;
      const signedIn = await letIn(joined.user, visitor);
      // A user without an account any more is one whom nobody has invited.
      return signedIn.kind === 'signed-in' ? signedIn : { kind: 'stranger' };
    },

    async bySession(cookie, { address }) {
      const nowMs = clock.now();
      const found = await users.sessionByHash(hashSecret(cookie), nowMs);
      if (found === undefined) return undefined;
      const { id, seenAtMs, createdAtMs } = found.session;
      if (nowMs - seenAtMs > seenEveryMs) {
        const expiresAtMs = Math.min(nowMs + idleMs, createdAtMs + sessionMs);
        await users.touchSession({ sessionId: id, address, atMs: nowMs, expiresAtMs });
      }
      return found;
    },

    invite: (input) => makeInvitation({ users, clock, random }, input),
    invitation: (secret) => users.invitationByHash(hashSecret(secret), clock.now()),
    accept: (input, visitor) => accept(deps, doorkeeper, input, visitor),
    knowsPassword: (user, password, { address }) => doorkeeper.knowsPassword(user, password, address),

    async changePassword({ user, session }, password) {
      const passwordHash = await passwords.hash(password);
      await users.setPassword({ userId: user.id, passwordHash, keepSessionId: session.id });
    },

    async setTotp(user, secret, code) {
      const step = totpStep(secret, code, clock.now());
      if (step === undefined || !(await users.useTotpStep({ userId: user.id, step }))) return false;
      await users.setTotp({ userId: user.id, sealedTotp: seal.close(secret, totpOwner(user)) });
      return true;
    },
  };
}

const plain = (email: string): string => email.trim().toLowerCase();

async function accept(
  deps: PeopleDependencies,
  doorkeeper: Proof,
  { secret, email, password, code }: Claim & { readonly secret: string },
  visitor: Visitor,
): Promise<Acceptance> {
  const { users, passwords, clock } = deps;
  const hash = hashSecret(secret);
  const atMs = clock.now();
  const invitation = await users.invitationByHash(hash, atMs);
  if (invitation === undefined) return { kind: 'gone' };
  if (invitation.purpose.kind === 'reset') {
    const user = await users.reset({ hash, passwordHash: await passwords.hash(password), atMs });
    return user === undefined ? { kind: 'gone' } : openSession(deps, user, visitor);
  }
  // Who it was made for cannot be changed by who has the link.
  const address = plain(invitation.email || email);
  if ((await users.byEmail(address)) !== undefined) {
    const verdict = await doorkeeper.judge({ email: address, password, code }, visitor.address);
    if (verdict.kind !== 'proven') return verdict;
    const joined = await users.joinAs({ hash, userId: verdict.user.id, atMs });
    return joined ? openSession(deps, verdict.user, visitor) : { kind: 'gone' };
  }
  const passwordHash = await passwords.hash(password);
  const result = await users.joinAsNew({ hash, email: address, passwordHash, atMs });
  return result.kind === 'joined' ? openSession(deps, result.user, visitor) : { kind: 'gone' };
}

async function openSession(
  { users, clock, random }: PeopleDependencies,
  user: User,
  { address, userAgent }: Visitor,
): Promise<SignIn> {
  const cookie = newSecret(random);
  const atMs = clock.now();
  const session = await users.openSession({
    userId: user.id,
    hash: hashSecret(cookie),
    userAgent: userAgent.slice(0, maxUserAgentChars),
    address,
    atMs,
    expiresAtMs: atMs + idleMs,
  });
  return session === undefined ? { kind: 'refused' } : { kind: 'signed-in', user, session, cookie };
}
