/**
 * Mail that comes back: bounce messages, complaints, and requests to be left alone. It is taken only for addresses that
 * this service has signed, and the signature alone says which message is meant; what the mail says only refines what
 * became of it. Must never act on mail without a token of ours, whatever it claims.
 */
import { createSecureContext } from 'node:tls';
import type { Logger } from 'pino';
import type { AttemptStage, ServerAnswer } from '../events/types.ts';
import type { Certificate } from '../platform/certificate.ts';
import type { Clock } from '../platform/clock.ts';
import { type SmtpListener, type SmtpListenerSetting, startSmtpListener } from '../platform/smtp/listener.ts';
import { type Reply, reply } from '../platform/smtp/replies.ts';
import type { ReceivedMail, SmtpConversation } from '../platform/smtp/service.ts';
import type { EventLog, Report } from '../store/contract/log.ts';
import type { MessageStore } from '../store/contract/messages.ts';
import { StoreBusyError } from '../store/contract/store.ts';
import type { AddressToken } from '../tokens/signed.ts';
import { readReport } from './read-report.ts';

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

/** What became of a mail for one address; `ignored` is mail that ends nothing, `unknown` is about a message long gone. */
export type InboundOutcome = 'bounced' | 'complained' | 'unsubscribed' | 'ignored' | 'unknown';

export interface InboundDependencies {
  readonly listen: SmtpListenerSetting['listen'];
  readonly hostname: string;
  readonly certificate: Certificate;
  /** What mail to one of our own addresses is about; undefined for any other address. */
  readonly readAddress: (address: string) => AddressToken | undefined;
  readonly classify: (
    answer: ServerAnswer,
    stage: AttemptStage,
  ) => { readonly category: string; readonly recipientAtFault: boolean };
  readonly log: Pick<EventLog, 'report'>;
  readonly messages: Pick<MessageStore, 'byId'>;
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

/** Answers when all that the mail tells is stored: after a 451 the sender comes again, and nothing is told twice. */
async function take(mail: ReceivedMail, dependencies: InboundDependencies): Promise<Reply> {
  const { readAddress, count, logger } = dependencies;
  try {
    for (const address of new Set(mail.recipients)) {
      const token = readAddress(address);
      if (token === undefined) continue;
      const outcome = await handle(token, mail, dependencies);
      count(outcome);
      if (outcome === 'unknown') {
        logger.info(
          { messageId: token.messageId, about: token.kind },
          'mail came back about an unknown message',
        );
      }
    }
  } catch (error) {
    if (error instanceof StoreBusyError) return answers.busy;
    throw error;
  }
  return answers.taken;
}

async function handle(
  token: AddressToken,
  mail: ReceivedMail,
  { log, messages, classify, clock }: InboundDependencies,
): Promise<InboundOutcome> {
  const { messageId } = token;
  const atMs = clock.now();
  const told = async (report: Report, outcome: InboundOutcome): Promise<InboundOutcome> =>
    (await log.report(report)).kind === 'unknown' ? 'unknown' : outcome;
  const meaning = readReport(mail.content);
  if (token.kind === 'unsubscribe') {
    // A person or their mail program writes here; a server that answers by itself asks for nothing.
    if (mail.sender === '' || meaning.kind !== 'other') return 'ignored';
    const message = await messages.byId(token.accountId, messageId);
    if (message === undefined) return 'unknown';
    return told(
      { type: 'unsubscribed', messageId, atMs, stream: message.stream, how: 'mail' },
      'unsubscribed',
    );
  }
  switch (meaning.kind) {
    case 'complaint': {
      const { feedbackType } = meaning;
      return told({ type: 'complained', messageId, atMs, feedbackType, source: 'mail' }, 'complained');
    }
    case 'bounce': {
      // A bounce of somebody's complaint is not a bounce of the message.
      if (token.kind !== 'bounce') return 'ignored';
      const { answer, host } = meaning;
      const { category, recipientAtFault } = classify(answer, 'report');
      return told({ type: 'bounced', messageId, atMs, answer, host, category, recipientAtFault }, 'bounced');
    }
    case 'notice':
    case 'auto-reply':
    case 'other':
      return 'ignored';
  }
}
