/** Users, their sessions and invitations, and the audit log. Addresses are compared in lower case. */
import type {
  AuditEntry,
  Invitation,
  MemberChange,
  Membership,
  NewInvitation,
  NewSession,
  Role,
  Session,
  User,
  UserStore,
} from '../contract/users.ts';
import { providerWrites } from './providers.ts';
import type { Calls, Reader, Writer } from './statements.ts';
import {
  enter,
  type InvitationRow,
  ownsAlone,
  toInvitation,
  toUser,
  userColumns,
  type UserRow,
} from './user-rows.ts';

interface SessionRow {
  id: number;
  user_id: number;
  account_id: number;
  user_agent: string;
  address: string;
  created_at_ms: number;
  seen_at_ms: number;
  expires_at_ms: number;
}

const toSession = (row: SessionRow): Session => ({
  id: row.id,
  userId: row.user_id,
  accountId: row.account_id,
  userAgent: row.user_agent,
  address: row.address,
  createdAtMs: row.created_at_ms,
  seenAtMs: row.seen_at_ms,
  expiresAtMs: row.expires_at_ms,
});

/** Takes the invitation away, so that it works once. */
async function takeInvitation(database: Writer, hash: string, atMs: number): Promise<Invitation | undefined> {
  const row = await database.get<InvitationRow>(
    'SELECT * FROM invitations WHERE hash = ? AND expires_at_ms > ?',
    hash,
    atMs,
  );
  if (row === undefined) return undefined;
  const taken = await database.run('DELETE FROM invitations WHERE id = ?', row.id);
  return taken === 0 ? undefined : toInvitation(row);
}

const isMember = async (database: Reader, accountId: number, userId: number): Promise<boolean> =>
  (await database.get(
    'SELECT 1 FROM memberships WHERE user_id = ? AND account_id = ?',
    userId,
    accountId,
  )) !== undefined;

const accessWrites = {
  async invite(
    database: Writer,
    { email, purpose, hash, atMs, expiresAtMs }: NewInvitation,
  ): Promise<Invitation> {
    const address = email.toLowerCase();
    await database.run('DELETE FROM invitations WHERE expires_at_ms <= ?', atMs);
    const id = await database.insert(
      `INSERT INTO invitations (hash, email, account_id, role, user_id, created_at_ms, expires_at_ms)
       VALUES (?, ?, ?, ?, ?, ?, ?)`,
      hash,
      address,
      purpose.kind === 'join' ? purpose.accountId : null,
      purpose.kind === 'join' ? purpose.role : null,
      purpose.kind === 'reset' ? purpose.userId : null,
      atMs,
      expiresAtMs,
    );
    return { id, email: address, purpose, createdAtMs: atMs, expiresAtMs };
  },

  async withdraw(
    database: Writer,
    { accountId, invitationId }: { accountId: number; invitationId: number },
  ): Promise<boolean> {
    const sql = 'DELETE FROM invitations WHERE id = ? AND account_id = ?';
    return (await database.run(sql, invitationId, accountId)) > 0;
  },

  async joinAsNew(
    database: Writer,
    { hash, email, passwordHash, atMs }: { hash: string; email: string; passwordHash: string; atMs: number },
  ): Promise<{ kind: 'joined'; user: User } | { kind: 'gone' | 'taken' }> {
    const address = email.toLowerCase();
    if ((await database.get('SELECT 1 FROM users WHERE email = ?', address)) !== undefined)
      return { kind: 'taken' };
    const invitation = await takeInvitation(database, hash, atMs);
    if (invitation === undefined) return { kind: 'gone' };
    const id = await database.insert(
      'INSERT INTO users (email, password_hash, created_at_ms) VALUES (?, ?, ?)',
      address,
      passwordHash,
      atMs,
    );
    await enter(database, id, invitation);
    return {
      kind: 'joined',
      user: { id, email: address, passwordHash, sealedTotp: undefined, createdAtMs: atMs },
    };
  },

  async joinAs(
    database: Writer,
    { hash, userId, atMs }: { hash: string; userId: number; atMs: number },
  ): Promise<boolean> {
    const invitation = await takeInvitation(database, hash, atMs);
    if (invitation !== undefined) await enter(database, userId, invitation);
    return invitation !== undefined;
  },

  async reset(
    database: Writer,
    { hash, passwordHash, atMs }: { hash: string; passwordHash: string; atMs: number },
  ): Promise<User | undefined> {
    const purpose = (await takeInvitation(database, hash, atMs))?.purpose;
    if (purpose?.kind !== 'reset') return undefined;
    const { userId } = purpose;
    await database.run(
      'UPDATE users SET password_hash = ?, sealed_totp = NULL WHERE id = ?',
      passwordHash,
      userId,
    );
    await database.run('DELETE FROM sessions WHERE user_id = ?', userId);
    const row = await database.get<UserRow>(`SELECT ${userColumns} FROM users u WHERE u.id = ?`, userId);
    return row && toUser(row);
  },

  async setPassword(
    database: Writer,
    {
      userId,
      passwordHash,
      keepSessionId,
    }: { userId: number; passwordHash: string; keepSessionId?: number | undefined },
  ): Promise<void> {
    await database.run('UPDATE users SET password_hash = ? WHERE id = ?', passwordHash, userId);
    await database.run('DELETE FROM sessions WHERE user_id = ? AND id <> ?', userId, keepSessionId ?? 0);
  },

  async setTotp(
    database: Writer,
    { userId, sealedTotp }: { userId: number; sealedTotp: string | undefined },
  ): Promise<void> {
    await database.run('UPDATE users SET sealed_totp = ? WHERE id = ?', sealedTotp ?? null, userId);
  },

  async useTotpStep(database: Writer, { userId, step }: { userId: number; step: number }): Promise<boolean> {
    const sql = 'UPDATE users SET totp_step = ? WHERE id = ? AND totp_step < ?';
    return (await database.run(sql, step, userId, step)) > 0;
  },
};

const memberWrites = {
  async changeRole(
    database: Writer,
    { accountId, userId, role }: { accountId: number; userId: number; role: Role },
  ): Promise<MemberChange> {
    if (!(await isMember(database, accountId, userId))) return 'unknown';
    if (role !== 'owner' && (await ownsAlone(database, accountId, userId))) return 'last-owner';
    await database.run(
      'UPDATE memberships SET role = ? WHERE user_id = ? AND account_id = ?',
      role,
      userId,
      accountId,
    );
    return 'changed';
  },

  async removeMember(
    database: Writer,
    { accountId, userId }: { accountId: number; userId: number },
  ): Promise<MemberChange> {
    if (!(await isMember(database, accountId, userId))) return 'unknown';
    if (await ownsAlone(database, accountId, userId)) return 'last-owner';
    await database.run('DELETE FROM memberships WHERE user_id = ? AND account_id = ?', userId, accountId);
    await database.run('DELETE FROM sessions WHERE user_id = ? AND account_id = ?', userId, accountId);
    if ((await database.get('SELECT 1 FROM memberships WHERE user_id = ?', userId)) === undefined) {
      await database.run('DELETE FROM sessions WHERE user_id = ?', userId);
      await database.run('DELETE FROM invitations WHERE user_id = ?', userId);
      await database.run('DELETE FROM user_identities WHERE user_id = ?', userId);
      await database.run('DELETE FROM users WHERE id = ?', userId);
    }
    return 'changed';
  },
};

const sessionWrites = {
  async openSession(database: Writer, input: NewSession): Promise<Session | undefined> {
    const { userId, hash, userAgent, address, atMs, expiresAtMs } = input;
    await database.run('DELETE FROM sessions WHERE expires_at_ms <= ?', atMs);
    const first = await database.get<{ account_id: number }>(
      'SELECT account_id FROM memberships WHERE user_id = ? ORDER BY account_id LIMIT 1',
      userId,
    );
    if (first === undefined) return undefined;
    const id = await database.insert(
      `INSERT INTO sessions (hash, user_id, account_id, user_agent, address, created_at_ms, seen_at_ms, expires_at_ms)
       VALUES (?, ?, ?, ?, ?, ?, ?, ?)`,
      hash,
      userId,
      first.account_id,
      userAgent,
      address,
      atMs,
      atMs,
      expiresAtMs,
    );
    const accountId = first.account_id;
    return { id, userId, accountId, userAgent, address, createdAtMs: atMs, seenAtMs: atMs, expiresAtMs };
  },

  async touchSession(
    database: Writer,
    {
      sessionId,
      address,
      atMs,
      expiresAtMs,
    }: { sessionId: number; address: string; atMs: number; expiresAtMs: number },
  ): Promise<void> {
    const sql = 'UPDATE sessions SET seen_at_ms = ?, address = ?, expires_at_ms = ? WHERE id = ?';
    await database.run(sql, atMs, address, expiresAtMs, sessionId);
  },

  async lookAt(
    database: Writer,
    { sessionId, userId, accountId }: { sessionId: number; userId: number; accountId: number },
  ): Promise<boolean> {
    if (!(await isMember(database, accountId, userId))) return false;
    const sql = 'UPDATE sessions SET account_id = ? WHERE id = ? AND user_id = ?';
    return (await database.run(sql, accountId, sessionId, userId)) > 0;
  },

  async endSession(
    database: Writer,
    { userId, sessionId }: { userId: number; sessionId: number },
  ): Promise<boolean> {
    return (await database.run('DELETE FROM sessions WHERE id = ? AND user_id = ?', sessionId, userId)) > 0;
  },

  async note(database: Writer, input: Omit<AuditEntry, 'id'> & { accountId: number }): Promise<void> {
    const { accountId, actor, action, subject, address, atMs } = input;
    await database.run(
      'INSERT INTO audit (account_id, actor, action, subject, address, at_ms) VALUES (?, ?, ?, ?, ?, ?)',
      accountId,
      actor,
      action,
      subject,
      address,
      atMs,
    );
  },
};

export const userWrites = { ...accessWrites, ...memberWrites, ...sessionWrites, ...providerWrites };

/** Who there is. */
const memberReads = (reader: Reader) => {
  const user = (row: UserRow | undefined) => row && toUser(row);
  return {
    any: async () => (await reader.get('SELECT 1 FROM users LIMIT 1')) !== undefined,
    byEmail: async (email) =>
      user(
        await reader.get<UserRow>(
          `SELECT ${userColumns} FROM users u WHERE u.email = ?`,
          email.toLowerCase(),
        ),
      ),
    byId: async (userId) =>
      user(await reader.get<UserRow>(`SELECT ${userColumns} FROM users u WHERE u.id = ?`, userId)),
    memberships: async (userId) =>
      (
        await reader.all<Membership>(
          `SELECT m.account_id AS "accountId", a.name AS "accountName", m.role FROM memberships m
         JOIN accounts a ON a.id = m.account_id WHERE m.user_id = ? ORDER BY a.id`,
          userId,
        )
      ).map((row) => ({ ...row })),
    members: async ({ accountId, limit, beforeId }) =>
      (
        await reader.all<UserRow & { role: Role }>(
          `SELECT ${userColumns}, m.role FROM memberships m JOIN users u ON u.id = m.user_id
           WHERE m.account_id = ? AND m.user_id < ? ORDER BY m.user_id DESC LIMIT ?`,
          accountId,
          beforeId ?? Number.MAX_SAFE_INTEGER,
          limit,
        )
      ).map((row) => ({ user: toUser(row), role: row.role })),
  } satisfies Partial<UserStore>;
};

/** Of one user. */
const shownSessions = 100;

export function userStore(reader: Reader, write: Calls<typeof userWrites>): UserStore {
  return {
    ...write,
    ...memberReads(reader),
    async invitationByHash(hash, nowMs) {
      const row = await reader.get<InvitationRow>(
        'SELECT * FROM invitations WHERE hash = ? AND expires_at_ms > ?',
        hash,
        nowMs,
      );
      return row && toInvitation(row);
    },
    invitations: async (accountId, nowMs) =>
      (
        await reader.all<InvitationRow>(
          'SELECT * FROM invitations WHERE account_id = ? AND expires_at_ms > ? ORDER BY id',
          accountId,
          nowMs,
        )
      ).map(toInvitation),
    async sessionByHash(hash, nowMs) {
      const session = await reader.get<SessionRow>(
        'SELECT * FROM sessions WHERE hash = ? AND expires_at_ms > ?',
        hash,
        nowMs,
      );
      if (session === undefined) return undefined;
      const row = await reader.get<UserRow & { role: Role }>(
        `SELECT ${userColumns}, m.role FROM users u JOIN memberships m ON m.user_id = u.id AND m.account_id = ?
         WHERE u.id = ?`,
        session.account_id,
        session.user_id,
      );
      return row && { session: toSession(session), user: toUser(row), role: row.role };
    },
    sessions: async (userId, nowMs) =>
      (
        await reader.all<SessionRow>(
          'SELECT * FROM sessions WHERE user_id = ? AND expires_at_ms > ? ORDER BY seen_at_ms DESC LIMIT ?',
          userId,
          nowMs,
          shownSessions,
        )
      ).map(toSession),
    audit: async ({ accountId, limit, beforeId }) =>
      await reader.all<AuditEntry>(
        `SELECT id, actor, action, subject, address, at_ms AS "atMs" FROM audit
         WHERE account_id = ? AND id < ? ORDER BY id DESC LIMIT ?`,
        accountId,
        beforeId ?? Number.MAX_SAFE_INTEGER,
        limit,
      ),
  };
}
