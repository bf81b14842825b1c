/** Pages have addresses: what the address bar says is what is shown, and a click on a link of ours loads nothing anew. */
import { useSyncExternalStore } from 'preact/compat';

const changed = new EventTarget();

/** @param replace leaves no entry to come back to */
export function go(to: string, { replace = false } = {}): void {
  if (replace) history.replaceState(null, '', to);
  else history.pushState(null, '', to);
  if (!replace) window.scrollTo(0, 0);
  changed.dispatchEvent(new Event('change'));
}

function subscribe(listener: () => void): () => void {
  window.addEventListener('popstate', listener);
  changed.addEventListener('change', listener);
  return () => {
    window.removeEventListener('popstate', listener);
    changed.removeEventListener('change', listener);
  };
}

/** Path and query as they stand in the address bar. */
export function useAddress(): URL {
  const href = useSyncExternalStore(subscribe, () => location.href);
  return new URL(href);
}

/** One parameter of the query, and a way to set several; what is empty goes. */
export function withQuery(url: URL, changes: Readonly<Record<string, string>>): string {
  const query = new URLSearchParams(url.search);
  for (const [name, value] of Object.entries(changes)) {
    if (value === '') query.delete(name);
    else query.set(name, value);
  }
  const text = query.toString();
  return text === '' ? url.pathname : `${url.pathname}?${text}`;
}

/** For a click on a link: true if the browser should do nothing itself. */
export function follow(event: MouseEvent): boolean {
  const link = event.target instanceof Element ? event.target.closest('a') : null;
  const plain = event.button === 0 && !event.metaKey && !event.ctrlKey && !event.shiftKey && !event.altKey;
  if (link === null || !plain || link.target !== '' || link.origin !== location.origin) return false;
  if (link.hasAttribute('download') || link.pathname.startsWith('/api/')) return false;
  // To a place within the page: the browser moves there itself, with the keyboard's focus.
  if (link.getAttribute('href')?.startsWith('#')) return false;
  event.preventDefault();
  go(link.pathname + link.search + link.hash);
  return true;
}
