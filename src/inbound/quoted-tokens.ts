/**
 * Finds our own signed token in the header of a quoted mail: in Return-Path, CFBL-Address, X-Report-Token or
 * List-Unsubscribe. All of them were written into that one message by us, so whoever quotes one has the message. Other
 * fields are looked through too: reporters move and rename them; a token says by itself that it is ours.
 */
import type { AddressToken } from '../tokens/signed.ts';

/** Any token of ours names its message. */
export type OwnToken = Pick<AddressToken, 'messageId'>;

/** As `tokens/signed.ts` writes them, at most 64 octets, in whatever case they come back. */
const candidate = /\b(?:bounce|feedback|leave)-[a-z2-7]{16,56}\b/gi;
const mostCandidates = 20;

/** @param quoted the header of the quoted mail */
export function tokenIn(
  quoted: string,
  readToken: (local: string) => AddressToken | undefined,
): OwnToken | undefined {
  const unfolded = quoted.replaceAll(/\r?\n[ \t]+/g, '');
  const found = [...unfolded.matchAll(candidate)]
    .slice(0, mostCandidates)
    .map(([local]) => readToken(local))
    .filter((token) => token !== undefined);
  // Tokens of two messages in one header: somebody has put it together.
  const [first] = found;
  return found.every(({ messageId }) => messageId === first?.messageId) ? first : undefined;
}

/** Whose mail a quoted Feedback-ID says it is. Anybody can write one: it serves to show the report to somebody. */
export function claimedAccount(quoted: string): number | undefined {
  const [, id] =
    /^feedback-id:[ \t]*[^:\r\n]{0,64}:(\d{1,15}):[^:\r\n]*:aftersend[ \t]*$/im.exec(quoted) ?? [];
  return id === undefined ? undefined : Number(id);
}
