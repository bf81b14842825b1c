/** Where one signs in. The code of the second factor is asked for once the password is right. */
import { useEffect, useState } from 'preact/hooks';
import { ApiError, post } from '../api.ts';
import { LanguageChoice } from '../frame.tsx';
import { useWords } from '../language.ts';
import { useAction } from '../loading.ts';
import { Field } from '../parts/fields.tsx';
import { Failure } from '../parts/notices.tsx';

export function SignIn({ onSignedIn }: { readonly onSignedIn: () => void }) {
  const { signIn } = useWords();
  const [email, setEmail] = useState('');
  const [password, setPassword] = useState('');
  const [code, setCode] = useState('');
  const [codeNeeded, setCodeNeeded] = useState(false);
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
        <p class="small soft">
          {signIn.forgotten} <code>npx aftersend user reset EMAIL</code>
        </p>
        <LanguageChoice />
      </form>
    </main>
  );
}
