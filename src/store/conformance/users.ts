/** What a store must do for people: invitations that work once, sessions that end, accounts that keep an owner. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { Store } from '../contract/store.ts';
import type { Admission, Role, User } from '../contract/users.ts';
import { anAccount, type OpenStore, startMs } from './fixtures.ts';

const dayMs = 24 * 3600 * 1000;

async function aUser(store: Store, accountId: number, email: string, role: Role = 'owner'): Promise<User> {
  const hash = `link of ${email} into ${accountId}`;
  const purpose = { kind: 'join', accountId, role } as const;
  await store.users.invite({ email, purpose, hash, atMs: startMs, expiresAtMs: startMs + dayMs });
  const result = await store.users.joinAsNew({ hash, email, passwordHash: 'hash', atMs: startMs });
  assert.equal(result.kind, 'joined');
  return result.user;
}

const session = (userId: number, hash: string) => ({
  userId,
  hash,
  userAgent: 'browser',
  address: '192.0.2.1',
  atMs: startMs,
  expiresAtMs: startMs + dayMs,
});

export function usersConformance(open: OpenStore): void {
  describe('users', () => {
    test('an invitation lets one person in, once, and not after its time', async () => {
      await using store = await open();
      const { id: accountId } = await anAccount(store);
      assert.equal(await store.users.any(), false);
      const ann = await aUser(store, accountId, 'Ann@Example.org');
      assert.equal(await store.users.any(), true);
      assert.deepEqual(await store.users.byEmail('ANN@example.org'), ann);
      assert.deepEqual(await store.users.memberships(ann.id), [
        { accountId, accountName: 'acme', role: 'owner' },
      ]);
      const again = {
        hash: `link of Ann@Example.org into ${accountId}`,
        passwordHash: 'other',
        atMs: startMs,
      };
      assert.deepEqual(await store.users.joinAsNew({ ...again, email: 'eve@example.org' }), { kind: 'gone' });

      const late = {
        email: '',
        purpose: { kind: 'join', accountId, role: 'support' },
        hash: 'late',
      } as const;
      await store.users.invite({ ...late, atMs: startMs, expiresAtMs: startMs + 1 });
      assert.equal((await store.users.invitations(accountId, startMs)).length, 1);
      assert.equal((await store.users.invitations(accountId, startMs + 1)).length, 0);
      assert.equal(await store.users.invitationByHash('late', startMs + 1), undefined);
      assert.equal(await store.users.joinAs({ hash: 'late', userId: ann.id, atMs: startMs + 1 }), false);
    });

    test('a session looks at the accounts of its user and no other, and ends with its time', async () => {
      await using store = await open();
      const [acme, other] = [await anAccount(store), await anAccount(store, 'other')];
      const ann = await aUser(store, acme.id, 'ann@example.org');
      const opened = await store.users.openSession(session(ann.id, 's'));
      assert.equal(opened?.accountId, acme.id);
      const sessionId = opened?.id ?? 0;
      assert.deepEqual(await store.users.sessionByHash('s', startMs), {
        session: opened,
        user: ann,
        role: 'owner',
      });
      assert.equal(await store.users.lookAt({ sessionId, userId: ann.id, accountId: other.id }), false);
      const purpose = { kind: 'join', accountId: other.id, role: 'support' } as const;
      const invitation = { email: '', purpose, hash: 'in', atMs: startMs, expiresAtMs: startMs + dayMs };
      await store.users.invite(invitation);
      assert.equal(await store.users.joinAs({ hash: 'in', userId: ann.id, atMs: startMs }), true);
      assert.equal(await store.users.lookAt({ sessionId, userId: ann.id, accountId: other.id }), true);
      assert.equal((await store.users.sessionByHash('s', startMs))?.role, 'support');
      assert.equal(await store.users.sessionByHash('s', startMs + dayMs), undefined);
    });

    test('a new password ends the other sessions; a reset ends all and takes the second factor away', async () => {
      await using store = await open();
      const { id: accountId } = await anAccount(store);
      const ann = await aUser(store, accountId, 'ann@example.org');
      const kept = await store.users.openSession(session(ann.id, 'kept'));
      await store.users.openSession(session(ann.id, 'other'));
      await store.users.setTotp({ userId: ann.id, sealedTotp: 'sealed' });
      await store.users.setPassword({ userId: ann.id, passwordHash: 'new', keepSessionId: kept?.id });
      assert.equal(await store.users.sessionByHash('other', startMs), undefined);
      assert.equal((await store.users.sessionByHash('kept', startMs))?.user.passwordHash, 'new');

      const purpose = { kind: 'reset', userId: ann.id } as const;
      const reset = { email: ann.email, purpose, hash: 'r', atMs: startMs, expiresAtMs: startMs + dayMs };
      await store.users.invite(reset);
      const back = await store.users.reset({ hash: 'r', passwordHash: 'newer', atMs: startMs });
      assert.deepEqual([back?.passwordHash, back?.sealedTotp], ['newer', undefined]);
      assert.equal(await store.users.sessionByHash('kept', startMs), undefined);
      assert.equal(await store.users.reset({ hash: 'r', passwordHash: 'again', atMs: startMs }), undefined);
    });

    test('a code of the second factor is taken once, and none before it', async () => {
      await using store = await open();
      const { id: accountId } = await anAccount(store);
      const { id: userId } = await aUser(store, accountId, 'ann@example.org');
      const taken = [];
      for (const step of [5, 5, 4, 6]) taken.push(await store.users.useTotpStep({ userId, step }));
      assert.deepEqual(taken, [true, false, false, true]);
    });

    test('an account keeps an owner; who leaves their last account is gone', async () => {
      await using store = await open();
      const { id: accountId } = await anAccount(store);
      const ann = await aUser(store, accountId, 'ann@example.org');
      const bob = await aUser(store, accountId, 'bob@example.org', 'developer');
      const change = (userId: number, role: Role) => store.users.changeRole({ accountId, userId, role });
      assert.equal(await change(ann.id, 'support'), 'last-owner');
      assert.equal(await store.users.removeMember({ accountId, userId: ann.id }), 'last-owner');
      assert.equal(await change(bob.id, 'owner'), 'changed');
      assert.equal(await change(999, 'owner'), 'unknown');
      await store.users.openSession(session(ann.id, 's'));
      assert.equal(await store.users.removeMember({ accountId, userId: ann.id }), 'changed');
      assert.equal(await store.users.byId(ann.id), undefined);
      assert.equal(await store.users.sessionByHash('s', startMs), undefined);
      assert.deepEqual(
        (await store.users.members({ accountId, limit: 10 })).map(({ user, role }) => [user.email, role]),
        [['bob@example.org', 'owner']],
      );
    });

    test('an account keeps an owner and an invitation works once, whatever is done at once', async () => {
      await using store = await open();
      const times = { atMs: startMs, expiresAtMs: startMs + dayMs };
      for (let round = 1; round <= 4; round++) {
        const { id: accountId } = await anAccount(store, `account ${round}`);
        const [ann, bob, carl] = [
          await aUser(store, accountId, `ann${round}@example.org`),
          await aUser(store, accountId, `bob${round}@example.org`),
          await aUser(store, accountId, `carl${round}@example.org`),
        ];
        const purpose = { kind: 'join', accountId, role: 'support' } as const;
        const [link, open] = [`link ${round}`, `open ${round}`];
        await store.users.invite({ email: '', purpose, hash: link, ...times });
        await store.users.invite({ email: carl.email, purpose, hash: `of carl ${round}`, ...times });
        await store.users.invite({ email: '', purpose, hash: open, ...times });
        const person = { issuer: 'https://id.example.com', subject: `${round}`, email: carl.email };
        await Promise.all([
          store.users.removeMember({ accountId, userId: ann.id }),
          store.users.joinAs({ hash: link, userId: bob.id, atMs: startMs }),
          store.users.joinByProvider({ ...person, admissions: [], atMs: startMs }),
        ]);
        const members = await store.users.members({ accountId, limit: 10 });
        assert.equal(members.filter(({ role }) => role === 'owner').length, 1, `round ${round}`);

        const newcomers = ['dan', 'eve', 'fay'].map((name) =>
          store.users.joinAsNew({
            hash: open,
            email: `${name}${round}@example.org`,
            passwordHash: 'hash',
            atMs: startMs,
          }),
        );
        const kinds = (await Promise.all(newcomers)).map(({ kind }) => kind);
        assert.deepEqual(kinds.toSorted(), ['gone', 'gone', 'joined']);
      }
    });

    test('what people did is told newest first, to their account alone', async () => {
      await using store = await open();
      const [acme, other] = [await anAccount(store), await anAccount(store, 'other')];
      const note = { actor: 'ann@example.org', subject: '', address: '192.0.2.1', atMs: startMs };
      for (const action of ['one', 'two', 'three']) {
        await store.users.note({ ...note, accountId: acme.id, action });
      }
      await store.users.note({ ...note, accountId: other.id, action: 'elsewhere' });
      const first = await store.users.audit({ accountId: acme.id, limit: 2 });
      assert.deepEqual(
        first.map(({ action }) => action),
        ['three', 'two'],
      );
      const rest = await store.users.audit({ accountId: acme.id, limit: 2, beforeId: first[1]?.id });
      assert.deepEqual(
        rest.map(({ action }) => action),
        ['one'],
      );
    });

    test('whom a provider vouches for is known by the subject, else by an invited address or an admitted one', async () => {
      await using store = await open();
      const [acme, other] = [await anAccount(store), await anAccount(store, 'other')];
      await aUser(store, acme.id, 'owner@example.org');
      const issuer = 'https://id.example.com';
      const join = (subject: string, email: string | undefined, admissions: readonly Admission[] = []) =>
        store.users.joinByProvider({ issuer, subject, email, admissions, atMs: startMs });
      const invite = (accountId: number, email: string, role: Role) =>
        store.users.invite({
          email,
          purpose: { kind: 'join', accountId, role },
          hash: `${accountId} ${email} ${role}`,
          atMs: startMs,
          expiresAtMs: startMs + dayMs,
        });
      assert.deepEqual(await join('1', 'ann@example.org'), { kind: 'stranger' });
      await invite(acme.id, 'ann@example.org', 'developer');
      assert.deepEqual(await join('1', undefined), { kind: 'stranger' }, 'an address that is not verified');
      const joined = await join('1', 'ann@example.org');
      assert.equal(joined.kind, 'joined');
      const ann = joined.user;
      assert.equal(ann.passwordHash, undefined);
      assert.deepEqual(await store.users.byEmail('ann@example.org'), ann);
      assert.equal((await store.users.invitations(acme.id, startMs)).length, 0, 'taken');

      await invite(other.id, 'new@example.org', 'support');
      assert.deepEqual(
        await join('1', 'new@example.org'),
        joined,
        'known by the subject, whatever the address',
      );
      const admission = { accountId: acme.id, role: 'owner' } as const;
      await join('1', undefined, [admission]);
      assert.deepEqual(
        (await store.users.memberships(ann.id)).map(({ accountId, role }) => [accountId, role]),
        [
          [acme.id, 'developer'],
          [other.id, 'support'],
        ],
        'an admission leaves the role of a member alone',
      );

      assert.equal((await join('2', 'bob@example.org', [admission])).kind, 'joined');
      assert.deepEqual(await join('3', 'ann@example.org'), { kind: 'another-person' });
      const owner = await join('4', 'owner@example.org');
      assert.equal(owner.kind === 'joined' && owner.user.passwordHash, 'hash', 'who had a password keeps it');

      const bob = await store.users.byEmail('bob@example.org');
      assert.ok(bob !== undefined);
      await store.users.removeMember({ accountId: acme.id, userId: bob.id });
      assert.deepEqual(await join('2', 'bob@example.org'), { kind: 'stranger' }, 'removed, they are nobody');
    });

    test('no invitation takes an account its last owner', async () => {
      await using store = await open();
      const { id: accountId } = await anAccount(store);
      const ann = await aUser(store, accountId, 'ann@example.org');
      const purpose = { kind: 'join', accountId, role: 'support' } as const;
      const times = { atMs: startMs, expiresAtMs: startMs + dayMs };
      await store.users.invite({ email: 'ann@example.org', purpose, hash: 'second', ...times });
      assert.equal(await store.users.joinAs({ hash: 'second', userId: ann.id, atMs: startMs }), true);
      assert.deepEqual(
        (await store.users.memberships(ann.id)).map(({ role }) => role),
        ['owner'],
      );
    });
  });
}
