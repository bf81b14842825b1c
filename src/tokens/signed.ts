/**
 * The tokens that strangers hand back: in tracking links, unsubscribe links and in the addresses that bounces and
 * complaints go to. Each carries all that is needed to act on it, so that it works without the store and after the
 * message is gone; none can be guessed, forged or turned into another kind.
 */
import { fromBase32, toBase32 } from './base32.ts';
import type { SecretKeys } from './keys.ts';
import { numberBytes, PayloadReader, textBytes } from './payload.ts';
import { seal, type SealKind, unseal } from './seal.ts';

/** What somebody unsubscribes from. */
export interface Subscription {
  readonly accountId: number;
  readonly messageId: number;
  readonly stream: string;
  readonly recipient: string;
}

/** Which message mail to one of our own addresses is about, and in which way. */
export type AddressToken =
  | { readonly kind: 'bounce'; readonly messageId: number }
  | { readonly kind: 'feedback'; readonly messageId: number }
  | { readonly kind: 'unsubscribe'; readonly messageId: number; readonly accountId: number };

export interface SignedTokens {
  /** Of a message's pixel. Base64url, as the next two are. */
  openToken(messageId: number): string;
  clickToken(messageId: number, target: string): string;
  unsubscribeToken(subscription: Subscription): string;
  /** Lower-case local part of an address, at most 64 octets. */
  addressToken(token: AddressToken): string;

  readOpen(token: string): { messageId: number } | undefined;
  readClick(token: string): { messageId: number; target: string } | undefined;
  readUnsubscribe(token: string): Subscription | undefined;
  /** Reads a local part, in whatever case it came back. */
  readAddress(local: string): AddressToken | undefined;
}

const open: SealKind = { purpose: 'track', mark: 'o', macBytes: 12 };
const click: SealKind = { purpose: 'track', mark: 'c', macBytes: 12 };
const unsubscribe: SealKind = { purpose: 'unsubscribe', mark: 'u', macBytes: 12 };

/** Addresses are short of room: 80 bits of MAC, and no text. The prefix says the kind, for people who read logs too. */
const addressKinds = {
  bounce: { prefix: 'bounce-', seal: { purpose: 'return-path', mark: 'b', macBytes: 10 } },
  feedback: { prefix: 'feedback-', seal: { purpose: 'feedback', mark: 'f', macBytes: 10 } },
  unsubscribe: { prefix: 'leave-', seal: { purpose: 'unsubscribe', mark: 'l', macBytes: 10 } },
} as const satisfies Record<AddressToken['kind'], { prefix: string; seal: SealKind }>;

/** A token that goes into a URL is never longer; what is longer is not looked at. */
const longestTokenCharacters = 4000;

export function signedTokens(keys: SecretKeys): SignedTokens {
  const toText = (kind: SealKind, payload: Buffer) => seal(keys, kind, payload).toString('base64url');

  function fromText(kind: SealKind, token: string): PayloadReader | undefined {
    if (token.length > longestTokenCharacters) return undefined;
    const sealed = Buffer.from(token, 'base64url');
    // The decoder passes over what it does not know; one token has one spelling.
    if (sealed.toString('base64url') !== token) return undefined;
    const payload = unseal(keys, kind, sealed);
    return payload === undefined ? undefined : new PayloadReader(payload);
  }

  return {
    openToken: (messageId) => toText(open, numberBytes(messageId)),
    clickToken: (messageId, target) =>
      toText(click, Buffer.concat([numberBytes(messageId), Buffer.from(target)])),
    unsubscribeToken: ({ accountId, messageId, stream, recipient }) =>
      toText(
        unsubscribe,
        Buffer.concat([
          numberBytes(accountId),
          numberBytes(messageId),
          textBytes(stream),
          Buffer.from(recipient),
        ]),
      ),
    addressToken(token) {
      const { prefix, seal: kind } = addressKinds[token.kind];
      const numbers = token.kind === 'unsubscribe' ? [token.messageId, token.accountId] : [token.messageId];
      return prefix + toBase32(seal(keys, kind, Buffer.concat(numbers.map(numberBytes))));
    },

    readOpen(token) {
      const payload = fromText(open, token);
      return payload && { messageId: payload.number() };
    },
    readClick(token) {
      const payload = fromText(click, token);
      return payload && { messageId: payload.number(), target: payload.rest() };
    },
    readUnsubscribe(token) {
      const payload = fromText(unsubscribe, token);
      return (
        payload && {
          accountId: payload.number(),
          messageId: payload.number(),
          stream: payload.text(),
          recipient: payload.rest(),
        }
      );
    },
    readAddress: (local) => readAddress(keys, local),
  };
}

/** RFC 5321 section 4.5.3.1.1, in octets. */
const longestLocalOctets = 64;

function readAddress(keys: SecretKeys, local: string): AddressToken | undefined {
  if (local.length > longestLocalOctets) return undefined;
  const lower = local.toLowerCase();
  const kind = (['bounce', 'feedback', 'unsubscribe'] as const).find((name) =>
    lower.startsWith(addressKinds[name].prefix),
  );
  if (kind === undefined) return undefined;
  const { prefix, seal: sealKind } = addressKinds[kind];
  const sealed = fromBase32(lower.slice(prefix.length));
  const payload = sealed && unseal(keys, sealKind, sealed);
  if (payload === undefined) return undefined;
  const reader = new PayloadReader(payload);
  const messageId = reader.number();
  return kind === 'unsubscribe' ? { kind, messageId, accountId: reader.number() } : { kind, messageId };
}
