/** People whom an OpenID provider vouches for: which user each is, and into which accounts they come. */
import type { Admission, ProvenPerson, User } from '../contract/users.ts';
import type { Writer } from './statements.ts';
import { enter, type InvitationRow, toInvitation, toUser, userColumns, type UserRow } from './user-rows.ts';

async function userOf(database: Writer, { issuer, subject }: ProvenPerson): Promise<User | undefined> {
  const row = await database.get<UserRow>(
    `SELECT ${userColumns} FROM user_identities i JOIN users u ON u.id = i.user_id
     WHERE i.issuer = ? AND i.subject = ?`,
    issuer,
    subject,
  );
  return row && toUser(row);
}

async function isSomebodyElse(database: Writer, issuer: string, userId: number): Promise<boolean> {
  const sql = 'SELECT 1 FROM user_identities WHERE issuer = ? AND user_id = ?';
  return (await database.get(sql, issuer, userId)) !== undefined;
}

async function insertUser(database: Writer, email: string, atMs: number): Promise<User> {
  const sql = 'INSERT INTO users (email, password_hash, created_at_ms) VALUES (?, ?, ?)';
  const id = await database.insert(sql, email, '', atMs);
  return { id, email, passwordHash: undefined, sealedTotp: undefined, createdAtMs: atMs };
}

/** The open invitations into accounts for an address. */
async function invitationsFor(
  database: Writer,
  email: string | undefined,
  atMs: number,
): Promise<readonly InvitationRow[]> {
  if (email === undefined) return [];
  return await database.all<InvitationRow>(
    `SELECT * FROM invitations WHERE email = ? AND account_id IS NOT NULL AND expires_at_ms > ? ORDER BY id`,
    email,
    atMs,
  );
}

async function admit(database: Writer, userId: number, { accountId, role }: Admission): Promise<void> {
  await database.run(
    'INSERT INTO memberships (user_id, account_id, role) VALUES (?, ?, ?) ON CONFLICT (user_id, account_id) DO NOTHING',
    userId,
    accountId,
    role,
  );
}

export const providerWrites = {
  async joinByProvider(
    database: Writer,
    input: ProvenPerson & { readonly admissions: readonly Admission[]; readonly atMs: number },
  ): Promise<{ kind: 'joined'; user: User } | { kind: 'stranger' | 'another-person' }> {
    const { issuer, subject, email, admissions, atMs } = input;
    const invitations = await invitationsFor(database, email, atMs);
    let user = await userOf(database, input);
    if (user === undefined) {
      if (email === undefined) return { kind: 'stranger' };
      const sql = `SELECT ${userColumns} FROM users u WHERE u.email = ?`;
      const namesake = await database.get<UserRow>(sql, email);
      if (namesake === undefined && invitations.length + admissions.length === 0) return { kind: 'stranger' };
      if (namesake !== undefined && (await isSomebodyElse(database, issuer, namesake.id))) {
        return { kind: 'another-person' };
      }
      user = namesake === undefined ? await insertUser(database, email, atMs) : toUser(namesake);
      await database.run(
        'INSERT INTO user_identities (issuer, subject, user_id) VALUES (?, ?, ?)',
        issuer,
        subject,
        user.id,
      );
    }
    for (const row of invitations) {
      const taken = await database.run('DELETE FROM invitations WHERE id = ?', row.id);
      if (taken > 0) await enter(database, user.id, toInvitation(row));
    }
    for (const admission of admissions) await admit(database, user.id, admission);
    return { kind: 'joined', user };
  },
};
