/** Who may look at the account: members, open invitations, and a way to invite. */
import { useState } from 'preact/hooks';
import { call, post } from '../api.ts';
import { useWords } from '../language.ts';
import { type Loaded, partOf, useAction, useLoaded } from '../loading.ts';
import { type Pages, usePages } from '../paging.ts';
import { Secret } from '../parts/copying.tsx';
import { faultOf, Field, Select } from '../parts/fields.tsx';
import { Listing, useConfirmed } from '../parts/listing.tsx';
import { Failure } from '../parts/notices.tsx';
import { Badge, Card, Page, Time } from '../parts/page.tsx';
import { type Role, useSession } from '../session.ts';

interface Member {
  readonly id: number;
  readonly email: string;
  readonly role: Role;
  readonly second_factor: boolean;
}

interface Invitation {
  readonly id: number;
  readonly email: string;
  readonly role: Role;
  readonly expires_at: string;
}

const roleNames: readonly Role[] = ['owner', 'developer', 'support'];

interface Invited {
  readonly invitations: readonly Invitation[];
}

export function Users() {
  const { users } = useWords();
  const people = usePages<'users', Member>('/api/users', 'users');
  const invited = useLoaded<Invited>('/api/users?limit=1');
  return (
    <Page title={users.title} lead={users.lead}>
      <div class="columns">
        <div class="stack">
          <Members people={people} />
          {(invited.data?.invitations.length ?? 0) > 0 && <Invitations loaded={invited} />}
        </div>
        <Invite onInvited={invited.reload} />
      </div>
    </Page>
  );
}

function Members({ people }: { readonly people: Pages<Member> }) {
  const { users, profile, actions } = useWords();
  const { session } = useSession();
  const change = useAction(async (member: Member, role: string) => {
    await call('PATCH', `/api/users/${member.id}`, { role });
    people.reload();
  });
  const remove = useConfirmed<Member>(
    ({ email }) => ({ title: users.remove(email), text: users.removeMore, action: actions.remove }),
    async ({ id }) => {
      await call('DELETE', `/api/users/${id}`);
      people.reload();
    },
  );
  return (
    <Card title={users.members} flush>
      <Failure error={change.error} />
      {remove.view}
      <Listing
        of={people}
        keyOf={({ id }) => id}
        empty={null}
        columns={[
          {
            title: users.email,
            look: 'break',
            cell: ({ id, email }) => (
              <>
                {email} {id === session.user.id && <span class="tag">{users.you}</span>}
              </>
            ),
          },
          {
            title: users.role,
            cell: (member) => (
              <RoleChoice member={member} onChoose={(role) => void change.run(member, role)} />
            ),
          },
          {
            title: users.factor,
            look: 'wide-only',
            cell: ({ second_factor: on }) => (
              <Badge tone={on ? 'good' : 'calm'}>{on ? profile.on : profile.off}</Badge>
            ),
          },
          {
            title: undefined,
            cell: (member) => (
              <button type="button" class="tiny danger" onClick={() => remove.ask(member)}>
                {actions.remove}
              </button>
            ),
          },
        ]}
      />
    </Card>
  );
}

function RoleChoice(props: { readonly member: Member; readonly onChoose: (role: string) => void }) {
  const { users, roles } = useWords();
  const { member, onChoose } = props;
  return (
    <select
      class="narrow"
      aria-label={`${users.role}: ${member.email}`}
      value={member.role}
      onChange={(event) => onChoose(event.currentTarget.value)}
    >
      {roleNames.map((role) => (
        <option key={role} value={role}>
          {roles[role]}
        </option>
      ))}
    </select>
  );
}

function Invitations({ loaded }: { readonly loaded: Loaded<Invited> }) {
  const { users, roles } = useWords();
  const withdraw = useAction(async (id: number) => {
    await call('DELETE', `/api/invitations/${id}`);
    loaded.reload();
  });
  return (
    <Card title={users.invitations} flush>
      <Failure error={withdraw.error} />
      <Listing
        of={partOf(loaded, ({ invitations }) => invitations)}
        keyOf={({ id }) => id}
        empty={null}
        columns={[
          { title: users.email, look: 'break', cell: ({ email }) => email || '—' },
          { title: users.role, cell: ({ role }) => roles[role] },
          { title: users.expires, look: 'wide-only soft', cell: ({ expires_at: at }) => <Time at={at} /> },
          {
            title: undefined,
            cell: ({ id }) => (
              <button type="button" class="tiny" onClick={() => void withdraw.run(id)}>
                {users.withdraw}
              </button>
            ),
          },
        ]}
      />
    </Card>
  );
}

function Invite({ onInvited }: { readonly onInvited: () => void }) {
  const { users, roles, rolesMore } = useWords();
  const [email, setEmail] = useState('');
  const [role, setRole] = useState<Role>('developer');
  const [link, setLink] = useState('');
  const { run, running, error } = useAction(async () => {
    const answer = await post<{ link: string }>('/api/invitations', { email, role });
    setLink(answer.link);
    setEmail('');
    onInvited();
  });
  return (
    <Card title={users.invite}>
      <form
        class="stack"
        onSubmit={(event) => {
          event.preventDefault();
          void run();
        }}
      >
        <Field
          label={users.email}
          type="email"
          required
          value={email}
          onValue={setEmail}
          fault={faultOf(error, 'email')}
        />
        <Select
          label={users.role}
          value={role}
          onValue={(value) => setRole(roleNames.find((name) => name === value) ?? 'support')}
          options={roleNames.map((name) => [name, roles[name]] as const)}
          hint={rolesMore[role]}
        />
        <Failure error={error} />
        <div>
          <button type="submit" class="primary" disabled={running}>
            {users.makeLink}
          </button>
        </div>
      </form>
      {link !== '' && <Secret label={users.link} value={link} />}
    </Card>
  );
}
