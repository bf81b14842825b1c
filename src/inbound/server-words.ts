/**
 * Finds a server's answer, its enhanced status code and the command it answered in words that a reporter put around
 * them. Pure; must not guess: what is not said stays ''.
 */
import type { AttemptStage, ServerAnswer } from '../events/types.ts';

const longestTextChars = 1000;

/**
 * A reply code of those in use, where one can stand: at the beginning of a line or after a word of the reporter's own;
 * no part of an address, a duration or a size.
 */
const code = String.raw`(?<![\w.@/[-])([45][0-5]\d|57\d)(?=$|[-:;,]|\s+(?!(?:seconds?|minutes?|hours?|days?|bytes|[KM]B)\b)\S|\n)`;
const codePattern = new RegExp(code, 'm');
/** RFC 3463 section 2; four numbers are an address, and a letter before it makes it a version. */
const enhanced = String.raw`(?<![\w.])([245]\.[0-7]\.\d{1,3})(?![\w]|\.\d)`;
const enhancedPattern = new RegExp(enhanced);
/** The code twice (as some reporters write it), then the enhanced one. */
const pairPattern = new RegExp(String.raw`${code}[-:\s'"]+(?:[45]\d\d[-\s]+)?[#(<]*${enhanced}`, 'gm');

/** An enhanced code that says no more than its class (RFC 3463 section 3.1), or that it is about the address somehow. */
export function isGeneric(enhancedCode: string): boolean {
  return enhancedCode === '' || enhancedCode.endsWith('.0.0');
}

/**
 * @param which of several answers: the last one stands nearest to the server that refused, where a line of forwarders each put
 *   their own before it; the first one is the reason, where a transcript goes on
 */
export function findAnswer(words: string, which: 'first' | 'last'): ServerAnswer {
  const pairs = [...words.matchAll(pairPattern)];
  const pair = which === 'first' ? pairs[0] : pairs.at(-1);
  if (pair !== undefined) {
    const [, reply = '', enhancedCode = ''] = pair;
    return { code: reply, enhancedCode, text: textAfter(words, pair.index) };
  }
  const match = codePattern.exec(words);
  const after = match === null ? words : words.slice(match.index);
  const enhancedCode = (enhancedPattern.exec(after) ?? enhancedPattern.exec(words))?.[1] ?? '';
  return { code: match?.[1] ?? '', enhancedCode, text: textAfter(words, match?.index ?? 0) };
}

export function findEnhanced(words: string): string {
  return enhancedPattern.exec(words)?.[1] ?? '';
}

/** Where a server's words end in a report: at an empty line, and where a transcript goes on. */
const endOfWords = /\n[ \t]*\n|\n(?:<<<|>>>|\.\.\. while|while talking|[45]\d\d[ -][^\n]*\.{3} )/i;

/** One line, without the codes before it, which stand in fields of their own. */
function textAfter(words: string, index: number): string {
  return words
    .slice(index, index + 2 * longestTextChars)
    .split(endOfWords, 1)
    .join()
    .replace(/^[45]\d\d(?:[- :]+[45]\d\d)?(?:[- :]+[#(]?[245]\.\d{1,3}\.\d{1,3}\b[):]?|\b)[:\s-]*/, '')
    .replaceAll(/[\p{Cc}\s]+/gu, ' ')
    .trim()
    .slice(0, longestTextChars);
}

/** What reporters put before the command that was answered. */
const answering = String.raw`(?:in reply to|after|for|response to|like our|\bin|>>>|sent <<<|\[) ?`;

/** How reporters name the command that was answered. The more particular first. */
const commands: readonly (readonly [RegExp, AttemptStage])[] = [
  [
    /refused to talk to me|after initial connection|initial greeting|greeting failed|my name was rejected/i,
    'greeting',
  ],
  [
    new RegExp(
      String.raw`${answering}(?:end of (?:data|mail)|data\b|sending (?:the )?(?:message|content))|after i sent the message|\(state 1[5-8]\)`,
      'i',
    ),
    'data',
  ],
  [
    new RegExp(
      String.raw`${answering}rcpt|rcpt to response|does not like recipient|rejected address\b|\(state 14\)`,
      'i',
    ),
    'rcpt',
  ],
  [new RegExp(String.raw`${answering}mail[ _]from|rejected mail from|sender was rejected`, 'i'), 'mail'],
  [new RegExp(String.raw`${answering}(?:ehlo|helo)\b`, 'i'), 'greeting'],
];

/** @returns 'report' when the words do not say which command was answered */
export function findStage(words: string): AttemptStage {
  return commands.find(([pattern]) => pattern.test(words))?.[1] ?? 'report';
}

/** `dns; mx.example.com (192.0.2.1)` names a host in the middle. */
export function hostOf(value: string): string {
  const host = withoutType(value).split(/\s/)[0] ?? '';
  return host.replaceAll(/[^\w.:[\]-]/g, '').slice(0, 255);
}

/** The value of a typed field of a report (RFC 3464 section 2.1.2), without its type. */
export function withoutType(value: string): string {
  return value.replace(/^\s*[a-z0-9-]+\s*;\s*/i, '').trim();
}
