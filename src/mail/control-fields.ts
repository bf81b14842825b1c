/**
 * The `X-Aftersend-…` fields by which a program that submits by SMTP says what the HTTP doors have fields for. They are
 * for this service alone: none of them ever leaves in the mail, and one that is not understood is refused instead of
 * ignored, so that a misspelt option is not an option silently lost. Bounds on values are the business of `accept`.
 */
import { type DraftOptions, noOptions, RefusedError } from '../accept/draft.ts';
import { decodeWords } from './encoded-words.ts';
import { fieldValue, type HeaderField, readHeaders } from './header-fields.ts';
import { rebuild } from './headers.ts';

const prefix = 'x-aftersend-';

type Reader = (value: string) => Partial<DraftOptions> | undefined;

const switches: ReadonlyMap<string, boolean> = new Map([
  ['on', true],
  ['yes', true],
  ['true', true],
  ['off', false],
  ['no', false],
  ['false', false],
]);

const switched = (value: string): boolean | undefined => switches.get(value.toLowerCase());

/** Field names without the prefix, and how each is read: undefined when the value is not understood. */
const readers: Readonly<Record<string, { readonly read: Reader; readonly example: string }>> = {
  tags: { example: 'welcome, trial', read: (value) => ({ tags: listed(value) }) },
  metadata: { example: '{"order": 17}', read: readMetadata },
  stream: { example: 'receipts', read: (stream) => (stream === '' ? undefined : { stream }) },
  essential: { example: 'yes', read: (value) => whenSwitched(value, (essential) => ({ essential })) },
  unsubscribe: {
    example: 'on',
    read: (value) => whenSwitched(value, (listUnsubscribe) => ({ listUnsubscribe })),
  },
  track: { example: 'opens=on, clicks=off, text=off', read: readTrack },
};

/**
 * Reads and removes the control fields. Without any, `raw` itself comes back.
 * @throws RefusedError 'options-invalid' with the field's name
 */
export function takeOptions(raw: Uint8Array): { raw: Uint8Array; options: DraftOptions } {
  const block = readHeaders(raw);
  const isControl = ({ name }: HeaderField) => name.startsWith(prefix);
  let options = noOptions;
  const seen = new Set<string>();
  for (const field of block.fields) {
    if (!isControl(field)) continue;
    options = { ...options, ...readOption(raw, field, seen) };
  }
  return seen.size === 0 ? { raw, options } : { raw: rebuild(raw, block, isControl), options };
}

function readOption(raw: Uint8Array, field: HeaderField, seen: Set<string>): Partial<DraftOptions> {
  const refused = (message: string) => new RefusedError('options-invalid', `headers.${field.name}`, message);
  const name = field.name.slice(prefix.length);
  const reader = Object.hasOwn(readers, name) ? readers[name] : undefined;
  if (reader === undefined) {
    throw refused(`There is no ${field.name}; known are ${Object.keys(readers).join(', ')}`);
  }
  if (seen.has(name)) throw refused(`${field.name} stands there twice`);
  seen.add(name);
  const option = reader.read(decodeWords(fieldValue(raw, field)));
  if (option === undefined)
    throw refused(`${field.name} is not understood; write for example ${reader.example}`);
  return option;
}

function listed(value: string): string[] {
  return value
    .split(',')
    .map((part) => part.trim())
    .filter((part) => part !== '');
}

function whenSwitched(value: string, make: (on: boolean) => Partial<DraftOptions>) {
  const on = switched(value);
  return on === undefined ? undefined : make(on);
}

function readMetadata(value: string): Partial<DraftOptions> | undefined {
  try {
    const metadata: unknown = JSON.parse(value);
    if (typeof metadata !== 'object' || metadata === null || Array.isArray(metadata)) return undefined;
    return { metadata: metadata as Record<string, unknown> };
  } catch {
    return undefined;
  }
}

const trackOptions: ReadonlyMap<string, 'trackOpens' | 'trackClicks' | 'trackText'> = new Map([
  ['opens', 'trackOpens'],
  ['clicks', 'trackClicks'],
  ['text', 'trackText'],
]);

function readTrack(value: string): Partial<DraftOptions> | undefined {
  let options: Partial<DraftOptions> = {};
  for (const part of listed(value)) {
    const [, name = '', state = ''] = /^(\w+)\s*=\s*(\w+)$/i.exec(part) ?? [];
    const option = trackOptions.get(name.toLowerCase());
    const on = switched(state);
    if (option === undefined || on === undefined) return undefined;
    options = { ...options, [option]: on };
  }
  return options;
}
