/**
 * What `accept` has to know of a MIME message that was submitted whole, and what it has to put right in its header.
 * Works on the bytes: the body is never decoded, and no byte outside the header fields named here is ever changed.
 */
import { type Mailbox, RefusedError } from '../accept/draft.ts';
import { parseMailboxes } from './address.ts';
import { mailDate } from './date.ts';
import { decodeWords } from './encoded-words.ts';
import {
  asBuffer,
  fieldValue,
  findField,
  type HeaderBlock,
  type HeaderField,
  headerValue,
  readHeaders,
} from './header-fields.ts';

export interface MailFacts {
  /** The address in From. */
  readonly sender: string;
  readonly senderName: string;
  /** Decoded (RFC 2047), '' if none. */
  readonly subject: string;
  /** With its angle brackets, '' if the message has none. */
  readonly internetMessageId: string;
  /** As shown in the header; empty where it is missing or cannot be read. */
  readonly to: readonly Mailbox[];
  readonly cc: readonly Mailbox[];
}

/** @throws RefusedError 'from-missing' if From does not name its author */
export function readFacts(raw: Uint8Array): MailFacts {
  const block = readHeaders(raw);
  const { address, name } = authorOf(raw, block);
  const mailboxes = (field: string) => parseMailboxes(headerValue(raw, block, field) ?? '').mailboxes;
  return {
    sender: address,
    senderName: name,
    subject: decodedText(headerValue(raw, block, 'subject') ?? ''),
    internetMessageId: headerValue(raw, block, 'message-id') ?? '',
    to: mailboxes('to'),
    cc: mailboxes('cc'),
  };
}

/** Encoded words can hide line breaks and other controls; none of them reaches the log or a webhook. */
export function decodedText(value: string): string {
  return decodeWords(value).replaceAll(/\p{Cc}+/gu, ' ');
}

function authorOf(raw: Uint8Array, block: HeaderBlock): Mailbox {
  const from = findField(block, 'from');
  if (from === undefined) throw new RefusedError('from-missing', 'headers.From', 'The message has no From');
  return authorIn(fieldValue(raw, from));
}

/** The first mailbox of From's value. @throws RefusedError */
export function authorIn(value: string): Mailbox {
  const { mailboxes, invalid } = parseMailboxes(value);
  const author = mailboxes[0];
  if (author === undefined || invalid.length > 0) {
    throw new RefusedError('from-missing', 'headers.From', 'From does not hold a valid address');
  }
  return author;
}

/** Recipients must not see these, and the last one is the final server's to write (RFC 5321 section 4.4). */
const removedFields: ReadonlySet<string> = new Set(['bcc', 'resent-bcc', 'return-path']);

/** More than any honest message has; a header is looked through several times on its way. */
const mostHeaderBytes = 256 * 1024;

/**
 * Makes a submitted message fit to be sent: takes out Bcc and Return-Path, adds Date, Message-ID and MIME-Version
 * where they are missing. Everything else stays byte for byte; a message that needs nothing is returned itself.
 * @param facts.messageId with its angle brackets
 * @throws RefusedError 'message-malformed': a NUL, a CR or LF alone, a header line that is none, two From fields, a
 *   header too large; 'from-missing': no author
 */
export function completeHeaders(raw: Uint8Array, facts: { messageId: string; dateMs: number }): Uint8Array {
  refuseStrayBytes(raw);
  const block = readHeaders(raw);
  if (block.malformed || block.end > mostHeaderBytes) {
    throw malformed(block.malformed ? 'A line of the header is no header field' : 'The header is too large');
  }
  authorOf(raw, block);
  if (block.fields.filter(({ name }) => name === 'from').length > 1) {
    throw malformed('The message has more than one From', 'headers.From');
  }
  const missing = (name: string) => findField(block, name) === undefined;
  const added = [
    missing('date') ? `Date: ${mailDate(facts.dateMs)}\r\n` : '',
    missing('message-id') ? `Message-ID: ${facts.messageId}\r\n` : '',
    missing('mime-version') ? 'MIME-Version: 1.0\r\n' : '',
    // A message that is all header lacks the empty line that ends it.
    block.bodyStart === block.end ? '\r\n' : '',
  ].join('');
  return rebuild(raw, block, (field) => removedFields.has(field.name), added);
}

/** The message without the fields that `drop` names and with `added` behind the last field. */
export function rebuild(
  raw: Uint8Array,
  block: HeaderBlock,
  drop: (field: HeaderField) => boolean,
  added = '',
): Uint8Array {
  const pieces: Uint8Array[] = [];
  let kept = 0;
  for (const field of block.fields) {
    if (!drop(field)) continue;
    if (field.start > kept) pieces.push(raw.subarray(kept, field.start));
    kept = field.end;
  }
  if (kept === 0 && added === '') return raw;
  pieces.push(raw.subarray(kept, block.end), Buffer.from(added), raw.subarray(block.end));
  return Buffer.concat(pieces);
}

function refuseStrayBytes(raw: Uint8Array): void {
  if (asBuffer(raw).includes(0)) throw malformed('The message holds a NUL byte');
  for (let index = 0; index < raw.length; index++) {
    const byte = raw[index];
    if (byte === 13 && raw[index + 1] === 10) index++;
    else if (byte === 13 || byte === 10) throw malformed('A line ends in a CR or LF alone; CRLF ends lines');
  }
}

function malformed(message: string, field = ''): RefusedError {
  return new RefusedError('message-malformed', field, message);
}
