/**
 * What an answer means: its category, and whether the recipient is at fault for good. Pure.
 *
 * An enhanced status code that leaves no doubt decides (`status-codes.ts`: RFC 3463 and the IANA registry); then the
 * wording (`wordings.ts`), then a vague code, at last the reply code and the stage. When in doubt nobody is at fault: a
 * suppression keeps mail from a person who may be waiting for it.
 */
import type { AttemptStage, ServerAnswer } from '../events/types.ts';
import { codeMeanings } from './status-codes.ts';
import { wordings } from './wordings.ts';

export type Category =
  | 'recipient-unknown'
  | 'domain-unknown'
  | 'mailbox-full'
  | 'disabled'
  | 'policy'
  | 'authentication'
  | 'content'
  | 'too-large'
  | 'rate-limited'
  | 'greylisted'
  | 'connection'
  | 'tls'
  | 'remote-system'
  | 'expired'
  | 'loop'
  | 'unknown';

export interface Classified {
  readonly category: Category;
  /** The address takes no mail and never will (unknown, moved, or its domain is): only this suppresses it. */
  readonly recipientAtFault: boolean;
}

const phrases = wordings.map(
  ({ category, phrases }) =>
    [new RegExp(phrases.map((phrase) => `(?:${phrase})`).join('|'), 'iu'), category] as const,
);

/** Of an answer's text: patterns look no further. */
const longestTextChars = 4000;

/** Addresses and the paths of URLs are names that anybody could have chosen. */
function wordsOf(text: string): string {
  return text
    .slice(0, longestTextChars)
    .replaceAll(/https?:\/\/([\w.-]+)\S*/gi, '$1')
    .replaceAll(/[^\s<>()[\]:;,"'@]{1,64}@[\w.-]+/g, '')
    .replaceAll(/\s+/g, ' ')
    .trim();
}

/**
 * @param answer `code` '' where no server's reply is known, `enhancedCode` '' where none was given
 * @param stage what was answered; 'report' if a report does not say
 */
export function classify({ code, enhancedCode, text }: ServerAnswer, stage: AttemptStage): Classified {
  const words = wordsOf(text);
  const category = categoryOf({ code, enhancedCode, words, stage });
  const permanent = (enhancedCode === '' ? code : enhancedCode).startsWith('5') && !code.startsWith('4');
  return { category, recipientAtFault: permanent && atFault(category, { code, enhancedCode, words, stage }) };
}

interface Facts {
  readonly code: string;
  readonly enhancedCode: string;
  readonly words: string;
  readonly stage: AttemptStage;
}

/** What these say about a recipient is never overruled: other words only tell why the server does not know it. */
const overRecipientCode: ReadonlySet<Category> = new Set([
  'mailbox-full',
  'rate-limited',
  'policy',
  'authentication',
  'recipient-unknown',
  'domain-unknown',
]);

/** Where no words of a server are needed to know what it was about. */
const byStage: Partial<Record<AttemptStage, Category>> = {
  connect: 'connection',
  tls: 'tls',
  auth: 'authentication',
};

function categoryOf({ code, enhancedCode, words, stage }: Facts): Category {
  if (stage === 'dns' && enhancedCode === '5.4.6') return 'loop';
  if (stage === 'dns') return code.startsWith('4') ? 'connection' : 'domain-unknown';
  const ofStage = byStage[stage];
  if (ofStage !== undefined) return ofStage;
  // An answer before the recipient was named is about us or the server, whatever words it uses.
  const beforeRecipient = stage === 'greeting' || stage === 'mail';
  const detail = enhancedCode.slice(2);
  const meaning = codeMeanings[detail];
  if (meaning?.sure) return meaning.category;
  if (detail === '4.1' && /recipient address rejected: access denied/i.test(words))
    return 'recipient-unknown';
  const said = worded(words, beforeRecipient ? faultsOfRecipient : none);
  if (said !== undefined && (detail !== '1.1' || overRecipientCode.has(said))) return said;
  if (meaning !== undefined && !(beforeRecipient && faultsOfRecipient.has(meaning.category))) {
    return meaning.category;
  }
  if (detail.startsWith('7.')) return 'policy';
  // A refusal for good in words of its own is the server's own rule.
  return byReplyCode(code, stage) ?? (code.startsWith('5') && words !== '' ? 'policy' : 'unknown');
}

const faultsOfRecipient: ReadonlySet<Category> = new Set(['recipient-unknown', 'domain-unknown']);
const none: ReadonlySet<Category> = new Set();

function worded(words: string, except: ReadonlySet<Category>): Category | undefined {
  return phrases.find(([wording, category]) => !except.has(category) && wording.test(words))?.[1];
}

/** RFC 5321 section 4.2.2, when nothing else is known. */
function byReplyCode(code: string, stage: AttemptStage): Category | undefined {
  switch (code) {
    case '552':
      return stage === 'rcpt' ? 'mailbox-full' : 'too-large';
    case '551':
      return 'recipient-unknown';
    // RFC 7504, RFC 7505: takes no mail at all.
    case '521':
    case '556':
      return 'domain-unknown';
    case '421':
    case '450':
    case '451':
    case '452':
    case '500':
    case '501':
    case '502':
    case '503':
    case '504':
    case '555':
      return 'remote-system';
    default:
      return undefined;
  }
}

/** Subject 1 without those about the sender or about nothing in particular. */
const saysWhoIsAtFault = /^5\.1\.(?:[12346]|10|350|351)$|^5\.7\.1[78]$/;

/**
 * For good only by a code that says so, or by words in answer to RCPT: what is said of the content, or of nobody knows
 * what, may have another reason (filters of providers like to say "unknown user").
 */
function atFault(category: Category, { code, enhancedCode, words, stage }: Facts): boolean {
  if (!faultsOfRecipient.has(category)) return false;
  if (stage === 'greeting' || stage === 'mail') return false;
  if (category === 'domain-unknown' || saysWhoIsAtFault.test(enhancedCode)) return true;
  const detail = enhancedCode.slice(2);
  // "Disabled" in the registry, with words that say more; and Exchange Online's refusal at the edge.
  if (detail === '2.1' || detail === '4.1') return true;
  const saysNothing = enhancedCode === '' || ['0.0', '1.0'].includes(detail);
  return saysNothing && (stage === 'rcpt' || code === '551' || /\bmoved\b|no longer/i.test(words));
}
