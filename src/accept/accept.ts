/**
 * The one end of all doors: checks a draft, makes or completes its MIME message, and stores it in one durable commit.
 * Whatever is wrong is found before the commit, so a refused draft leaves nothing behind. Knows no protocol.
 */
import type { Clock, Random } from '../platform/clock.ts';
import type { MailSettingsStore, MessageDefaults } from '../store/contract/mail-settings.ts';
import type { IntakeStore, NewSubmission, RecipientRole } from '../store/contract/intake.ts';
import { addressOf } from '../mail/address.ts';
import { composedFacts, composeMessage } from '../mail/compose.ts';
import { completeHeaders, type MailFacts, readFacts } from '../mail/headers.ts';
import {
  type Accept,
  type Acceptance,
  type Draft,
  type DraftOptions,
  type Mailbox,
  type MailContent,
  RefusedError,
} from './draft.ts';
import type { CheckSender } from './sender.ts';

/** Bounds of what a submission may say about itself. */
const maxTags = 10;
const maxTagChars = 64;
const maxMetadataBytes = 2048;
const maxStreamChars = 64;
/** Of a refused address, in the answer that refuses it. */
const maxShownChars = 320;
/** How long an idempotency key answers with its first answer. */
const idempotencyMs = 24 * 3600 * 1000;

interface AcceptDependencies {
  readonly intake: IntakeStore;
  readonly mailSettings: Pick<MailSettingsStore, 'defaultsFor'>;
  readonly checkSender: CheckSender;
  readonly clock: Clock;
  readonly random: Random;
  /** Right side of the Message-IDs made here. */
  readonly hostname: string;
  readonly limits: { readonly messageBytes: number; readonly recipients: number };
}

interface MimeMessage {
  readonly raw: Uint8Array;
  readonly facts: Pick<MailFacts, 'sender' | 'senderName' | 'subject' | 'internetMessageId'>;
}

export function createAccept(dependencies: AcceptDependencies): Accept {
  const { intake, mailSettings, checkSender, clock, random, hostname, limits } = dependencies;

  function mimeMessage({ mail }: Draft, dateMs: number): MimeMessage {
    const unique = random.bytes(16).toString('hex');
    const facts = { messageId: `<${unique}@${hostname}>`, dateMs, boundarySeed: unique };
    if ('raw' in mail) {
      const raw = completeHeaders(mail.raw, facts);
      return { raw, facts: readFacts(raw) };
    }
    const content = checkedContent(mail.content);
    return { raw: composeMessage(content, facts), facts: composedFacts(content, facts) };
  }

  return async function accept(draft: Draft): Promise<Acceptance> {
    const recipients = checkedRecipients(draft, limits.recipients);
    const metadataJson = checkedOptions(draft.options);
    const atMs = clock.now();
    const { raw, facts } = mimeMessage(draft, atMs);
    if (raw.byteLength > limits.messageBytes) {
      throw new RefusedError(
        'message-too-large',
        '',
        `The message has ${raw.byteLength} bytes as it stands on the wire, ${limits.messageBytes} are allowed`,
      );
    }
    const { sender, senderName, subject, internetMessageId } = facts;
    const defaults = await mailSettings.defaultsFor({
      accountId: draft.account.id,
      domain: sender.slice(sender.lastIndexOf('@') + 1).toLowerCase(),
      stream: draft.options.stream,
    });
    await checkSender({ accountId: draft.account.id, sender, recipients });
    const result = await intake.accept({
      ...submissionOf(draft, defaults),
      sender,
      senderName,
      subject,
      internetMessageId,
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
        'This idempotency key was used for another request within the last 24 hours',
      );
    }
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
  | 'trackText'
  | 'listUnsubscribe'
  | 'trackingHost'
  | 'templateId'
  | 'templateVersion';

/** What the draft says as it is, with the defaults where it says nothing. */
function submissionOf(
  { account, door, envelopeSender, options, template }: Draft,
  { settings, trackingHost }: MessageDefaults,
): Pick<NewSubmission, DraftFacts> {
  return {
    accountId: account.id,
    door,
    envelopeSender,
    tags: [...new Set(options.tags)],
    stream: options.stream,
    essential: options.essential,
    trackOpens: options.trackOpens ?? settings.trackOpens,
    trackClicks: options.trackClicks ?? settings.trackClicks,
    trackText: options.trackText ?? settings.trackText,
    listUnsubscribe: options.listUnsubscribe ?? settings.listUnsubscribe,
    trackingHost,
    templateId: template?.id,
    templateVersion: template?.version,
  };
}

const roleOrder: Readonly<Record<RecipientRole, number>> = { to: 0, cc: 1, bcc: 2 };

/** The recipients in the order to, cc, bcc, each once: who stands in several places has the first one's role. */
function checkedRecipients({ recipients }: Draft, maxRecipients: number): NewSubmission['recipients'] {
  if (recipients.length === 0) {
    throw new RefusedError('recipients-missing', 'recipients', 'The message has no recipient');
  }
  if (recipients.length > maxRecipients) {
    throw new RefusedError(
      'recipients-too-many',
      'recipients',
      `The message has ${recipients.length} recipients, ${maxRecipients} are allowed`,
    );
  }
  const checked = recipients.map(({ address, role }, index) => ({
    address: checkedAddress(address, `recipients[${index}]`),
    role,
  }));
  const distinct = new Map<string, (typeof checked)[number]>();
  for (const recipient of checked.sort((a, b) => roleOrder[a.role] - roleOrder[b.role])) {
    // The local part's case is the receiving server's business (RFC 5321), but none there is tells Ann from ann.
    const key = recipient.address.toLowerCase();
    if (!distinct.has(key)) distinct.set(key, recipient);
  }
  return [...distinct.values()];
}

function checkedAddress(text: string, field: string): string {
  const address = addressOf(text)?.address;
  if (address === undefined) {
    const shown = JSON.stringify(text.slice(0, maxShownChars));
    throw new RefusedError('address-invalid', field, `${shown} is not a mail address`);
  }
  return address;
}

/** The content with its addresses in their stored form. Line breaks in headers are refused where they are written. */
function checkedContent(content: MailContent): MailContent {
  const { from, text, html } = content;
  if (from.address === '') throw new RefusedError('from-missing', 'from', 'The message has no sender');
  if (text === undefined && html === undefined) {
    throw new RefusedError('body-missing', 'text', 'The message has neither text nor html');
  }
  const mailbox = (field: string, { address, name }: Mailbox): Mailbox => ({
    address: checkedAddress(address, field),
    name,
  });
  const mailboxes = (field: string, list: readonly Mailbox[]) =>
    list.map((entry, index) => mailbox(`${field}[${index}]`, entry));
  return {
    ...content,
    from: mailbox('from', from),
    replyTo: mailboxes('replyTo', content.replyTo),
    to: mailboxes('to', content.to),
    cc: mailboxes('cc', content.cc),
  };
}

/** @returns the metadata as JSON text */
function checkedOptions({ tags, metadata, stream }: DraftOptions): string {
  const refuse = (field: string, message: string) => new RefusedError('options-invalid', field, message);
  if (tags.length > maxTags) throw refuse('tags', `${tags.length} tags are given, ${maxTags} are allowed`);
  for (const [index, tag] of tags.entries()) {
    if (tag === '' || tag.length > maxTagChars || !tag.isWellFormed() || /\p{Cc}/u.test(tag)) {
      throw refuse(`tags[${index}]`, `A tag is 1 to ${maxTagChars} characters without control characters`);
    }
  }
  if (stream.length > maxStreamChars || !/^[a-z0-9]+(?:[-_.][a-z0-9]+)*$/.test(stream)) {
    throw refuse(
      'stream',
      `A stream is 1 to ${maxStreamChars} lower-case letters, digits and single - _ . between them`,
    );
  }
  const metadataJson = JSON.stringify(metadata);
  if (Buffer.byteLength(metadataJson) > maxMetadataBytes) {
    throw refuse('metadata', `The metadata is longer than ${maxMetadataBytes} bytes as JSON`);
  }
  return metadataJson;
}
