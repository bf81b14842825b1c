/** What mail does by default, and tracking names. */
import type { AccountSettings } from '../contract/accounts.ts';
import {
  type MailSettingsStore,
  mostScopedSettings,
  type ScopedSettings,
  type SettingScope,
} from '../contract/mail-settings.ts';
import type { Calls, Reader, Writer } from './statements.ts';

interface ScopedRow {
  scope: SettingScope;
  name: string;
  settings: string;
}

interface DefaultsRow {
  account: string;
  domain: string | null;
  stream: string | null;
  host: string | null;
}

const ofScope = (scope: SettingScope) =>
  `(SELECT settings FROM mail_settings WHERE account_id = a.id AND scope = '${scope}' AND name = ?) AS ${scope}`;

const defaultsSql = `
  SELECT a.settings AS account, ${ofScope('domain')}, ${ofScope('stream')},
    (SELECT host FROM tracking_hosts WHERE account_id = a.id) AS host
  FROM accounts a WHERE a.id = ?`;

const parse = (text: string | null) => (text === null ? {} : (JSON.parse(text) as Partial<AccountSettings>));

export const mailSettingsWrites = {
  async setAccount(
    database: Writer,
    { accountId, changes }: { accountId: number; changes: Partial<AccountSettings> },
  ): Promise<AccountSettings> {
    const row = await database.get<{ settings: string }>(
      'SELECT settings FROM accounts WHERE id = ?',
      accountId,
    );
    if (row === undefined) throw new Error(`there is no account ${accountId}`);
    const settings = { ...(JSON.parse(row.settings) as AccountSettings), ...changes };
    await database.run('UPDATE accounts SET settings = ? WHERE id = ?', JSON.stringify(settings), accountId);
    return settings;
  },

  async set(
    database: Writer,
    { accountId, scope, name, settings }: ScopedSettings & { accountId: number },
  ): Promise<'set' | 'full'> {
    const others = await database.get<{ n: number }>(
      'SELECT count(*) AS n FROM mail_settings WHERE account_id = ? AND scope = ? AND name <> ?',
      accountId,
      scope,
      name,
    );
    if ((others?.n ?? 0) >= mostScopedSettings) return 'full';
    await database.run(
      `INSERT INTO mail_settings (account_id, scope, name, settings) VALUES (?, ?, ?, ?)
       ON CONFLICT (account_id, scope, name) DO UPDATE SET settings = excluded.settings`,
      accountId,
      scope,
      name,
      JSON.stringify(settings),
    );
    return 'set';
  },

  async remove(
    database: Writer,
    { accountId, scope, name }: { accountId: number; scope: SettingScope; name: string },
  ): Promise<boolean> {
    const sql = 'DELETE FROM mail_settings WHERE account_id = ? AND scope = ? AND name = ?';
    return (await database.run(sql, accountId, scope, name)) > 0;
  },

  async setHost(
    database: Writer,
    { accountId, host }: { accountId: number; host: string | undefined },
  ): Promise<'set' | 'taken'> {
    if (host !== undefined) {
      const owner = await database.get<{ account_id: number }>(
        'SELECT account_id FROM tracking_hosts WHERE host = ?',
        host,
      );
      if (owner !== undefined && owner.account_id !== accountId) return 'taken';
    }
    await database.run('DELETE FROM tracking_hosts WHERE account_id = ?', accountId);
    if (host !== undefined) {
      await database.run('INSERT INTO tracking_hosts (host, account_id) VALUES (?, ?)', host, accountId);
    }
    return 'set';
  },
};

export function mailSettingsStore(
  reader: Reader,
  write: Calls<typeof mailSettingsWrites>,
): MailSettingsStore {
  return {
    ...write,
    async defaultsFor({ accountId, domain, stream }) {
      const row = await reader.get<DefaultsRow>(defaultsSql, domain, stream, accountId);
      if (row === undefined) throw new Error(`there is no account ${accountId}`);
      return {
        settings: {
          ...(JSON.parse(row.account) as AccountSettings),
          ...parse(row.domain),
          ...parse(row.stream),
        },
        trackingHost: row.host ?? '',
      };
    },
    list: async (accountId) =>
      (
        await reader.all<ScopedRow>(
          'SELECT scope, name, settings FROM mail_settings WHERE account_id = ? ORDER BY scope, name',
          accountId,
        )
      ).map(({ scope, name, settings }) => ({ scope, name, settings: parse(settings) })),
    hostOf: async (accountId) =>
      (await reader.get<{ host: string }>('SELECT host FROM tracking_hosts WHERE account_id = ?', accountId))
        ?.host,
    isHost: async (host) =>
      (await reader.get('SELECT 1 FROM tracking_hosts WHERE host = ?', host)) !== undefined,
  };
}
