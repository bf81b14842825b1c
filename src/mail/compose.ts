/**
 * Makes the MIME message of what an HTTP door was given. The same content and facts always make the same bytes.
 * Nothing that a caller wrote may end a header line or name a file or URL to be read, and no CR or LF may leave here
 * alone: a server that takes one for a line's end would read commands of a stranger's (SMTP smuggling).
 */
import MailComposer from 'nodemailer/lib/mail-composer';
import { detectMimeType } from 'nodemailer/lib/mime-funcs';
import { type Mailbox, type MailContent, RefusedError } from '../accept/draft.ts';
import { asBuffer, isFieldName } from './header-fields.ts';

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
const longestLineOctets = 998;

/**
 * Header names that are free for callers: everything but what the service sets itself. List-Unsubscribe is free: where
 * a message brings one, the service adds none of its own.
 * @throws RefusedError 'header-invalid' naming the field
 */
export async function composeMessage(content: MailContent, facts: ComposeFacts): Promise<Uint8Array> {
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
  const composer = new MailComposer({
    from: content.from,
    ...(content.replyTo.length > 0 && { replyTo: [...content.replyTo] }),
    to: [...content.to],
    cc: [...content.cc],
    subject: content.subject,
    ...(content.text !== undefined && { text: wholeLines(content.text) }),
    ...(content.html !== undefined && { html: wholeLines(content.html) }),
    headers: Object.entries(content.headers).map(([key, value]) => ({ key, value })),
    messageId: givenMessageId(content.headers) ?? facts.messageId,
    date: new Date(facts.dateMs),
    attachments: content.attachments.map(({ filename, contentType, content: bytes, contentId }) => ({
      filename,
      contentType: carriedType(contentType ?? detectMimeType(filename), bytes),
      ...(contentId !== undefined && { cid: contentId }),
      content: Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength),
    })),
    baseBoundary: facts.boundarySeed,
    newline: 'windows',
    disableFileAccess: true,
    disableUrlAccess: true,
  });
  return composer.compile().build();
}

/** A CR alone ends a line as well: some programs still write it so. */
function wholeLines(text: string): string {
  return text.includes('\r') ? text.replaceAll(/\r\n?/g, '\n') : text;
}

/**
 * A message within the message goes as it is: RFC 2046 section 5.2.1 allows it no base64. One that cannot go so is sent
 * as a file, which changes no byte of it.
 */
function carriedType(type: string, content: Uint8Array): string {
  if (!/^message\//i.test(type)) return type;
  // What is no break of a line here is a NUL, a CR alone or a line longer than mail may have.
  const isMail = asBuffer(content)
    .toString('latin1')
    .split(/\r?\n/)
    .every((line) => line.length <= longestLineOctets && !/[\r\0]/.test(line));
  return isMail ? type : 'application/octet-stream';
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
  if (!/^[\w!#$&^.+-]+\/[\w!#$&^.+-]+\s*(?:;.*)?$/.test(value) || /^multipart\//i.test(value)) {
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
