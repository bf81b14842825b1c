/** Sending domains and their keys in SQLite. */
import type { CreatedOr } from '../contract/accounts.ts';
import type {
  DomainCheck,
  DomainStore,
  NewSigningKey,
  SendingDomain,
  SigningAlgorithm,
  SigningKey,
} from '../contract/domains.ts';
import type { Calls } from './calls.ts';
import type { Reader, Writer } from './database.ts';

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

function insertDomain(
  database: Writer,
  input: { accountId: number; name: string; requireTls: boolean; atMs: number },
): number {
  return database.insert(
    'INSERT INTO domains (account_id, name, require_tls, created_at_ms) VALUES (?, ?, ?, ?)',
    input.accountId,
    input.name,
    input.requireTls ? 1 : 0,
    input.atMs,
  );
}

function insertKeys(database: Writer, domainId: number, keys: readonly NewSigningKey[], atMs: number): void {
  for (const { selector, algorithm, publicKey, sealedPrivateKey } of keys) {
    database.run(
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

function written(database: Writer, accountId: number, domainId: number): SendingDomain {
  const row = database.get<DomainRow>(byIdSql, domainId, accountId);
  if (row === undefined) throw new Error('a domain just written is not there');
  return toDomain(row);
}

/** A key that was found takes over from the older ones of its algorithm. */
function noteSeen(database: Writer, { domainId, seenKeyIds, atMs }: DomainCheck): void {
  for (const keyId of seenKeyIds) {
    database.run(
      'UPDATE domain_keys SET seen_at_ms = coalesce(seen_at_ms, ?) WHERE id = ? AND domain_id = ?',
      atMs,
      keyId,
      domainId,
    );
    database.run(
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
  add(
    database: Writer,
    input: {
      accountId: number;
      name: string;
      requireTls: boolean;
      keys: readonly NewSigningKey[];
      atMs: number;
    },
  ): CreatedOr<SendingDomain> {
    if (database.get(byNameSql, input.accountId, input.name) !== undefined) return { kind: 'taken' };
    const id = insertDomain(database, input);
    insertKeys(database, id, input.keys, input.atMs);
    return { kind: 'created', value: written(database, input.accountId, id) };
  },

  setRequireTls(
    database: Writer,
    { accountId, domainId, requireTls }: { accountId: number; domainId: number; requireTls: boolean },
  ): boolean {
    const sql = 'UPDATE domains SET require_tls = ? WHERE id = ? AND account_id = ?';
    return database.run(sql, requireTls ? 1 : 0, domainId, accountId) > 0;
  },

  addKeys(
    database: Writer,
    input: { accountId: number; domainId: number; keys: readonly NewSigningKey[]; atMs: number },
  ): boolean {
    if (database.get(byIdSql, input.domainId, input.accountId) === undefined) return false;
    insertKeys(database, input.domainId, input.keys, input.atMs);
    return true;
  },

  remove(database: Writer, { accountId, domainId }: { accountId: number; domainId: number }): boolean {
    if (database.get(byIdSql, domainId, accountId) === undefined) return false;
    database.run('DELETE FROM domain_keys WHERE domain_id = ?', domainId);
    return database.run('DELETE FROM domains WHERE id = ?', domainId) > 0;
  },

  recordCheck(database: Writer, check: DomainCheck): boolean {
    const { accountId, domainId, verified, ownBounceHost, checksJson, atMs } = check;
    const changed = database.run(
      `UPDATE domains SET own_bounce_host = ?, checks = ?, checked_at_ms = ?,
         verified_at_ms = CASE WHEN vouched OR ? THEN coalesce(verified_at_ms, ?) END
       WHERE id = ? AND account_id = ?`,
      ownBounceHost ? 1 : 0,
      checksJson,
      atMs,
      verified ? 1 : 0,
      atMs,
      domainId,
      accountId,
    );
    if (changed > 0) noteSeen(database, check);
    return changed > 0;
  },

  vouch(
    database: Writer,
    { accountId, name, atMs }: { accountId: number; name: string; atMs: number },
  ): SendingDomain {
    const id =
      database.get<DomainRow>(byNameSql, accountId, name)?.id ??
      insertDomain(database, { accountId, name, requireTls: false, atMs });
    database.run(
      'UPDATE domains SET vouched = 1, verified_at_ms = coalesce(verified_at_ms, ?) WHERE id = ?',
      atMs,
      id,
    );
    return written(database, accountId, id);
  },
};

/** Labels of a name that are looked at; a name has no more than 127. */
const maxLabels = 127;

export function domainStore(reader: Reader, write: Calls<typeof domainWrites>): DomainStore {
  return {
    ...write,
    async byId(accountId, domainId) {
      const row = reader.get<DomainRow>(byIdSql, domainId, accountId);
      return row && toDomain(row);
    },
    list: async ({ accountId, limit, beforeId }) =>
      reader
        .all<DomainRow>(
          'SELECT * FROM domains WHERE account_id = ? AND id < ? ORDER BY id DESC LIMIT ?',
          accountId,
          beforeId ?? Number.MAX_SAFE_INTEGER,
          limit,
        )
        .map(toDomain),
    keys: async (accountId, domainId) =>
      reader
        .all<KeyRow>(
          `SELECT k.* FROM domain_keys k JOIN domains d ON d.id = k.domain_id
           WHERE k.domain_id = ? AND d.account_id = ? ORDER BY k.id DESC`,
          domainId,
          accountId,
        )
        .map(toKey),
    async ofSender(accountId, name) {
      const labels = name.toLowerCase().split('.').slice(-maxLabels);
      for (let first = 0; first < labels.length; first++) {
        const row = reader.get<DomainRow>(byNameSql, accountId, labels.slice(first).join('.'));
        if (row !== undefined) return toDomain(row);
      }
      return undefined;
    },
  };
}
