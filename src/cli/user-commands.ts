/** The commands on people: links that let somebody in. They work beside the running service, as the other commands do. */
import { ProvisionError } from '../accounts/provision.ts';
import { systemClock, systemRandom } from '../platform/clock.ts';
import type { Store } from '../store/contract/store.ts';
import { roles } from '../store/contract/users.ts';
import { invitationLink, makeInvitation } from '../users/people.ts';
import { accountNamed, type Commands } from './account-commands.ts';

const inviting = ({ users }: Store) => ({ users, clock: systemClock, random: systemRandom });

const output = (link: string) => ({
  json: { link },
  lines: [link, 'The link works once, within seven days.'],
});

export const userCommands: Commands = {
  'user invite': {
    words: ['ACCOUNT', 'EMAIL'],
    async run(store, [accountName = '', email = ''], { role: wanted = 'owner', publicUrl }) {
      const account = await accountNamed(store, accountName);
      const role = roles.find((known) => known === wanted);
      if (role === undefined) throw new ProvisionError(`'${wanted}' is none of ${roles.join(', ')}`);
      const purpose = { kind: 'join', accountId: account.id, role } as const;
      return output(invitationLink(publicUrl, await makeInvitation(inviting(store), { email, purpose })));
    },
  },
  'user reset': {
    words: ['EMAIL'],
    async run(store, [email = ''], { publicUrl }) {
      const user = await store.users.byEmail(email);
      if (user === undefined) throw new ProvisionError(`there is no user '${email}'`);
      const purpose = { kind: 'reset', userId: user.id } as const;
      const secret = await makeInvitation(inviting(store), { email: user.email, purpose });
      return output(invitationLink(publicUrl, secret));
    },
  },
};
