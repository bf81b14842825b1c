/** What surrounds every page of the signed-in: where one can go, which account it is, language and appearance. */
import type { ComponentChildren } from 'preact';
import { useEffect, useRef, useState } from 'preact/hooks';
import { call } from './api.ts';
import { useSpeech, type Language } from './language.ts';
import type { Words } from './words/en.ts';
import { Icon, type IconName } from './parts/icons.tsx';
import { Segments } from './parts/page.tsx';
import { go } from './router.ts';
import { isAtLeast, roleOfPage, useSession } from './session.ts';
import { chosenTheme, setTheme, themes } from './theme.ts';

interface Entry {
  readonly path: string;
  readonly icon: IconName;
  readonly name: keyof Words['nav'] & IconName;
}

const entries: readonly Entry[] = [
  { path: '/overview', icon: 'overview', name: 'overview' },
  { path: '/messages', icon: 'messages', name: 'messages' },
  { path: '/live', icon: 'live', name: 'live' },
  { path: '/webhooks', icon: 'webhooks', name: 'webhooks' },
  { path: '/templates', icon: 'templates', name: 'templates' },
  { path: '/domains', icon: 'domains', name: 'domains' },
  { path: '/suppressions', icon: 'suppressions', name: 'suppressions' },
  { path: '/first-steps', icon: 'steps', name: 'steps' },
  { path: '/settings', icon: 'settings', name: 'settings' },
  { path: '/users', icon: 'users', name: 'users' },
  { path: '/audit', icon: 'audit', name: 'audit' },
  { path: '/profile', icon: 'profile', name: 'profile' },
];

const home = '/messages';

export function Frame({ path, children }: { readonly path: string; readonly children: ComponentChildren }) {
  const { words } = useSpeech();
  const { session } = useSession();
  const [open, setOpen] = useState(false);
  const here = path === '/' ? home : path;
  const allowed = entries.filter(({ path }) => isAtLeast(session.account.role, roleOfPage(path)));
  const content = useFocusOf(path);
  return (
    <div class="frame">
      <a class="skip" href="#content">
        {words.nav.skip}
      </a>
      <header class={open ? 'side open' : 'side'}>
        <div class="bar">
          <a class="brand" href="/">
            <img src="/icon.svg" alt="" />
            Aftersend
          </a>
          <button type="button" class="menu-button" aria-expanded={open} onClick={() => setOpen(!open)}>
            {words.nav.menu}
          </button>
        </div>
        <AccountChoice />
        <nav aria-label={words.nav.pages}>
          {allowed.map((entry) => (
            <a
              key={entry.path}
              href={entry.path}
              aria-current={here === entry.path || here.startsWith(`${entry.path}/`) ? 'page' : undefined}
              onClick={() => setOpen(false)}
            >
              <Icon name={entry.icon} />
              {words.nav[entry.name]}
            </a>
          ))}
        </nav>
        <Foot />
      </header>
      <main class="main" id="content" tabIndex={-1} ref={content}>
        {children}
      </main>
    </div>
  );
}

/**
 * Where the keyboard goes with another page: the link that led there is gone, and without this the next Tab would
 * begin at the top of everything again.
 */
function useFocusOf(path: string) {
  const content = useRef<HTMLElement>(null);
  const shown = useRef(path);
  useEffect(() => {
    const { current } = content;
    // A field of the new page that took the focus itself keeps it.
    if (shown.current !== path && !current?.contains(document.activeElement)) {
      current?.focus({ preventScroll: true });
    }
    shown.current = path;
  }, [path]);
  return content;
}

function AccountChoice() {
  const { words } = useSpeech();
  const { session, reload } = useSession();
  if (session.accounts.length < 2) return null;
  const look = async (id: number) => {
    await call('PATCH', '/api/session', { account_id: id });
    go('/');
    reload();
  };
  return (
    <select
      aria-label={words.nav.account}
      value={session.account.id}
      onChange={(event) => void look(Number(event.currentTarget.value))}
    >
      {session.accounts.map(({ id, name }) => (
        <option key={id} value={id}>
          {name}
        </option>
      ))}
    </select>
  );
}

function Foot() {
  const { words } = useSpeech();
  const { session } = useSession();
  const [theme, choose] = useState(chosenTheme);
  const signOut = async () => {
    await call('DELETE', '/api/session');
    // Loaded anew: nothing of what was shown stays in the page.
    location.assign('/sign-in?out=1');
  };
  return (
    <div class="foot">
      <Segments
        label={words.nav.theme}
        value={theme}
        options={themes.map((name) => [name, words.nav.themes[name]] as const)}
        onValue={(next) => {
          setTheme(next);
          choose(next);
        }}
      />
      <LanguageChoice />
      <div class="small soft break">
        {session.user.email}
        <br />
        {session.account.name} · {words.roles[session.account.role]}
      </div>
      <button type="button" onClick={() => void signOut()}>
        {words.nav.signOut}
      </button>
    </div>
  );
}

export function LanguageChoice() {
  const { words, language, setLanguage } = useSpeech();
  const options: readonly (readonly [Language, string])[] = [
    ['ru', 'Русский'],
    ['en', 'English'],
  ];
  return <Segments label={words.nav.language} value={language} options={options} onValue={setLanguage} />;
}
