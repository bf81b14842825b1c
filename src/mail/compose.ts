/**
 * Makes the MIME message of what an HTTP door was given. The same content and facts always make the same bytes.
 * Nothing that a caller wrote may end a header line, and no CR or LF may leave here alone: a server that takes one for a
 * line's end would read commands of a stranger's (SMTP smuggling).
 */
import { detectMimeType } from 'nodemailer/lib/mime-funcs';
import { type Attachment, type Mailbox, type MailContent, RefusedError } from '../accept/draft.ts';
import { mailDate } from './date.ts';
import { asBuffer, isFieldName } from './header-fields.ts';
import { authorIn, decodedText, type MailFacts } from './headers.ts';
import { bytesOf, filePart, multipart, type Part, textPart } from './mime-parts.ts';
import { fieldLine, fieldText, mailboxText, parameterText } from './write-fields.ts';

export interface ComposeFacts {
  /** With its angle brackets. A Message-ID among the content's headers goes before it. */
  readonly messageId: string;
  readonly dateMs: number;
  /** Makes the boundaries between parts; something that no content can hold by chance. */
  readonly boundarySeed: string;
}

/** The service writes these, or they have fields of their own in `MailContent`. */
const ownFields: ReadonlySet<string> = new Set([
  'from',
  'to',
  'cc',
  'bcc',
  'subject',
  'date',
  'mime-version',
  'return-path',
  'received',
  'dkim-signature',
  'authentication-results',
  'feedback-id',
  'cfbl-address',
]);
/** Families of such fields: parts of MIME, what relays write, and our own control fields. */
const ownPrefixes = ['content-', 'arc-', 'resent-', 'x-aftersend-'];

const lineBreaking = /[\r\n\0]/;
const longestNameOctets = 76;
const longestValueOctets = 8 * 1024;
/** Lines fold at blanks alone and may have 998 octets (RFC 5322 section 2.1.1); 98 are left for the field's name. */
const unfoldable = /[!-~]{900}/;

/**
 * Header names that are free for callers: everything but what the service sets itself. List-Unsubscribe is free: where
 * a message brings one, the service adds none of its own.
 * @throws RefusedError 'header-invalid' naming the field
 */
export function composeMessage(content: MailContent, facts: ComposeFacts): Uint8Array {
  checkContent(content);
  const messageId = givenMessageId(content.headers) ?? facts.messageId;
  const { headers, body } = bodyOf(content, facts.boundarySeed);
  const header = `${headerLines(content, messageId, facts.dateMs)}MIME-Version: 1.0\r\n${headers}\r\n`;
  return bytesOf([header, ...body]);
}

/** What `readFacts` reads in the message that `composeMessage` makes, without looking for it in the bytes. */
export function composedFacts(
  content: MailContent,
  { messageId }: ComposeFacts,
): Omit<MailFacts, 'to' | 'cc'> {
  // A name or a subject may hold encoded words itself: what is told is what the recipient's program shows.
  const { address, name } = authorIn(mailboxText(content.from));
  return {
    sender: address,
    senderName: name,
    subject: decodedText(fieldText(content.subject)),
    internetMessageId: givenMessageId(content.headers) ?? messageId,
  };
}

function headerLines(content: MailContent, messageId: string, dateMs: number): string {
  const mailboxes = (name: string, list: readonly Mailbox[]) =>
    list.length === 0 ? '' : fieldLine(name, list.map(mailboxText).join(', '));
  const replyTo = mailboxes('Reply-To', content.replyTo);
  const further = Object.entries(content.headers).filter(([name]) => {
    const lower = name.toLowerCase();
    return lower !== 'message-id' && !(lower === 'reply-to' && replyTo !== '');
  });
  return [
    mailboxes('From', [content.from]),
    replyTo,
    mailboxes('To', content.to),
    mailboxes('Cc', content.cc),
    fieldLine('Subject', fieldText(content.subject)),
    fieldLine('Message-ID', messageId),
    fieldLine('Date', mailDate(dateMs)),
    ...further.map(([name, value]) => fieldLine(name, fieldText(value))),
  ].join('');
}

/** Text and HTML are alternatives, the HTML's pictures stand beside it, files come behind all of that. */
function bodyOf({ text, html, attachments }: MailContent, boundarySeed: string): Part {
  let boundaries = 0;
  const together = (subtype: string, parts: readonly Part[]): Part => {
    const [only] = parts;
    return parts.length === 1 && only !== undefined
      ? only
      : multipart(subtype, `--_${boundarySeed}-${++boundaries}`, parts);
  };
  const isPicture = ({ contentId }: Attachment) => contentId !== undefined && html !== undefined;
  const pictures = attachments.filter(isPicture).map((picture) => attachmentPart(picture, 'inline'));
  const files = attachments
    .filter((file) => !isPicture(file))
    .map((file) => attachmentPart(file, 'attachment'));
  const readable = [
    ...(text === undefined ? [] : [textPart('text/plain', text)]),
    ...(html === undefined ? [] : [together('related', [textPart('text/html', html), ...pictures])]),
  ];
  return together('mixed', [together('alternative', readable), ...files]);
}

function attachmentPart(
  { filename, contentType, contentId, content }: Attachment,
  disposition: 'inline' | 'attachment',
): Part {
  const shown = fieldLine('Content-Disposition', disposition + parameterText('filename', filename));
  const id = contentId === undefined ? '' : fieldLine('Content-ID', `<${contentId}>`);
  return filePart(contentType ?? detectMimeType(filename), shown + id, asBuffer(content));
}

/** @throws RefusedError 'header-invalid' */
function checkContent(content: MailContent): void {
  for (const [name, value] of Object.entries(content.headers)) checkHeader(name, value);
  checkValue('subject', content.subject);
  checkMailbox('from', content.from);
  for (const field of ['replyTo', 'to', 'cc'] as const) {
    for (const [index, mailbox] of content[field].entries()) checkMailbox(`${field}[${index}]`, mailbox);
  }
  for (const [index, { filename, contentType, contentId }] of content.attachments.entries()) {
    const field = `attachments[${index}]`;
    checkValue(`${field}.filename`, filename);
    checkContentType(`${field}.contentType`, contentType);
    checkContentId(`${field}.contentId`, contentId);
  }
}

function givenMessageId(headers: Readonly<Record<string, string>>): string | undefined {
  const given = Object.entries(headers).find(([name]) => name.toLowerCase() === 'message-id');
  if (given === undefined) return undefined;
  const [name, value] = given;
  if (!/^<[!-;=?-~]+@[!-;=?-~]+>$/.test(value)) {
    throw new RefusedError(
      'header-invalid',
      `headers.${name}`,
      'Message-ID is not of the form <local@domain>',
    );
  }
  return value;
}

function checkHeader(name: string, value: string): void {
  const field = `headers.${name.replaceAll(/[^!-~]/g, '?')}`;
  if (!isFieldName(name) || name.length > longestNameOctets) {
    throw new RefusedError(
      'header-invalid',
      field,
      'A header name is printable ASCII without spaces and colons',
    );
  }
  const lower = name.toLowerCase();
  if (ownFields.has(lower) || ownPrefixes.some((prefix) => lower.startsWith(prefix))) {
    throw new RefusedError('header-invalid', field, `${name} is set by the service or by a field of its own`);
  }
  checkValue(field, value);
}

function checkMailbox(field: string, { name, address }: Mailbox): void {
  checkValue(`${field}.name`, name);
  checkValue(`${field}.address`, address);
}

/** RFC 2045 section 5.1: `type/subtype` and parameters. A multipart attachment would need its boundary respected. */
function checkContentType(field: string, value: string | undefined): void {
  if (value === undefined) return;
  checkValue(field, value);
  if (!/^[\w!#$&^.+-]+\/[\w!#$&^.+-]+\s*(?:;[\t -~]*)?$/.test(value) || /^multipart\//i.test(value)) {
    throw new RefusedError('header-invalid', field, 'Not a media type for an attachment, as in image/png');
  }
}

function checkContentId(field: string, value: string | undefined): void {
  if (value !== undefined && !/^[!-;=?-~]{1,200}$/.test(value)) {
    throw new RefusedError('header-invalid', field, 'A content id is printable ASCII without angle brackets');
  }
}

function checkValue(field: string, value: string): void {
  if (lineBreaking.test(value)) {
    throw new RefusedError('header-invalid', field, 'Line breaks and NUL are not allowed here');
  }
  if (Buffer.byteLength(value) > longestValueOctets) {
    throw new RefusedError('header-invalid', field, `Longer than ${longestValueOctets} octets`);
  }
  if (unfoldable.test(value)) {
    throw new RefusedError('header-invalid', field, 'More than 900 characters without a space');
  }
}
