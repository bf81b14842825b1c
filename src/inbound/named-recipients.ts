/**
 * Which recipients a report names in words for people, and which of its words are about each. A list of forms is behind
 * it (qmail's, Exim's, sendmail's transcript …); a form of its own for each mail system is not. Never decides which
 * message is meant.
 */

export interface NamedRecipient {
  readonly recipient: string;
  /** What the report says of it. */
  readonly words: string;
}

const mostRecipients = 50;
/** A longer line is no report for people. */
const longestLineChars = 2000;
/** How far before an address the words that say what it is may stand. */
const nearChars = 120;

const address = /[\w!#$%&'*+/=?^`{|}~.-]{1,64}@[a-z0-9](?:[a-z0-9.-]{0,252}[a-z0-9])?/gi;

/** Stands before an address that is not the recipient of the mail. */
const notRecipient =
  /(?:mail[ _]from|\bfrom|sender|contact|assistance|please (?:send|ask|write)\b.*|postmaster|e-?mail to|mail to|question.*|\bask|expanded from|generated (?:from|by)|message-id|reply-to|\bcc|\bby|for more information.*|original(?:ly)? (?:sent )?to|f=|http\S*|hello|bonjour)\W*$/i;
/** Whose addresses those are. */
const notSomebody = /^(?:postmaster|post_master|mailer-?daemon|abuse|support|help|helpdesk|noc)@/i;

/** Stands before a recipient, in the words of many systems. */
const beforeRecipient =
  /(?:recipient(?: address)?|addressed to|rcpt to|undeliverable to|(?:un)?deliver(?:ed|ing|y)?(?: (?:your )?(?:mail|message))?(?: has failed)? (?:to|for)|(?:unknown|invalid|no such|bad) (?:user|address|recipient|mailbox)|not sent to|failed to send to|address|failed for|user|mailbox|following recipients?)\W*$/i;
/** A line that ends with the address after saying what is wrong with it. */
const labelled = /^\s*[a-z][\w ',-]{3,60}:\s*<?$/i;
/** Stands alone before it: blanks, a bullet, an opening bracket or quote. */
const beginning = /^[\s*>•-]*["'<(]?$/;

/** A line of sendmail's transcript that names whom it is about. */
const transcriptLine =
  /^(?:([45]\d\d)[ -](?:[245]\.\d{1,3}\.\d{1,3} )?)?<?([^\s<>@]+@[^\s<>@]+?)>?(?:\.{3}|:) (.*)$/;

interface Found {
  readonly recipient: string;
  readonly line: number;
  readonly certain: boolean;
}

/** @param text what a person reads of the report, without quoted mail @param own addresses in the report's own header */
export function namedRecipients(text: string, own: ReadonlySet<string>): NamedRecipient[] {
  const lines = text.split('\n').map((line) => line.slice(0, longestLineChars));
  const fromTranscript = readTranscript(lines);
  if (fromTranscript.length > 1) return fromTranscript;
  const found = lines.flatMap((line, index) => addressesOf(line, index));
  const certain = found.filter((one) => one.certain);
  const others = found.filter(({ recipient }) => !own.has(recipient.toLowerCase()));
  const chosen = distinct(certain.length > 0 ? certain : others.length > 0 ? others : found);
  const [only, ...more] = chosen;
  if (only === undefined) return [];
  if (more.length === 0) return [{ recipient: only.recipient, words: text }];
  return chosen.map(({ recipient, line }, index) => ({
    recipient,
    words: lines.slice(line, chosen[index + 1]?.line ?? lines.length).join('\n'),
  }));
}

function addressesOf(line: string, index: number): Found[] {
  const found: Found[] = [];
  for (const match of line.matchAll(address)) {
    const recipient = match[0].replace(/^['`]+/, '');
    const before = line.slice(0, match.index);
    const after = line.slice(match.index + match[0].length);
    const near = before.slice(-nearChars);
    if (notRecipient.test(near) || notSomebody.test(recipient)) continue;
    const certain =
      (beginning.test(before) && endsName(after)) ||
      beforeRecipient.test(near) ||
      (labelled.test(before) && /^>?\s*$/.test(after));
    found.push({ recipient, line: index, certain });
  }
  return found;
}

/** After a recipient at the beginning of a line comes nothing, or what became of it. */
function endsName(after: string): boolean {
  return /^["'>)]*(?:\s*$|\s*:|\s*\[|\s*\(|\.\.\.|>?\s{2,}|\s+(?:on|invalid|error|unknown|delivery)\b)/i.test(
    after,
  );
}

function distinct(found: readonly Found[]): Found[] {
  const first = new Map<string, Found>();
  for (const one of found) {
    const key = one.recipient.toLowerCase();
    if (!first.has(key)) first.set(key, one);
  }
  return [...first.values()].slice(0, mostRecipients);
}

/**
 * Sendmail's transcript, where the server's answer (`<<<`) stands before the line that says whose it was. What follows
 * on the answers (`503 need RCPT`) is nobody's.
 */
function readTranscript(lines: readonly string[]): NamedRecipient[] {
  const found = new Map<string, NamedRecipient>();
  let before: string[] = [];
  for (const line of lines) {
    const [whole, , recipient] = transcriptLine.exec(line) ?? [];
    if (whole === undefined || recipient === undefined) {
      if (/^(?:>>>|<<<|While talking|\.\.\. while)/i.test(line)) before.push(line);
      continue;
    }
    const key = recipient.toLowerCase();
    if (!found.has(key) && (before.length > 0 || /^[45]\d\d/.test(line))) {
      found.set(key, { recipient, words: [...before, line].join('\n') });
    }
    before = [];
  }
  return [...found.values()].slice(0, mostRecipients);
}
