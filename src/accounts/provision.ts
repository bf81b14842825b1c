/**
 * Making accounts and what lets programs in. Secrets are made here, told once to whoever asked, and kept only as their
 * hash. The command line and the first start both come here.
 */
import { hashSecret, newSecret } from '../accept/credentials.ts';
import type { Clock, Random } from '../platform/clock.ts';
import { isTimeZone } from '../platform/time-zone.ts';
import type { Account, AccountSettings, AccountStore } from '../store/contract/accounts.ts';

export interface ProvisionDependencies {
  readonly accounts: AccountStore;
  readonly clock: Clock;
  readonly random: Random;
}

export interface Provisioned {
  readonly account: Account;
  readonly token: string;
  readonly smtp: { readonly username: string; readonly password: string };
}

/** What was asked for cannot be made. The message is for whoever asked. */
export class ProvisionError extends Error {
  override readonly name = 'ProvisionError';
}

const defaultSettings: AccountSettings = {
  trackOpens: true,
  trackClicks: true,
  trackText: false,
  listUnsubscribe: false,
};

/** Letters, digits and `.` `_` `-`: a name stands in settings (CIDR=ACCOUNT), in command lines and as SMTP user name. */
const namePattern = /^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$/;

/** @throws ProvisionError for a name that is taken or unusable, an unknown time zone, a bad address */
export async function createAccount(
  { accounts, clock, random }: ProvisionDependencies,
  input: { readonly name: string; readonly email: string; readonly timeZone: string },
): Promise<Provisioned> {
  const { name, email, timeZone } = input;
  checkName('account', name);
  if (email !== '' && !/^[^\s@]+@[^\s@]+$/.test(email)) {
    throw new ProvisionError(`'${email}' is not an e-mail address`);
  }
  if (!isTimeZone(timeZone)) {
    throw new ProvisionError(`'${timeZone}' is not a time zone, as in Europe/Moscow`);
  }
  const token = newSecret(random);
  const password = newSecret(random);
  const created = await accounts.create({
    name,
    email,
    timeZone,
    settings: defaultSettings,
    token: { name: 'first', hash: hashSecret(token) },
    smtpLogin: { username: name, hash: hashSecret(password) },
    atMs: clock.now(),
  });
  if (created.kind === 'taken')
    throw new ProvisionError(`there is an account or SMTP login '${name}' already`);
  return { account: created.value, token, smtp: { username: name, password } };
}

/** @returns the token, which nobody can read again */
export async function createToken(
  { accounts, clock, random }: ProvisionDependencies,
  accountId: number,
  name: string,
): Promise<{ id: number; token: string }> {
  const token = newSecret(random);
  const { id } = await accounts.createToken({ accountId, name, hash: hashSecret(token), atMs: clock.now() });
  return { id, token };
}

/** @throws ProvisionError if the username is taken or unusable */
export async function createSmtpLogin(
  { accounts, clock, random }: ProvisionDependencies,
  accountId: number,
  username: string,
): Promise<{ username: string; password: string }> {
  checkName('user', username);
  const password = newSecret(random);
  const hash = hashSecret(password);
  const created = await accounts.createSmtpLogin({ accountId, username, hash, atMs: clock.now() });
  if (created.kind === 'taken') throw new ProvisionError(`there is an SMTP login '${username}' already`);
  return { username, password };
}

function checkName(what: string, name: string): void {
  if (!namePattern.test(name)) {
    throw new ProvisionError(
      `'${name}' is no ${what} name: letters, digits, dot, dash and underscore, 63 at most`,
    );
  }
}
