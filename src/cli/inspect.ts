/**
 * `aftersend inspect`: what the service would make of a piece of mail that came back, or of a server's answer. Reads
 * files and words, and nothing of the service's own.
 */
import { readFile } from 'node:fs/promises';
import { classify } from '../deliver/classify.ts';
import { judge } from '../inbound/judge.ts';
import { type MailMeaning, readReport } from '../inbound/read-report.ts';
import { findAnswer } from '../inbound/server-words.ts';

interface InspectedRecipient {
  readonly recipient: string;
  /** Enhanced status code. */
  readonly status: string;
  /** SMTP reply code, '' if no server's stands in the mail. */
  readonly reply: string;
  readonly category: string;
  readonly hard: boolean;
  /** Of a complaint, '' otherwise. */
  readonly feedback: string;
}

export interface InspectedMail {
  readonly file: string;
  readonly kind: MailMeaning['kind'] | 'unsubscribe';
  readonly recipients: readonly InspectedRecipient[];
}

/** In the order in which it is printed. */
const named = (recipient: string, feedback: string): InspectedRecipient => ({
  recipient,
  status: '',
  reply: '',
  category: '',
  hard: false,
  feedback,
});

export async function inspectMail(file: string): Promise<InspectedMail> {
  const meaning = readReport(await readFile(file));
  return { file, kind: kindOf(meaning), recipients: recipientsOf(meaning) };
}

function kindOf(meaning: MailMeaning): InspectedMail['kind'] {
  return meaning.kind === 'other' && meaning.asksToLeave ? 'unsubscribe' : meaning.kind;
}

function recipientsOf(meaning: MailMeaning): InspectedRecipient[] {
  switch (meaning.kind) {
    case 'bounce':
      return meaning.recipients.map((reported) => {
        const { recipient, answer } = reported;
        const { category, recipientAtFault } = judge(reported, classify);
        const { enhancedCode: status, code: reply } = answer;
        return { recipient, status, reply, category, hard: recipientAtFault, feedback: '' };
      });
    case 'complaint': {
      // Redacted: somebody complained, whoever it was.
      const recipients = meaning.recipients.length > 0 ? meaning.recipients : [''];
      return recipients.map((recipient) => named(recipient, meaning.feedbackType));
    }
    case 'auto-reply':
      return [named(meaning.sender, '')];
    case 'other':
      return [];
  }
}

/** A server's answer to RCPT, as it stands in a log: `550 5.1.1 No such user`. */
export function inspectReply(
  words: string,
): Omit<InspectedRecipient, 'recipient' | 'feedback'> & { text: string } {
  const answer = findAnswer(words, 'first');
  const { category, recipientAtFault } = classify(answer, 'rcpt');
  const { enhancedCode: status, code: reply, text } = answer;
  return { status, reply, category, hard: recipientAtFault, text };
}
