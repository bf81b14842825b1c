/**
 * Whether a URL that a customer gave may be called at all. Says nothing of where a name leads: that is judged at each
 * connection.
 */
import { isIP } from 'node:net';
import type { AddressGuard } from './guard.ts';

/** What URLs longer than this are for, nobody needs. */
const maxUrlLength = 2048;

/** From 1024 on, the ports that browsers do not call either, for what listens there (Fetch standard, "bad port"). */
const blockedPorts = new Set([
  1719, 1720, 1723, 2049, 3659, 4045, 4190, 5060, 5061, 6000, 6566, 6665, 6666, 6667, 6668, 6669, 6679, 6697,
  10080,
]);

/** `refused` says why, in words for the one who gave the URL. */
export type UrlVerdict =
  | { readonly kind: 'callable'; readonly url: URL }
  | { readonly kind: 'refused'; readonly reason: string };

export function judgeUrl(text: string, guard: AddressGuard): UrlVerdict {
  const refused = (reason: string): UrlVerdict => ({ kind: 'refused', reason });
  if (text.length > maxUrlLength) return refused(`the URL is longer than ${maxUrlLength} characters`);
  // The parser leaves these out or encodes them, and would call another URL than is shown.
  // oxlint-disable-next-line no-control-regex -- control characters are what is refused
  if (/[\u0000-\u0020\u007f]/.test(text)) return refused('a URL has no spaces and no control characters');
  const url = URL.parse(text);
  if (url === null || !/^https?:$/.test(url.protocol)) return refused('not an http or https URL');
  if (url.username !== '' || url.password !== '')
    return refused('a URL must not carry a user name or password');
  const port = url.port === '' ? (url.protocol === 'https:' ? 443 : 80) : Number(url.port);
  if ((port < 1024 && port !== 80 && port !== 443) || blockedPorts.has(port)) {
    return refused(`port ${port} may not be called: 80, 443 and most from 1024 on may`);
  }
  const literal = literalAddress(url.hostname);
  if (literal !== undefined && !guard(literal)) return refused('the address is not a public one');
  return { kind: 'callable', url };
}

/**
 * The IP address that a URL's host is, undefined for a name. The URL parser has already turned every spelling of an
 * IPv4 address (decimal, octal, hex, short, full-width, trailing dot) into four decimal parts.
 */
export function literalAddress(host: string): string | undefined {
  const bare = host.replace(/^\[|\]$/g, '');
  return isIP(bare) === 0 ? undefined : bare;
}
