/** A browser as far as signing in needs one: it keeps cookies by host and shows every redirect instead of following it. */
import { request } from 'undici';

export interface Shown {
  readonly status: number;
  /** Where it leads, '' if nowhere. */
  readonly location: string;
  readonly text: string;
  readonly setCookies: readonly string[];
}

export class CookieBrowser {
  /** By origin, then by name. */
  readonly cookies = new Map<string, Map<string, string>>();
  readonly #reachedAt: ReadonlyMap<string, string>;

  /** @param reachedAt where an origin is really served, by what it calls itself */
  constructor(reachedAt: ReadonlyMap<string, string>) {
    this.#reachedAt = reachedAt;
  }

  /** @param form is POSTed */
  async open(address: string, form?: Readonly<Record<string, string>>): Promise<Shown> {
    const url = new URL(address);
    const jar = this.cookies.get(url.origin) ?? new Map<string, string>();
    this.cookies.set(url.origin, jar);
    const answer = await request(
      `${this.#reachedAt.get(url.origin) ?? url.origin}${url.pathname}${url.search}`,
      {
        method: form === undefined ? 'GET' : 'POST',
        headers: {
          cookie: [...jar].map(([name, value]) => `${name}=${value}`).join('; '),
          ...(form !== undefined && { 'content-type': 'application/x-www-form-urlencoded' }),
        },
        body: form === undefined ? null : new URLSearchParams(form).toString(),
      },
    );
    const setCookies = [answer.headers['set-cookie'] ?? []].flat();
    for (const cookie of setCookies) {
      const [, name = '', value = ''] = /^([^=]+)=([^;]*)/.exec(cookie) ?? [];
      if (value === '') jar.delete(name);
      else jar.set(name, value);
    }
    const { location } = answer.headers;
    return {
      status: answer.statusCode,
      location: typeof location === 'string' ? new URL(location, url).href : '',
      text: await answer.body.text(),
      setCookies,
    };
  }
}
