/** Who may look at the account: members, open invitations, and a way to invite. */
import { useState } from 'preact/hooks';
import { call, post } from '../api.ts';
import { useWords } from '../language.ts';
import { useAction, useLoaded } from '../loading.ts';
import { Secret } from '../parts/copying.tsx';
import { faultOf, Field, Select } from '../parts/fields.tsx';
import { Failure, Show } from '../parts/notices.tsx';
import { Badge, Card, Confirm, Page, Time } from '../parts/page.tsx';
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

export function Users() {
  const { users } = useWords();
  const loaded = useLoaded<{ users: readonly Member[]; invitations: readonly Invitation[] }>('/api/users');
  return (
    <Page title={users.title} lead={users.lead}>
      <div class="columns">
        <div class="stack">
          <Show of={loaded}>
            {(data) => (
              <>
                <Members members={data.users} onChange={loaded.reload} />
                {data.invitations.length > 0 && (
                  <Invitations invitations={data.invitations} onChange={loaded.reload} />
                )}
              </>
            )}
          </Show>
        </div>
        <Invite onInvited={loaded.reload} />
      </div>
    </Page>
  );
}

function Members(props: { readonly members: readonly Member[]; readonly onChange: () => void }) {
  const { users, roles, profile, actions } = useWords();
  const { session } = useSession();
  const [leaving, setLeaving] = useState<Member | undefined>();
  const change = useAction(async (member: Member, role: string) => {
    await call('PATCH', `/api/users/${member.id}`, { role });
    props.onChange();
  });
  const remove = useAction(async (member: Member) => {
    setLeaving(undefined);
    await call('DELETE', `/api/users/${member.id}`);
    props.onChange();
  });
  return (
    <Card title={users.members} flush>
      <Failure error={change.error ?? remove.error} />
      <div class="table-wrap">
        <table>
          <thead>
            <tr>
              <th>{users.email}</th>
              <th>{users.role}</th>
              <th class="wide-only">{users.factor}</th>
              <th>
                <span class="visually-hidden">{actions.remove}</span>
              </th>
            </tr>
          </thead>
          <tbody>
            {props.members.map((member) => (
              <tr key={member.id}>
                <td class="break">
                  {member.email} {member.id === session.user.id && <span class="tag">{users.you}</span>}
                </td>
                <td>
                  <select
                    aria-label={`${users.role}: ${member.email}`}
                    value={member.role}
                    onChange={(event) => void change.run(member, event.currentTarget.value)}
                  >
                    {roleNames.map((role) => (
                      <option key={role} value={role}>
                        {roles[role]}
                      </option>
                    ))}
                  </select>
                </td>
                <td class="wide-only">
                  <Badge tone={member.second_factor ? 'good' : 'calm'}>
                    {member.second_factor ? profile.on : profile.off}
                  </Badge>
                </td>
                <td class="actions">
                  <button type="button" class="tiny danger" onClick={() => setLeaving(member)}>
                    {actions.remove}
                  </button>
                </td>
              </tr>
            ))}
          </tbody>
        </table>
      </div>
      {leaving !== undefined && (
        <Confirm
          title={users.remove(leaving.email)}
          text={users.removeMore}
          action={actions.remove}
          onYes={() => void remove.run(leaving)}
          onNo={() => setLeaving(undefined)}
        />
      )}
    </Card>
  );
}

function Invitations(props: { readonly invitations: readonly Invitation[]; readonly onChange: () => void }) {
  const { users, roles } = useWords();
  const withdraw = useAction(async (id: number) => {
    await call('DELETE', `/api/invitations/${id}`);
    props.onChange();
  });
  return (
    <Card title={users.invitations} flush>
      <Failure error={withdraw.error} />
      <table>
        <tbody>
          {props.invitations.map(({ id, email, role, expires_at: expiresAt }) => (
            <tr key={id}>
              <td>
                <div class="break">{email || '—'}</div>
                <div class="small soft">
                  {roles[role]} · {users.expires} <Time at={expiresAt} />
                </div>
              </td>
              <td class="actions">
                <button type="button" class="tiny" onClick={() => void withdraw.run(id)}>
                  {users.withdraw}
                </button>
              </td>
            </tr>
          ))}
        </tbody>
      </table>
    </Card>
  );
}

function Invite({ onInvited }: { readonly onInvited: () => void }) {
  const { users, roles, rolesMore } = useWords();
  const [email, setEmail] = useState('');
  const [role, setRole] = useState<string>('developer');
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
          onValue={setRole}
          options={roleNames.map((name) => [name, `${roles[name]}: ${rolesMore[name]}`] as const)}
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
