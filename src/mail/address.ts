/**
 * Mail addresses: what counts as one, in which form it is kept, and reading lists of them from header fields.
 * Everything that becomes an SMTP command or a header passes here, so nothing with CR, LF, NUL, spaces, angle brackets or
 * invisible characters may ever come out as an address.
 */
import { domainToASCII } from 'node:url';
import type { Mailbox } from '../accept/draft.ts';
import { decodeWords } from './encoded-words.ts';

export interface Address {
  /** As given, but in Unicode NFC and without needless quotes. Case counts: it is the receiving server's business. */
  readonly local: string;
  /** Lower case, international names in their ASCII form (`xn--…`): one domain has one spelling. */
  readonly domain: string;
  /** `local@domain`: what is stored, compared and put in the envelope. */
  readonly address: string;
}

/** RFC 5321 section 4.5.3.1, in octets; a path of 256 leaves 254 for what is between its angle brackets. */
const longestLocalOctets = 64;
const longestAddressOctets = 254;
const longestDomainOctets = 253;

const dotAtom = /^[\w!#$%&'*+/=?^`{|}~\u{80}-\u{10FFFF}-]+(?:\.[\w!#$%&'*+/=?^`{|}~\u{80}-\u{10FFFF}-]+)*$/u;
/** Printable ASCII without space and angle brackets; a backslash takes the next character as it is. */
const quotedLocal = /^"((?:[!#-;=?-[\]-~]|\\["\\])+)"$/;
/** Controls, invisible format characters, lone surrogates, unassigned (`C`) and every kind of space (`Z`). */
const unwanted = /[\p{C}\p{Z}]/u;
const label = '[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?';
const domainName = new RegExp(`^(?:${label}\\.)*${label}$`);
const plainAscii = /^[!-~]*$/;
const asciiAtom = "[\\w!#$%&'*+/=?^`{|}~-]+";
/** As nearly all are, in the form in which they are kept: seen in one look, a third of what the steps take. */
const plainAddress = new RegExp(`^(${asciiAtom}(?:\\.${asciiAtom})*)@((?:${label}\\.)*(?!\\d+$)${label})$`);

/**
 * Reads a bare address (RFC 5321 Mailbox, with the Unicode of RFC 6531). Address literals (`user@[192.0.2.1]`) are no
 * addresses here: mail is routed by names.
 * @returns undefined if `text` is none
 */
export function addressOf(text: string): Address | undefined {
  // A character takes at most three octets a UTF-16 unit: this keeps a huge input from being looked at.
  if (text.length > longestAddressOctets) return undefined;
  const [, plainLocal = '', plainDomain = ''] = plainAddress.exec(text) ?? [];
  if (plainDomain !== '' && plainLocal.length <= longestLocalOctets) {
    return { local: plainLocal, domain: plainDomain, address: text };
  }
  if (unwanted.test(text)) return undefined;
  const at = text.lastIndexOf('@');
  if (at < 1) return undefined;
  const local = normalLocal(text.slice(0, at));
  const domain = normalDomain(text.slice(at + 1));
  if (local === undefined || domain === undefined) return undefined;
  const address = `${local}@${domain}`;
  if (Buffer.byteLength(local) > longestLocalOctets) return undefined;
  if (Buffer.byteLength(address) > longestAddressOctets) return undefined;
  return { local, domain, address };
}

function normalLocal(text: string): string | undefined {
  const quoted = quotedLocal.exec(text)?.[1];
  if (quoted !== undefined) {
    const content = quoted.replaceAll(/\\(.)/g, '$1');
    return dotAtom.test(content) ? content : text;
  }
  const local = text.normalize('NFC');
  return dotAtom.test(local) ? local : undefined;
}

function normalDomain(text: string): string | undefined {
  // ASCII names skip the URL rules of `domainToASCII`, which would read `0x7f.1` as an IPv4 address.
  const domain = plainAscii.test(text) ? text.toLowerCase() : domainToASCII(text);
  if (domain.length > longestDomainOctets || !domainName.test(domain)) return undefined;
  // No top-level domain is a number: this is an IPv4 address that wants to look like a name.
  return /(?:^|\.)\d+$/.test(domain) ? undefined : domain;
}

export interface MailboxList {
  readonly mailboxes: readonly Mailbox[];
  /** Entries that hold no valid address, as they stood there. */
  readonly invalid: readonly string[];
}

/**
 * Reads the value of an address header (RFC 5322 address-list: names, comments, groups, encoded words), unfolded.
 * Names come decoded; the members of a group come as if they stood alone.
 */
export function parseMailboxes(value: string): MailboxList {
  const mailboxes: Mailbox[] = [];
  const invalid: string[] = [];
  for (const { phrase, angle, source } of entriesOf(value)) {
    const found = addressOf((angle ?? phrase).trim());
    if (found === undefined) {
      invalid.push(source);
      continue;
    }
    mailboxes.push({ address: found.address, name: angle === undefined ? '' : nameOf(phrase) });
  }
  return { mailboxes, invalid };
}

function nameOf(phrase: string): string {
  return decodeWords(phrase).replaceAll(/\s+/g, ' ').trim();
}

interface Entry {
  /** Words before the angle brackets, unquoted; the whole entry when it has none. */
  phrase: string;
  angle: string | undefined;
  source: string;
}

/** A single entry without quotes, comments and groups, as nearly all are. */
const plainEntry = /^([^"(),:;<]*)(?:<([^>]*)>)?$/;

function entriesOf(value: string): Iterable<Entry> {
  const source = value.trim();
  if (source === '') return [];
  const plain = plainEntry.exec(source);
  return plain === null ? splitEntries(value) : [{ phrase: plain[1] ?? '', angle: plain[2], source }];
}

/** Splits at the commas (and the `:` and `;` of groups) that are in no quotes, comment or angle brackets. */
function* splitEntries(value: string): Generator<Entry> {
  let phrase = '';
  let angle: string | undefined;
  let entryStart = 0;
  let index = 0;
  const entry = (): Entry | undefined => {
    const source = value.slice(entryStart, index).trim();
    const ended = source === '' ? undefined : { phrase, angle, source };
    phrase = '';
    angle = undefined;
    entryStart = index + 1;
    return ended;
  };
  for (; index < value.length; index++) {
    const character = value.charAt(index);
    if (character === '"') {
      const end = endOfQuotes(value, index);
      phrase += quotedText(value.slice(index, end), value.charAt(end) === '@');
      index = end - 1;
    } else if (character === '(') {
      index = endOfComment(value, index) - 1;
    } else if (character === '<') {
      const end = value.indexOf('>', index);
      angle = value.slice(index + 1, end < 0 ? value.length : end);
      index = end < 0 ? value.length : end;
    } else if (character === ':' && angle === undefined) {
      // The name of a group is no mailbox.
      phrase = '';
      entryStart = index + 1;
    } else if (character === ',' || character === ';') {
      const ended = entry();
      if (ended) yield ended;
    } else {
      phrase += character;
    }
  }
  const ended = entry();
  if (ended) yield ended;
}

/** A quoted word keeps its quotes where it is the local part of an address. */
function quotedText(quoted: string, isLocalPart: boolean): string {
  return isLocalPart ? quoted : quoted.slice(1, -1).replaceAll(/\\(.)/g, '$1');
}

function endOfQuotes(value: string, start: number): number {
  for (let index = start + 1; index < value.length; index++) {
    if (value.charAt(index) === '\\') index++;
    else if (value.charAt(index) === '"') return index + 1;
  }
  return value.length;
}

function endOfComment(value: string, start: number): number {
  let depth = 0;
  for (let index = start; index < value.length; index++) {
    const character = value.charAt(index);
    if (character === '\\') index++;
    else if (character === '(') depth++;
    else if (character === ')' && --depth === 0) return index + 1;
  }
  return value.length;
}
