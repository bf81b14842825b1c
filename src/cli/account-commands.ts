/**
 * The commands on accounts, tokens, SMTP logins and the operator's word on sending domains. They open the data folder as a short second writer, so they work
 * while the service runs, which sees what they wrote at once.
 *
 * With `--json` a command prints one JSON value on standard output and nothing else.
 */
import { createAccount, createSmtpLogin, createToken, ProvisionError } from '../accounts/provision.ts';
import { addressOf } from '../mail/address.ts';
import { systemClock, systemRandom } from '../platform/clock.ts';
import type { Account } from '../store/contract/accounts.ts';
import type { Store } from '../store/contract/store.ts';

/** What a command prints: the same facts as JSON and as lines for a person. */
export interface Output {
  readonly json: unknown;
  readonly lines: readonly string[];
}

export interface CommandOptions {
  readonly email?: string | undefined;
  readonly 'time-zone'?: string | undefined;
  readonly name?: string | undefined;
  readonly role?: string | undefined;
  /** Under which URL the console is reached. */
  readonly publicUrl: string;
}

export interface Command {
  /** What it takes after the words that name it. */
  readonly words: readonly string[];
  readonly run: (store: Store, words: readonly string[], options: CommandOptions) => Promise<Output>;
}

export type Commands = Readonly<Record<string, Command>>;

export async function accountNamed(store: Store, name: string): Promise<Account> {
  const account = await store.accounts.byName(name);
  if (account === undefined) throw new ProvisionError(`there is no account '${name}'`);
  return account;
}

const provisioning = (store: Store) => ({
  accounts: store.accounts,
  clock: systemClock,
  random: systemRandom,
});

const day = (atMs: number) => new Date(atMs).toISOString().slice(0, 10);
const state = (revokedAtMs: number | undefined) =>
  revokedAtMs === undefined ? 'good' : `revoked ${day(revokedAtMs)}`;

/** By the words that name them, with the words they take after those. */
export const accountCommands: Commands = {
  'account create': {
    words: ['NAME'],
    async run(store, [name = ''], options) {
      const { account, token, smtp } = await createAccount(provisioning(store), {
        name,
        email: options.email ?? '',
        timeZone: options['time-zone'] ?? 'UTC',
      });
      return {
        json: { account_id: account.id, token, smtp },
        lines: [
          `account        ${account.name} (id ${account.id})`,
          `API token      ${token}`,
          `SMTP login     ${smtp.username}`,
          `SMTP password  ${smtp.password}`,
          'Token and password are shown this once.',
        ],
      };
    },
  },
  'account list': {
    words: [],
    async run(store) {
      const accounts = await store.accounts.list();
      return {
        json: accounts.map(({ id, name, email, timeZone }) => ({ id, name, email, time_zone: timeZone })),
        lines: accounts.map(
          ({ id, name, email, timeZone }) => `${id}\t${name}\t${email || '-'}\t${timeZone}`,
        ),
      };
    },
  },
  'domain vouch': {
    words: ['ACCOUNT', 'DOMAIN'],
    async run(store, [accountName = '', text = '']) {
      const account = await accountNamed(store, accountName);
      const name = addressOf(`postmaster@${text}`)?.domain;
      if (name === undefined) throw new ProvisionError(`'${text}' is not a domain name`);
      const { id } = await store.domains.vouch({ accountId: account.id, name, atMs: systemClock.now() });
      return {
        json: { id, name, state: 'verified' },
        lines: [`${account.name} may send from ${name}, whatever its DNS records say`],
      };
    },
  },
  'token create': {
    words: ['ACCOUNT'],
    async run(store, [accountName = ''], options) {
      const account = await accountNamed(store, accountName);
      const { id, token } = await createToken(provisioning(store), account.id, options.name ?? 'token');
      return { json: { id, token }, lines: [`API token ${id}: ${token}`, 'It is shown this once.'] };
    },
  },
  'token list': {
    words: ['ACCOUNT'],
    async run(store, [accountName = '']) {
      const account = await accountNamed(store, accountName);
      const tokens = await allOf((page) => store.accounts.listTokens({ accountId: account.id, ...page }));
      return {
        json: tokens.map(({ id, name, revokedAtMs }) => ({ id, name, revoked: revokedAtMs !== undefined })),
        lines: tokens.map(
          ({ id, name, createdAtMs, revokedAtMs }) =>
            `${id}\t${name}\t${day(createdAtMs)}\t${state(revokedAtMs)}`,
        ),
      };
    },
  },
  'token revoke': {
    words: ['ACCOUNT', 'ID'],
    async run(store, [accountName = '', id = '']) {
      const account = await accountNamed(store, accountName);
      const tokenId = Number(id);
      const revoked =
        /^\d{1,15}$/.test(id) &&
        (await store.accounts.revokeToken({ accountId: account.id, tokenId, atMs: systemClock.now() }));
      if (!revoked) throw new ProvisionError(`account '${accountName}' has no good token ${id}`);
      return { json: { revoked: tokenId }, lines: [`token ${id} is revoked`] };
    },
  },
  'smtp create': {
    words: ['ACCOUNT', 'USERNAME'],
    async run(store, [accountName = '', username = '']) {
      const account = await accountNamed(store, accountName);
      const login = await createSmtpLogin(provisioning(store), account.id, username);
      return {
        json: login,
        lines: [
          `SMTP login     ${login.username}`,
          `SMTP password  ${login.password}`,
          'The password is shown this once.',
        ],
      };
    },
  },
  'smtp list': {
    words: ['ACCOUNT'],
    async run(store, [accountName = '']) {
      const account = await accountNamed(store, accountName);
      const logins = await allOf((page) => store.accounts.listSmtpLogins({ accountId: account.id, ...page }));
      return {
        json: logins.map(({ username, revokedAtMs }) => ({ username, revoked: revokedAtMs !== undefined })),
        lines: logins.map(
          ({ username, createdAtMs, revokedAtMs }) =>
            `${username}\t${day(createdAtMs)}\t${state(revokedAtMs)}`,
        ),
      };
    },
  },
  'smtp revoke': {
    words: ['ACCOUNT', 'USERNAME'],
    async run(store, [accountName = '', username = '']) {
      const account = await accountNamed(store, accountName);
      const revoked = await store.accounts.revokeSmtpLogin({
        accountId: account.id,
        username,
        atMs: systemClock.now(),
      });
      if (!revoked) throw new ProvisionError(`account '${accountName}' has no good SMTP login '${username}'`);
      return { json: { revoked: username }, lines: [`SMTP login ${username} is revoked`] };
    },
  },
};

const pageSize = 1000;

/** Every entry of a list that comes in pages, oldest first. */
async function allOf<Entry extends { readonly id: number }>(
  list: (page: { limit: number; beforeId: number | undefined }) => Promise<readonly Entry[]>,
): Promise<readonly Entry[]> {
  const entries: Entry[] = [];
  for (;;) {
    const page = await list({ limit: pageSize, beforeId: entries.at(-1)?.id });
    entries.push(...page);
    if (page.length < pageSize) return entries.toReversed();
  }
}
