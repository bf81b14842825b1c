/** Where one signs in: by password, with the second factor's code once that is right, or by the OpenID provider. */
import { useEffect, useState } from 'preact/hooks';
import { ApiError, post } from '../api.ts';
import { LanguageChoice } from '../frame.tsx';
import { useWords } from '../language.ts';
import { useAction } from '../loading.ts';
import { Field } from '../parts/fields.tsx';
import { Failure } from '../parts/notices.tsx';
import { ProviderButton, useWays, type Ways } from '../parts/provider-button.tsx';
import { useAddress } from '../router.ts';

export function SignIn({ onSignedIn }: { readonly onSignedIn: () => void }) {
  const { signIn } = useWords();
  const [email, setEmail] = useState('');
  const [password, setPassword] = useState('');
  const [code, setCode] = useState('');
  const [codeNeeded, setCodeNeeded] = useState(false);
  const ways = useWays();
  const address = useAddress();
  const { run, running, error } = useAction(async () => {
    try {
      await post('/api/session', { email, password, ...(codeNeeded && { code }) });
      onSignedIn();
    } catch (failure) {
      if (!(failure instanceof ApiError && failure.code === 'code-needed')) throw failure;
      setCodeNeeded(true);
    }
  });
  useEffect(() => {
    document.title = `${signIn.title} · Aftersend`;
  }, [signIn.title]);
  return (
    <main class="gate">
      <form
        class="card"
        onSubmit={(event) => {
          event.preventDefault();
          void run();
        }}
      >
        <div class="brand">
          <img src="/icon.svg" alt="" />
          Aftersend
        </div>
        <h1>{signIn.title}</h1>
        <Outcome address={address} ways={ways} />
        <Field
          label={signIn.email}
          type="email"
          autocomplete="username"
          required
          value={email}
          onValue={setEmail}
        />
        <Field
          label={signIn.password}
          type="password"
          autocomplete="current-password"
          required
          value={password}
          onValue={setPassword}
        />
        {codeNeeded && (
          <Field
            label={signIn.code}
            autocomplete="one-time-code"
            inputMode="numeric"
            required
            autofocus
            value={code}
            onValue={setCode}
          />
        )}
        <Failure error={error} />
        <button type="submit" class="primary" disabled={running}>
          {signIn.submit}
        </button>
        <ProviderButton ways={ways} to={pathAfter(address)} />
        <p class="small soft">
          {signIn.forgotten} <code>npx aftersend user reset EMAIL</code>
        </p>
        <LanguageChoice />
      </form>
    </main>
  );
}

/** Where the address leads once somebody is in; the sign-in page itself leads nowhere. */
export const pathAfter = ({ pathname, search }: URL): string =>
  pathname === signInPath ? '/' : `${pathname}${search}`;

export const signInPath = '/sign-in';

/** What came of going to the provider, or of signing out. */
function Outcome({ address, ways }: { readonly address: URL; readonly ways: Ways | undefined }) {
  const { signIn } = useWords();
  const provider = ways?.provider?.name ?? '';
  const problem = address.searchParams.get('problem');
  if (problem !== null) {
    const say = signIn.problems[problem as keyof typeof signIn.problems] ?? signIn.problems.failed;
    return (
      <div class="notice bad" role="alert">
        {say(provider)}
      </div>
    );
  }
  if (!address.searchParams.has('out') || !ways?.provider) return null;
  const { sign_out_url: url } = ways.provider;
  return (
    <div class="notice" role="status">
      <span>{signIn.stillThere(provider)}</span>
      {url !== null && (
        <a href={url} target="_self">
          {signIn.leaveThere}
        </a>
      )}
    </div>
  );
}
