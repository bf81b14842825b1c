/** The whole console: language and appearance, who is signed in, and which page the address names. */
import { useEffect, useMemo, useState } from 'preact/hooks';
import { ApiError, whenSignedOut } from './api.ts';
import { Frame } from './frame.tsx';
import {
  firstLanguage,
  type Language,
  rememberLanguage,
  SpeechContext,
  useWords,
  wordsOf,
} from './language.ts';
import { useLoaded } from './loading.ts';
import { Empty, Failure } from './parts/notices.tsx';
import { Page } from './parts/page.tsx';
import { Audit } from './pages/audit.tsx';
import { Domains } from './pages/domains.tsx';
import { FirstSteps } from './pages/first-steps.tsx';
import { Live } from './pages/live.tsx';
import { MessagePage } from './pages/message.tsx';
import { Messages } from './pages/messages.tsx';
import { Overview } from './pages/overview.tsx';
import { Profile } from './pages/profile.tsx';
import { Settings } from './pages/settings.tsx';
import { pathAfter, SignIn, signInPath } from './pages/sign-in.tsx';
import { Suppressions } from './pages/suppressions.tsx';
import { SuppressionsImport } from './pages/suppressions-import.tsx';
import { TemplatePage } from './pages/template.tsx';
import { TemplateVersions } from './pages/template/versions.tsx';
import { Templates } from './pages/templates.tsx';
import { Users } from './pages/users.tsx';
import { WebhookPage } from './pages/webhook.tsx';
import { Webhooks } from './pages/webhooks.tsx';
import { Welcome } from './pages/welcome.tsx';
import { follow, go, useAddress } from './router.ts';
import { isAtLeast, roleOfPage, type Session, SessionContext, useSession } from './session.ts';

export function App() {
  const [language, choose] = useState<Language>(firstLanguage);
  const speech = useMemo(() => {
    const setLanguage = (next: Language) => {
      rememberLanguage(next);
      choose(next);
    };
    return { language, words: wordsOf(language), setLanguage };
  }, [language]);
  useEffect(() => {
    document.documentElement.lang = language;
  }, [language]);
  useEffect(() => {
    const listener = (event: MouseEvent) => void follow(event);
    document.addEventListener('click', listener);
    return () => document.removeEventListener('click', listener);
  }, []);
  return (
    <SpeechContext.Provider value={speech}>
      <Gate />
    </SpeechContext.Provider>
  );
}

/** Lets the signed-in through; everybody else sees where to sign in. */
function Gate() {
  const address = useAddress();
  const { pathname } = address;
  const loaded = useLoaded<Session>(pathname === '/welcome' ? undefined : '/api/session');
  const { data: session, error, reload } = loaded;
  const isIn = session !== undefined && error === undefined;
  // Who is out already is not asked again: each answer would be the next question.
  useEffect(() => whenSignedOut(isIn ? reload : () => {}), [reload, isIn]);
  useEffect(() => {
    if (isIn && pathname === signInPath) go(pathAfter(address), { replace: true });
  }, [isIn, pathname]);
  if (pathname === '/welcome') return <Welcome />;
  if (error instanceof ApiError && error.status === 401) return <SignIn onSignedIn={reload} />;
  if (error !== undefined) {
    return (
      <div class="gate">
        <Failure error={error} again={reload} />
      </div>
    );
  }
  if (session === undefined) return null;
  return (
    <SessionContext.Provider value={{ session, reload }}>
      <Frame path={pathname}>
        {/* Another account's pages share nothing with this one's. */}
        <Content key={session.account.id} path={pathname} />
      </Frame>
    </SessionContext.Provider>
  );
}

/** Kinds of things of which each has a page of its own. */
const withPages = new Set(['messages', 'webhooks', 'templates']);

/** Whether a path may be a page's, as far as its form tells. */
function isPageAddress(path: string): boolean {
  if (path === '/templates/new' || path === '/suppressions/import') return true;
  const [, first = '', id = '', third = '', ...rest] = path.split('/');
  if (rest.length > 0) return false;
  if (id === '' && third === '') return true;
  const isVersions = first === 'templates' && third === 'versions';
  return withPages.has(first) && /^[1-9]\d{0,14}$/.test(id) && (third === '' || isVersions);
}

function Content({ path }: { readonly path: string }) {
  const { session } = useSession();
  const [, first = '', second = '', third = ''] = path.split('/');
  if (!isAtLeast(session.account.role, roleOfPage(path))) return <NotAllowed />;
  if (!isPageAddress(path)) return <NotFound />;
  switch (first) {
    case '':
    case 'messages':
      return second === '' ? <Messages /> : <MessagePage key={second} id={second} />;
    case 'first-steps':
      return <FirstSteps />;
    case 'overview':
      return <Overview />;
    case 'live':
      return <Live />;
    case 'webhooks':
      return second === '' ? <Webhooks /> : <WebhookPage key={second} id={second} />;
    case 'templates':
      if (second === '') return <Templates />;
      if (third === 'versions') return <TemplateVersions key={second} id={second} />;
      return <TemplatePage key={second} id={second} />;
    case 'domains':
      return <Domains />;
    case 'suppressions':
      return second === 'import' ? <SuppressionsImport /> : <Suppressions />;
    case 'settings':
      return <Settings />;
    case 'users':
      return <Users />;
    case 'audit':
      return <Audit />;
    case 'profile':
      return <Profile />;
    default:
      return <NotFound />;
  }
}

function NotAllowed() {
  const { states, refusals } = useWords();
  return (
    <Page title={states.notAllowed}>
      <Empty icon="inbox" title={states.notAllowed}>
        <p>{refusals['role-missing']}</p>
      </Empty>
    </Page>
  );
}

function NotFound() {
  const { states } = useWords();
  return (
    <Page title={states.notFound}>
      <Empty icon="inbox" title={states.notFound}>
        <p>{states.notFoundMore}</p>
      </Empty>
    </Page>
  );
}
