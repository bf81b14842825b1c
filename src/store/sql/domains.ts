/** Sending domains and their keys. */
import type { CreatedOr } from '../contract/accounts.ts';
import type {
  DomainCheck,
  DomainStore,
  NewSigningKey,
  SendingDomain,
  SigningAlgorithm,
  SigningKey,
} from '../contract/domains.ts';
import type { Calls, Reader, Writer } from './statements.ts';

interface DomainRow {
  id: number;
  account_id: number;
  name: string;
  require_tls: number;
  verified_at_ms: number | null;
  vouched: number;
  own_bounce_host: number;
  checked_at_ms: number | null;
  checks: string;
  created_at_ms: number;
}

const toDomain = (row: DomainRow): SendingDomain => ({
  id: row.id,
  accountId: row.account_id,
  name: row.name,
  requireTls: row.require_tls !== 0,
  verifiedAtMs: row.verified_at_ms ?? undefined,
  vouched: row.vouched !== 0,
  ownBounceHost: row.own_bounce_host !== 0,
  checkedAtMs: row.checked_at_ms ?? undefined,
  checksJson: row.checks,
  createdAtMs: row.created_at_ms,
});

interface KeyRow {
  id: number;
  selector: string;
  algorithm: SigningAlgorithm;
  public_key: string;
  sealed_private_key: string;
  created_at_ms: number;
  seen_at_ms: number | null;
  retired_at_ms: number | null;
}

const toKey = (row: KeyRow): SigningKey => ({
  id: row.id,
  selector: row.selector,
  algorithm: row.algorithm,
  publicKey: row.public_key,
  sealedPrivateKey: row.sealed_private_key,
  createdAtMs: row.created_at_ms,
  seenAtMs: row.seen_at_ms ?? undefined,
  retiredAtMs: row.retired_at_ms ?? undefined,
});

const byIdSql = 'SELECT * FROM domains WHERE id = ? AND account_id = ?';
const byNameSql = 'SELECT * FROM domains WHERE account_id = ? AND name = ?';

async function insertDomain(
  database: Writer,
  input: { accountId: number; name: string; requireTls: boolean; atMs: number },
): Promise<number> {
  return await database.insert(
    'INSERT INTO domains (account_id, name, require_tls, created_at_ms) VALUES (?, ?, ?, ?)',
    input.accountId,
    input.name,
    input.requireTls ? 1 : 0,
    input.atMs,
  );
}

async function insertKeys(
  database: Writer,
  domainId: number,
  keys: readonly NewSigningKey[],
  atMs: number,
): Promise<void> {
  for (const { selector, algorithm, publicKey, sealedPrivateKey } of keys) {
    await database.run(
      `INSERT INTO domain_keys (domain_id, selector, algorithm, public_key, sealed_private_key, created_at_ms)
       VALUES (?, ?, ?, ?, ?, ?)`,
      domainId,
      selector,
      algorithm,
      publicKey,
      sealedPrivateKey,
      atMs,
    );
  }
}

async function written(database: Writer, accountId: number, domainId: number): Promise<SendingDomain> {
  const row = await database.get<DomainRow>(byIdSql, domainId, accountId);
  if (row === undefined) throw new Error('a domain just written is not there');
  return toDomain(row);
}

/** A key that was found takes over from the older ones of its algorithm. */
async function noteSeen(database: Writer, { domainId, seenKeyIds, atMs }: DomainCheck): Promise<void> {
  for (const keyId of seenKeyIds) {
    await database.run(
      'UPDATE domain_keys SET seen_at_ms = coalesce(seen_at_ms, ?) WHERE id = ? AND domain_id = ?',
      atMs,
      keyId,
      domainId,
    );
    await database.run(
      `UPDATE domain_keys SET retired_at_ms = ? WHERE domain_id = ? AND id < ? AND retired_at_ms IS NULL
       AND algorithm = (SELECT algorithm FROM domain_keys WHERE id = ?)`,
      atMs,
      domainId,
      keyId,
      keyId,
    );
  }
}

export const domainWrites = {
  async add(
    database: Writer,
    input: {
      accountId: number;
      name: string;
      requireTls: boolean;
      keys: readonly NewSigningKey[];
      atMs: number;
    },
  ): Promise<CreatedOr<SendingDomain>> {
    if ((await database.get(byNameSql, input.accountId, input.name)) !== undefined) return { kind: 'taken' };
    const id = await insertDomain(database, input);
    await insertKeys(database, id, input.keys, input.atMs);
    return { kind: 'created', value: await written(database, input.accountId, id) };
  },

  async setRequireTls(
    database: Writer,
    { accountId, domainId, requireTls }: { accountId: number; domainId: number; requireTls: boolean },
  ): Promise<boolean> {
    const sql = 'UPDATE domains SET require_tls = ? WHERE id = ? AND account_id = ?';
    return (await database.run(sql, requireTls ? 1 : 0, domainId, accountId)) > 0;
  },

  async addKeys(
    database: Writer,
    input: { accountId: number; domainId: number; keys: readonly NewSigningKey[]; atMs: number },
  ): Promise<boolean> {
    if ((await database.get(byIdSql, input.domainId, input.accountId)) === undefined) return false;
    await insertKeys(database, input.domainId, input.keys, input.atMs);
    return true;
  },

  async remove(
    database: Writer,
    { accountId, domainId }: { accountId: number; domainId: number },
  ): Promise<boolean> {
    if ((await database.get(byIdSql, domainId, accountId)) === undefined) return false;
    await database.run('DELETE FROM domain_keys WHERE domain_id = ?', domainId);
    return (await database.run('DELETE FROM domains WHERE id = ?', domainId)) > 0;
  },

  async recordCheck(database: Writer, check: DomainCheck): Promise<boolean> {
    const { accountId, domainId, verified, ownBounceHost, checksJson, atMs } = check;
    const changed = await database.run(
      `UPDATE domains SET own_bounce_host = ?, checks = ?, checked_at_ms = ?,
         verified_at_ms = CASE WHEN vouched = 1 OR ? = 1 THEN coalesce(verified_at_ms, ?) END
       WHERE id = ? AND account_id = ?`,
      ownBounceHost ? 1 : 0,
      checksJson,
      atMs,
      verified ? 1 : 0,
      atMs,
      domainId,
      accountId,
    );
    if (changed > 0) await noteSeen(database, check);
    return changed > 0;
  },

  async vouch(
    database: Writer,
    { accountId, name, atMs }: { accountId: number; name: string; atMs: number },
  ): Promise<SendingDomain> {
    const id =
      (await database.get<DomainRow>(byNameSql, accountId, name))?.id ??
      (await insertDomain(database, { accountId, name, requireTls: false, atMs }));
    await database.run(
      'UPDATE domains SET vouched = 1, verified_at_ms = coalesce(verified_at_ms, ?) WHERE id = ?',
      atMs,
      id,
    );
    return await written(database, accountId, id);
  },
};

/** Labels of a name that are looked at; a name has no more than 127. */
const maxLabels = 127;

export function domainStore(reader: Reader, write: Calls<typeof domainWrites>): DomainStore {
  return {
    ...write,
    async byId(accountId, domainId) {
      const row = await reader.get<DomainRow>(byIdSql, domainId, accountId);
      return row && toDomain(row);
    },
    list: async ({ accountId, limit, beforeId }) =>
      (
        await reader.all<DomainRow>(
          'SELECT * FROM domains WHERE account_id = ? AND id < ? ORDER BY id DESC LIMIT ?',
          accountId,
          beforeId ?? Number.MAX_SAFE_INTEGER,
          limit,
        )
      ).map(toDomain),
    keys: async (accountId, domainId) =>
      (
        await reader.all<KeyRow>(
          `SELECT k.* FROM domain_keys k JOIN domains d ON d.id = k.domain_id
           WHERE k.domain_id = ? AND d.account_id = ? ORDER BY k.id DESC`,
          domainId,
          accountId,
        )
      ).map(toKey),
    async ofSender(accountId, name) {
      const labels = name.toLowerCase().split('.').slice(-maxLabels);
      for (let first = 0; first < labels.length; first++) {
        const row = await reader.get<DomainRow>(byNameSql, accountId, labels.slice(first).join('.'));
        if (row !== undefined) return toDomain(row);
      }
      return undefined;
    },
  };
}
