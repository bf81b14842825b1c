/** What is kept of a report for a person to look at: its facts, and never its body. Pure. */
import { decodeWords } from '../mail/encoded-words.ts';
import { headerValue, readHeaders } from '../mail/header-fields.ts';
import type { NewReceivedReport } from '../store/contract/reports.ts';
import { type Classify, judge } from './judge.ts';
import type { MailMeaning } from './read-report.ts';

export type Note = Omit<NewReceivedReport, 'atMs' | 'messageId' | 'claimedAccountId'>;

/** Of one mail; strangers write these. */
const mostNotes = 10;
const longestChars = 500;

export function notesOf(raw: Buffer, meaning: MailMeaning, classify: Classify): Note[] {
  const block = readHeaders(raw);
  const shown = (name: string) => plain(decodeWords(headerValue(raw, block, name) ?? ''));
  const common = {
    action: '',
    recipient: '',
    feedbackType: '',
    code: '',
    enhancedCode: '',
    text: '',
    category: '',
    reporter: shown('from'),
    subject: shown('subject'),
  };
  switch (meaning.kind) {
    case 'bounce':
      return meaning.recipients.slice(0, mostNotes).map((reported) => {
        const { recipient, action, answer } = reported;
        const { code, enhancedCode, text } = answer;
        const { category } = judge(reported, classify);
        return {
          ...common,
          kind: 'bounce',
          action,
          recipient,
          code,
          enhancedCode,
          text: plain(text),
          category,
        };
      });
    case 'complaint': {
      const { feedbackType, recipients } = meaning;
      return [{ ...common, kind: 'complaint', feedbackType, recipient: recipients[0] ?? '' }];
    }
    case 'auto-reply':
    case 'other':
      return [{ ...common, kind: 'other' }];
  }
}

function plain(text: string): string {
  return text
    .replaceAll(/[\p{Cc}\s]+/gu, ' ')
    .trim()
    .slice(0, longestChars);
}
