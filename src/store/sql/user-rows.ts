/** Users and invitations as their rows say them, and the way into an account, for all that lets people in. */
import type { Invitation, Role, User } from '../contract/users.ts';
import type { Reader, Writer } from './statements.ts';

export interface UserRow {
  id: number;
  email: string;
  password_hash: string;
  sealed_totp: string | null;
  created_at_ms: number;
}

export const userColumns = 'u.id, u.email, u.password_hash, u.sealed_totp, u.created_at_ms';

export const toUser = (row: UserRow): User => ({
  id: row.id,
  email: row.email,
  // A hash is never empty.
  passwordHash: row.password_hash || undefined,
  sealedTotp: row.sealed_totp ?? undefined,
  createdAtMs: row.created_at_ms,
});

export interface InvitationRow {
  id: number;
  email: string;
  account_id: number | null;
  role: Role | null;
  user_id: number | null;
  created_at_ms: number;
  expires_at_ms: number;
}

export function toInvitation(row: InvitationRow): Invitation {
  const { id, email, account_id: accountId, role, user_id: userId } = row;
  const facts = { id, email, createdAtMs: row.created_at_ms, expiresAtMs: row.expires_at_ms };
  if (userId !== null) return { ...facts, purpose: { kind: 'reset', userId } };
  if (accountId === null || role === null) throw new Error('an invitation leads nowhere');
  return { ...facts, purpose: { kind: 'join', accountId, role } };
}

export async function ownsAlone(database: Reader, accountId: number, userId: number): Promise<boolean> {
  const owners = await database.all<{ user_id: number }>(
    `SELECT user_id FROM memberships WHERE account_id = ? AND role = 'owner'`,
    accountId,
  );
  return owners.length === 1 && owners[0]?.user_id === userId;
}

/** A second invitation into the same account changes the role, but leaves no account without an owner. */
export async function enter(database: Writer, userId: number, { purpose }: Invitation): Promise<void> {
  if (purpose.kind !== 'join') throw new Error('a reset is no way into an account');
  if (purpose.role !== 'owner' && (await ownsAlone(database, purpose.accountId, userId))) return;
  await database.run(
    `INSERT INTO memberships (user_id, account_id, role) VALUES (?, ?, ?)
     ON CONFLICT (user_id, account_id) DO UPDATE SET role = excluded.role`,
    userId,
    purpose.accountId,
    purpose.role,
  );
}
