/**
 * The one end of all doors: checks a draft, makes or completes its MIME message, and stores it in one durable commit.
 * Whatever is wrong is found before the commit, so a refused draft leaves nothing behind. Knows no protocol.
 */
import type { Clock, Random } from '../platform/clock.ts';
import type { IntakeStore, NewSubmission, RecipientRole } from '../store/contract/intake.ts';
import {
  type Accept,
  type Acceptance,
  type Draft,
  type DraftOptions,
  type MailContent,
  RefusedError,
} from './draft.ts';

/** Bounds of what a submission may say about itself. */
const maxTags = 10;
const maxTagChars = 64;
const maxMetadataBytes = 2048;
const maxStreamChars = 64;
/** How long an idempotency key answers with its first answer. */
const idempotencyMs = 24 * 3600 * 1000;

interface HeaderFacts {
  readonly messageId: string;
  readonly dateMs: number;
}

/** What `accept` asks of the mail room. */
export interface MailRoom {
  addressOf(text: string): { readonly address: string } | undefined;
  /** @throws RefusedError */
  composeMessage(content: MailContent, facts: HeaderFacts): Promise<Uint8Array> | Uint8Array;
  /** Adds the headers a message lacks and removes those that must not travel. @throws RefusedError */
  completeHeaders(raw: Uint8Array, facts: HeaderFacts): Uint8Array;
  readFacts(raw: Uint8Array): {
    readonly sender: string;
    readonly senderName: string;
    readonly subject: string;
    readonly internetMessageId: string;
  };
}

interface AcceptDependencies {
  readonly intake: IntakeStore;
  readonly mail: MailRoom;
  readonly clock: Clock;
  readonly random: Random;
  /** Right side of the Message-IDs made here. */
  readonly hostname: string;
  readonly limits: { readonly messageBytes: number; readonly recipients: number };
  /** Called after each commit that put messages into the queue. */
  readonly onAccepted: () => void;
}

export function createAccept(dependencies: AcceptDependencies): Accept {
  const { intake, mail, clock, random, hostname, limits, onAccepted } = dependencies;

  return async function accept(draft: Draft): Promise<Acceptance> {
    const recipients = checkedRecipients(draft, mail, limits.recipients);
    const metadataJson = checkedOptions(draft.options);
    const atMs = clock.now();
    const facts = { messageId: `<${random.bytes(16).toString('hex')}@${hostname}>`, dateMs: atMs };
    const raw =
      'raw' in draft.mail
        ? mail.completeHeaders(draft.mail.raw, facts)
        : await mail.composeMessage(checkedContent(draft.mail.content, mail), facts);
    if (raw.byteLength > limits.messageBytes) {
      throw new RefusedError(
        'message-too-large',
        '',
        `the message has ${raw.byteLength} bytes as it stands on the wire, ${limits.messageBytes} are allowed`,
      );
    }
    const result = await intake.accept({
      ...submissionOf(draft),
      ...mail.readFacts(raw),
      recipients,
      raw,
      metadataJson,
      atMs,
      idempotency: draft.idempotency && { ...draft.idempotency, expiresAtMs: atMs + idempotencyMs },
    });
    if (result.kind === 'conflict') {
      throw new RefusedError(
        'idempotency-conflict',
        '',
        'this idempotency key was used for another request within the last 24 hours',
      );
    }
    if (result.kind === 'accepted') onAccepted();
    return {
      submissionId: result.submissionId,
      messageIds: result.messageIds,
      recipients: recipients.map(({ address }) => address),
      repeated: result.kind === 'repeated',
    };
  };
}

type DraftFacts =
  | 'accountId'
  | 'door'
  | 'envelopeSender'
  | 'tags'
  | 'stream'
  | 'essential'
  | 'trackOpens'
  | 'trackClicks'
  | 'listUnsubscribe'
  | 'templateId';

/** What the draft says as it is, with the account's settings where it says nothing. */
function submissionOf({
  account,
  door,
  envelopeSender,
  options,
  templateId,
}: Draft): Pick<NewSubmission, DraftFacts> {
  const { settings } = account;
  return {
    accountId: account.id,
    door,
    envelopeSender,
    tags: [...new Set(options.tags)],
    stream: options.stream,
    essential: options.essential,
    trackOpens: options.trackOpens ?? settings.trackOpens,
    trackClicks: options.trackClicks ?? settings.trackClicks,
    listUnsubscribe: options.listUnsubscribe ?? settings.listUnsubscribe,
    templateId,
  };
}

const roleOrder: Readonly<Record<RecipientRole, number>> = { to: 0, cc: 1, bcc: 2 };

/** The recipients in the order to, cc, bcc, each once: who stands in several places has the first one's role. */
function checkedRecipients(draft: Draft, mail: MailRoom, maxRecipients: number): NewSubmission['recipients'] {
  const { recipients } = draft;
  if (recipients.length === 0) {
    throw new RefusedError('recipients-missing', 'recipients', 'the message has no recipient');
  }
  if (recipients.length > maxRecipients) {
    throw new RefusedError(
      'recipients-too-many',
      'recipients',
      `the message has ${recipients.length} recipients, ${maxRecipients} are allowed`,
    );
  }
  const checked = recipients.map(({ address, role }, index) => ({
    address: checkedAddress(address, `recipients[${index}]`, mail),
    role,
  }));
  const distinct = new Map<string, (typeof checked)[number]>();
  for (const recipient of checked.sort((a, b) => roleOrder[a.role] - roleOrder[b.role])) {
    const key = recipient.address.toLowerCase();
    if (!distinct.has(key)) distinct.set(key, recipient);
  }
  return [...distinct.values()];
}

function checkedAddress(text: string, field: string, mail: MailRoom): string {
  const address = mail.addressOf(text)?.address;
  if (address === undefined) {
    throw new RefusedError(
      'address-invalid',
      field,
      `${JSON.stringify(text.slice(0, 320))} is not a mail address`,
    );
  }
  return address;
}

/** The content with its addresses normalised, and without anything that could end a header line early. */
function checkedContent(content: MailContent, mail: MailRoom): MailContent {
  const { from, subject, headers, attachments, text, html } = content;
  if (from.address === '') throw new RefusedError('from-missing', 'from', 'the message has no sender');
  if (text === undefined && html === undefined) {
    throw new RefusedError('body-missing', 'text', 'the message has neither text nor html');
  }
  const mailbox = (field: string, { address, name }: MailContent['from']) => ({
    address: checkedAddress(address, field, mail),
    name: oneLine(name, `${field}.name`),
  });
  const mailboxes = (field: string, list: MailContent['to']) =>
    list.map((entry, index) => mailbox(`${field}[${index}]`, entry));
  for (const [name, value] of Object.entries(headers)) oneLine(name + value, `headers.${name}`);
  for (const [index, { filename, contentType, contentId }] of attachments.entries()) {
    oneLine(filename + (contentType ?? '') + (contentId ?? ''), `attachments[${index}]`);
  }
  return {
    ...content,
    from: mailbox('from', from),
    replyTo: mailboxes('reply_to', content.replyTo),
    to: mailboxes('to', content.to),
    cc: mailboxes('cc', content.cc),
    subject: oneLine(subject, 'subject'),
  };
}

function oneLine(text: string, field: string): string {
  // A line break would begin a header of the submitter's choosing (header injection).
  if (/[\r\n\0]/.test(text)) {
    const name = field.replaceAll(/[\r\n\0]/g, '?');
    throw new RefusedError('header-invalid', name, `${name} holds a line break or a NUL`);
  }
  return text;
}

/** @returns the metadata as JSON text */
function checkedOptions({ tags, metadata, stream }: DraftOptions): string {
  const refuse = (field: string, message: string) => new RefusedError('options-invalid', field, message);
  if (tags.length > maxTags) throw refuse('tags', `${tags.length} tags are given, ${maxTags} are allowed`);
  for (const [index, tag] of tags.entries()) {
    if (tag === '' || tag.length > maxTagChars || !tag.isWellFormed() || /\p{Cc}/u.test(tag)) {
      throw refuse(`tags[${index}]`, `a tag is 1 to ${maxTagChars} characters without control characters`);
    }
  }
  if (stream.length > maxStreamChars || !/^[a-z0-9]+(?:[-_.][a-z0-9]+)*$/.test(stream)) {
    throw refuse(
      'stream',
      `a stream is 1 to ${maxStreamChars} lower-case letters, digits and single - _ . between them`,
    );
  }
  const metadataJson = JSON.stringify(metadata);
  if (Buffer.byteLength(metadataJson) > maxMetadataBytes) {
    throw refuse('metadata', `metadata is longer than ${maxMetadataBytes} bytes as JSON`);
  }
  return metadataJson;
}
