/**
 * Whether an answer says that we send too fast: a reason to slow down to all of the destination, not to one recipient. The
 * wording is that of providers as `../shared/data/provider-replies` and their documentation have it. Pure.
 */
import type { ServerAnswer } from '../../events/types.ts';

const enhancedCodes: ReadonlySet<string> = new Set([
  // Google: unusual rate from an address, a network, a domain.
  '4.7.28',
  '4.7.29',
  // Microsoft: rate limited for the address's reputation; server busy, meant for one sender.
  '4.7.650',
  '4.7.651',
  '4.7.652',
  '4.7.500',
]);

const wordings: readonly RegExp[] = [
  /\btoo (?:fast|quickly|often|frequent)/i,
  /\btoo many (?:\w+ ){0,3}(?:messages|e?-?mails|connections|sessions|requests|recipients|errors from)/i,
  /\btoo much mail\b/i,
  /rate[ -]?limit|throttl|slow(?:ing)? down/i,
  /\b(?:unusual|unexpected|excessive|high)(?: \w+){0,2} (?:rate|amount|volume|traffic)/i,
  /exceed\w*(?: \w+){0,5} (?:rate|connections?|messages|volume|quota of (?:messages|connections))/i,
  /(?:maximum|max|limit)(?: \w+){0,3} (?:connections?|sessions?|rate)\b/i,
  // Yahoo: an address that is held back for volume or complaints.
  /\[(?:IP)?TSS?\d\d\]|temporarily deferred|#4\.16\.\d/i,
];

/** One mailbox gets too much, from whomever; or one connection had its share, and the next is welcome. */
const notAboutUs = [
  /\b(?:user|recipient|mailbox|account)\b[^.]*\breceiving\b/i,
  /per connection|this connection|quota|over quota/i,
];

export function saysTooFast({ code, enhancedCode, text }: ServerAnswer): boolean {
  if (!code.startsWith('4')) return false;
  if (notAboutUs.some((wording) => wording.test(text))) return false;
  return enhancedCodes.has(enhancedCode) || wordings.some((wording) => wording.test(text));
}
