/** Behind an invitation's link: who is invited chooses a password and is in. The secret stands after the #. */
import { useEffect, useState } from 'preact/hooks';
import { post } from '../api.ts';
import { LanguageChoice } from '../frame.tsx';
import { useWords } from '../language.ts';
import { useAction } from '../loading.ts';
import { faultOf, Field } from '../parts/fields.tsx';
import { Failure, Loading } from '../parts/notices.tsx';
import { ProviderButton, useWays } from '../parts/provider-button.tsx';
import { go } from '../router.ts';
import type { Role } from '../session.ts';

interface Invitation {
  readonly kind: 'join' | 'reset';
  readonly email: string;
  readonly account: string | null;
  readonly role: Role | null;
}

export function Welcome() {
  const words = useWords();
  const [secret] = useState(() => location.hash.slice(1));
  const [invitation, setInvitation] = useState<Invitation | undefined>();
  const look = useAction(async () =>
    setInvitation(await post<Invitation>('/api/invitations/look', { secret })),
  );
  const { run: lookNow } = look;
  useEffect(() => {
    document.title = `${words.welcome.join} · Aftersend`;
  }, [words]);
  useEffect(() => void lookNow(), []);
  return (
    <main class="gate">
      <div class="card">
        <div class="brand">
          <img src="/icon.svg" alt="" />
          Aftersend
        </div>
        {secret === '' ? <p>{words.welcome.noLink}</p> : <Failure error={look.error} />}
        {invitation !== undefined && <Accept secret={secret} invitation={invitation} />}
        {look.running && <Loading lines={3} />}
        <LanguageChoice />
      </div>
    </main>
  );
}

function Accept({ secret, invitation }: { readonly secret: string; readonly invitation: Invitation }) {
  const { welcome, signIn, roles, rolesMore } = useWords();
  const [email, setEmail] = useState(invitation.email);
  const [password, setPassword] = useState('');
  const { run, running, error } = useAction(async () => {
    await post('/api/invitations/accept', { secret, email, password });
    go('/', { replace: true });
  });
  const ways = useWays();
  const { kind, account, role } = invitation;
  return (
    <form
      class="stack"
      onSubmit={(event) => {
        event.preventDefault();
        void run();
      }}
    >
      <h1>{kind === 'join' ? welcome.join : welcome.reset}</h1>
      <p class="soft">
        {kind === 'join' ? welcome.lead(account ?? '') : welcome.resetLead(invitation.email)}
        {role !== null && ` ${roles[role]}: ${rolesMore[role]}.`}
      </p>
      {invitation.email === '' && (
        <Field
          label={signIn.email}
          type="email"
          autocomplete="username"
          required
          value={email}
          onValue={setEmail}
          fault={faultOf(error, 'email')}
        />
      )}
      <Field
        label={welcome.password}
        type="password"
        autocomplete="new-password"
        required
        minLength={10}
        value={password}
        onValue={setPassword}
        hint={welcome.hint}
        fault={faultOf(error, 'password')}
      />
      <Failure error={error} />
      <button type="submit" class="primary" disabled={running}>
        {welcome.submit}
      </button>
      {/* The provider is asked for the address that was invited; an open invitation names none. */}
      {kind === 'join' && invitation.email !== '' && <ProviderButton ways={ways} to="/" />}
    </form>
  );
}
