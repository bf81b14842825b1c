/**
 * Mail that comes back: bounce messages, complaints, and requests to be left alone. It is taken only for addresses of our
 * own. Which message is meant is said by what this service has signed and by nothing else: the address that the mail came
 * to, or a field of ours in the mail that it quotes. What the mail says only refines what became of that message. Must
 * never act on mail without a token of ours, whatever it claims: that is kept for a person to look at.
 */
import { createSecureContext } from 'node:tls';
import type { Logger } from 'pino';
import { isComplaint } from '../events/types.ts';
import type { Certificate } from '../platform/certificate.ts';
import type { Clock } from '../platform/clock.ts';
import { type SmtpListener, type SmtpListenerSetting, startSmtpListener } from '../platform/smtp/listener.ts';
import { type Reply, reply } from '../platform/smtp/replies.ts';
import type { ReceivedMail, SmtpConversation } from '../platform/smtp/service.ts';
import type { EventLog, Report } from '../store/contract/log.ts';
import type { MessageStore } from '../store/contract/messages.ts';
import type { ReportStore } from '../store/contract/reports.ts';
import { StoreBusyError } from '../store/contract/store.ts';
import type { AddressToken } from '../tokens/signed.ts';
import { type Classify, judge } from './judge.ts';
import { notesOf } from './notes.ts';
import { claimedAccount, type OwnToken, tokenIn } from './quoted-tokens.ts';
import { type MailMeaning, type ReportedRecipient, readReport } from './read-report.ts';

/** A report quotes a message at most; what is larger is none. */
const limits = { messageBytes: 2 ** 20, recipients: 50 };
const bounds = { connections: 500, connectionsOfAddress: 50, memoryBytes: 64 * 2 ** 20 };

const answers = {
  ok: reply(250, '2.1.0', 'OK'),
  recipientOk: reply(250, '2.1.5', 'OK'),
  notOurs: reply(550, '5.1.1', 'No such address here'),
  taken: reply(250, '2.0.0', 'Thank you'),
  busy: reply(451, '4.3.0', 'Too much waits to be stored, try again later'),
} as const;

/**
 * What became of a mail for one address. `noted` is on the list for people; `auto-reply` and `ignored` are mail that
 * tells nothing; `unknown` is about a message long gone.
 */
export type InboundOutcome =
  | 'bounced'
  | 'complained'
  | 'unsubscribed'
  | 'noted'
  | 'auto-reply'
  | 'ignored'
  | 'unknown';

export interface InboundDependencies {
  readonly listen: SmtpListenerSetting['listen'];
  readonly hostname: string;
  readonly certificate: Certificate;
  /**
   * What mail to one of our own addresses is about; 'anything' for the addresses that are given to whoever sends reports
   * without quoting a return path; undefined for any other address.
   */
  readonly readAddress: (address: string) => AddressToken | 'anything' | undefined;
  /** Reads a local part of ours without its host. */
  readonly readToken: (local: string) => AddressToken | undefined;
  readonly classify: Classify;
  readonly log: Pick<EventLog, 'report'>;
  readonly messages: Pick<MessageStore, 'byId'>;
  readonly reports: Pick<ReportStore, 'add'>;
  readonly count: (outcome: InboundOutcome) => void;
  readonly clock: Clock;
  readonly logger: Logger;
}

export function startInbound(dependencies: InboundDependencies): Promise<SmtpListener> {
  const { listen, hostname, certificate, clock, logger } = dependencies;
  const conversation: SmtpConversation = {
    sender: () => answers.ok,
    recipient: (address) =>
      dependencies.readAddress(address) === undefined ? answers.notOurs : answers.recipientOk,
    message: (mail) => take(mail, dependencies),
  };
  return startSmtpListener({
    listen,
    service: { hostname, limits, open: () => conversation },
    bounds,
    secureContext: createSecureContext({ ...certificate }),
    clock,
    logger,
  });
}

/** Answers when all that the mail tells is stored: after a 451 the sender comes again, and no event is told twice. */
async function take(mail: ReceivedMail, dependencies: InboundDependencies): Promise<Reply> {
  const { readAddress, count, logger } = dependencies;
  const meaning = readReport(mail.content);
  try {
    for (const address of new Set(mail.recipients)) {
      const token = readAddress(address);
      if (token === undefined) continue;
      const outcome = await handle(token, { mail, meaning }, dependencies);
      count(outcome);
      if (outcome === 'unknown') logger.info({ outcome }, 'mail came back about an unknown message');
    }
  } catch (error) {
    if (error instanceof StoreBusyError) return answers.busy;
    throw error;
  }
  return answers.taken;
}

interface Letter {
  readonly mail: ReceivedMail;
  readonly meaning: MailMeaning;
}

async function handle(
  token: AddressToken | 'anything',
  letter: Letter,
  dependencies: InboundDependencies,
): Promise<InboundOutcome> {
  const { mail, meaning } = letter;
  if (token !== 'anything' && token.kind === 'unsubscribe') return leave(token, letter, dependencies);
  const own: OwnToken | undefined =
    token === 'anything' ? tokenIn(meaning.quoted, dependencies.readToken) : token;
  switch (meaning.kind) {
    case 'complaint':
      return complain(own, letter, dependencies);
    case 'bounce':
      // A bounce of somebody's complaint is not a bounce of the message.
      if (token !== 'anything' && token.kind !== 'bounce') return 'ignored';
      return bounce(own, letter, meaning.recipients, dependencies);
    case 'auto-reply':
      return 'auto-reply';
    case 'other':
      // A server wrote to tell something, and nobody here understood it.
      return mail.sender === '' ? note(own, letter, dependencies) : 'ignored';
  }
}

async function tell(
  report: Report,
  outcome: InboundOutcome,
  { log }: InboundDependencies,
): Promise<InboundOutcome> {
  return (await log.report(report)).kind === 'unknown' ? 'unknown' : outcome;
}

/** A person or their mail program writes here; a server that answers by itself asks for nothing. */
async function leave(
  { messageId, accountId }: Extract<AddressToken, { kind: 'unsubscribe' }>,
  { mail, meaning }: Letter,
  dependencies: InboundDependencies,
): Promise<InboundOutcome> {
  if (mail.sender === '' || meaning.kind !== 'other') return 'ignored';
  const message = await dependencies.messages.byId(accountId, messageId);
  if (message === undefined) return 'unknown';
  const atMs = dependencies.clock.now();
  const report = { type: 'unsubscribed', messageId, atMs, stream: message.stream, how: 'mail' } as const;
  return tell(report, 'unsubscribed', dependencies);
}

function complain(
  own: OwnToken | undefined,
  letter: Letter,
  dependencies: InboundDependencies,
): Promise<InboundOutcome> {
  const feedbackType = letter.meaning.kind === 'complaint' ? letter.meaning.feedbackType : '';
  if (own === undefined || !isComplaint(feedbackType)) return note(own, letter, dependencies);
  const { messageId } = own;
  const atMs = dependencies.clock.now();
  const report = { type: 'complained', messageId, atMs, feedbackType, source: 'mail' } as const;
  return tell(report, 'complained', dependencies);
}

function bounce(
  own: OwnToken | undefined,
  letter: Letter,
  recipients: readonly ReportedRecipient[],
  dependencies: InboundDependencies,
): Promise<InboundOutcome> {
  const failed = recipients.find(({ action }) => action === 'failed');
  if (own === undefined || failed === undefined) return note(own, letter, dependencies);
  const { messageId } = own;
  const { answer, host } = failed;
  const { category, recipientAtFault } = judge(failed, dependencies.classify);
  return tell(
    {
      type: 'bounced',
      messageId,
      atMs: dependencies.clock.now(),
      answer: {
        // 554 is what stands for an answer that no server gave, and for one that was for a while and then given up.
        code: answer.code.startsWith('5') ? answer.code : '554',
        enhancedCode: answer.enhancedCode,
        text: answer.text === '' ? 'Aftersend: a bounce message came back without the reason' : answer.text,
      },
      host,
      category,
      recipientAtFault,
    },
    'bounced',
    dependencies,
  );
}

async function note(
  own: OwnToken | undefined,
  { mail, meaning }: Letter,
  { reports, classify, clock }: InboundDependencies,
): Promise<InboundOutcome> {
  const facts = {
    atMs: clock.now(),
    messageId: own?.messageId,
    claimedAccountId: claimedAccount(meaning.quoted),
  };
  for (const one of notesOf(mail.content, meaning, classify)) {
    if ((await reports.add({ ...facts, ...one })) === 'unknown') return 'unknown';
  }
  return 'noted';
}
