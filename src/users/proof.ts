/**
 * Whether somebody is who they say: password and second factor, checked against guessing by address and by user. Must
 * never tell a wrong password from an unknown user, neither by the answer nor by its time.
 */
import { hashSecret } from '../accept/credentials.ts';
import { clientNetwork } from '../platform/client-address.ts';
import type { Clock } from '../platform/clock.ts';
import { type Allowance, FailureMeter } from '../platform/failure-meter.ts';
import type { User, UserStore } from '../store/contract/users.ts';
import { totpStep } from './one-time-codes.ts';
import type { Passwords } from './passwords.ts';

const addressAllowance: Allowance = { failures: 20, forgetOneMs: 15_000 };
const userAllowance: Allowance = { failures: 10, forgetOneMs: 60_000 };

/** Seals the second factor's secret for its user. */
export interface Seal {
  close(secret: string, owner: string): string;
  open(sealed: string, owner: string): string;
}

/** What somebody gives to be let in; the address in lower case, the code '' when none was given. */
export interface Claim {
  readonly email: string;
  readonly password: string;
  readonly code: string;
}

/**
 * `refused`: address, password or code are wrong; it is not said which. `code-needed`: the password is right and there
 * is a second factor.
 */
export type Verdict =
  | { readonly kind: 'proven'; readonly user: User }
  | { readonly kind: 'refused' | 'code-needed' }
  | { readonly kind: 'slow-down'; readonly retryAfterS: number };

export interface Proof {
  /** @throws PasswordsBusyError */
  judge(claim: Claim, address: string): Promise<Verdict>;
  /** The password alone, of somebody who is signed in. */
  knowsPassword(user: User, password: string, address: string): Promise<boolean>;
}

export const totpOwner = (user: User): string => `second factor of user ${user.id}`;

export function proof(deps: {
  readonly users: UserStore;
  readonly passwords: Passwords;
  readonly seal: Seal;
  readonly clock: Clock;
}): Proof {
  const { users, passwords, seal, clock } = deps;
  const byAddress = new FailureMeter(addressAllowance, clock);
  const byUser = new FailureMeter(userAllowance, clock);

  const waitMs = (email: string, address: string): number =>
    Math.max(byAddress.waitMs(clientNetwork(address)), byUser.waitMs(hashSecret(email)));
  const fail = (email: string, address: string): void => {
    byAddress.add(clientNetwork(address));
    byUser.add(hashSecret(email));
  };

  async function judge({ email, password, code }: Claim, address: string): Promise<Verdict> {
    const ms = waitMs(email, address);
    if (ms > 0) return { kind: 'slow-down', retryAfterS: Math.ceil(ms / 1000) };
    const user = await users.byEmail(email);
    const right = await passwords.fits(password, user?.passwordHash);
    if (user !== undefined && right) {
      if (user.sealedTotp === undefined) return { kind: 'proven', user };
      if (code === '') return { kind: 'code-needed' };
      const step = totpStep(seal.open(user.sealedTotp, totpOwner(user)), code, clock.now());
      if (step !== undefined && (await users.useTotpStep({ userId: user.id, step }))) {
        return { kind: 'proven', user };
      }
    }
    fail(email, address);
    return { kind: 'refused' };
  }

  return {
    judge,
    async knowsPassword(user, password, address) {
      if (waitMs(user.email, address) > 0) return false;
      const right = await passwords.fits(password, user.passwordHash);
      if (!right) fail(user.email, address);
      return right;
    },
  };
}
