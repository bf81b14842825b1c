/**
 * Who may hand mail in: API tokens and SMTP logins are checked here, for every door. Guessing is slowed by address and
 * by login, in bounded memory; a credential that was good from an address lately is never slowed there, so that one
 * misconfigured program does not shut out its neighbours, nor a guesser the owner of a login.
 * Never keeps, logs or tells a secret: what is compared and remembered is its SHA-256. A plain hash is enough, because
 * secrets are random (`newSecret`) and not chosen by people.
 */
import { hash as digest, timingSafeEqual } from 'node:crypto';
import { clientNetwork } from '../platform/client-address.ts';
import type { Clock, Random } from '../platform/clock.ts';
import { type Allowance, BoundedMap, FailureMeter } from '../platform/failure-meter.ts';
import type { Account, AccountStore } from '../store/contract/accounts.ts';

/** 160 bits. Hexadecimal, so that no shell, URL or command line needs it quoted. */
const secretBytes = 20;
/** Longer names and secrets are not ours: they are refused without a look-up. */
const maxCredentialLength = 255;

/** Failures that an address may make at once, and how long it takes to forget one. */
const addressAllowance: Allowance = { failures: 20, forgetOneMs: 15_000 };
const loginAllowance: Allowance = { failures: 10, forgetOneMs: 30_000 };

/** A new API token or SMTP password, to be shown once. */
export function newSecret(random: Random): string {
  return random.bytes(secretBytes).toString('hex');
}

/** What the store keeps of a secret: SHA-256 in hexadecimal. */
export function hashSecret(secret: string): string {
  return digest('sha256', secret, 'hex');
}

/** `slow-down`: too many failures; nothing was looked up, so a right secret gets it too. */
export type Verdict =
  | { readonly kind: 'ok'; readonly account: Account }
  | { readonly kind: 'unknown' }
  | { readonly kind: 'slow-down'; readonly retryAfterS: number };

export interface Credentials {
  byToken(token: string, clientAddress: string): Promise<Verdict>;
  bySmtpLogin(username: string, password: string, clientAddress: string): Promise<Verdict>;
}

export function credentials(accounts: AccountStore, clock: Clock): Credentials {
  const addressFailures = new FailureMeter(addressAllowance, clock);
  const loginFailures = new FailureMeter(loginAllowance, clock);
  const goodLately = new BoundedMap<string, true>();

  async function check(
    claim: { readonly login: string | undefined; readonly hash: string; readonly address: string },
    find: () => Promise<Account | undefined>,
  ): Promise<Verdict> {
    const network = clientNetwork(claim.address);
    const { login } = claim;
    const proof = `${network} ${login ?? ''} ${claim.hash}`;
    if (!goodLately.has(proof)) {
      const waitMs = Math.max(
        addressFailures.waitMs(network),
        login === undefined ? 0 : loginFailures.waitMs(login),
      );
      if (waitMs > 0) return { kind: 'slow-down', retryAfterS: Math.ceil(waitMs / 1000) };
    }
    const account = await find();
    if (account !== undefined) {
      goodLately.set(proof, true);
      return { kind: 'ok', account };
    }
    goodLately.delete(proof);
    addressFailures.add(network);
    if (login !== undefined) loginFailures.add(login);
    return { kind: 'unknown' };
  }

  return {
    byToken(token, clientAddress) {
      const hash = hashSecret(token);
      return check({ login: undefined, hash, address: clientAddress }, () =>
        fits(token) ? accounts.byTokenHash(hash) : nobody,
      );
    },

    bySmtpLogin(username, password, clientAddress) {
      const hash = hashSecret(password);
      const login = hashSecret(username);
      return check({ login, hash, address: clientAddress }, async () => {
        if (!fits(username) || !fits(password)) return undefined;
        const found = await accounts.bySmtpUsername(username);
        // An unknown name is compared too, against something that no secret has, so that it takes as long.
        const same = timingSafeEqual(Buffer.from(found?.hash ?? noHash), Buffer.from(hash));
        return same ? found?.account : undefined;
      });
    },
  };
}

const nobody = Promise.resolve(undefined);

/** As long as a hash, and never one. */
const noHash = '-'.repeat(64);

const fits = (text: string) => text !== '' && text.length <= maxCredentialLength;
