/** The words of an HTML part, a line a block: for reports that have no plain text. Not for showing: nothing is safe in it. */

const entities: Readonly<Record<string, string>> = {
  amp: '&',
  lt: '<',
  gt: '>',
  quot: '"',
  apos: "'",
  nbsp: ' ',
};

/** What is in these is not shown. */
const hidden = /<(?:style|script|head)\b/i;
const hiddenEnd = /<\/(?:style|script|head)\s*>/i;

export function textOfHtml(html: string): string {
  const [first = '', ...rest] = html.split(hidden);
  const shown = [first, ...rest.map((piece) => piece.split(hiddenEnd).slice(1).join(' '))].join(' ');
  return shown
    .replaceAll(/\s+/g, ' ')
    .replaceAll(/<(?:br|\/?(?:p|div|tr|td|li|h\d|table|pre))\b[^<>]*>/gi, '\n')
    .replaceAll(/<[^<>]*>/g, '')
    .replaceAll(/&#(\d{1,6});/g, (_, code: string) => String.fromCodePoint(Math.min(Number(code), 0x10ffff)))
    .replaceAll(/&([a-z]+);/gi, (whole, name: string) => entities[name.toLowerCase()] ?? whole)
    .replaceAll(/[ \t]*\n\s*/g, '\n')
    .trim();
}
