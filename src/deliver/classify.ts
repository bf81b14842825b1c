/**
 * What an answer means: its category, and whether the recipient is at fault for good. Pure.
 *
 * The enhanced status code (RFC 3463, IANA registry "SMTP Enhanced Status Codes") is believed first; where it says
 * nothing in particular the wording decides, and then the reply code and the stage.
 */
import type { AttemptStage } from '../events/types.ts';

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
  /** The address takes no mail and never will: only this suppresses it. */
  readonly recipientAtFault: boolean;
}

/** Subject and detail of an enhanced code. Those that say "other" or "security" are left to the wording. */
const byEnhancedCode: Readonly<Record<string, Category>> = {
  '1.1': 'recipient-unknown',
  '1.2': 'domain-unknown',
  '1.3': 'recipient-unknown',
  '1.4': 'recipient-unknown',
  '1.6': 'recipient-unknown',
  '1.7': 'policy',
  '1.8': 'policy',
  '1.9': 'remote-system',
  '1.10': 'domain-unknown',
  '2.1': 'disabled',
  '2.2': 'mailbox-full',
  '2.3': 'too-large',
  '2.4': 'remote-system',
  '3.1': 'remote-system',
  '3.2': 'remote-system',
  '3.3': 'remote-system',
  '3.4': 'too-large',
  '3.5': 'remote-system',
  '4.1': 'connection',
  '4.2': 'connection',
  '4.3': 'remote-system',
  '4.4': 'domain-unknown',
  '4.5': 'rate-limited',
  '4.6': 'loop',
  '4.7': 'expired',
  '5.1': 'remote-system',
  '5.2': 'remote-system',
  '5.3': 'rate-limited',
  '5.4': 'remote-system',
  '6.0': 'content',
  '6.1': 'content',
  '6.2': 'content',
  '6.3': 'content',
  '6.6': 'content',
  '6.7': 'remote-system',
  '7.5': 'tls',
  '7.10': 'tls',
  '7.20': 'authentication',
  '7.21': 'authentication',
  '7.22': 'authentication',
  '7.23': 'authentication',
  '7.24': 'authentication',
  '7.25': 'authentication',
  '7.26': 'authentication',
  '7.27': 'policy',
  '7.28': 'rate-limited',
  '7.29': 'authentication',
};

/** Wording, in the order in which it is looked for: the more particular first. */
const byWording: readonly (readonly [RegExp, Category])[] = [
  [/gr[ae]y-?list/i, 'greylisted'],
  [/\b(spf|dkim|dmarc|reverse dns|ptr record|rdns)\b/i, 'authentication'],
  [
    /(over|exceed\w*|out of) (the )?(storage )?quota|mailbox (is )?full|insufficient (disk|system )?(space|storage)/i,
    'mailbox-full',
  ],
  [
    /(user|recipient|mailbox|address|account)( \S+){0,3} (is )?(unknown|not (found|exist)|does ?n[o']t exist|unavailable)|no such (user|recipient|mailbox|person|address)|(unknown|invalid) (user|recipient|mailbox|local)/i,
    'recipient-unknown',
  ],
  [/(account|mailbox|user)( \S+){0,3} (disabled|inactive|suspended|deactivated|blocked)/i, 'disabled'],
  [/too (fast|many)|rate limit|throttl|try (again )?later.*(load|busy)|deferred due to/i, 'rate-limited'],
  [/\b(spam(?!haus|cop)|virus|malware|unsolicited|bulk mail|phish)/i, 'content'],
  [/block(ed|list)|blacklist|denylist|\brbl\b|dnsbl|reputation|poor|policy|relay/i, 'policy'],
  [/too (large|big)|size limit|exceeds.*size/i, 'too-large'],
  [/loop|too many hops/i, 'loop'],
  [
    /domain( \S+){0,3} (unknown|not found|does ?n[o']t exist)|(host|domain) (unknown|not found)/i,
    'domain-unknown',
  ],
];

const faultsOfRecipient: ReadonlySet<Category> = new Set(['recipient-unknown', 'domain-unknown']);

export function classify(
  { code, enhancedCode, text }: { code: string; enhancedCode: string; text: string },
  stage: AttemptStage,
): Classified {
  const category = categoryOf(code, enhancedCode, text, stage);
  return { category, recipientAtFault: code.startsWith('5') && faultsOfRecipient.has(category) };
}

function categoryOf(code: string, enhancedCode: string, text: string, stage: AttemptStage): Category {
  if (stage === 'connect') return 'connection';
  if (stage === 'tls') return 'tls';
  if (stage === 'auth') return 'authentication';
  if (stage === 'dns' && code.startsWith('4')) return 'connection';
  // An answer before the message is about us or the server, whatever words it uses.
  const aboutRecipient = stage === 'rcpt' || stage === 'data' || stage === 'report' || stage === 'dns';
  const found =
    byEnhancedCode[enhancedCode.slice(2)] ?? byWording.find(([wording]) => wording.test(text))?.[1];
  if (found !== undefined && (aboutRecipient || !faultsOfRecipient.has(found))) return found;
  if (enhancedCode.slice(1).startsWith('.7.')) return 'policy';
  switch (code) {
    case '552':
      return stage === 'rcpt' ? 'mailbox-full' : 'too-large';
    case '421':
    case '450':
    case '451':
    case '452':
      return 'remote-system';
    default:
      return 'unknown';
  }
}
