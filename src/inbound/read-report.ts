/**
 * What a piece of mail that came back tells: a bounce with its recipients, a complaint, an automatic reply, or nothing of
 * the kind. Pure; reads what the report says and never which message it is about, because anybody can write a report about
 * any message.
 */
import type { AttemptStage, ServerAnswer } from '../events/types.ts';
import { addressOf, parseMailboxes } from '../mail/address.ts';
import { decodeWords } from '../mail/encoded-words.ts';
import { isAutoReply } from './auto-replies.ts';
import { type FieldBlock, type MailContents, readContents } from './mail-contents.ts';
import { type NamedRecipient, namedRecipients } from './named-recipients.ts';
import { findAnswer, findEnhanced, findStage, hostOf, isGeneric, withoutType } from './server-words.ts';

/** RFC 3464 section 2.3.3. Of these only `failed` ends a message. */
export type ReportedAction = 'failed' | 'delayed' | 'delivered' | 'relayed' | 'expanded';

export interface ReportedRecipient {
  /** As the report names it; '' if it does not. */
  readonly recipient: string;
  readonly action: ReportedAction;
  /** The server's or the reporter's words. `code` is '' if no server's reply stands there; `enhancedCode` always says a class. */
  readonly answer: ServerAnswer;
  /** Which command was answered; 'report' if it does not say. */
  readonly stage: AttemptStage;
  /** What tells why: the server's words, or the reporter's where those are all there is. */
  readonly reason: string;
  /** All that was said of it, for when `reason` tells nothing. */
  readonly context: string;
  /** Who said so, '' if unknown. */
  readonly host: string;
}

export type MailMeaning = { readonly quoted: string } & (
  | { readonly kind: 'bounce'; readonly recipients: readonly ReportedRecipient[] }
  /** `feedbackType`: RFC 5965 section 7.3 and its registry, lower case. `recipients` is empty if they are redacted. */
  | { readonly kind: 'complaint'; readonly feedbackType: string; readonly recipients: readonly string[] }
  | { readonly kind: 'auto-reply'; readonly sender: string }
  /** `asksToLeave`: it says so, or is written to an address that is there for it. */
  | { readonly kind: 'other'; readonly asksToLeave: boolean }
);

const longestFeedbackType = 64;
const longestContextChars = 4000;

export function readReport(raw: Buffer): MailMeaning {
  const contents = readContents(raw);
  const { quoted } = contents;
  const complaint = readComplaint(contents);
  if (complaint !== undefined) return { kind: 'complaint', quoted, ...complaint };
  const recipients = reportedRecipients(contents);
  if (recipients.length > 0) return { kind: 'bounce', quoted, recipients };
  if (isAutoReply((name) => decoded(contents, name))) {
    return { kind: 'auto-reply', quoted, sender: addressesOf(contents.header('from'))[0] ?? '' };
  }
  return { kind: 'other', quoted, asksToLeave: asksToLeave(contents) };
}

function asksToLeave(contents: MailContents): boolean {
  return (
    /^\s*(?:re:\s*)?(?:unsubscribe|leave|remove me|opt[- ]?out|abmelden|отпис)/i.test(
      decoded(contents, 'subject') ?? '',
    ) || addressesOf(contents.header('to')).some((address) => address.startsWith('leave-'))
  );
}

const decoded = ({ header }: MailContents, name: string): string | undefined => {
  const value = header(name);
  return value === undefined ? undefined : decodeWords(value);
};

const addressesOf = (value: string | undefined): string[] =>
  parseMailboxes(value ?? '').mailboxes.map(({ address }) => address);

/** RFC 5965, and the two forms without a feedback report that are still sent: Microsoft's, and one in words alone. */
function readComplaint(contents: MailContents): { feedbackType: string; recipients: string[] } | undefined {
  const { feedback, text, quoted } = contents;
  const inWords =
    /^complaint about message from\b/i.test(decoded(contents, 'subject') ?? '') ||
    /\bthis is an? (?:e-?mail )?abuse report\b/i.test(text.slice(0, longestContextChars));
  if (feedback === undefined && !inWords) return undefined;
  const feedbackType = (feedback?.get('feedback-type') ?? 'abuse')
    .toLowerCase()
    .slice(0, longestFeedbackType);
  const named = [
    feedback?.get('original-rcpt-to'),
    feedback?.get('removal-recipient'),
    contents.header('x-hmxmroriginalrecipient'),
    quotedField(quoted, 'x-hmxmroriginalrecipient'),
    quotedField(quoted, 'to'),
  ].find((value) => value !== undefined && value.includes('@'));
  const recipient = addressOf((named ?? '').replace(/^\s*rfc822\s*;/i, ''))?.address;
  return { feedbackType, recipients: recipient === undefined ? addressesOf(named) : [recipient] };
}

function quotedField(quoted: string, name: string): string | undefined {
  return new RegExp(`^${name}:[ \\t]*(.*(?:\\n[ \\t].*)*)`, 'im').exec(quoted.replaceAll('\r\n', '\n'))?.[1];
}

function reportedRecipients(contents: MailContents): ReportedRecipient[] {
  const own = new Set(
    ['from', 'to', 'reply-to', 'return-path'].flatMap((name) => addressesOf(contents.header(name))),
  );
  const failedFields = ['x-failed-recipients', 'x-mailer-daemon-recipients'].flatMap((name) =>
    addressesOf(contents.header(name)),
  );
  const status = contents.statusBlocks.filter((block) => block.has('final-recipient') || block.has('action'));
  if (status.length === 0 && failedFields.length === 0 && !looksLikeBounce(contents)) return [];

  const named = namedRecipients(contents.text, own);
  const wordsOf = (recipient: string) =>
    named.find((one) => one.recipient.toLowerCase() === recipient.toLowerCase())?.words ?? contents.text;
  if (status.length > 0) {
    const reporter = contents.statusBlocks.find((block) => block.has('reporting-mta'))?.get('reporting-mta');
    return status.map((block) => ofStatus(block, { reporter, failedFields, wordsOf }));
  }
  const action = saysDelayed(contents) ? 'delayed' : 'failed';
  if (failedFields.length > 0) {
    return failedFields.map((recipient) => ofWords({ recipient, words: wordsOf(recipient) }, action));
  }
  if (named.length > 0) return named.map((one) => ofWords(one, action));
  const [quotedTo] = addressesOf(quotedField(contents.quoted, 'to'));
  return quotedTo === undefined ? [] : [ofWords({ recipient: quotedTo, words: contents.text }, action)];
}

const daemons =
  /mailer-?daemon|post_?master|mail (?:deliver|administrator|system)|system administrator|maildeliver|<>|^$/i;
const bounceSubject =
  /undeliver|non-?deliver|not delivered|returned (?:mail|message|to sender)|return(?:ed)? mail|failure notice|failed mail|delivery[- ](?:status|failure|failed|report|notification|problem|error|has)|mail (?:system error|delivery)|message (?:delivery|could not)|could not (?:be )?(?:send|sent|deliver)|bounced? mail|delivery unsuccessful|message you sent|error sending your (?:mail|message)|not (?:a )?member|\bdelayed\b/i;
const bounceWords =
  /(?:could|can|did|was|were) ?n(?:o|')t(?: able to)?(?: be)? (?:deliver|reach|sent)|cannot be delivered|undeliverable|unable to deliver|delivery (?:has )?failed|failed permanently|permanent(?:ly)? (?:fatal )?(?:error|fail)|not delivered|(?:was|is) rejected|rejected by|not yet been delivered|delivery errors?|returned to (?:the )?sender|transcript of session/i;

const isAnswer = /^\s*(?:re|aw|antw|sv|vs|odp|отв|ответ)(?:\[\d+\])?:/iu;

/** Free text has no field that says so: who wrote it, what it is called, and what it says must fit together. */
function looksLikeBounce(contents: MailContents): boolean {
  const { header, text } = contents;
  const from = header('from') ?? '';
  const subject = decoded(contents, 'subject') ?? '';
  const byDaemon = daemons.test(from) || header('return-path')?.trim() === '<>';
  // A person who answers "Your parcel could not be delivered" uses all the words of a bounce.
  if (!byDaemon && (isAnswer.test(subject) || !bounceSubject.test(subject))) return false;
  if (bounceSubject.test(subject) && byDaemon) return true;
  return bounceWords.test(text) || findAnswer(text, 'first').code !== '';
}

const delaySubject = /\bdelay|warning: (?:could not|message)|still being retried|retrying/i;
const delayWords =
  /warning message only|warning only|(?:has been|is) delayed|temporary failure report|will be retried|do not need to re-?send|keep trying/i;

function saysDelayed(contents: MailContents): boolean {
  return delaySubject.test(decoded(contents, 'subject') ?? '') || delayWords.test(contents.text);
}

interface Surroundings {
  readonly reporter: string | undefined;
  readonly failedFields: readonly string[];
  readonly wordsOf: (recipient: string) => string;
}

function ofStatus(block: FieldBlock, { reporter, failedFields, wordsOf }: Surroundings): ReportedRecipient {
  const candidates = [block.get('final-recipient'), block.get('original-recipient'), failedFields[0]].map(
    (value) => addressIn(value ?? ''),
  );
  const recipient = candidates.find((candidate) => candidate !== '') ?? '';
  const diagnostic = withoutType(block.get('diagnostic-code') ?? '');
  const statusField = block.get('status') ?? '';
  const words = wordsOf(recipient);
  const said = findAnswer(diagnostic, 'last');
  const heard = findAnswer(words, 'first');
  const action = actionOf(block.get('action') ?? '', statusField);
  const remark = /\(([^)]*)\)/.exec(statusField)?.[1] ?? '';
  // The server's own words are nearer to what happened than the reporter's summary; a bare class says nothing.
  const codes = [said.enhancedCode, findEnhanced(statusField), heard.enhancedCode];
  const answer = {
    code: said.code === '' && diagnostic === '' ? heard.code : said.code,
    enhancedCode: classed(
      codes.find((each) => !isGeneric(each)) ?? codes.find((each) => each !== '') ?? '',
      said.code,
      action,
    ),
    text: diagnostic === '' ? remark || heard.text : said.text,
  };
  return {
    recipient,
    action,
    answer,
    stage: stageOf(block.get('diagnostic-code') ?? '', said.code, words),
    reason: (diagnostic === '' ? `${remark}\n${words}` : said.text).slice(0, longestContextChars),
    context: `${remark}\n${words}`.slice(0, longestContextChars),
    host: hostOf(block.get('remote-mta') ?? reporter ?? ''),
  };
}

/**
 * Without a server's answer, a diagnostic of another type than `smtp` (`X-Notes`, `X-Unix`) is the reporter's own decision
 * on its own mailbox, as a server decides in answer to RCPT.
 */
function stageOf(diagnostic: string, code: string, words: string): AttemptStage {
  const stage = findStage(`${diagnostic}\n${words}`);
  const isOwn = /^\s*(?!smtp\b)[a-z0-9-]+\s*;/i.test(diagnostic) && code === '';
  return stage === 'report' && isOwn ? 'rcpt' : stage;
}

function ofWords({ recipient, words }: NamedRecipient, action: ReportedAction): ReportedRecipient {
  const heard = findAnswer(words, 'first');
  const stage = findStage(words);
  return {
    recipient: addressIn(recipient) || recipient,
    action,
    answer: { ...heard, enhancedCode: classed(heard.enhancedCode, heard.code, action) },
    // No server was asked: the reporter speaks of its own mailboxes, as a server does in answer to RCPT.
    stage: stage === 'report' && heard.code === '' ? 'rcpt' : stage,
    reason: heard.text,
    context: words.slice(0, longestContextChars),
    host: '',
  };
}

function actionOf(field: string, status: string): ReportedAction {
  const [, word = ''] = /^\s*([a-z]+)/i.exec(field) ?? [];
  switch (word.toLowerCase()) {
    case 'delayed':
    case 'delivered':
    case 'relayed':
    case 'expanded':
      return word.toLowerCase() as ReportedAction;
    case 'failed':
      return 'failed';
    default:
      return status.trim().startsWith('2') ? 'delivered' : 'failed';
  }
}

/** An enhanced code that is not there is made of the class: of the reply, or of what was done. */
function classed(enhancedCode: string, code: string, action: ReportedAction): string {
  if (enhancedCode !== '') return enhancedCode;
  if (code !== '') return `${code.charAt(0)}.0.0`;
  switch (action) {
    case 'failed':
      return '5.0.0';
    case 'delayed':
      return '4.0.0';
    case 'delivered':
    case 'relayed':
    case 'expanded':
      return '2.0.0';
  }
}

/** The address in a typed field, '' if what stands there is a file or a program. */
function addressIn(value: string): string {
  return addressOf(withoutType(value).replaceAll(/^<|>$/g, ''))?.address ?? '';
}
