/**
 * The URLs and addresses that a message carries back to us, always the same for the same message. `track/` serves the
 * paths and `inbound/` takes the addresses; both read them with the tokens of `signed.ts`.
 */
import type { AddressToken, SignedTokens, Subscription } from './signed.ts';

/** Where `track/` serves each kind of token. */
export const trackingPaths = { open: '/o/', click: '/c/', unsubscribe: '/u/' } as const;

/** A sending domain's own host for return paths: a name that SPF and DMARC see as the sender's. */
export const bounceHostOf = (domain: string): string => `bounce.${domain}`;

const domainBelow = (host: string): string => host.slice(host.indexOf('.') + 1);

/** Mail programs and scanners cut longer URLs; a link that would become longer stays what it is. */
const longestLinkCharacters = 2000;

/** The URLs under one name. */
export interface NamedLinks {
  /** True if `url` is one of ours, whether its token verifies or not. */
  isOurs(url: string): boolean;
  pixelUrl(messageId: number): string;
  /** Undefined for a target that is not tracked: too long, no http or https URL, or a link of ours already. */
  clickUrl(messageId: number, target: string): string | undefined;
  unsubscribeUrl(subscription: Subscription): string;
}

/** Under the service's own name, unless another is asked for. */
export interface TrackingLinks extends NamedLinks {
  /** @param host an account's tracking name, '' for the service's own; scheme and port are the service's */
  under(host: string): NamedLinks;
  /** The envelope sender: bounces come back to it. At `host`, the service's own if undefined. */
  returnPath(messageId: number, host?: string): string;
  feedbackAddress(messageId: number, host?: string): string;
  unsubscribeAddress(subscription: Pick<Subscription, 'accountId' | 'messageId'>): string;
  /**
   * What mail to one of our own addresses is about; undefined for any other address. A bounce host may belong to any
   * sending domain: there it is the token that makes an address ours.
   */
  readAddress(address: string): AddressToken | undefined;
  /** An address for those who send reports without a token in theirs, as a provider's feedback loop does. */
  isReportAddress(address: string): boolean;
}

/**
 * @param baseUrl the public URL, without a trailing slash
 * @param hostname the domain of the addresses unless another is named
 */
export function trackingLinks(tokens: SignedTokens, baseUrl: string, hostname: string): TrackingLinks {
  const reportAddresses = new Set(
    ['bounces', 'feedback'].map((local) => `${local}@${hostname.toLowerCase()}`),
  );
  const addressOfToken = (token: AddressToken, host = hostname) => `${tokens.addressToken(token)}@${host}`;
  const own = linksUnder(tokens, baseUrl, []);
  return {
    ...own,
    under: (host) => (host === '' ? own : linksUnder(tokens, urlUnder(host, baseUrl), [baseUrl])),
    returnPath: (messageId, host) => addressOfToken({ kind: 'bounce', messageId }, host),
    feedbackAddress: (messageId, host) => addressOfToken({ kind: 'feedback', messageId }, host),
    unsubscribeAddress: ({ accountId, messageId }) =>
      addressOfToken({ kind: 'unsubscribe', messageId, accountId }),
    readAddress(address) {
      const at = address.lastIndexOf('@');
      const host = address.slice(at + 1).toLowerCase();
      const maybeOurs = host === hostname.toLowerCase() || host === bounceHostOf(domainBelow(host));
      return at >= 0 && maybeOurs ? tokens.readAddress(address.slice(0, at)) : undefined;
    },
    isReportAddress: (address) => reportAddresses.has(address.toLowerCase()),
  };
}

/** @param otherUrls further base URLs whose links are ours */
function linksUnder(tokens: SignedTokens, baseUrl: string, otherUrls: readonly string[]): NamedLinks {
  const prefixes = [baseUrl, ...otherUrls].flatMap((url) =>
    Object.values(trackingPaths).map((path) => url + path),
  );
  const isOurs = (url: string) => prefixes.some((prefix) => url.startsWith(prefix));
  return {
    isOurs,
    pixelUrl: (messageId) => `${baseUrl}${trackingPaths.open}${tokens.openToken(messageId)}`,
    clickUrl(messageId, target) {
      if (target.length > longestLinkCharacters || !/^https?:\/\//i.test(target)) return undefined;
      if (!URL.canParse(target) || isOurs(target)) return undefined;
      const url = `${baseUrl}${trackingPaths.click}${tokens.clickToken(messageId, target)}`;
      return url.length > longestLinkCharacters ? undefined : url;
    },
    unsubscribeUrl: (subscription) =>
      `${baseUrl}${trackingPaths.unsubscribe}${tokens.unsubscribeToken(subscription)}`,
  };
}

function urlUnder(host: string, baseUrl: string): string {
  const url = new URL(baseUrl);
  url.hostname = host;
  return url.origin;
}
