/**
 * Makes a recipient's message of the accepted one: tracked links, the pixel, the unsubscribe link, further headers. All
 * that is not one of these stays byte for byte what the sender wrote; what is signed or encrypted is not touched at all.
 */
import { asBuffer, type HeaderBlock, readHeaders } from './header-fields.ts';
import { findTextParts, type TextPart } from './text-parts.ts';
import { findPlaces, type Place } from './text-places.ts';
import {
  decodeBase64,
  decodeQuotedPrintable,
  encodeBase64Lines,
  longestLine,
  type Replacement,
  splice,
} from './transfer-encoding.ts';

/** What is different for each recipient. The same values always make the same bytes. */
export interface RecipientChanges {
  /** The tracking URL of a link's target, undefined to leave the link alone. */
  readonly clickUrl: (target: string) => string | undefined;
  /** Whether links in plain text are tracked as well. */
  readonly tracksText: boolean;
  /** Undefined for no pixel. */
  readonly pixelUrl: string | undefined;
  /** What `{{ unsubscribe_url }}` becomes. */
  readonly unsubscribeUrl: string;
  /**
   * Go before the first field. One that the message already has a field of is left out: the sender's own word counts.
   * ASCII without line breaks.
   */
  readonly extraHeaders: readonly (readonly [name: string, value: string])[];
}

/** A larger text is nobody's reading; it is passed on as it is. */
const largestTextPartBytes = 4 * 1024 * 1024;

interface PlannedPart {
  readonly part: TextPart;
  /** Of a base64 part: its places are offsets in here. Undefined: they are offsets in the message itself. */
  readonly decoded: Buffer | undefined;
  readonly places: readonly Place[];
}

interface Plan {
  readonly block: HeaderBlock;
  readonly parts: readonly PlannedPart[];
}

/** What was found in a message holds for all its recipients, as long as somebody still has its bytes. */
const plansWithText = new WeakMap<Uint8Array, Plan>();
const plansWithoutText = new WeakMap<Uint8Array, Plan>();

/** @returns `raw` itself when nothing is to be changed */
export function rewriteForRecipient(raw: Uint8Array, changes: RecipientChanges): Uint8Array {
  const plans = changes.tracksText ? plansWithText : plansWithoutText;
  let plan = plans.get(raw);
  if (plan === undefined) {
    plan = planFor(raw, changes.tracksText);
    plans.set(raw, plan);
  }
  const bytes = asBuffer(raw);
  const pieces: Uint8Array[] = [headerLines(plan.block, changes.extraHeaders)];
  let kept = 0;
  for (const planned of plan.parts) {
    const { part } = planned;
    const replacements = replacementsFor(planned, changes);
    if (replacements.length === 0) continue;
    pieces.push(bytes.subarray(kept, part.start));
    // One by one: so many pieces as a message can have are too many for the arguments of one call.
    for (const piece of changedPart(bytes, planned, replacements)) pieces.push(piece);
    kept = part.end;
  }
  if (kept === 0 && pieces[0]?.length === 0) return raw;
  pieces.push(bytes.subarray(kept));
  return Buffer.concat(pieces);
}

function planFor(raw: Uint8Array, tracksText: boolean): Plan {
  const block = readHeaders(raw);
  // A DKIM signature of the sender's own covers the body: changing that would make good mail look forged.
  if (block.fields.some(({ name }) => name === 'dkim-signature')) return { block, parts: [] };
  const parts: PlannedPart[] = [];
  let pixelPlaced = false;
  for (const part of findTextParts(raw, block)) {
    if (part.end - part.start > largestTextPartBytes) continue;
    const { decoded, places } = placesIn(asBuffer(raw), part, tracksText);
    // One pixel a message: where a sender wrote several HTML parts, it is in the first.
    const wanted: readonly Place[] = pixelPlaced ? places.filter(({ kind }) => kind !== 'pixel') : places;
    if (wanted.length === 0) continue;
    pixelPlaced ||= wanted.some(({ kind }) => kind === 'pixel');
    parts.push({ part, decoded, places: wanted });
  }
  return { block, parts };
}

function placesIn(raw: Buffer, part: TextPart, tracksText: boolean): Pick<PlannedPart, 'decoded' | 'places'> {
  const { start, end, encoding } = part;
  const none = { decoded: undefined, places: [] };
  if (part.kind === 'plain' && !tracksText && encoding !== 'base64' && !mayHoldPlaceholder(raw, part))
    return none;
  switch (encoding) {
    case 'base64': {
      const decoded = decodeBase64(raw, start, end);
      return decoded === undefined ? none : { decoded, places: findPlaces(decoded, part, tracksText) };
    }
    case 'identity': {
      const places = findPlaces(raw.subarray(start, end), part, tracksText);
      return { decoded: undefined, places: shifted(places, (offset) => offset + start) };
    }
    case 'quoted-printable': {
      const { bytes, encodedOffset } = decodeQuotedPrintable(raw, start, end);
      return { decoded: undefined, places: shifted(findPlaces(bytes, part, tracksText), encodedOffset) };
    }
  }
}

/** Most plain texts hold none: they are not worth decoding. */
function mayHoldPlaceholder(raw: Buffer, { start, end }: TextPart): boolean {
  const bytes = raw.subarray(start, end);
  return ['{', '=7B', '=7b'].some((text) => bytes.includes(text, 0, 'latin1'));
}

function shifted(places: readonly Place[], shift: (offset: number) => number): Place[] {
  return places.map((place) => ({ ...place, start: shift(place.start), end: shift(place.end) }));
}

function replacementsFor({ part, places }: PlannedPart, changes: RecipientChanges): Replacement[] {
  const replacements: Replacement[] = [];
  for (const place of places) {
    const text = textFor(place, part.kind, changes);
    if (text === undefined) continue;
    if (part.encoding === 'identity' && text.length > longestLine) continue;
    replacements.push({ start: place.start, end: place.end, text });
  }
  return replacements;
}

function textFor(
  place: Place,
  kind: TextPart['kind'],
  { clickUrl, pixelUrl, unsubscribeUrl }: RecipientChanges,
): string | undefined {
  switch (place.kind) {
    case 'link': {
      const url = clickUrl(place.target);
      if (url === undefined) return undefined;
      return kind === 'html' ? place.quote + escapeHtml(url) + place.quote : url;
    }
    case 'unsubscribe':
      return kind === 'html' ? escapeHtml(unsubscribeUrl) : unsubscribeUrl;
    case 'pixel':
      if (pixelUrl === undefined) return undefined;
      return `<img src="${escapeHtml(pixelUrl)}" width="1" height="1" alt="" style="border:0">`;
  }
}

function changedPart(
  raw: Buffer,
  { part, decoded }: PlannedPart,
  replacements: readonly Replacement[],
): Buffer[] {
  const { start, end, encoding } = part;
  if (encoding !== 'base64') return splice(raw, { start, end, encoding }, replacements);
  if (decoded === undefined) throw new Error('a base64 part was planned without its decoded bytes');
  const pieces: Buffer[] = [];
  let position = 0;
  for (const replacement of replacements) {
    pieces.push(decoded.subarray(position, replacement.start), Buffer.from(replacement.text));
    position = replacement.end;
  }
  pieces.push(decoded.subarray(position));
  // Line breaks that followed the encoded text stay as they were.
  const tail = /\s*$/.exec(raw.toString('latin1', Math.max(start, end - 16), end))?.[0] ?? '';
  return [Buffer.from(encodeBase64Lines(Buffer.concat(pieces)) + tail, 'latin1')];
}

function escapeHtml(text: string): string {
  return text
    .replaceAll('&', '&amp;')
    .replaceAll('"', '&quot;')
    .replaceAll("'", '&#39;')
    .replaceAll('<', '&lt;')
    .replaceAll('>', '&gt;');
}

function headerLines({ fields }: HeaderBlock, extra: RecipientChanges['extraHeaders']): Buffer {
  const own = new Set(fields.map(({ name }) => name));
  // RFC 8058: the POST is an answer to the URL in List-Unsubscribe, so the two come from one hand.
  if (own.has('list-unsubscribe')) own.add('list-unsubscribe-post');
  const lines = extra
    .filter(([name]) => !own.has(name.toLowerCase()))
    .map(([name, value]) => headerLine(name, value));
  return Buffer.from(lines.join(''), 'latin1');
}

/** RFC 5322 section 2.1.1: what a line should have at most, without the line break. */
const preferredLine = 78;

function headerLine(name: string, value: string): string {
  if (!/^[\x20-\x7e]*$/.test(value)) throw new RangeError(`the value of ${name} is not plain ASCII`);
  let text = '';
  let line = `${name}:`;
  for (const word of value.split(' ')) {
    if (line.length + 1 + word.length > preferredLine && line !== '') {
      text += `${line}\r\n`;
      line = '';
    }
    line += ` ${word}`;
  }
  return `${text}${line}\r\n`;
}
