/** Accounts, tokens and SMTP logins. */
import type {
  Account,
  AccountPage,
  AccountSettings,
  AccountStore,
  CreatedOr,
  NewAccount,
  SmtpLogin,
  Token,
} from '../contract/accounts.ts';
import type { Calls, Reader, Writer } from './statements.ts';

interface AccountRow {
  id: number;
  name: string;
  email: string;
  time_zone: string;
  settings: string;
  created_at_ms: number;
}

interface CredentialRow {
  id: number;
  account_id: number;
  name: string;
  created_at_ms: number;
  revoked_at_ms: number | null;
}

const accountColumns = 'a.id, a.name, a.email, a.time_zone, a.settings, a.created_at_ms';

function toAccount(row: AccountRow): Account {
  return {
    id: row.id,
    name: row.name,
    email: row.email,
    timeZone: row.time_zone,
    settings: JSON.parse(row.settings) as AccountSettings,
    createdAtMs: row.created_at_ms,
  };
}

function credential({ id, account_id, created_at_ms, revoked_at_ms }: CredentialRow) {
  return {
    id,
    accountId: account_id,
    createdAtMs: created_at_ms,
    revokedAtMs: revoked_at_ms ?? undefined,
  };
}

const toToken = (row: CredentialRow): Token => ({ ...credential(row), name: row.name });
const toSmtpLogin = (row: CredentialRow): SmtpLogin => ({ ...credential(row), username: row.name });

interface NewToken {
  accountId: number;
  name: string;
  hash: string;
  atMs: number;
}

interface NewSmtpLogin {
  accountId: number;
  username: string;
  hash: string;
  atMs: number;
}

async function insertToken(database: Writer, { accountId, name, hash, atMs }: NewToken): Promise<number> {
  const sql = 'INSERT INTO tokens (account_id, name, hash, created_at_ms) VALUES (?, ?, ?, ?)';
  return await database.insert(sql, accountId, name, hash, atMs);
}

async function insertSmtpLogin(
  database: Writer,
  { accountId, username, hash, atMs }: NewSmtpLogin,
): Promise<number> {
  const sql = 'INSERT INTO smtp_logins (account_id, username, hash, created_at_ms) VALUES (?, ?, ?, ?)';
  return await database.insert(sql, accountId, username, hash, atMs);
}

export const accountWrites = {
  async create(database: Writer, input: NewAccount): Promise<CreatedOr<Account>> {
    const { name, email, timeZone, settings, token, smtpLogin, atMs } = input;
    const taken = await database.get(
      'SELECT 1 FROM accounts WHERE name = ? UNION ALL SELECT 1 FROM smtp_logins WHERE username = ?',
      name,
      smtpLogin.username,
    );
    if (taken !== undefined) return { kind: 'taken' };
    const id = await database.insert(
      'INSERT INTO accounts (name, email, time_zone, settings, created_at_ms) VALUES (?, ?, ?, ?, ?)',
      name,
      email,
      timeZone,
      JSON.stringify(settings),
      atMs,
    );
    await insertToken(database, { accountId: id, ...token, atMs });
    await insertSmtpLogin(database, { accountId: id, ...smtpLogin, atMs });
    return { kind: 'created', value: { id, name, email, timeZone, settings, createdAtMs: atMs } };
  },

  async createToken(database: Writer, input: NewToken): Promise<Token> {
    const { accountId, name, atMs } = input;
    return {
      id: await insertToken(database, input),
      accountId,
      name,
      createdAtMs: atMs,
      revokedAtMs: undefined,
    };
  },

  async revokeToken(
    database: Writer,
    { accountId, tokenId, atMs }: { accountId: number; tokenId: number; atMs: number },
  ): Promise<boolean> {
    const sql =
      'UPDATE tokens SET revoked_at_ms = ? WHERE id = ? AND account_id = ? AND revoked_at_ms IS NULL';
    return (await database.run(sql, atMs, tokenId, accountId)) > 0;
  },

  async createSmtpLogin(database: Writer, input: NewSmtpLogin): Promise<CreatedOr<SmtpLogin>> {
    const { accountId, username, atMs } = input;
    if ((await database.get('SELECT 1 FROM smtp_logins WHERE username = ?', username)) !== undefined) {
      return { kind: 'taken' };
    }
    const id = await insertSmtpLogin(database, input);
    return { kind: 'created', value: { id, accountId, username, createdAtMs: atMs, revokedAtMs: undefined } };
  },

  async revokeSmtpLogin(
    database: Writer,
    { accountId, username, atMs }: { accountId: number; username: string; atMs: number },
  ): Promise<boolean> {
    const sql =
      'UPDATE smtp_logins SET revoked_at_ms = ? WHERE username = ? AND account_id = ? AND revoked_at_ms IS NULL';
    return (await database.run(sql, atMs, username, accountId)) > 0;
  },
};

async function listCredentials(
  reader: Reader,
  table: 'tokens' | 'smtp_logins',
  { accountId, limit, beforeId }: AccountPage,
): Promise<CredentialRow[]> {
  const name = table === 'tokens' ? 'name' : 'username AS name';
  return await reader.all<CredentialRow>(
    `SELECT id, account_id, ${name}, created_at_ms, revoked_at_ms FROM ${table}
     WHERE account_id = ? AND id < ? ORDER BY id DESC LIMIT ?`,
    accountId,
    beforeId ?? Number.MAX_SAFE_INTEGER,
    limit,
  );
}

export function accountStore(reader: Reader, write: Calls<typeof accountWrites>): AccountStore {
  const account = (row: AccountRow | undefined) => (row === undefined ? undefined : toAccount(row));
  return {
    ...write,
    list: async () =>
      (await reader.all<AccountRow>(`SELECT ${accountColumns} FROM accounts a ORDER BY a.id`)).map(toAccount),
    byId: async (id) =>
      account(await reader.get<AccountRow>(`SELECT ${accountColumns} FROM accounts a WHERE a.id = ?`, id)),
    byName: async (name) =>
      account(
        await reader.get<AccountRow>(`SELECT ${accountColumns} FROM accounts a WHERE a.name = ?`, name),
      ),
    byTokenHash: async (hash) =>
      account(
        await reader.get<AccountRow>(
          `SELECT ${accountColumns} FROM tokens t JOIN accounts a ON a.id = t.account_id
           WHERE t.hash = ? AND t.revoked_at_ms IS NULL`,
          hash,
        ),
      ),
    listTokens: async (page) => (await listCredentials(reader, 'tokens', page)).map(toToken),
    listSmtpLogins: async (page) => (await listCredentials(reader, 'smtp_logins', page)).map(toSmtpLogin),
    async bySmtpUsername(username) {
      const row = await reader.get<AccountRow & { hash: string }>(
        `SELECT ${accountColumns}, l.hash FROM smtp_logins l JOIN accounts a ON a.id = l.account_id
         WHERE l.username = ? AND l.revoked_at_ms IS NULL`,
        username,
      );
      return row === undefined ? undefined : { account: toAccount(row), hash: row.hash };
    },
  };
}
