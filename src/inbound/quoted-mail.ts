/**
 * Where the words of a report end and the mail that it quotes begins. Must never take a word of the quoted mail for the
 * reporter's: anybody could have written it.
 */

/** Lines that say what follows, in a reporter's own words. */
const announcements: readonly RegExp[] = [
  /\bis a copy of (?:the|your) (?:original )?(?:message|mail)/i,
  /\b(?:this|below) is a copy of\b/i,
  /^\W*(?:the )?original (?:message|mail)(?! was\b| contains\b)\b/i,
  /\bheaders? of (?:the|your) original (?:message|mail)\b/i,
  /^\W*(?:original )?message headers?(?: follow\w*)?\W*$/i,
  /^\W*(?:unsent|returned|undelivered|rejected) (?:message|mail)(?: follows?| below)?\W*$/i,
  /^\W*(?:your|the) (?:original )?(?:message|mail) (?:follows|is (?:attached|included|enclosed))/i,
];

/** How such a line looks, so that a sentence of the report itself is not taken for one. */
const longestAnnouncement = 100;

/** The first field of mail that a server has handled, at the beginning of a line. */
const trace = /^(?:received|return-path|dkim-signature|x-received|arc-seal|authentication-results):/i;
/** A part without the multipart around it, as when a gateway lost the MIME header. */
const partHeader = /^content-type:\s*(?:message\/rfc822|text\/rfc822-headers)/i;

/** @param text LF line ends */
export function cutQuoted(text: string): { text: string; quoted: string } {
  const lines = unquoted(text.split('\n'));
  const at = lines.findIndex(
    (line) =>
      trace.test(line) ||
      partHeader.test(line) ||
      (line.length <= longestAnnouncement && announcements.some((pattern) => pattern.test(line))),
  );
  if (at < 0) return { text: lines.join('\n'), quoted: '' };
  return { text: lines.slice(0, at).join('\n'), quoted: headerAt(lines.slice(at)) };
}

/** The first block of header fields. */
function headerAt(lines: readonly string[]): string {
  const start = lines.findIndex((line) => /^[!-9;-~]+:/.test(line) && !partHeader.test(line));
  if (start < 0) return '';
  const length = lines.slice(start).findIndex((line) => line.trim() === '');
  return lines.slice(start, length < 0 ? undefined : start + length).join('\n');
}

/** A report that a person sent on stands behind `> `, which `>>>` of a transcript must not be taken for. */
function unquoted(lines: readonly string[]): readonly string[] {
  const quoted = lines.filter((line) => /^>(?: |>|$)/.test(line)).length;
  const transcript = lines.filter((line) => /^>>> ?[A-Z]/.test(line)).length;
  if (quoted - transcript < 5) return lines;
  return lines.map((line) => line.replace(/^> ?/, ''));
}
