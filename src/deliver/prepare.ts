/**
 * A message as one recipient gets it, made at each attempt from the untouched body that was accepted, and always the
 * same: links, pixel, List-Unsubscribe, feedback headers, return path, and then the signatures over all of it.
 */
import type { IdentityOf } from '../domains/identity.ts';
import { signMessage } from '../mail/dkim.ts';
import type { ClaimedMessage } from '../store/contract/queue.ts';
import type { PreparedMessage } from './attempt.ts';
import { domainOf, isSimulatorAddress } from './route.ts';

/** What the token room makes for a message. */
export interface RecipientLinks {
  /** @param host an account's tracking name, '' for the service's own */
  under(host: string): {
    pixelUrl(messageId: number): string;
    /** Undefined for a target that cannot be tracked. */
    clickUrl(messageId: number, target: string): string | undefined;
    unsubscribeUrl(facts: {
      accountId: number;
      messageId: number;
      stream: string;
      recipient: string;
    }): string;
  };
  /** The envelope sender that bounces of this message come back to, at `host` or the service's own. */
  returnPath(messageId: number, host: string | undefined): string;
  unsubscribeAddress(facts: { accountId: number; messageId: number }): string;
  /** Where complaints about this message come back to. */
  feedbackAddress(messageId: number, host: string | undefined): string;
}

/** The mail room's rewriting: everything but what is named stays byte for byte. */
export type RewriteForRecipient = (
  raw: Uint8Array,
  changes: {
    readonly clickUrl: (target: string) => string | undefined;
    readonly tracksText: boolean;
    readonly pixelUrl: string | undefined;
    readonly unsubscribeUrl: string;
    readonly extraHeaders: readonly (readonly [name: string, value: string])[];
  },
) => Uint8Array;

export type Prepare = (message: ClaimedMessage, raw: Uint8Array) => Promise<PreparedMessage>;

export function createPrepare({
  rewriteForRecipient,
  links,
  identityOf,
  publicUrl,
}: {
  rewriteForRecipient: RewriteForRecipient;
  links: RecipientLinks;
  identityOf: IdentityOf;
  publicUrl: string;
}): Prepare {
  const isHttps = publicUrl.startsWith('https:');
  return async (message, raw) => {
    const { messageId, accountId, stream, recipient } = message;
    const identity = await identityOf(accountId, message.sender);
    const { bounceHost, requireTls } = identity;
    const simulated = isSimulatorAddress(recipient);
    // The simulator reaches this service, and asks it for its own URLs alone.
    const urls = links.under(simulated ? '' : message.trackingHost);
    const unsubscribeUrl = urls.unsubscribeUrl({ accountId, messageId, stream, recipient });
    const extraHeaders: [string, string][] = [];
    if (message.listUnsubscribe || simulated) {
      const mailto = `<mailto:${links.unsubscribeAddress({ accountId, messageId })}>`;
      // RFC 8058 section 3.1 wants https. The simulator is asked by http too, so that leaving can be tried.
      const oneClick = isHttps || simulated;
      extraHeaders.push(['List-Unsubscribe', oneClick ? `<${unsubscribeUrl}>, ${mailto}` : mailto]);
      if (oneClick) extraHeaders.push(['List-Unsubscribe-Post', 'List-Unsubscribe=One-Click']);
    }
    extraHeaders.push(
      // An aggregate key for the provider's reports, never one a message.
      ['Feedback-ID', `${stream}:${accountId}:${domainOf(message.sender)}:aftersend`],
      // RFC 9477: at a host of the signing domain where there is one, so that reports are trusted.
      ['CFBL-Address', `${links.feedbackAddress(messageId, bounceHost)}; report=arf`],
      // Comes back in what reports quote, also where addresses are left out.
      ['X-Report-Token', localPartOf(links.feedbackAddress(messageId, bounceHost))],
    );
    const rewritten = rewriteForRecipient(raw, {
      clickUrl: (target) => (message.trackClicks ? urls.clickUrl(messageId, target) : undefined),
      tracksText: message.trackClicks && message.trackText,
      pixelUrl: message.trackOpens || simulated ? urls.pixelUrl(messageId) : undefined,
      unsubscribeUrl,
      extraHeaders,
    });
    const content = await signMessage(rewritten, identity);
    return { envelopeSender: links.returnPath(messageId, bounceHost), recipient, content, requireTls };
  };
}

const localPartOf = (address: string): string => address.slice(0, address.lastIndexOf('@'));
